"""Facts, canonical bytes, commitments and obligations: what is recorded is exact, and what is personal is hidden."""

import hashlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.assets import Asset, receipt_path
from governance.bodies import decision_of, findings_of
from governance.canonical import canonical_bytes, canonical_digest, commitment, new_salt, without_floats
from governance.disclosure import restored_input
from governance.entries import Entry, EntryKind, Receipt
from governance.errors import CanonicalError, LedgerError, ObligationError, ProofError, StorageError
from governance.facts import finding_facts, redact, request_facts, stricter
from governance.files import write_atomically
from governance.obligations import Obligations
from governance.review_facts import Act, Hold, ReviewVerdict, access_input, review_input
from governance.testing import EXAMPLE_MODEL, example_request
from governance.testing.policy import admission_facts, review_facts
from governance.types import Assurance, Finding, Outcome, Principal, Stage, new_id

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


class TestCanonical:
    @given(values)
    def test_bytes_read_back_as_the_same_value(self, value):
        assert json.loads(canonical_bytes(value)) == value

    @given(st.dictionaries(texts, values, max_size=5))
    def test_the_order_of_members_makes_no_difference(self, value):
        assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)

    @pytest.mark.parametrize("value", [1.5, {"a": [0.0]}, 2**53, "\ud800", {"a": object()}])
    def test_what_engines_could_read_differently_is_refused(self, value):
        with pytest.raises(CanonicalError) as caught:
            canonical_bytes(value)
        assert caught.value.remedy

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_floats_are_recorded_exactly(self, value):
        assert float(without_floats(value)) == value

    @pytest.mark.parametrize("value", [float("nan"), float("-inf"), object()])
    def test_what_has_no_record_is_refused(self, value):
        with pytest.raises(CanonicalError):
            without_floats({"deep": [value]})


class TestCommitments:
    @given(texts.filter(lambda name: "\0" not in name), values)
    def test_the_same_opening_gives_the_same_commitment_and_any_other_another(self, name, value):
        salt = new_salt()
        committed = commitment(name, value, salt)
        assert committed == commitment(name, value, salt)
        assert committed != commitment(name, value, new_salt())
        assert committed != commitment(name + "x", value, salt)
        assert committed != commitment(name, [value], salt)

    def test_its_bytes_are_the_published_ones(self):
        salt = bytes(range(32))
        opened = b"diffusion-governance/field/v1\0/prompts/0\0" + salt + b'{"text":"a red seven"}'
        computed = commitment("/prompts/0", {"text": "a red seven"}, salt)
        assert computed == hashlib.sha256(opened).hexdigest()

    @pytest.mark.parametrize(("name", "salt"), [("a\0b", bytes(32)), ("a", bytes(31))])
    def test_ambiguous_ones_are_refused(self, name, salt):
        with pytest.raises(CanonicalError):
            commitment(name, 1, salt)

    def test_redaction_of_a_review_hides_who_asked_and_who_decided(self):
        facts = review_facts(approvals=["second@example.org", "third@example.org"])
        document, fields = redact(facts)
        redacted = json.loads(document.content)
        assert "example.org" not in document.content.decode()
        assert {field.name: field.value for field in fields} == {
            "/reviewer/id": "reviewer@example.org",
            "/hold/requester": "designer@example.org",
            "/approvals/0": "second@example.org",
            "/approvals/1": "third@example.org",
        }
        committed = [redacted["reviewer"]["id"], redacted["hold"]["requester"], *redacted["approvals"]]
        assert committed == [{"commitment": commitment(f.name, f.value, f.salt)} for f in fields]
        assert redacted["reviewer"]["roles"] == ["reviewer"]
        assert {**redacted["hold"], "requester": facts["hold"]["requester"]} == facts["hold"]
        for name in ("model", "verdict", "time"):
            assert redacted[name] == facts[name]

    def test_a_redacted_review_is_restored_exactly(self):
        facts = review_facts(ReviewVerdict.REJECT, approvals=["second@example.org"])
        document, fields = redact(facts)
        assert restored_input(document.content, fields).value == facts

    def test_redaction_hides_every_personal_field_and_nothing_else(self):
        facts = admission_facts(example_request("a secret wish"))
        document, fields = redact(facts)
        redacted = json.loads(document.content)
        assert "secret" not in document.content.decode()
        assert "designer@example.org" not in document.content.decode()
        assert {field.name for field in fields} == {"/principal/id", "/request/id", "/prompts/0", "/prompts/1"}
        for field in fields:
            assert field.name.split("/")[1] in redacted
        assert {key: redacted[key] for key in ("model", "parameters")} == {
            key: facts[key] for key in ("model", "parameters")
        }
        again, _ = redact(facts)
        assert again.digest != document.digest


