"""`governance registers` and what else registers: items of files, options, pipelines, LoRAs and signatures."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import signing

from governance.canonical import canonical_digest
from governance.errors import RegisterError
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.types import utc_now
from governance_adapters.installation import initialise, ledger_for_appending
from governance_adapters.registrations import shipped_models, to_register
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger
from support.allowed import REGISTRAR
from support.command import Shell
from support.tiny import stable_diffusion

VENDOR = 'key = "stockhouse"\nname = "Stock House"\njurisdiction = "DE"\ncontact = "rights@stock.example.org"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An installation, and a tiny pipeline that a vendor signed beside it."""
    folder = tmp_path_factory.mktemp("registers")
    shell = Shell(folder, folder / "home")
    shell("init").succeeded()
    stable_diffusion(folder).save_pretrained(folder / "tiny")
    key = ec.generate_private_key(ec.SECP256R1())
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "vendor.key").write_bytes(key.private_bytes(pem, raw, serialization.NoEncryption()))
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "vendor.pub").write_bytes(public)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (folder / "other.pub").write_bytes(other.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    config = signing.Config().use_elliptic_key_signer(private_key=folder / "vendor.key")
    config.sign(folder / "tiny", folder / "tiny.sig")
    (folder / "vendor.toml").write_text(VENDOR)
    return shell


@pytest.fixture
def shell(made, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return Shell(tmp_path / "copy", tmp_path / "copy" / "home")


def settings_of(shell):
    return Settings.load(home=shell.home)


def items(shell, register):
    return shell("registers", "list", register, "--json").succeeded().json


class TestInit:
    def test_the_shipped_model_is_registered_once_per_ledger(self, shell):
        (model,) = items(shell, "models")
        (shipped,) = shipped_models()
        assert (model["key"], model["state"]) == (shipped.key, "registered")
        assert model["item"]["licence"] == "Apache-2.0"
        shell("init").succeeded()
        assert len(items(shell, "models")) == 1
        shell("registers", "withdraw", "models", shipped.key[:12]).succeeded()
        shell("init").succeeded()
        assert items(shell, "models") == []
        assert shell("registers", "list", "models", "--all", "--json").json[0]["state"] == "withdrawn"

    def test_the_key_is_that_of_the_weights_that_ship(self):
        from governance_adapters.pipelines.description.describe import describe
        from governance_adapters.reference import load_reference_pipeline

        (shipped,) = shipped_models()
        assert dict(describe(load_reference_pipeline()).components) == dict(shipped.components)

    def test_an_installation_from_before_there_were_registers_is_brought_up(self, shell):
        (shell.home / "ledger.sqlite3").unlink()
        shutil.rmtree(shell.home / "ledger.sqlite3-owners", ignore_errors=True)
        for left in shell.home.glob("ledger.sqlite3*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        (shell.home / "works.sqlite3").unlink()
        initialise(settings_of(shell))
        with open_ledger(settings_of(shell)) as ledger:
            assert [entry.kind.value for _, entry in ledger.entries()] == ["register"]


class TestVendorsAndContracts:
    def test_from_a_file_to_the_alert_before_a_date_passes(self, shell):
        shell("registers", "add", "vendors", "--file", "vendor.toml").succeeded()
        contract = {
            "key": "stock",
            "vendor": "stockhouse",
            "title": "Pictures",
            "ends": "2999-01-01",
            "notice_days": 30,
        }
        (shell.folder / "contract.json").write_text(json.dumps(contract))
        shell(
            "registers", "add", "contracts", "--file", "contract.json", "--set", "licence=LicenseRef-Stock"
        ).succeeded()
        (found,) = items(shell, "contracts")
        assert found["state"] == "active"
        assert found["item"]["licence"] == "LicenseRef-Stock"
        assert shell("registers", "due").succeeded().code == 0
        soon = utc_now()[:10]
        changed = (
            shell("registers", "change", "contracts", "stock", "--set", f"shutdown={soon}", "--json").succeeded().json
        )
        assert changed["change"] == "changed"
        listed = shell("registers", "due", "--json")
        assert listed.code == 8
        assert [(one["date"], one["key"], one["days"]) for one in listed.json] == [("shutdown", "stock", -1)]
        told = shell("doctor", "--json").json
        (said,) = [part for part in told if part["part"] == "registers"]
        assert not said["sound"]
        assert "shut down" in said["detail"]

    def test_a_contract_may_be_called_like_its_vendor(self, shell):
        shell("registers", "add", "vendors", "--file", "vendor.toml").succeeded()
        given = ("--set", "key=stockhouse", "--set", "vendor=stockhouse", "--set", "title=Pictures")
        shell("registers", "add", "contracts", *given).succeeded()
        shell("registers", "change", "contracts", "stockhouse", "--set", "title=Photographs").succeeded()
        assert [each["item"]["title"] for each in items(shell, "contracts")] == ["Photographs"]

    def test_a_contact_is_shown_and_stands_in_no_entry(self, shell):
        shell("registers", "add", "vendors", "--file", "vendor.toml").succeeded()
        assert "rights@stock.example.org" in shell("registers", "show", "vendors", "stockhouse").succeeded().out
        shell("registers", "change", "vendors", "stockhouse", "--set", "name=House of Stock").succeeded()
        shown = shell("registers", "show", "vendors", "stockhouse", "--json").succeeded().json
        assert shown["item"]["contact"] == "rights@stock.example.org"
        assert [one["change"] for one in shown["history"]] == ["added", "changed"]
        with open_ledger(settings_of(shell)) as ledger:
            assert all("rights@stock" not in str(entry.body) for _, entry in ledger.entries())

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("add", "contracts", "--set", "key=c", "--set", "vendor=nobody", "--set", "title=x"), "does not have"),
            (("add", "vendors", "--set", "key=v"), "has no name"),
            (("add", "vendors", "--set", "nothing"), "sets nothing"),
            (("add", "vendors", "--file", "missing.toml"), "cannot be read"),
            (("add", "vendors", "--set", "key=v", "--set", "name=V", "--set", "colour=red"), "knows no 'colour'"),
            (("add", "contracts", "--set", "notice_days=soon"), "no number"),
            (("add", "models", "--set", "name=x"), "has no components"),
            (("add", "models", "--set", "signature=mine"), "it is verified"),
            (("add", "models", "--key", "vendor.pub"), "Give --pipeline"),
            (("change", "vendors", "nobody", "--set", "name=x"), "has no 'nobody'"),
            (("withdraw", "vendors", "nobody"), "has no 'nobody'"),
            (("show", "models", ""), "The register of models has no"),
        ],
    )
    def test_what_is_wrong_is_said_and_leaves_nothing(self, shell, words, said):
        before = len(shell("ledger", "list", "--json").json)
        ran = shell("registers", *words)
        assert ran.code == 1
        assert said in ran.err
        assert len(shell("ledger", "list", "--json").json) == before


