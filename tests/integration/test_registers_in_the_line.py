"""The registers decide with the shipped bundle: what is not registered as exactly these weights is not used."""

from dataclasses import replace

import pytest

from governance.canonical import digest
from governance.entries import EntryKind
from governance.errors import DeniedError, HeldError, LedgerError, ReviewError
from governance.governor import Governor
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.registers.item_checks import RegisterName
from governance.registers.items import RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers
from governance.review import ReviewDesk
from governance.testing import (
    EXAMPLE_MODEL,
    FakeDetector,
    FakeLedger,
    FakePipeline,
    example_request,
    fake_parts,
)
from governance.types import AdapterFacts, Principal, new_id
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.regorus import RegorusEngine
from support.allowed import REGISTRAR, register
from support.bundles import bundle_at

LORA = AdapterFacts("style", digest(b"the approved weights"), 1000)
MODEL = RegisteredModel("example", dict(EXAMPLE_MODEL.components), EXAMPLE_MODEL.pipeline, "Apache-2.0")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The shipped bundle, allowing the example model and one LoRA."""
    adapters = {
        LORA.digest: {"name": "style", "licence": "Apache-2.0", "data_origin": "Ours."},
        digest(b"other"): {"name": "style", "licence": "Apache-2.0", "data_origin": "Ours."},
    }
    root = bundle_at(tmp_path_factory.mktemp("bundle") / "policies", lambda data: data.update(adapters=adapters))
    engine = RegorusEngine(Bundle.load(root))
    yield engine
    engine.close()


@pytest.fixture
def ledger():
    return FakeLedger()


def line(engine, ledger, *, score=0.0):
    """A governor of fakes by the real policy; nothing is registered."""
    detectors = (FakeDetector({"nsfw": score}), FakeDetector({"copy": 0.0}, name="similarity"))
    return Governor(fake_parts(policy=engine, detectors=detectors, ledger=ledger, log_key=ledger.key))


def generate(governor, *adapters, spoil=None):
    request = example_request(id=new_id())
    pipeline = FakePipeline(
        model=replace(EXAMPLE_MODEL, adapters=adapters), **({} if spoil is None else {"spoil": spoil})
    )
    return governor.generate(request, pipeline)


def codes(error):
    return {reason.code for item in error.value.result.items for d in item.decisions for reason in d.reasons}


def test_what_is_registered_is_released(engine, ledger):
    register(ledger, replace(EXAMPLE_MODEL, adapters=(LORA,)))
    out = generate(line(engine, ledger), LORA)
    assert out.items[0].asset is not None


def test_a_model_that_nobody_registered_is_denied(engine, ledger):
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger))
    assert codes(error) == {"model.unregistered"}


def test_a_model_of_another_digest_is_denied(engine, ledger):
    components = {**EXAMPLE_MODEL.components, "unet": digest(b"other weights under the same name")}
    register(ledger, replace(EXAMPLE_MODEL, components=components))
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger))
    assert codes(error) == {"model.unregistered"}


def test_an_expired_model_is_denied(engine, ledger):
    Registers(ledger).add(replace(MODEL, expires="2020-01-01T00:00:00.000Z"), REGISTRAR)
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger))
    assert codes(error) == {"model.expired"}


def test_a_withdrawn_model_is_denied_from_the_next_call_on(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    governor = line(engine, ledger)
    assert generate(governor).items[0].asset is not None
    Registers(ledger).withdraw(RegisterName.MODELS, MODEL.key, REGISTRAR)
    with pytest.raises(DeniedError) as error:
        generate(governor)
    assert codes(error) == {"model.withdrawn"}


def test_a_recalled_model_is_denied(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    (record,) = Recall(Cause(RecallBy.LICENCE, "Apache-2.0"), REGISTRAR).records(Targets(models=(MODEL.key,)))
    ledger.append(record)
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger))
    assert codes(error) == {"model.recalled"}


def test_a_lora_renamed_to_an_approved_one_stays_unregistered(engine, ledger):
    register(ledger, replace(EXAMPLE_MODEL, adapters=(LORA,)))
    renamed = replace(LORA, digest=digest(b"other"))
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger), renamed)
    assert codes(error) == {"adapter.unregistered"}


def test_a_lora_for_another_base_is_denied(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    registers = Registers(ledger)
    other = replace(MODEL, components={"unet": digest(b"another base")})
    registers.add(other, REGISTRAR)
    registers.add(RegisteredAdapter("style", LORA.digest, base=other.key, licence="Apache-2.0"), REGISTRAR)
    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger), LORA)
    assert codes(error) == {"adapter.base"}


def test_a_model_that_is_withdrawn_while_it_generates_releases_nothing(engine, ledger):
    register(ledger, EXAMPLE_MODEL)

    def withdrawn(drafts):
        Registers(ledger).withdraw(RegisterName.MODELS, MODEL.key, REGISTRAR)
        return drafts

    with pytest.raises(DeniedError) as error:
        generate(line(engine, ledger), spoil=withdrawn)
    assert codes(error) == {"model.withdrawn"}
    assert [record.entry.kind for record in ledger.records][-2:] == [EntryKind.REGISTER, EntryKind.DENIED]


def test_a_held_draft_is_not_released_once_its_model_was_withdrawn(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    governor = line(engine, ledger, score=0.5)
    with pytest.raises(HeldError):
        generate(governor)
    Registers(ledger).withdraw(RegisterName.MODELS, MODEL.key, REGISTRAR)
    desk, reviewer = ReviewDesk(governor.parts), Principal("reviewer@example.org", ("reviewer",))
    (hold,) = ledger.holds()
    desk.lease(reviewer, hold.id)
    with pytest.raises(ReviewError, match=r"model\.withdrawn"):
        desk.approve(reviewer, hold.id, ("brand.cleared",))
    assert EntryKind.RELEASED not in {record.entry.kind for record in ledger.records}


def test_registers_that_cannot_be_read_let_nothing_be_made(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    governor = line(engine, ledger)
    ledger.errors["search"] = LedgerError("gone")
    with pytest.raises(LedgerError, match="gone"):
        generate(governor)
    assert {record.entry.kind for record in ledger.records} == {EntryKind.REGISTER, EntryKind.FAILED}


def test_a_withdrawal_is_no_conflict_with_what_was_recorded(engine, ledger):
    register(ledger, EXAMPLE_MODEL)
    governor, request = line(engine, ledger), example_request(id=new_id())
    first = governor.generate(request, FakePipeline())
    Registers(ledger).change(replace(MODEL, licence="MIT"), REGISTRAR)
    again = governor.generate(request, FakePipeline())
    assert again.items[0].entry.id == first.items[0].entry.id