class TestFacts:
    @given(st.floats(0, 1))
    def test_a_risk_is_never_rounded_down(self, score):
        millionths = finding_facts(Finding("d", EXAMPLE_MODEL.digest, "l", score))["score_millionths"]
        assert score * 1_000_000 <= millionths * (1 + 1e-12) + 1e-9
        assert millionths - score * 1_000_000 < 1 + 1e-6

    def test_floats_are_thousandths_under_their_own_name(self):
        facts = request_facts(example_request(parameters={"guidance_scale": 7.5, "eta": -0.0015}), EXAMPLE_MODEL, ())
        assert facts["parameters"]["guidance_scale_thousandths"] == 7500
        assert facts["parameters"]["eta_thousandths"] == -2
        canonical_bytes(facts)

    @given(
        hold=st.builds(
            Hold,
            id=texts,
            stage=st.sampled_from([Stage.ADMISSION, Stage.RELEASE]),
            codes=st.lists(texts, max_size=3).map(tuple),
            requester=texts,
            purpose=texts,
            markets=st.lists(texts, max_size=3).map(tuple),
            queue=texts,
        ),
        verdict=st.sampled_from(ReviewVerdict),
        approvals=st.lists(texts, max_size=3),
        to=texts,
    )
    def test_a_review_is_asked_for_with_all_that_is_known_of_it(self, hold, verdict, approvals, to):
        reviewer = Principal("reviewer@example.org", ("reviewer", "editor"), "idp", Assurance.AUTHENTICATED)
        facts = review_input(
            hold,
            reviewer,
            verdict,
            approvals,
            EXAMPLE_MODEL,
            time="2026-11-23T14:00:00.000Z",
            inputs=[{"parameter": "image"}],
            to=to,
        )
        assert json.loads(canonical_bytes(facts)) == {
            "version": 1,
            "stage": "review",
            "time": "2026-11-23T14:00:00.000Z",
            "hold": json.loads(json.dumps(asdict(hold))),
            "reviewer": {
                "id": "reviewer@example.org",
                "roles": ["reviewer", "editor"],
                "issuer": "idp",
                "assurance": "authenticated",
            },
            "act": "holds.decide",
            "verdict": verdict.value,
            "to": to,
            "approvals": approvals,
            "inputs": [{"parameter": "image"}],
            "model": EXAMPLE_MODEL.as_facts(),
        }

    @given(act=st.sampled_from(Act))
    def test_an_act_is_asked_for_without_a_verdict(self, act):
        facts = access_input(Principal("reviewer@example.org"), act, time="2026-11-23T14:00:00.000Z")
        assert set(facts) == {"version", "stage", "time", "reviewer", "act"}
        assert facts["act"] == act.value

    def test_the_stricter_outcome_wins(self):
        assert stricter(Outcome.ALLOW, Outcome.REVIEW) is Outcome.REVIEW
        assert stricter(Outcome.DENY, Outcome.REVIEW) is Outcome.DENY


