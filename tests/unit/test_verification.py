"""The verifier with fakes: every answer to each of its seven questions, and what they add up to."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.assets import Asset
from governance.checkpoint import LogSigner
from governance.entries import Receipt
from governance.errors import LedgerError, MarkError, ProofError, SigningError
from governance.governor import Governor
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.marks import MarkReader
from governance.ports import ManifestReport, ManifestState
from governance.testing import (
    FakeFingerprinter,
    FakeLabeller,
    FakeManifestSigner,
    FakePipeline,
    FakePolicyEngine,
    FakeWatermarker,
    example_picture,
    example_request,
    fake_parts,
)
from governance.types import Outcome, Principal, Stage
from governance.verification import Check, Status, Verification, Verifier
from governance.watermark import MarkKey

QUESTIONS = ("manifest", "metadata", "watermark", "attribution", "entry", "inclusion proof", "recall")
HOLDS, FAILS, NOT_CHECKED, UNCHECKED = Status.HOLDS, Status.FAILS, Status.NOT_CHECKED, Status.UNCHECKED


class Reader:
    """A manifest reader that answers or raises what it was told to."""

    def __init__(self, answer):
        self.answer = answer

    def read(self, content):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Remembering:
    """A ledger that knows one entry for every file."""

    def __init__(self, ledger, entry):
        self._ledger, self._entry = ledger, entry

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def find_asset(self, asset_digest):
        return self._entry


class Blind(FakeWatermarker):
    """Extracts nothing but errors."""

    def extract(self, pixels):
        raise MarkError("The picture cannot be read.", remedy="Use another.")


def marks_of(parts, **changes):
    return replace(MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter), **changes)


def verifier(parts, **changes):
    """Everything the installation knows; `changes` replace arguments of the verifier."""
    given = {"ledger": parts.ledger, "marks": marks_of(parts), "metadata": parts.metadata}
    reader, log_key = changes.pop("reader", parts.signer), changes.pop("log_key", parts.log_key)
    return Verifier(reader, log_key, **(given | changes))


def outsider(parts, **changes):
    """Knows the C2PA root and the log's key, and nothing else."""
    return verifier(parts, ledger=None, marks=None, **changes)


def released(parts=None, **request) -> tuple[object, Asset]:
    parts = parts or fake_parts()
    (item,) = Governor(parts).generate(example_request(**request), FakePipeline()).items
    return parts, item.asset


def statuses(verification):
    """Of every line but those of the metadata and of recalls, which have tests of their own."""
    assert tuple(check.name for check in verification.checks) == QUESTIONS
    return tuple(check.status for check in verification.checks if check.name not in ("metadata", "recall"))


def detail(verification, name):
    return next(check.detail for check in verification.checks if check.name == name)


def remarked(parts, asset, pixels):
    """A file like that of `asset`, unsigned, with its mark but these pixels: what a copier at best achieves."""
    (payload,) = parts.watermarker.extract(parts.encoder.decode(asset.content))
    return parts.encoder.encode(parts.watermarker.embed(pixels, payload, 1.0), "image/png")