class TestModels:
    def test_a_signed_pipeline_is_registered_with_who_signed(self, shell):
        signed = ("--pipeline", "tiny", "--signature", "tiny.sig", "--key", "vendor.pub")
        verified = shell(
            "registers", "verify-signature", "tiny", "--signature", "tiny.sig", "--key", "vendor.pub", "--json"
        )
        shell("registers", "add", "models", *signed, "--set", "name=tiny", "--set", "licence=MIT").succeeded()
        model = items(shell, "models")[1]
        assert model["key"] == canonical_digest(model["item"]["components"])
        assert model["item"]["signature"]["signer"] == verified.succeeded().json["signer"]
        shell("registers", "add", "models", *signed, "--set", "name=again").failed(1, "registered already")

    @pytest.mark.parametrize("wrong", ["key", "altered", "unsigned"])
    def test_what_the_vendor_did_not_sign_leaves_nothing(self, shell, wrong):
        key, signature = ("other.pub" if wrong == "key" else "vendor.pub"), "tiny.sig"
        if wrong == "altered":
            index = shell.folder / "tiny" / "model_index.json"
            index.write_text(index.read_text() + "\n")
        if wrong == "unsigned":
            signature = "missing.sig"
        words = ("--pipeline", "tiny", "--signature", signature, "--key", key, "--set", "name=tiny")
        shell("registers", "add", "models", *words).failed(1, "signature")
        shell("registers", "verify-signature", "tiny", "--signature", signature, "--key", key).failed(1, "signature")
        assert len(items(shell, "models")) == 1

    def test_allowing_a_model_registers_it_unless_it_stands_there(self, shell):
        allow = ("policy", "allow-model", "tiny", "--licence", "CC0-1.0", "--data-origin", "Random numbers.", "--json")
        first = shell(*allow).succeeded().json
        assert first["registered"]
        model = items(shell, "models")[1]
        assert (model["item"]["name"], model["item"]["licence"]) == ("tiny", "CC0-1.0")
        assert model["item"]["data_origin"] == "Random numbers."
        assert shell(*allow).succeeded().json["registered"] == ""
        shell("registers", "withdraw", "models", model["key"]).succeeded()
        shell(*allow).failed(1, "was withdrawn")

    def test_a_bundle_can_be_changed_without_registering(self, shell):
        words = ("policy", "allow-model", "tiny", "--licence", "CC0-1.0", "--no-register", "--json")
        assert shell(*words).succeeded().json["registered"] == ""
        assert len(items(shell, "models")) == 1

    def test_a_licence_that_cannot_be_registered_changes_no_bundle(self, shell):
        before = (settings_of(shell).bundle_path / "data.json").read_bytes()
        shell("policy", "allow-model", "tiny", "--licence", "our own terms").failed(1, "no SPDX licence expression")
        assert (settings_of(shell).bundle_path / "data.json").read_bytes() == before
        assert len(items(shell, "models")) == 1

    def test_what_was_recalled_or_withdrawn_is_not_brought_back_by_allowing_it(self, shell):
        from governance.testing import EXAMPLE_MODEL

        with ledger_for_appending(settings_of(shell)) as ledger:
            registers = Registers(ledger)
            model = to_register(registers, EXAMPLE_MODEL, name="example", licence="NOASSERTION", expires="2999-01-01")
            assert (model.licence, model.expires) == ("", "2999-01-01T00:00:00.000Z")
            registers.add(model, REGISTRAR)
            assert to_register(registers, EXAMPLE_MODEL, name="example") is None
            registers.withdraw(RegisterName.MODELS, model.key, REGISTRAR)
            with pytest.raises(RegisterError, match="was withdrawn by entry"):
                to_register(registers, EXAMPLE_MODEL, name="example")


def test_a_lora_is_known_by_its_weights_whatever_its_file_is_called(shell):
    import torch
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    (shell.folder / "base").mkdir()
    pipe = stable_diffusion(shell.folder / "base")
    torch.manual_seed(7)
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    layers = get_peft_model_state_dict(pipe.unet)
    type(pipe).save_lora_weights(shell.folder / "lora", unet_lora_layers=layers, safe_serialization=True)
    (file,) = (shell.folder / "lora").glob("*.safetensors")
    shutil.copy(file, shell.folder / "approved.safetensors")
    shell("registers", "add", "models", "--pipeline", "tiny", "--set", "name=tiny").succeeded()
    words = ("--pipeline", "tiny", "--set", "name=house style")
    shell("registers", "add", "adapters", *words, "--lora", file).succeeded()
    shell("registers", "add", "adapters", *words, "--lora", "approved.safetensors").failed(1, "registered already")
    (adapter,) = items(shell, "adapters")
    assert adapter["item"]["base"] == items(shell, "models")[1]["key"]
    shell("registers", "add", "adapters", *words, "--lora", "tiny.sig").failed(1, "no safetensors file")
