"""A recorded policy input is put together again exactly, or says which field is gone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes, commitment, digest, new_salt
from governance.disclosure import RestoredInput, recorded_input, restored_input
from governance.entries import Document, Entry, EntryKind, PersonalField, Record
from governance.errors import GovernanceError, ProofError
from governance.facts import redact
from governance.governor import Governor
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.testing.policy import admission_facts, release_facts
from governance.types import OpaqueArgument, OpaqueKind, Principal, Prompt

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Z"]), min_size=1, max_size=20)
opaque = st.builds(OpaqueArgument, texts, st.sampled_from(OpaqueKind), st.none() | st.just(digest(b"an embedding")))
requests = st.builds(
    lambda text, name, id_, roles, shown: example_request(
        text, id=id_, principal=Principal(name, tuple(roles)), prompts=(Prompt(text), Prompt("x")), opaque=tuple(shown)
    ),
    texts,
    texts,
    texts,
    st.lists(texts, max_size=3),
    st.lists(opaque, max_size=3),
)


class TestRestored:
    @given(requests)
    def test_redaction_is_undone_exactly(self, request):
        facts = admission_facts(request)
        document, fields = redact(facts)
        assert document.content != canonical_bytes(facts)
        assert restored_input(document.content, fields) == RestoredInput(json.loads(canonical_bytes(facts)))

    @given(requests, st.data())
    def test_what_was_erased_is_named_and_stays_a_commitment(self, request, data):
        document, fields = redact(admission_facts(request))
        gone = data.draw(st.sets(st.sampled_from([field.name for field in fields]), min_size=1))
        restored = restored_input(document.content, [field for field in fields if field.name not in gone])
        assert sorted(restored.erased) == sorted(gone)
        text = canonical_bytes(restored.value).decode()
        for field in fields:
            assert (commitment(field.name, field.value, field.salt) in text) == (field.name in gone)

    def test_a_release_is_put_together_too(self):
        facts = release_facts()
        document, fields = redact(facts)
        assert restored_input(document.content, fields) == RestoredInput(facts)

    def test_a_field_that_the_document_does_not_have_is_passed_over(self):
        facts = admission_facts()
        document, fields = redact(facts)
        words = PersonalField("/decision/messages", new_salt(), ["a reason"])
        assert restored_input(document.content, (*fields, words)) == RestoredInput(facts)

    def test_an_altered_field_is_refused(self):
        document, fields = redact(admission_facts())
        forged = [PersonalField(field.name, field.salt, "somebody else") for field in fields]
        with pytest.raises(ProofError, match="/principal/id was altered"):
            restored_input(document.content, forged)

    def test_a_field_that_cannot_be_read_is_refused(self):
        document, fields = redact(admission_facts())
        broken = [PersonalField(field.name, b"short", field.value) for field in fields]
        with pytest.raises(ProofError, match="cannot be read"):
            restored_input(document.content, broken)

    def test_names_are_steps_of_a_pointer(self):
        salt = new_salt()
        name = "/a~1b~0c/0"
        content = canonical_bytes({"a/b~c": [{"commitment": commitment(name, "x", salt)}], "plain": {"commitment": 1}})
        assert restored_input(content, [PersonalField(name, salt, "x")]).value == {
            "a/b~c": ["x"],
            "plain": {"commitment": 1},
        }

    @pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000])
    def test_what_is_no_document_is_refused(self, content):
        with pytest.raises(ProofError):
            restored_input(content, ())


class TestRecorded:
    def test_every_decision_of_the_line_gives_its_input_again(self):
        parts = fake_parts()
        Governor(parts).generate(example_request(), FakePipeline())
        asked = [json.loads(canonical_bytes(facts)) for _, facts in parts.policy.asked]
        found = [recorded_input(parts.ledger, entry) for _, entry in parts.ledger.entries()]
        assert [each.value for each in found if each] == asked
        assert all(each.erased == () for each in found if each)

    def test_an_entry_without_a_decision_has_none(self):
        ledger = FakeLedger()
        entry = Entry(EntryKind.FAILED, "a generation", {"version": 1, "fields": {}})
        ledger.append(Record(entry))
        assert recorded_input(ledger, entry) is None

    def test_a_document_that_is_gone_is_none(self):
        ledger = FakeLedger()
        entry = Entry(EntryKind.DENIED, "a generation", {"decision": {"input": digest(b"gone")}, "fields": {}})
        ledger.append(Record(entry))
        assert recorded_input(ledger, entry) is None

    def test_an_altered_document_is_refused(self):
        ledger = _AlteredLedger()
        entry = Entry(EntryKind.DENIED, "a generation", {"decision": {"input": digest(b"{}")}, "fields": {}})
        ledger.append(Record(entry, documents=(Document(digest(b"{}"), b"{}"),)))
        with pytest.raises(GovernanceError, match="was altered"):
            recorded_input(ledger, entry)


class _AlteredLedger(FakeLedger):
    """Somebody wrote to the documents behind its back."""

    def document(self, digest):
        return (super().document(digest) or b"") + b" "