class TestWhatIsSound:
    def test_a_released_file_holds_in_every_line(self):
        parts, asset = released()
        verification = verifier(parts).verify(asset.content)
        assert statuses(verification) == (HOLDS,) * 5
        assert verification.exit_code == 0
        assert verification.entry == parts.ledger.find_asset(asset.digest)
        assert "Trusted, signed by Fake signer" in detail(verification, "manifest")
        assert asset.id in detail(verification, "attribution")
        assert verification.entry.subject in detail(verification, "entry")
        assert detail(verification, "inclusion proof") == f"leaf 1 of 2 in {parts.log_key.name}"

    def test_the_receipt_beside_it_changes_nothing(self):
        parts, asset = released()
        assert statuses(verifier(parts).verify(asset.content, asset.receipt)) == (HOLDS,) * 5

    def test_an_outsider_needs_only_file_receipt_root_and_log_key(self):
        parts, asset = released()
        receipt = Receipt.from_json(asset.receipt.to_json())
        verification = outsider(parts).verify(asset.content, receipt)
        assert statuses(verification) == (HOLDS, NOT_CHECKED, NOT_CHECKED, HOLDS, HOLDS)
        assert verification.exit_code == 0
        assert verification.entry == receipt.entry

    def test_a_receipt_stays_good_while_the_log_grows(self):
        parts, asset = released()
        for number in range(5):
            released(parts, id=f"later-{number}")
        assert outsider(parts).verify(asset.content, asset.receipt).exit_code == 0
        assert outsider(parts).verify(asset.content, parts.ledger.receipt(asset.receipt.entry.id)).exit_code == 0

    def test_a_file_from_which_policy_dropped_the_watermark(self):
        engine = FakePolicyEngine()
        answer = engine.answer(Stage.RELEASE, Outcome.ALLOW, watermark=False, visible_label="AI-generated")
        parts, asset = released(fake_parts(policy=FakePolicyEngine({Stage.RELEASE: answer})))
        verification = verifier(parts).verify(asset.content)
        assert statuses(verification) == (HOLDS, NOT_CHECKED, NOT_CHECKED, HOLDS, HOLDS)
        assert verification.exit_code == 0
        assert "policy dropped the watermark" in detail(verification, "watermark")
        assert FakeLabeller.read(parts.encoder.decode(asset.content)) == "AI-generated"

    @pytest.mark.parametrize("counter", [None, 999])
    def test_the_mark_that_leads_to_a_record_counts(self, counter):
        parts, asset = released()
        marker, key = parts.watermarker, parts.mark_key
        other = 12345 if counter is None else key.payload(counter, marker.payload_bits, marker.algorithm)

        class Unsure(FakeWatermarker):
            """Reads something else first: what passes the keyed check or, by chance, does."""

            def extract(self, pixels):
                return (other, *super().extract(pixels))

        verification = verifier(parts, marks=marks_of(parts, watermarkers=(Unsure(),))).verify(asset.content)
        assert statuses(verification) == (HOLDS,) * 5


class TestManifest:
    @pytest.mark.parametrize(
        ("answer", "status", "said"),
        [
            (ManifestReport(ManifestState.MISSING), FAILS, "That alone proves nothing"),
            (
                ManifestReport(ManifestState.UNTRUSTED, problems=("signingCredential.untrusted",)),
                FAILS,
                "Untrusted: sign",
            ),
            (ManifestReport(ManifestState.INVALID, problems=("a", "b")), FAILS, "Invalid: a, b"),
            (ManifestReport(ManifestState.INVALID), FAILS, "no reason given"),
            (SigningError("The trust roots cannot be used.", remedy="Give others."), UNCHECKED, "Give others"),
        ],
    )
    def test_each_state(self, answer, status, said):
        parts, asset = released()
        verification = verifier(parts, reader=Reader(answer)).verify(asset.content)
        assert statuses(verification) == (status, HOLDS, HOLDS, HOLDS, HOLDS)
        assert said in detail(verification, "manifest")
        assert verification.exit_code == {HOLDS: 0, FAILS: 1, UNCHECKED: 2}[status]

    def test_signer_and_time_are_said(self):
        parts, asset = released()
        own = parts.signer.read(asset.content)
        report = replace(own, signer="Example", signed_at="2026-11-01T12:00:00Z")
        verification = verifier(parts, reader=Reader(report)).verify(asset.content)
        assert statuses(verification) == (HOLDS,) * 5
        assert "Example at 2026-11-01" in detail(verification, "manifest")

    def test_a_trusted_manifest_that_says_nothing_of_a_record(self):
        parts, asset = released()
        report = ManifestReport(ManifestState.TRUSTED, signer="Example")
        verification = verifier(parts, reader=Reader(report)).verify(asset.content)
        assert statuses(verification) == (HOLDS, HOLDS, HOLDS, FAILS, HOLDS)
        assert "not one of ours" in detail(verification, "entry")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"policy": {"bundle_revision": "0" * 64, "decision_ids": ["another"]}}, "other decisions"),
            ({"version": 2}, "not one of ours"),
        ],
    )
    def test_a_manifest_of_other_decisions(self, change, said):
        parts, asset = released()
        own = parts.signer.read(asset.content)
        report = replace(own, provenance={**own.provenance, **change})
        verification = verifier(parts, reader=Reader(report)).verify(asset.content)
        assert verification.exit_code == 1
        assert said in detail(verification, "entry")

    def test_a_manifest_of_another_record(self):
        parts, asset = released()
        _, other = released(parts, id="another")
        verification = verifier(parts, reader=Reader(parts.signer.read(other.content))).verify(asset.content)
        assert statuses(verification) == (HOLDS, HOLDS, HOLDS, FAILS, HOLDS)
        assert "names another record" in detail(verification, "entry")

    @pytest.mark.parametrize("intent", [None, {}, {"entry": 1}, "text"])
    def test_a_manifest_of_another_shape(self, intent):
        parts, asset = released()
        provenance = {**parts.signer.read(asset.content).provenance, "intent": intent}
        report = ManifestReport(ManifestState.TRUSTED, provenance=provenance)
        assert statuses(verifier(parts, reader=Reader(report)).verify(asset.content))[3] is FAILS

    @pytest.mark.parametrize("name", ["entry", "leaf"])
    def test_a_manifest_that_names_another_intent(self, name):
        parts, asset = released()
        provenance = json.loads(json.dumps(parts.signer.read(asset.content).provenance))
        provenance["intent"][name] = "0" * 64
        report = ManifestReport(ManifestState.TRUSTED, provenance=provenance)
        assert statuses(verifier(parts, reader=Reader(report)).verify(asset.content))[3] is FAILS