class TestObligations:
    @pytest.mark.parametrize(
        "raw",
        [
            {"watermark": 1},
            {"visible_label": ""},
            {"visible_label": "a\nb"},
            {"visible_label": "x" * 121},
            {"approvals": -1},
            {"approvals": True},
            {"max_steps": "9"},
            {"output_formats": "image/png"},
            {"disclose": [1]},
            {"surprise": 1},
        ],
        ids=str,
    )
    def test_what_cannot_be_honoured_is_an_error(self, raw):
        with pytest.raises(ObligationError) as caught:
            Obligations.parse(raw)
        assert caught.value.remedy

    def test_merged_the_stricter_wins(self):
        first = Obligations(retain_days=30, approvals=1, max_steps=50, output_formats=("image/png", "image/webp"))
        second = Obligations(retain_days=10, approvals=2, max_steps=20, output_formats=("image/webp",))
        assert first.merged(second) == Obligations(
            retain_days=30, approvals=2, max_steps=20, output_formats=("image/webp",)
        )
        assert Obligations().merged(Obligations(watermark=False)).watermark is False
        assert Obligations(watermark=False).merged(Obligations()).watermark is True


class TestEntries:
    @given(st.sampled_from(EntryKind), texts, st.dictionaries(texts, values, max_size=5))
    def test_leaves_read_back(self, kind, subject, body):
        entry = Entry(kind, subject, body)
        assert Entry.from_leaf(entry.leaf()) == entry

    def test_one_that_is_too_large_is_refused(self):
        with pytest.raises(LedgerError, match="exceeds"):
            Entry(EntryKind.INTENT, "g", {"x": "y" * 33_000}).leaf()

    @pytest.mark.parametrize("leaf", [b"", b"{}", b"[]", b'{"version":1}', b"\xff", b"[" * 100_000])
    def test_other_bytes_are_no_entry(self, leaf):
        with pytest.raises(ProofError):
            Entry.from_leaf(leaf)

    def test_a_leaf_in_another_form_is_refused(self):
        leaf = Entry(EntryKind.INTENT, "g", {"a": 1}).leaf()
        with pytest.raises(ProofError, match="canonical"):
            Entry.from_leaf(leaf.replace(b'"version":1', b'"version": 1'))

    @pytest.mark.parametrize("body", [{"decision": {}}, {"decision": {"stage": "lunch"}}, {"findings": [{}]}])
    def test_a_body_of_another_shape_is_named(self, body):
        entry = Entry(EntryKind.RELEASED, "g", body)
        with pytest.raises(ProofError, match=entry.id):
            _ = decision_of(entry, ()), findings_of(entry)

    def test_ids_sort_by_the_time_they_were_made_in(self):
        ids = [new_id() for _ in range(50)]
        assert len(set(ids)) == 50
        assert [identity[:13] for identity in ids] == sorted(identity[:13] for identity in ids)
        assert all(identity[14] == "7" and identity[19] in "89ab" for identity in ids)


class TestReceiptsAndFiles:
    @given(st.binary(max_size=40), st.integers(0, 9), st.integers(1, 9), st.lists(st.binary(max_size=32)), texts)
    def test_receipts_read_back(self, leaf, index, size, proof, checkpoint):
        receipt = Receipt(leaf, index, size, tuple(proof), checkpoint)
        assert Receipt.from_json(receipt.to_json()) == receipt

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"version":2}', '{"version":1,"index":"0"}', "null", "[" * 100_000]
    )
    def test_other_text_is_no_receipt(self, text):
        with pytest.raises(ProofError):
            Receipt.from_json(text)

    def test_an_asset_is_saved_with_its_proof_beside_it(self, tmp_path):
        receipt = Receipt(b"leaf", 0, 1, (), "note")
        asset = Asset("a", b"bytes", "image/png", canonical_digest(0), receipt)
        saved = asset.save(tmp_path / "seven.png", receipt=True)
        assert saved.read_bytes() == b"bytes"
        assert Receipt.from_json(receipt_path(saved).read_text()) == receipt
        assert {path.name for path in tmp_path.iterdir()} == {"seven.png", "seven.png.receipt.json"}

    def test_a_file_that_cannot_be_written_leaves_nothing_behind(self, tmp_path):
        (tmp_path / "taken").mkdir()
        with pytest.raises(StorageError) as caught:
            write_atomically(tmp_path / "taken", b"content")
        assert caught.value.remedy
        assert [path.name for path in tmp_path.iterdir()] == ["taken"]
        with pytest.raises(StorageError):
            write_atomically(tmp_path / "nowhere" / "file", b"content")
