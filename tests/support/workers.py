"""What the processes do that the proof by kills ends: some generate, one reviews, on one ledger, vault and quarantine.

The detectors are scripted, so that some pictures are held. All else is real: the shipped policy, the watermark, C2PA, the
vault, the quarantine and the database.
"""

from __future__ import annotations

import itertools
import mmap
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance.assets import GovernedItem
from governance.canonical import digest
from governance.checkpoint import parse_checkpoint
from governance.entries import HoldRecord, HoldState
from governance.errors import (
    GenerationError,
    GovernanceError,
    HoldChangedError,
    HoldClosedError,
    LeaseError,
    NotPermittedError,
    WithheldError,
)
from governance.governor import Governor
from governance.parts import Parts
from governance.review import ReviewDesk
from governance.testing import FakeDetector, FakePipeline, example_request
from governance.types import Finding, GenerationRequest, Principal, Prompt, Stage
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_parts
from support.line_work import HIDDEN, Diary

ANN, BOB = (Principal(f"{name}@example.org", ("reviewer",)) for name in ("ann", "bob"))
CODES = ("brand.own_work",)
LEASE_S = 60
ATTEMPTS_S = 60.0
"""How long one act is tried again while the database is away."""
OPENING, IDLE = "opening", "between requests"
_MOMENT_BYTES = 64
_TOLD = {
    "policy": ("decide",),
    "ledger": ("append", "begin", "finish", "lease", "next_mark", "reopen"),
    "vault": ("put", "publish"),
    "quarantine": ("seal", "open", "destroy"),
    "signer": ("sign",),
    "watermarker": ("embed", "extract"),
}