class TestWatermarkAndAttribution:
    def test_bytes_that_are_no_picture(self):
        parts, _ = released()
        verification = verifier(parts).verify(b"not a picture")
        assert statuses(verification) == (FAILS, UNCHECKED, UNCHECKED, FAILS, FAILS)
        assert verification.exit_code == 1

    def test_a_reader_that_fails(self):
        parts, asset = released()
        verification = verifier(parts, marks=marks_of(parts, watermarkers=(Blind(),))).verify(asset.content)
        assert statuses(verification) == (HOLDS, UNCHECKED, UNCHECKED, HOLDS, HOLDS)
        assert verification.exit_code == 2

    def test_a_picture_without_a_mark(self):
        parts, _ = released()
        verification = verifier(parts).verify(parts.encoder.encode(example_picture(), "image/png"))
        assert statuses(verification) == (FAILS,) * 5
        assert "That alone proves nothing" in detail(verification, "watermark")

    def test_a_picture_too_small_for_a_mark(self):
        parts, _ = released()
        small = parts.encoder.encode(example_picture(64, 64), "image/png")
        marks = marks_of(parts, watermarkers=(FakeWatermarker(min_side=65),))
        assert statuses(verifier(parts, marks=marks).verify(small))[1:3] == (FAILS, FAILS)

    def test_another_installations_mark_is_not_ours(self):
        parts, asset = released()
        stranger = marks_of(parts, key=MarkKey(b"the watermark key of a stranger."))
        verification = verifier(parts, marks=stranger).verify(asset.content)
        assert statuses(verification) == (HOLDS, FAILS, FAILS, HOLDS, HOLDS)

    def test_a_mark_that_leads_to_no_record(self):
        parts, asset = released()
        verification = verifier(parts, ledger=fake_parts().ledger).verify(asset.content)
        assert statuses(verification) == (HOLDS, HOLDS, FAILS, FAILS, FAILS)
        assert "leads to no record" in detail(verification, "attribution")

    def test_the_mark_copied_onto_a_foreign_picture(self):
        parts, asset = released()
        foreign = remarked(parts, asset, example_picture(64, 64, seed=99))
        verification = verifier(parts).verify(foreign, asset.receipt)
        assert statuses(verification) == (FAILS, HOLDS, FAILS, FAILS, FAILS)
        assert detail(verification, "attribution").startswith("mark present, picture differs")
        assert verification.entry is None

    def test_the_same_picture_as_other_bytes_is_attributed_and_not_recorded(self):
        parts, asset = released()
        saved_again = parts.encoder.encode(parts.encoder.decode(asset.content), "image/png")
        verification = verifier(parts).verify(saved_again)
        assert statuses(verification) == (FAILS, HOLDS, HOLDS, FAILS, HOLDS)
        assert verification.entry == parts.ledger.find_asset(asset.digest)
        assert "as other bytes than these" in detail(verification, "entry")

    def test_the_same_shapes_at_low_quality_are_similar(self):
        parts = fake_parts(fingerprinter=FakeFingerprinter(quality=20))
        parts, asset = released(parts)
        pixels = parts.encoder.decode(asset.content)
        darker = remarked(parts, asset, (pixels.astype(np.float32) * 0.93).astype(np.uint8))
        verification = verifier(parts).verify(darker)
        assert statuses(verification)[1:3] == (HOLDS, FAILS)
        assert detail(verification, "attribution").startswith("mark present, picture similar")

    def test_a_picture_that_cannot_be_fingerprinted(self):
        parts, asset = released()
        broken = FakeFingerprinter(error=MarkError("It cannot be hashed.", remedy="Use another."))
        verification = verifier(parts, marks=marks_of(parts, fingerprinter=broken)).verify(asset.content)
        assert statuses(verification) == (HOLDS, HOLDS, UNCHECKED, HOLDS, HOLDS)
        assert verification.exit_code == 2

    def test_marks_without_a_ledger_attribute_nothing(self):
        parts, asset = released()
        verification = verifier(parts, ledger=None).verify(asset.content, asset.receipt)
        assert statuses(verification) == (HOLDS, HOLDS, NOT_CHECKED, HOLDS, HOLDS)
        assert verification.exit_code == 0


