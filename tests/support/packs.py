"""Evidence packs of really released files: an installation, a release that people approved, and an outsider who checks."""

from __future__ import annotations

import functools
import io
import json
import shutil
import subprocess
import sys
import warnings
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from governance.canonical import digest
from governance.errors import HeldError
from governance.evidence import verify
from governance.review import ReviewDesk
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request
from governance.types import Finding, Principal, Prompt, PromptKind
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support.allowed import allowed
from support.command import Ran, Shell

PROMPT = "a red seven on a blue background"
REFUSED_WORDS = "blurry, low quality"
REQUESTER = Principal("designer@example.org", ("designer", "reviewer"))
REVIEWERS = tuple(Principal(f"{name}@example.org", ("reviewer",)) for name in ("ann", "bob"))
COMMENT = "seen twice, and it is ours"

_SOCKETLESS = """
import runpy, socket, sys
def refuse(*_args, **_more): raise AssertionError("a socket was asked for")
socket.socket = socket.create_connection = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class CopyDetector(FakeDetector):
    """Finds each picture to be a copy of a registered work that people must look at."""

    def detect(self, images: Any) -> Any:
        found = Finding(self.name, self.digest, "copy", 0.97, "work-1", "review", {"hamming": 8, "variant": "upright"})
        return [(found,) for _ in images]


@contextmanager
def line(settings: Settings):
    """A governor of real parts whose detectors say that people must look."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=(FakeDetector(), CopyDetector(name="similarity")))
    try:
        yield governor
    finally:
        governor.parts.ledger.close()


def release(settings: Settings, text: str = PROMPT, **changes: Any) -> Any:
    """The asset of a picture that policy held and two people let go."""
    prompts = (Prompt(text), Prompt(REFUSED_WORDS, PromptKind.NEGATIVE, "negative_prompt"))
    asked = {"principal": REQUESTER, "seeds": (5,), "markets": ("EU",), "prompts": prompts, **changes}
    with line(settings) as governor:
        with pytest.raises(HeldError):
            governor.generate(example_request(**asked), FakePipeline())
        desk, record = ReviewDesk(governor.parts), governor.parts.ledger.holds()[-1]
        for reviewer in REVIEWERS:
            desk.view(reviewer, record.id)
            desk.lease(reviewer, record.id)
            done = desk.approve(reviewer, record.id, ("brand.own_work",), COMMENT)
        return done.item.asset


@dataclass(frozen=True)
class Released:
    """An installation in which one file was released, lying there as `seven.png`."""

    folder: Path
    settings: Settings
    asset: Any

    @property
    def shell(self) -> Shell:
        return Shell(self.folder, self.settings.home)

    @property
    def key(self) -> str:
        """The public key of the log, as an auditor has it."""
        with line(self.settings) as governor:
            return str(governor.parts.log_key)

    def pack(self, *options: object, of: object = "seven.png", name: str = "pack.zip") -> Path:
        """A pack, made by the command."""
        self.shell("evidence", of, "-o", name, *options).succeeded()
        return self.folder / name

    def copy(self, folder: Path) -> Released:
        """The same, for a test to spoil."""
        shutil.copytree(self.folder, folder)
        return Released(folder, Settings.load(home=folder / "home"), self.asset)


def installation(folder: Path, **changes: Any) -> Settings:
    """A fresh installation in `folder` that allows the example model."""
    settings = Settings.load(home=folder / "home", **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
    allowed(settings, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    return settings


def released(folder: Path, **changes: Any) -> Released:
    """A fresh installation that has released one picture."""
    settings = installation(folder)
    asset = release(settings, **changes)
    asset.save(folder / "seven.png", receipt=True)
    return Released(folder, settings, asset)


@functools.cache
def _networkless() -> tuple[str, ...]:
    """How to run a command without any network; empty where the kernel does not allow it to us."""
    command = ("unshare", "--user", "--map-root-user", "--net")
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        return command
    return ()


def outsider(folder: Path, *arguments: object) -> Ran:
    """Run `verify.py` that lies in `folder`, with Python alone and no network: no site packages, no environment."""
    python = [sys.executable, "-I", "-S"]
    program = ["verify.py"] if _networkless() else ["-c", _SOCKETLESS, "verify.py"]
    command = [*_networkless(), *python, *program, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, timeout=120, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def extracted(pack: Path, folder: Path) -> Path:
    """An empty folder with nothing in it but the pack's files."""
    folder.mkdir()
    with zipfile.ZipFile(pack) as opened:
        opened.extractall(folder)
    return folder


def judged(files: dict[str, bytes], key: str | None) -> verify.Report:
    """What `verify.py` says of these files."""
    return verify.verify_pack(files, None if key is None else verify.LogKey.parse(key))


def with_new_index(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files as a forger would hand them out: `pack.json` made anew, so that it lists exactly these bytes."""
    index = json.loads(files[verify.INDEX])
    known = {each["path"]: each for each in index["files"]}
    index["files"] = [
        {**known[path], "sha256": digest(content), "bytes": len(content)}
        for path, content in sorted(files.items())
        if path != verify.INDEX
    ]
    del index["digest"]
    return {**files, verify.INDEX: verify.spelt({**index, "digest": digest(verify.canonical_bytes(index))})}


def pdf_text(content: bytes) -> str:
    """The text of a PDF, as one would copy it out, its lines joined."""
    import pypdfium2

    with pypdfium2.PdfDocument(io.BytesIO(content)) as document:
        pages = [page.get_textpage().get_text_range() for page in document]
    return " ".join(" ".join(pages).split())
