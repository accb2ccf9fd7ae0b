"""What a run signs and registers is what it made, and nothing is left behind where it may not finish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from governance.entries import EntryKind
from governance.errors import RegisterError, TrainingDeniedError, TrainingError
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance_adapters import govern_training
from governance_adapters.installation import ledger_for_appending
from governance_adapters.reference import load_reference_pipeline
from governance_adapters.reference.house_style import write_house_style
from governance_adapters.training import signing
from governance_adapters.training.examples import Example
from governance_adapters.training.lora import LoraSettings, train_lora
from governance_adapters.training.saving import WEIGHTS, save_lora
from governance_adapters.training.signing import SIGNATURE
from governance_adapters.trainings import Registration
from support.training import COUNSEL, DESIGNER, Atelier

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

SHORT = LoraSettings(steps=1, batch=1, rank=1)
BLACK = Example("a seven", np.zeros((256, 256, 3), np.uint8))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    write_house_style(folder, 2)
    return folder


@pytest.fixture(scope="module")
def atelier(tmp_path_factory, source) -> Atelier:
    atelier = Atelier.make(tmp_path_factory.mktemp("atelier") / "home")
    atelier.audited("few", source)
    atelier.approve("few")
    return atelier


@pytest.fixture(scope="module")
def base():
    return load_reference_pipeline()


@pytest.fixture
def pipe(base):
    """The base without any adapter, before and after."""
    yield base
    for names in base.get_list_adapters().values():
        base.delete_adapters(names)


def start(atelier, base, dataset="few", **options):
    return govern_training(dataset, base, principal=DESIGNER, settings=atelier.settings, **options)


def saved(pipe, folder: Path, seed: int) -> Path:
    """A LoRA in a folder, taken out of the pipeline again."""
    train_lora(pipe, [BLACK], replace(SHORT, seed=seed), name="made")
    save_lora(pipe, "made", folder)
    pipe.delete_adapters("made")
    return folder


def taken(run) -> None:
    assert len(list(run.records())) == 2


@pytest.mark.parametrize(
    "about", [{"name": ""}, {"name": "x\n"}, {"name": "x", "expires": "soon"}, {"name": "x", "licence": "CC BY 4.0"}]
)
def test_what_the_register_would_not_take_is_known_before_anything_is_trained(about):
    with pytest.raises(RegisterError):
        Registration(**about)


def test_a_registration_may_end_on_a_date(atelier, pipe, tmp_path):
    with start(atelier, pipe) as run:
        taken(run)
        made = run.finish(saved(pipe, tmp_path / "lora", 1), Registration("dated", expires="2099-06-30"))
    with ledger_for_appending(atelier.settings) as ledger:
        assert Registers(ledger).adapter(made.result.digest).expires == "2099-06-30T00:00:00.000Z"


def test_a_name_that_the_register_does_not_take_leaves_no_result(atelier, pipe, tmp_path):
    before = len(atelier.entries(EntryKind.TRAINED))
    folder = saved(pipe, tmp_path / "lora", 2)
    with start(atelier, pipe) as run:
        taken(run)
        with pytest.raises(RegisterError):
            run.finish(folder, "")
        run.finish(saved(pipe, tmp_path / "named", 2), "named")
    before += 1
    assert len(atelier.entries(EntryKind.TRAINED)) == before
    assert [each.name for each in folder.iterdir()] == [WEIGHTS]


def test_a_lora_that_was_withdrawn_is_not_registered_by_training_it_again(atelier, pipe, tmp_path):
    with start(atelier, pipe) as run:
        taken(run)
        made = run.finish(saved(pipe, tmp_path / "first", 3), "withdrawn")
    with ledger_for_appending(atelier.settings) as ledger:
        Registers(ledger).withdraw(RegisterName.ADAPTERS, made.result.digest, COUNSEL)
    folder = saved(pipe, tmp_path / "second", 3)
    with start(atelier, pipe) as run:
        taken(run)
        with pytest.raises(TrainingDeniedError, match="withdrawn before"):
            run.finish(folder, "again")
    with ledger_for_appending(atelier.settings) as ledger:
        assert Registers(ledger).adapter(made.result.digest) is None
    assert not (folder / SIGNATURE).exists()


def test_what_policy_does_not_let_finish_carries_no_signature(atelier, source, pipe, tmp_path):
    atelier.audited("gone", source)
    atelier.approve("gone")
    folder = saved(pipe, tmp_path / "lora", 4)
    with start(atelier, pipe, "gone") as run:
        taken(run)
        atelier.withdraw("gone")
        with pytest.raises(TrainingDeniedError):
            run.finish(folder, "late")
    assert [each.name for each in folder.iterdir()] == [WEIGHTS]


def test_a_file_that_is_exchanged_after_it_was_signed_is_not_recorded(atelier, pipe, tmp_path, monkeypatch):
    folder, other = saved(pipe, tmp_path / "lora", 5), saved(pipe, tmp_path / "other", 6)
    sign = signing.sign_folder

    def signed_and_exchanged(folder, keys):
        signature = sign(folder, keys)
        (folder / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
        return signature

    monkeypatch.setattr(signing, "sign_folder", signed_and_exchanged)
    run = start(atelier, pipe)
    with run:
        taken(run)
        with pytest.raises(RegisterError, match="does not hold"):
            run.finish(folder, "exchanged")
        monkeypatch.undo()
        run.finish(saved(pipe, tmp_path / "at-last", 5), "at last")
    assert not (folder / SIGNATURE).exists()


@pytest.mark.parametrize("strange", ["other.safetensors", "deep/weights.bin", "run.py"])
def test_nothing_that_could_be_loaded_is_signed_beside_the_lora(atelier, pipe, tmp_path, strange):
    """The signature is over the folder: what nobody approved would verify with it."""
    folder = saved(pipe, tmp_path / "lora", 7)
    (folder / strange).parent.mkdir(exist_ok=True)
    (folder / strange).write_bytes(b"not approved")
    with start(atelier, pipe) as run:
        taken(run)
        with pytest.raises(TrainingError, match="would be signed with it"):
            run.finish(folder / WEIGHTS, "strange")
        assert not (folder / SIGNATURE).exists()
        (folder / strange).unlink()
        (folder / "README.md").write_text("What it is for.")
        run.finish(folder / WEIGHTS, "alone")
    assert (folder / SIGNATURE).exists()


def test_a_base_with_a_lora_in_it_is_no_base(atelier, pipe):
    """What is trained on top of a LoRA would descend from it, and no entry would say so."""
    train_lora(pipe, [BLACK], SHORT, name="hidden")
    pipe.disable_lora()
    with pytest.raises(TrainingError, match="adapters loaded: hidden"):
        start(atelier, pipe)


def test_the_base_again_is_no_result(atelier, tmp_path):
    base = load_reference_pipeline()
    base.save_pretrained(tmp_path / "model")
    with start(atelier, base) as run:
        taken(run)
        with pytest.raises(TrainingError, match=r"the method lora"):
            run.finish(tmp_path / "model", "the base")
    assert not (tmp_path / "model" / SIGNATURE).exists()