class TestEntryAndProof:
    def test_neither_ledger_nor_receipt(self):
        parts, asset = released()
        verification = outsider(parts).verify(asset.content)
        assert statuses(verification) == (HOLDS, NOT_CHECKED, NOT_CHECKED, UNCHECKED, UNCHECKED)
        assert verification.exit_code == 2

    @pytest.mark.parametrize("method", ["find_mark", "find_asset", "receipt"])
    def test_a_ledger_that_cannot_be_read(self, method):
        parts, asset = released()
        parts.ledger.errors[method] = LedgerError("It is locked.", remedy="Unlock it.")
        verification = verifier(parts).verify(asset.content)
        found = {check.name: check.status for check in verification.checks}
        assert (
            found
            == {
                "find_mark": dict.fromkeys(QUESTIONS, HOLDS) | {"attribution": UNCHECKED},
                "find_asset": dict.fromkeys(QUESTIONS, HOLDS)
                | dict.fromkeys(("attribution", "entry", "inclusion proof", "recall"), UNCHECKED),
                "receipt": dict.fromkeys(QUESTIONS, HOLDS) | {"inclusion proof": UNCHECKED},
            }[method]
        )

    def test_a_ledger_that_lies(self):
        parts, asset = released()
        parts.ledger.errors["find_asset"] = ProofError("The leaf was altered.", remedy="Restore it.")
        parts.ledger.errors["receipt"] = ProofError("The leaf was altered.", remedy="Restore it.")
        verification = verifier(parts).verify(asset.content)
        assert statuses(verification)[3:] == (FAILS, FAILS)
        assert verification.exit_code == 1

    def test_a_receipt_of_another_file(self):
        parts, asset = released()
        _, other = released(parts, id="another")
        verification = outsider(parts).verify(asset.content, other.receipt)
        assert statuses(verification) == (HOLDS, NOT_CHECKED, NOT_CHECKED, FAILS, FAILS)
        assert "no entry records these bytes" in detail(verification, "entry")

    def test_a_receipt_that_releases_nothing(self):
        parts, asset = released()
        intent = parts.ledger.receipt(asset.receipt.entry.body["intent"]["id"])
        assert statuses(outsider(parts).verify(asset.content, intent))[3:] == (FAILS, FAILS)

    def test_another_logs_key(self):
        parts, asset = released()
        stranger = LogSigner.generate("log.example.org/stranger").key
        verification = outsider(parts, log_key=stranger).verify(asset.content, asset.receipt)
        assert statuses(verification) == (HOLDS, NOT_CHECKED, NOT_CHECKED, FAILS, FAILS)

    def test_a_receipt_of_another_file_fails_even_where_the_ledger_knows_better(self):
        parts, asset = released()
        _, other = released(parts, id="another")
        verification = verifier(parts).verify(asset.content, other.receipt)
        assert statuses(verification) == (HOLDS, HOLDS, HOLDS, HOLDS, FAILS)
        assert "another entry" in detail(verification, "inclusion proof")

    def test_another_key_under_the_same_name(self):
        parts, asset = released()
        stranger = LogSigner.generate(parts.log_key.name).key
        assert outsider(parts, log_key=stranger).verify(asset.content, asset.receipt).exit_code == 1
        assert verifier(parts, log_key=stranger).verify(asset.content).exit_code == 1

    @given(st.data())
    def test_a_receipt_with_one_changed_bit_never_holds(self, data):
        parts, asset = SAMPLE
        raw = json.loads(asset.receipt.to_json())
        name = data.draw(st.sampled_from(["leaf", "index", "tree_size", "proof", "checkpoint"]))
        if name in ("leaf", "proof"):
            text = raw[name] if name == "leaf" else raw[name][0]
            content = bytearray(base64.b64decode(text))
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
            changed = base64.b64encode(content).decode()
            raw[name] = changed if name == "leaf" else [changed, *raw[name][1:]]
        elif name == "checkpoint":
            at = data.draw(st.integers(0, len(raw[name]) - 1))
            raw[name] = raw[name][:at] + chr(ord(raw[name][at]) ^ 1) + raw[name][at + 1 :]
        else:
            raw[name] += data.draw(st.sampled_from([-2, -1, 1, 2]))
        verification = outsider(parts).verify(asset.content, Receipt.from_json(json.dumps(raw)))
        assert verification.exit_code == 1

    def test_one_changed_byte_anywhere_in_the_file(self):
        parts, asset = SAMPLE
        for position in [*range(0, len(asset.content), 997), len(asset.content) - 1]:
            changed = bytearray(asset.content)
            changed[position] ^= 1
            assert verifier(parts).verify(bytes(changed)).exit_code == 1, position
            assert outsider(parts).verify(bytes(changed), asset.receipt).exit_code == 1, position


