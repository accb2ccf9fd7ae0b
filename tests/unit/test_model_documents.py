"""The whole model document beside what policy sees of it: stored, found, read back, and no part of the request."""

import json
from dataclasses import replace

import pytest

from governance.canonical import digest
from governance.entries import EntryKind
from governance.errors import LedgerError
from governance.facts import facts_digest, request_facts
from governance.governor import Governor
from governance.hold_history import model_of, recorded_model
from governance.search import Query
from governance.terms import terms_of_traits
from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request, fake_parts
from governance.traits import input_digests, matches, traits_of
from governance.types import AdapterFacts

LORA = AdapterFacts("unet/style", digest(b"lora"), 500, {"down": "0.5", "up": "0.25"})
ELSEWHERE = replace(EXAMPLE_MODEL, environment={"threads": {"intra": 64, "inter": 1}})


def same_request(one, other):
    """Whether two models make one request two."""
    request = example_request()
    return len({facts_digest(request_facts(request, each, ()), request, each) for each in (one, other)}) == 1


@pytest.fixture
def parts():
    made = fake_parts()
    Governor(made).generate(example_request(), FakePipeline(model=replace(EXAMPLE_MODEL, adapters=(LORA,))))
    return made


def entry_of(parts, kind):
    return next(entry for _, entry in parts.ledger.entries(kind=kind))


def traits(parts, kind):
    entry = entry_of(parts, kind)
    documents = {each: parts.ledger.document(each) for each in input_digests(entry)}
    return traits_of(entry, (), documents)


def test_the_document_holds_the_whole_and_policy_saw_its_part(parts):
    intent = entry_of(parts, EntryKind.INTENT)
    model = replace(EXAMPLE_MODEL, adapters=(LORA,))
    assert json.loads(parts.ledger.document(intent.body["model"])) == model.as_json()
    assert model.as_json()["adapters"][0]["scales"] == {"down": "0.5", "up": "0.25"}
    assert model.as_json()["environment"] == dict(EXAMPLE_MODEL.environment)
    seen = json.loads(parts.ledger.document(intent.body["decision"]["input"]))["model"]
    assert seen == model.as_facts()
    assert "environment" not in seen
    assert "scales" not in seen["adapters"][0]
    assert recorded_model(parts.ledger, intent) == model


def test_all_entries_of_a_generation_share_one_model(parts):
    intent, released = traits(parts, EntryKind.INTENT), traits(parts, EntryKind.RELEASED)
    assert intent.model_digest == released.model_digest != ""
    document = entry_of(parts, EntryKind.INTENT).body["model"]
    assert document != intent.model_digest
    for wanted in (document, intent.model_digest, LORA.digest, EXAMPLE_MODEL.components["unet"]):
        query = Query(adapter=wanted) if wanted == LORA.digest else Query(model=wanted)
        assert matches(query, intent)
    assert matches(Query(model=intent.model_digest), released)


def test_an_index_finds_the_document_too(parts):
    intent = entry_of(parts, EntryKind.INTENT)
    documents = {each: parts.ledger.document(each) for each in input_digests(intent)}
    without = terms_of_traits(
        traits_of(replace(intent, body={**intent.body, "model": digest(b"other")}), (), documents)
    )
    assert terms_of_traits(traits_of(intent, (), documents)) != without


def test_the_place_makes_no_other_request_and_a_scale_does():
    assert same_request(EXAMPLE_MODEL, ELSEWHERE)
    assert EXAMPLE_MODEL.digest != ELSEWHERE.digest
    one = replace(EXAMPLE_MODEL, adapters=(LORA,))
    assert same_request(one, replace(ELSEWHERE, adapters=(LORA,)))
    assert not same_request(one, replace(one, adapters=(replace(LORA, scales={"down": "0.5", "up": "0.2501"}),)))


def test_a_document_of_version_one_keeps_its_digest():
    before = replace(EXAMPLE_MODEL, environment={})
    assert before.as_json() == before.as_facts()
    assert before.as_json()["version"] == 1
    assert model_of(before.as_json()).digest == before.digest


@pytest.mark.parametrize("named", [None, 7, digest(b"gone")], ids=["none", "number", "gone"])
def test_a_model_that_is_not_kept_is_an_error(parts, named):
    intent = entry_of(parts, EntryKind.INTENT)
    with pytest.raises(LedgerError, match="is missing or was altered"):
        recorded_model(parts.ledger, replace(intent, body={**intent.body, "model": named}))


def test_a_model_that_was_altered_is_an_error(parts):
    """Whoever can write to the store cannot change what a held picture is released with."""

    class Altering:
        def document(self, name):
            return parts.ledger.document(name).replace(b"DDIMScheduler", b"DDPMScheduler")

    intent = entry_of(parts, EntryKind.INTENT)
    assert Altering().document(intent.body["model"]) != parts.ledger.document(intent.body["model"])
    with pytest.raises(LedgerError, match="is missing or was altered"):
        recorded_model(Altering(), intent)