class Moment:
    """What a process does just now, in a file of shared memory that outlives it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_MOMENT_BYTES))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _MOMENT_BYTES)

    @property
    def word(self) -> str:
        return self._memory[:].rstrip(b"\0").decode()

    @word.setter
    def word(self, word: str) -> None:
        self._memory[:] = word.encode().ljust(_MOMENT_BYTES, b"\0")

    @contextmanager
    def of(self, word: str) -> Any:
        before, self.word = self.word, word
        try:
            yield
        finally:
            self.word = before


class Told:
    """A part some of whose methods are moments."""

    def __init__(self, part: Any, name: str, methods: Sequence[str], moment: Moment) -> None:
        self._part, self._name, self._methods, self._moment = part, name, methods, moment

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._told(found, name) if name in self._methods else found

    def _told(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def told(*args: Any, **kwargs: Any) -> Any:
            with self._moment.of(f"{self._name}.{name}"):
                return call(*args, **kwargs)

        return told


class SomeCopies(FakeDetector):
    """Finds every third picture to be a copy of a registered work that two people must look at."""

    def detect(self, images: Sequence[Any]) -> Sequence[tuple[Finding, ...]]:
        return [self._found(digest(image.tobytes())) for image in images]

    def _found(self, picture: str) -> tuple[Finding, ...]:
        if int(picture[:8], 16) % 3:
            return (Finding(self.name, self.digest, "copy", 0.1, "work-1", "review", {}),)
        evidence = {"hamming": 8, "variant": "upright"}
        return (Finding(self.name, self.digest, "copy", 0.97, "work-1", "review", evidence),)


def parts_at(home: str, database_url: str) -> Parts:
    """The parts over an existing installation; opening them closes what a vanished process left open."""
    database = {"database_url": database_url} if database_url else {}
    settings = Settings.load(home=Path(home), policy_engines=1, **database)
    detectors = (FakeDetector(), SomeCopies(name="similarity"))
    return open_parts(settings, detectors=detectors)


class Worker:
    """One process at work: its parts, its diary, its moment. Where there is a database server it may be away for a while."""

    def __init__(self, home: str, database_url: str, diary: str, moment: str) -> None:
        self.notes, self.moment = Diary(Path(diary)), Moment(Path(moment))
        self._patient = bool(database_url)
        self.moment.word = OPENING
        parts = self.patiently(lambda: parts_at(home, database_url))
        told = {name: Told(getattr(parts, name), name, methods, self.moment) for name, methods in _TOLD.items()}
        self.parts = replace(parts, **told)
        self.moment.word = IDLE
        self.notes.note("working")

    def patiently(self, act: Callable[[], Any]) -> Any:
        """What `act` returns; where the database may be away, it is tried again, and each failure is noted."""
        deadline = time.monotonic() + ATTEMPTS_S
        while True:
            try:
                return act()
            except GovernanceError as error:
                self.notes.note("error", type(error).__name__)
                if not self._patient or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def note_items(self, items: Sequence[GovernedItem]) -> None:
        """Write down what the caller was told of each image."""
        for item in items:
            if item.asset is not None:
                covered = parse_checkpoint(item.asset.receipt.checkpoint)
                self.notes.note("released", item.asset.digest, item.entry.id, covered.size, covered.root.hex())
            elif item.entry is not None:
                self.notes.note("withheld", item.verdict.value, item.entry.id)
            else:
                self.notes.note("failed-unrecorded")


def asked(name: str, number: int) -> GenerationRequest:
    """The request of this number, always the same: some are denied, some are held before anything is generated."""
    prompt = {4: HIDDEN, 2: "a coca cola bottle"}.get(number % 7, "a red seven on a blue background")
    return example_request(
        id=f"{name}-{number}", prompts=(Prompt(prompt),), images=1 + number % 2, steps=1 + number % 7, seeds=()
    )


def generate_for_ever(home: str, database_url: str, diary: str, moment: str, name: str) -> None:
    """Govern one request after the other, noting each answer; begins with the one whose answer was never noted.

    What is held at admission is asked for again, as a caller does who waits for the answer of people.
    """
    worker = Worker(home, database_url, diary, moment)
    governor, pipeline = Governor(worker.parts), Told(FakePipeline(), "pipeline", ("generate",), worker.moment)

    def govern(number: int) -> None:
        def generate() -> Sequence[GovernedItem]:
            try:
                return governor.generate(asked(name, number), pipeline).items
            except WithheldError as withheld:
                return withheld.result.items
            except (
                GenerationError
            ):  # what is recorded of it: an image failed while the database was away, the rest is held
                worker.notes.note("failed-for-good")
                return ()

        worker.note_items(worker.patiently(generate))

    answered = [int(words[1]) for words in worker.notes.lines() if words[0] == "answered"]
    for number in itertools.count(max(answered, default=-1) + 1):
        govern(number)
        worker.notes.note("answered", number)
        if number % 7 == 6 and number > 7:
            govern(number - 11)
            worker.notes.note("asked-again", number - 11)


def review_for_ever(home: str, database_url: str, diary: str, moment: str) -> None:
    """Look at what is held and decide on it, noting each act: most is approved, by as many people as it takes."""
    worker = Worker(home, database_url, diary, moment)
    desk = ReviewDesk(worker.parts)
    while True:
        for record in worker.patiently(lambda: desk.holds(ANN, limit=20)):
            worker.patiently(lambda record=record: _decide(worker, desk, record))
        worker.patiently(desk.settle)
        time.sleep(0.01)


def _decide(worker: Worker, desk: ReviewDesk, record: HoldRecord) -> None:
    """Decide on a hold, each reviewer in turn; somebody else, or a process that is gone, may have been first."""
    decide = desk.reject if digest(record.id.encode())[0] in "0123" else desk.approve
    for reviewer in (ANN, BOB):
        with suppress(NotPermittedError, LeaseError):
            try:
                desk.lease(reviewer, record.id, LEASE_S)
                if record.stage is Stage.RELEASE:
                    desk.view(reviewer, record.id)
                    worker.notes.note("viewed", record.id)
                worker.notes.note("commented", desk.comment(reviewer, record.id, "Looked at.").id, record.id)
                reviewed = decide(reviewer, record.id, CODES)
            except (HoldClosedError, HoldChangedError):
                return
            worker.notes.note(reviewed.entry.kind.value, reviewed.entry.id, record.id)
            if reviewed.item is not None:
                worker.note_items([reviewed.item])
            if reviewed.record.state is not HoldState.OPEN:
                return