class TestMetadata:
    def line(self, verification):
        return next((check.status, check.detail) for check in verification.checks if check.name == "metadata")

    def rewritten(self, parts, asset, **properties):
        """The file with other properties; its manifest, in a trailer, is lost with them."""
        unsigned = asset.content.partition(b"FAKE-MANIFEST")[0]
        return parts.metadata.write(
            unsigned, "image/png", {name.replace("_", ":"): v for name, v in properties.items()}
        )

    def test_they_hold_as_the_record_says(self):
        parts, asset = released()
        status, detail = self.line(verifier(parts).verify(asset.content))
        assert (status, asset.receipt.entry.id in detail) == (HOLDS, True)

    def test_an_outsider_compares_with_the_manifest_and_the_receipt(self):
        parts, asset = released()
        assert self.line(outsider(parts).verify(asset.content)) == (HOLDS, "12 properties, as the manifest says")
        assert self.line(outsider(parts).verify(asset.content, asset.receipt))[0] is HOLDS

    def test_what_the_record_does_not_say_fails_and_is_named(self):
        parts, asset = released()
        status, detail = self.line(verifier(parts).verify(self.rewritten(parts, asset, dc_publisher="Somebody else")))
        assert (status, detail) == (FAILS, "dc:publisher: not as the record says")

    @pytest.mark.parametrize("name", ["dc:creator", "PNG:AIGC"])
    def test_what_somebody_put_in_fails_and_is_named(self, name):
        parts, asset = released()
        status, detail = self.line(verifier(parts).verify(self.rewritten(parts, asset, **{name: "Somebody else"})))
        assert (status, detail) == (FAILS, f"{name}: not as the record says")

    def test_what_nothing_confirms_fails(self):
        parts, asset = released()
        status, detail = self.line(outsider(parts).verify(self.rewritten(parts, asset)))
        assert status is FAILS
        assert "neither a record nor a trusted manifest" in detail

    def test_those_of_another_asset_fail(self):
        parts, asset = released()
        report = parts.signer.read(asset.content)
        other = replace(report, provenance={**report.provenance, "asset": "another"})
        assert self.line(outsider(parts, reader=Reader(other)).verify(asset.content))[0] is FAILS

    def test_a_file_without_any(self):
        parts, asset = released()
        bare = parts.encoder.encode(parts.encoder.decode(asset.content), "image/png")
        status, detail = self.line(verifier(parts).verify(bare))
        assert (status, "alone proves nothing" in detail) == (FAILS, True)

    def test_a_record_of_a_time_before_metadata(self):
        parts, asset = released()
        entry = asset.receipt.entry
        old = replace(entry, body={name: value for name, value in entry.body.items() if name != "metadata"})
        remembering = verifier(parts, ledger=Remembering(parts.ledger, old))
        assert self.line(remembering.verify(asset.content))[0] is NOT_CHECKED

    def test_what_cannot_be_read_was_not_checked(self):
        parts, _ = released()
        assert self.line(verifier(parts).verify(b"text"))[0] is UNCHECKED


