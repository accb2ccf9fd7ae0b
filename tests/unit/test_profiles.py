"""Each profile on a file that has every mark, and on that file without one of them: the clause is named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from governance.errors import ConfigurationError
from governance.governor import Governor
from governance.marks import MarkReader
from governance.ports import IngredientReport, ManifestState
from governance.profiles import PROFILES, FieldState, judge_profile
from governance.testing import (
    FakeFingerprinter,
    FakeMetadataWriter,
    FakePipeline,
    FakePolicyEngine,
    example_request,
    fake_parts,
)
from governance.types import Outcome, Stage
from governance.verification import Status, Verifier

EU, US, CN = "eu-ai-act-50", "us-ca-sb942", "cn-gb45438"


def labelling(label="AI生成", **obligations):
    engine = FakePolicyEngine()
    obligations = {"visible_label": label, "label_language": "zh-Hans", **obligations}
    return FakePolicyEngine({Stage.RELEASE: lambda s, _: engine.answer(s, Outcome.ALLOW, **obligations)})


def released(**changes):
    parts = fake_parts(policy=labelling(), **changes) if "policy" not in changes else fake_parts(**changes)
    (item,) = Governor(parts).generate(example_request(), FakePipeline()).items
    return parts, item.asset.content


def verified(parts, content, *, stamped=True, **changes):
    marks = MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter)
    verifier = Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger, marks=marks)
    verification = verifier.verify(content)
    if stamped:
        changes = {"signed_at": "2026-11-23T14:00:00Z", **changes}
    return replace(verification, report=replace(verification.report, **changes))


def failing(name, verification, content=b"\x89PNG\r\n\x1a\n"):
    """Clause and state of each required field that is not there; of several fields of one clause, wrong before missing."""
    report = judge_profile(name, verification, content)
    found = [field for field in report.fields if field.required and field.state is not there]
    fields = {field.clause: field.state for field in sorted(found, key=lambda field: field.state is wrong)}
    assert report.holds == (not fields)
    return fields


there, missing, wrong = FieldState.THERE, FieldState.MISSING, FieldState.WRONG
SAMPLE = released()


def with_metadata(verification, change):
    """The verification of the same file, had it said this of itself."""
    said = dict(verification.metadata)
    change(said)
    return replace(verification, metadata=said)


@pytest.mark.parametrize("name", PROFILES)
def test_a_file_with_every_mark_passes(name):
    parts, content = SAMPLE
    assert failing(name, verified(parts, content)) == {}
    report = judge_profile(name, verified(parts, content), content)
    assert json.loads(json.dumps(report.as_json()))["holds"] is True
    assert all(field.clause for field in report.fields)


def test_a_manifest_without_a_trusted_time_stamp_fails_the_european_profile_only():
    parts, content = SAMPLE
    bare = verified(parts, content, stamped=False)
    assert failing(EU, bare) == {"Art. 50(2); Code of Practice, sub-measure 1.1.1": missing}
    assert failing(US, bare) == failing(CN, bare) == {}
    said = [field.detail for field in judge_profile(EU, bare, content).fields if field.name == "trusted time-stamp"]
    assert "tsa_url" in said[0]


def test_a_lost_manifest():
    parts, content = SAMPLE
    bare = verified(parts, content.partition(b"FAKE-MANIFEST/1\n")[0], stamped=False)
    assert failing(EU, bare)["Art. 50(2); Code of Practice, sub-measure 1.1.1"] is missing
    assert failing(US, bare) == {"Bus. & Prof. Code 22757.3(b)(3)": missing}
    assert failing(CN, bare) == {}


def test_a_manifest_that_does_not_hold_is_wrong_not_missing():
    parts, content = SAMPLE
    broken = verified(parts, content, state=ManifestState.INVALID, problems=("assertion.dataHash.mismatch",))
    assert failing(US, broken) == {"Bus. & Prof. Code 22757.3(b)(3)": wrong}


def test_no_watermark():
    policy = labelling(watermark=False)
    parts, content = released(policy=policy)
    bare = verified(parts, content)
    assert failing(EU, bare) == {"Art. 50(2); Code of Practice, sub-measure 1.1.2": missing}
    assert failing(US, bare) == {"Bus. & Prof. Code 22757.3(b)(4)": missing}
    assert failing(CN, bare) == {}


def test_the_mark_of_another_picture_is_wrong():
    parts, content = SAMPLE
    other = replace(parts, fingerprinter=Inverting())
    assert failing(US, verified(other, content))["Bus. & Prof. Code 22757.3(b)(4)"] is wrong


class Inverting(FakeFingerprinter):
    def fingerprint(self, pixels):
        return super().fingerprint(np.ascontiguousarray(255 - pixels))


@pytest.mark.parametrize(
    ("profile", "name", "clauses"),
    [
        (EU, "Iptc4xmpExt:DigitalSourceType", {"sub-measure 1.1.1", "measure 1.2"}),
        (US, "dc:publisher", {"(b)(1)(A)"}),
        (US, "Iptc4xmpExt:AISystemUsed", {"(b)(1)(B)"}),
        (US, "Iptc4xmpExt:AISystemVersionUsed", {"(b)(1)(B)"}),
        (US, "xmp:CreateDate", {"(b)(1)(C)"}),
        (US, "dc:identifier", {"(b)(1)(D)"}),
        (CN, "PNG:AIGC", {"6.1"}),
        (CN, "governance:VisibleLabel", {"5.2"}),
        (CN, "TC260:AIGC", {*(f"annex E {letter})" for letter in "acdefghij"), "6.1"}),
    ],
)
def test_a_lost_property_is_named_with_its_clause(profile, name, clauses):
    parts, content = SAMPLE
    fields = failing(profile, with_metadata(verified(parts, content), lambda said: said.pop(name)))
    assert {clause for clause in clauses if any(key.endswith(clause) for key in fields)} == clauses
    assert len(fields) == len(clauses)


@pytest.mark.parametrize(
    ("profile", "name", "value", "clause"),
    [
        (EU, "Iptc4xmpExt:DigitalSourceType", "digitalCapture", "sub-measure 1.1.1"),
        (EU, "Iptc4xmpExt:AIPromptInformation", "a secret", "sub-measure 1.1.1"),
        (EU, "Iptc4xmpExt:AIPromptWriterName", "designer@example.org", "sub-measure 1.1.1"),
        (EU, "{urn:example:else}GPS", "52.5 13.4", "sub-measure 1.1.1"),
        (US, "dc:publisher", "Somebody else", "(b)(1)(A)"),
        (US, "xmp:CreateDate", "yesterday", "(b)(1)(C)"),
        (CN, "PNG:AIGC", "{}", "6.1"),
        (CN, "TC260:AIGC", "not JSON", "annex E a)"),
    ],
)
def test_a_wrong_value_is_wrong(profile, name, value, clause):
    parts, content = SAMPLE
    fields = failing(profile, with_metadata(verified(parts, content), lambda said: said.update({name: value})))
    assert wrong in {state for key, state in fields.items() if key.endswith(clause)}


def test_a_label_that_does_not_name_ai_and_generation():
    parts, content = released(policy=labelling("made with care"))
    assert failing(CN, verified(parts, content)) == {"GB 45438-2025, 5.2": wrong}


def test_a_provider_that_is_not_set():
    parts, content = released(provider="", policy=labelling())
    assert failing(US, verified(parts, content)) == {"Bus. & Prof. Code 22757.3(b)(1)(A)": missing}
    assert failing(CN, verified(parts, content)) == {f"GB 45438-2025, annex E {letter})": missing for letter in "dg"}


def test_a_disclosed_prompt_is_no_leak():
    parts, content = released(policy=labelling(disclose=["prompt"]))
    assert failing(EU, verified(parts, content)) == {}


@pytest.mark.parametrize("state", [ManifestState.INVALID, ManifestState.UNTRUSTED])
def test_bytes_that_nothing_vouches_for_may_hold_anything(state):
    parts, content = SAMPLE

    def private(verification):
        report = judge_profile(EU, verification, content)
        return next(field.state for field in report.fields if field.name == "nothing privacy-sensitive")

    unsigned = verified(parts, content, state=state)
    assert private(unsigned) is there  # its record is of these very bytes
    checks = tuple(replace(check, status=Status.FAILS) if check.name == "entry" else check for check in unsigned.checks)
    assert private(replace(unsigned, checks=checks)) is missing


class TestInputs:
    def of(self, *ingredients, **changes):
        def composite(said):
            said["Iptc4xmpExt:DigitalSourceType"] = (
                "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
            )

        parts, content = SAMPLE
        verification = with_metadata(verified(parts, content, ingredients=ingredients, **changes), composite)
        return {key[-11:]: state for key, state in failing(EU, verification).items() if key.endswith("1.2")}

    def test_they_must_be_named_and_hold(self):
        kept = IngredientReport("image", "parentOf", ManifestState.TRUSTED, "urn:c2pa:1")
        assert self.of(kept) == {}
        assert self.of() == {"measure 1.2": missing}
        assert self.of(replace(kept, state=ManifestState.INVALID)) == {"measure 1.2": wrong}

    @pytest.mark.parametrize("state", [ManifestState.INVALID, ManifestState.UNTRUSTED])
    def test_a_manifest_that_is_not_trusted_names_none(self, state):
        kept = IngredientReport("image", "parentOf", ManifestState.TRUSTED, "urn:c2pa:1")
        assert self.of(kept, state=state) == {"measure 1.2": missing}

    def test_metadata_that_deny_what_the_manifest_names_are_wrong(self):
        parts, content = SAMPLE
        named = verified(parts, content, ingredients=(IngredientReport("image", "inputTo", ManifestState.MISSING),))
        assert failing(EU, named) == {"Art. 50(2); Code of Practice, measure 1.2": wrong}


def test_a_jpeg_needs_no_png_chunk():
    parts, content = SAMPLE
    bare = with_metadata(verified(parts, content), lambda said: said.pop("PNG:AIGC"))
    assert failing(CN, bare, b"\xff\xd8\xff") == {}


def test_metadata_that_nothing_confirms_count_for_nothing():
    parts, _ = SAMPLE
    forged = FakeMetadataWriter().write(
        parts.encoder.encode(np.full((64, 64, 3), 7, np.uint8), "image/png"),
        "image/png",
        parts.metadata.read(SAMPLE[1]),
    )
    for name in PROFILES:
        assert wrong in failing(name, verified(parts, forged, stamped=False)).values()


def test_an_unknown_profile():
    with pytest.raises(ConfigurationError, match=EU):
        judge_profile("uk", verified(*SAMPLE), b"")
