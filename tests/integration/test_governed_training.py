"""Governed training with real parts: pictures, diffusers and peft, the shipped policy, a ledger on disk, OpenSSF signatures."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from model_signing import hashing, verifying
from PIL import Image

from governance.entries import EntryKind
from governance.errors import (
    DatasetChangedError,
    DeniedError,
    NoDatasetError,
    SigningError,
    TrainingDeniedError,
    TrainingError,
)
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.training.entries import consumed_of, trained_run
from governance.types import Outcome, Principal
from governance_adapters import govern, govern_training
from governance_adapters.installation import ledger_for_appending
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.policy.allowing import allow_adapter
from governance_adapters.reference import load_reference_pipeline
from governance_adapters.reference.house_style import (
    distance_from_house,
    house_prompt,
    in_house_style,
    write_house_style,
)
from governance_adapters.reference.training_set import grey_png, write_training_set
from governance_adapters.registers.signatures import verify_signature
from governance_adapters.training.dreambooth import Subject, drawn_prior
from governance_adapters.training.examples import Example, examples, square
from governance_adapters.training.latents import check_trainable, side_of
from governance_adapters.training.lora import LoraSettings, train_lora
from governance_adapters.training.saving import save_lora
from governance_adapters.training.signing import PUBLIC, SIGNATURE
from governance_adapters.trainings import Registration
from governance_adapters.wiring import open_governor
from support.command import Shell
from support.markdown import ROOT, blocks
from support.tiny import stable_diffusion_xl
from support.training import DESIGNER, Atelier

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

SHORT = LoraSettings(steps=2, batch=2, rank=2)
LONG_AGO = "2024-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    """The pictures of the house style."""
    folder = tmp_path_factory.mktemp("house")
    write_house_style(folder)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """Four of them."""
    folder = tmp_path_factory.mktemp("few")
    write_house_style(folder, 4)
    return folder


@pytest.fixture(scope="module")
def atelier(tmp_path_factory) -> Atelier:
    return Atelier.make(tmp_path_factory.mktemp("atelier") / "home")


@pytest.fixture(scope="module")
def base():
    """The reference model, to be trained beside."""
    return load_reference_pipeline()


@pytest.fixture
def pipe(base):
    """The base without any adapter, before and after."""
    yield base
    for names in base.get_list_adapters().values():
        base.delete_adapters(names)


def trained_lora(run, settings, folder, *, name="house", limit=0):
    """Train on what the run hands out, and save it."""
    pictures = list(examples(run.records(limit=limit), side_of(run.pipeline)))
    train_lora(run.pipeline, pictures, settings, name=name)
    save_lora(run.pipeline, name, folder)
    run.pipeline.delete_adapters(name)


def start(atelier, dataset, base, **options):
    return govern_training(dataset, base, principal=DESIGNER, settings=atelier.settings, **options)


def test_a_house_style_is_learnt_through_the_gate_and_seen_in_pictures(atelier, house, pipe, tmp_path):
    """The whole way: audited, approved, trained, signed, registered, allowed; used by a governed pipeline, and measured."""
    standing = atelier.audited("house-style", house)
    atelier.approve("house-style")
    settings, folder = LoraSettings(steps=120, seed=3), tmp_path / "lora"
    with start(atelier, "house-style", pipe, trainer=settings.as_json()) as run:
        trained_lora(run, settings, folder)
        made = run.finish(folder, Registration("house style", "CC-BY-4.0", "Marketing"))

    (part,) = made.consumed
    assert (part.contents, part.records, part.root) == (80, 80, standing.root)
    with ledger_for_appending(atelier.settings) as ledger:
        assert trained_run(ledger, run.id) == made
        assert list(consumed_of(ledger, part).indices()) == list(range(80))
        item = Registers(ledger).adapter(made.result.digest)
    assert (item.run, item.licence, item.datasets, item.base) == (run.id, "CC-BY-4.0", ("house-style",), made.base)
    assert "witnessed" in item.data_origin

    policy = {"name": item.name, "licence": item.licence, "data_origin": item.data_origin}
    allow_adapter(atelier.settings.bundle_path, made.result.digest, **policy)
    governor = open_governor(atelier.settings)
    who = {"principal": DESIGNER, "purpose": "marketing", "settings": atelier.settings, "governor": governor}
    painter = govern(load_reference_pipeline(), **who)
    plain = [painted(painter, digit) for digit in (0, 2)]
    painter.load_lora_weights(folder, adapter_name="another-name")
    styled = [painted(painter, digit) for digit in (0, 2)]
    distances = [distance_from_house(each) for each in (*plain, *styled)]
    assert [in_house_style(each) for each in plain] == [False] * 2, distances
    assert [in_house_style(each) for each in styled] == [True] * 2, distances

    released = governor.parts.ledger.entries(kind=EntryKind.INTENT, limit=100)[-1][1]
    model = governor.parts.ledger.document(released.body["model"])
    assert made.result.digest.encode() in model

    painter.unload_lora_weights()
    with torch.no_grad():  # the same name, one bit of another weight: another adapter, which nobody registered
        pipe.load_lora_weights(folder, adapter_name="another-name")
        next(weight for name, weight in pipe.unet.named_parameters() if "lora_B" in name)[0, 0] += 1e-3
    save_lora(pipe, "another-name", tmp_path / "forged")
    painter.load_lora_weights(tmp_path / "forged", adapter_name="another-name")
    with pytest.raises(DeniedError, match=r"adapter\.not_allowed"):
        painted(painter, 0)
    governor.parts.ledger.close()


def painted(pipe, digit):
    """A picture of the digit, in whichever colours the model likes."""
    random = torch.Generator().manual_seed(digit)
    output = pipe(house_prompt(digit), num_inference_steps=10, guidance_scale=5.0, generator=random)
    return np.asarray(output.images[0])


def test_the_digest_is_that_of_the_loaded_adapter_whatever_it_is_called(atelier, few, pipe, tmp_path):
    atelier.audited("few", few)
    atelier.approve("few")
    digests = []
    for number, seed in enumerate((0, 0, 1)):
        settings, folder = LoraSettings(steps=2, batch=2, rank=2, seed=seed), tmp_path / f"lora{number}"
        with start(atelier, "few", pipe) as run:
            trained_lora(run, settings, folder, name=f"name{number}")
            digests.append(run.finish(folder, f"lora {number}").result.digest)
        pipe.load_lora_weights(folder, adapter_name="elsewhere")
        (loaded,) = describe(pipe).adapters
        assert loaded.digest == digests[-1]
        pipe.delete_adapters("elsewhere")
    assert digests[0] == digests[1] != digests[2]  # the same seed makes the same weights


def test_the_folder_is_signed_so_that_others_verify_it(atelier, few, pipe, tmp_path):
    atelier.audited("few", few)
    atelier.approve("few")
    folder = tmp_path / "lora"
    with start(atelier, "few", pipe) as run:
        trained_lora(run, SHORT, folder, limit=2)
        made = run.finish(folder, "signed")
    assert made.consumed[0].contents == 2
    assert made.signature["file"] == hashlib.sha256((folder / SIGNATURE).read_bytes()).hexdigest()

    def verified():
        config = verifying.Config().use_elliptic_key_verifier(public_key=atelier.settings.keys_path / PUBLIC)
        ignored = hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
        config.set_hashing_config(ignored).verify(folder, folder / SIGNATURE)

    verified()
    key = atelier.settings.keys_path / PUBLIC
    with ledger_for_appending(atelier.settings) as ledger:
        registered = Registers(ledger).adapter(made.result.digest).signature
    assert registered == replace(verify_signature(folder, folder / SIGNATURE, key=key), verified=registered.verified)
    file = next(folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="mismatch"):
        verified()


def test_what_is_not_approved_does_not_begin(atelier, few, pipe):
    atelier.audited("unapproved", few)
    with pytest.raises(TrainingDeniedError, match=r"training\.not_approved"), start(atelier, "unapproved", pipe):
        pytest.fail("the block was entered")
    atelier.approve("unapproved", DESIGNER)  # nobody approves what they train with
    with pytest.raises(TrainingDeniedError, match=r"training\.not_approved"), start(atelier, "unapproved", pipe):
        pytest.fail("the block was entered")
    atelier.approve("unapproved")
    atelier.withdraw("unapproved")
    with pytest.raises(TrainingDeniedError, match=r"training\.withdrawn"), start(atelier, "unapproved", pipe):
        pytest.fail("the block was entered")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"time": LONG_AGO}, r"training\.audit_expired"),
        ({"outcome": Outcome.REVIEW}, r"training\.empty"),
    ],
    ids=["an audit that expired", "nothing that is allowed"],
)
def test_an_audit_that_does_not_count_is_refused(atelier, few, pipe, options, reason):
    atelier.audited("lacking", few, **options)
    atelier.approve("lacking")
    with pytest.raises(TrainingDeniedError, match=reason), start(atelier, "lacking", pipe):
        pytest.fail("the block was entered")


def test_a_base_that_nobody_registered_and_a_stranger_are_refused(atelier, few, pipe):
    atelier.audited("few", few)
    atelier.approve("few")
    with pytest.raises(TrainingDeniedError, match=r"training\.base"), start(atelier, "few", "0" * 64):
        pytest.fail("the block was entered")
    stranger = govern_training("few", pipe, principal=Principal("nobody@example.org"), settings=atelier.settings)
    with pytest.raises(TrainingDeniedError, match=r"training\.role"), stranger:
        pytest.fail("the block was entered")
    with pytest.raises(NoDatasetError):
        start(atelier, "never-audited", pipe)
    with pytest.raises(TrainingError, match="no method"):
        start(atelier, "few", pipe, method="magic")


def test_a_withdrawal_before_the_end_leaves_no_result(atelier, few, pipe, tmp_path):
    atelier.audited("few", few)
    atelier.approve("few")
    run = start(atelier, "few", pipe)
    with run:
        trained_lora(run, SHORT, tmp_path / "lora")
        atelier.withdraw("few")
        with pytest.raises(TrainingDeniedError, match=r"training\.withdrawn"):
            run.finish(tmp_path / "lora", "too late")
    failed = atelier.entries(EntryKind.TRAINING_FAILED)[-1]
    assert (failed.subject, failed.body["step"]) == (run.id, "finish")
    with ledger_for_appending(atelier.settings) as ledger:
        names = [each.item.name for each in Registers(ledger).list(RegisterName.ADAPTERS)]
    assert "too late" not in names


def test_pictures_that_changed_since_the_audit_are_not_handed_out(atelier, few, pipe, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(few, source)
    atelier.audited("changed", source)
    atelier.approve("changed")
    victim = min((source / "pictures").iterdir())
    Image.new("RGB", (8, 8)).save(victim)
    run = start(atelier, "changed", pipe)
    with pytest.raises(DatasetChangedError, match="others now"), run:
        list(run.records())
    assert atelier.entries(EntryKind.TRAINING_FAILED)[-1].subject == run.id


def test_a_result_of_another_base_and_none_at_all_are_refused(atelier, few, pipe, tmp_path):
    atelier.audited("few", few)
    atelier.approve("few")
    run = start(atelier, "few", pipe)
    with run:
        list(run.records())
        with pytest.raises(TrainingError, match="0 files of weights"):
            run.finish(tmp_path, "nothing")
        with pytest.raises(TrainingError, match="0 adapters"):
            run.finish(pipe, "nothing")
        (tmp_path / "junk.safetensors").write_bytes(b"junk")
        with pytest.raises(TrainingError, match="no LoRA"):
            run.finish(tmp_path, "junk")
        changed = load_reference_pipeline()
        with torch.no_grad():
            next(changed.unet.parameters())[0] += 1.0
        with pytest.raises(TrainingError, match="not the one that the run began with"):
            run.finish(changed, "changed")
        train_lora(pipe, [Example("a seven", np.zeros((256, 256, 3), np.uint8))], SHORT, name="at-last")
        made = run.finish(pipe, "at last")
    assert made.signature is None  # there is no file that could be signed
    changed.__class__ = type("Governed", (type(changed),), {"governed": True})
    with pytest.raises(TrainingError, match="governed"):
        start(atelier, "few", changed)


def test_a_loop_elsewhere_is_declared(atelier, few, pipe, tmp_path):
    standing = atelier.audited("few", few)
    atelier.approve("few")
    with start(atelier, "few", pipe, lineage="declared") as run:
        assert run.declare() == 4
        train_lora(pipe, [Example("a seven", np.zeros((256, 256, 3), np.uint8))], SHORT, name="elsewhere")
        save_lora(pipe, "elsewhere", tmp_path / "lora")
        pipe.delete_adapters("elsewhere")
        made = run.finish(tmp_path / "lora", "declared")
    assert (made.lineage.value, made.consumed[0].contents, standing.contents) == ("declared", 4, 4)
    with start(atelier, "few", pipe) as run:
        list(run.records())
        with pytest.raises(SigningError, match="signed already"):
            run.finish(tmp_path / "lora", "again")
        (tmp_path / "lora" / SIGNATURE).unlink()
        run.finish(tmp_path / "lora", "again")  # the same weights are registered already, and stay as they are


def test_a_prior_changes_what_dreambooth_learns(pipe):
    pictures = [Example("a sks seven", np.full((256, 256, 3), 200, np.uint8))]
    digests = []
    for prior in ((), drawn_prior(pipe, Subject("a sks seven", "a seven", 1), seed=0)):
        train_lora(pipe, pictures, SHORT, name="sks", prior=prior)
        digests.append(describe(pipe).adapters[0].digest)
        pipe.delete_adapters("sks")
    assert digests[0] != digests[1]
    for wrong in (lambda: Subject(""), lambda: Subject("a sks seven", "", 2)):
        with pytest.raises(TrainingError, match="DreamBooth"):
            wrong()


def test_what_the_trainers_do_not_know_is_refused(pipe, tmp_path):
    with pytest.raises(TrainingError, match="StableDiffusionXLPipeline"):
        check_trainable(stable_diffusion_xl(tmp_path))
    with pytest.raises(TrainingError, match="nothing to train"):
        train_lora(pipe, [], SHORT, name="none")
    with pytest.raises(TrainingError, match="cannot be read as a picture"):
        square(b"no picture", 8)
    for wrong in ({"steps": 0}, {"rank": 0}, {"rate": 1.5}, {"empty": 1.0}, {"prior": -1.0}, {"seed": -1}):
        with pytest.raises(TrainingError, match="out of range"):
            LoraSettings(**wrong)


def test_the_command_trains_and_refuses(atelier, few, tmp_path):
    atelier.audited("few", few)
    shell = Shell(tmp_path, atelier.settings.home, {"GOVERNANCE_PURPOSE": "marketing"})
    wanted = ("train", "few", "--name", "by command", "--steps", 2, "--batch", 2, "--rank", 2, "--limit", 3)
    by = ("--principal", DESIGNER.id, "--role", "designer")
    shell(*wanted, *by, "-o", "lora").failed(1, "training.not_approved")
    assert not (tmp_path / "lora").exists()
    atelier.approve("few")
    said = shell(*wanted, *by, "-o", "lora", "--licence", "CC-BY-4.0", "--json").succeeded().json
    assert (said["lineage"], said["consumed"][0]["records"]) == ("witnessed", 3)
    shell(*wanted, *by, "-o", "lora").failed(1, "not an empty folder")
    shell(*wanted, *by, "-o", "other", "--method", "full").failed(1, "no method of this command")
    shell("policy", "allow-adapter", said["adapter"], "--max-scale", "1.5").succeeded()
    shell("policy", "allow-adapter", "0" * 64).failed(1, "is registered")
    booth = ("--method", "dreambooth", "--instance", "a sks seven")
    shell(*wanted, *by, "-o", "booth", *booth).succeeded()


def test_the_loop_of_the_page_runs(atelier, few, tmp_path, monkeypatch):
    atelier.audited("house-style", few)
    atelier.approve("house-style")
    (shown,) = blocks((ROOT / "docs" / "training.md").read_text(), "python")
    assert "steps=160" in shown
    for name, value in {"HOME": atelier.settings.home, "PRINCIPAL": DESIGNER.id, "PURPOSE": "marketing"}.items():
        monkeypatch.setenv(f"GOVERNANCE_{name}", str(value))
    monkeypatch.setenv("GOVERNANCE_ROLES", '["designer"]')
    names = {"folder": tmp_path / "lora"}
    exec(shown.replace("steps=160", "steps=1, batch=2, rank=2"), names)
    assert names["trained"].consumed[0].contents == 4


def test_the_training_set_is_the_one_that_is_stated(tmp_path):
    assert write_training_set(tmp_path) == 883
    files = sorted((tmp_path / "digits").iterdir())
    assert len(files) == len({file.read_bytes() for file in files}) == 883
    with Image.open(files[0]) as picture:
        grey = np.asarray(picture)
    assert (grey.shape, grey.dtype) == ((8, 8), np.uint8)
    assert hashlib.sha256((grey // 15).tobytes()).hexdigest().startswith("9bc74a9fdeea9a14")
    assert grey_png(grey) == files[0].read_bytes()