def checks(*found):
    return Verification(tuple(Check(str(at), status, "") for at, status in enumerate(found)), None)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((HOLDS, HOLDS), 0),
        ((HOLDS, NOT_CHECKED), 0),
        ((HOLDS, UNCHECKED), 2),
        ((NOT_CHECKED, UNCHECKED), 2),
        ((FAILS, UNCHECKED), 1),
        ((UNCHECKED, FAILS, HOLDS), 1),
        ((NOT_CHECKED, FAILS), 1),
    ],
)
def test_exit_codes(found, code):
    assert checks(*found).exit_code == code


class TestRecall:
    @staticmethod
    def recall(parts, *released):
        cause = Cause(RecallBy.LICENCE, "CC-BY-4.0")
        targets = Targets(assets=tuple(entry.id for entry in released))
        return parts.ledger.append(Recall(cause, Principal("counsel@example.org")).records(targets)[0]).entry

    @staticmethod
    def answer(verification):
        assert tuple(check.name for check in verification.checks) == QUESTIONS
        return verification.checks[-1].status, verification.checks[-1].detail

    def test_nothing_was_recalled(self):
        parts, asset = released()
        assert self.answer(verifier(parts).verify(asset.content)) == (HOLDS, "not recalled")

    def test_a_file_that_was_recalled_fails_though_all_else_holds(self):
        parts, asset = released()
        _, other = released(parts, id="another")
        entry = self.recall(parts, parts.ledger.find_asset(asset.digest))
        verification = verifier(parts).verify(asset.content)
        said = f"recalled by entry {entry.id} of {entry.time}: licence CC-BY-4.0"
        assert self.answer(verification) == (FAILS, said)
        assert statuses(verification) == (HOLDS,) * 5
        assert verification.exit_code == 1
        assert verifier(parts).verify(other.content).exit_code == 0

    def test_a_copy_that_was_saved_again_is_recalled_with_it(self):
        parts, asset = released()
        self.recall(parts, parts.ledger.find_asset(asset.digest))
        copy = parts.encoder.encode(parts.encoder.decode(asset.content), "image/png")
        verification = verifier(parts).verify(copy)
        assert detail(verification, "entry").startswith("the picture is recorded in")
        assert self.answer(verification)[0] is FAILS

    def test_a_stranger_cannot_know(self):
        parts, asset = released()
        self.recall(parts, parts.ledger.find_asset(asset.digest))
        verification = outsider(parts).verify(asset.content, asset.receipt)
        assert self.answer(verification)[0] is NOT_CHECKED
        assert verification.exit_code == 0

    def test_what_has_no_entry_was_not_recalled_by_anybody(self):
        parts, _ = released()
        assert self.answer(verifier(parts).verify(b"nothing of ours"))[0] is NOT_CHECKED

    @pytest.mark.parametrize(
        ("error", "status"),
        [(LedgerError("It is locked.", remedy="Wait."), UNCHECKED), (ProofError("Altered.", remedy="Mend."), FAILS)],
        ids=["locked", "altered"],
    )
    def test_a_ledger_that_cannot_be_searched(self, error, status):
        parts, asset = released()
        parts.ledger.errors["search"] = error
        assert self.answer(verifier(parts).verify(asset.content)) == (status, str(error))


def test_for_programs():
    parts, asset = released()
    verification = verifier(parts).verify(asset.content)
    value = json.loads(json.dumps(verification.as_json()))
    assert value["exit_code"] == 0
    assert value["entry"] == verification.entry.id
    assert [(check["name"], check["status"]) for check in value["checks"]] == [(name, "holds") for name in QUESTIONS]
    assert outsider(parts).verify(b"").as_json()["entry"] is None


def test_absence_is_never_read_as_innocence():
    parts, asset = SAMPLE
    signer = FakeManifestSigner(signer="A stranger")
    files = [
        b"",
        b"text",
        parts.encoder.encode(example_picture(seed=5), "image/png"),
        asset.content,
        asset.content[:-1],
    ]
    for content in files:
        for verification in (
            verifier(parts).verify(content),
            verifier(parts, reader=signer).verify(content),
            outsider(parts).verify(content),
            outsider(parts).verify(content, asset.receipt),
        ):
            said = json.dumps(verification.as_json()).lower()
            for claim in ("human", "not ai", "no ai", "authentic", "genuine", "real photo"):
                assert claim not in said


SAMPLE = released()
