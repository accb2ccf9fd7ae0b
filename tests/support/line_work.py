"""What child processes do in the tests that kill and interrupt them: the line with real parts, images painted fast."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from governance.checkpoint import parse_checkpoint
from governance.errors import DeniedError, GovernanceError
from governance.governor import Governor
from governance.parts import Parts
from governance.testing import FakePipeline, example_request
from governance.types import GenerationRequest, Prompt
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor

HIDDEN = "a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"


@dataclass(frozen=True, slots=True)
class Diary:
    """A file of lines, each on disk before `note` returns: what a caller was told before the process ended."""

    path: Path

    def note(self, *words: object) -> None:
        """Write a line durably."""
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lines(self) -> list[list[str]]:
        """The whole lines, in words."""
        if not self.path.exists():
            return []
        return [line.split() for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def numbered(number: int) -> GenerationRequest:
    """The request of this number, always the same: one or two images; every fifth asks for what is denied."""
    prompts = (Prompt(HIDDEN),) if number % 5 == 4 else (Prompt("a red seven on a blue background"),)
    return example_request(
        id=f"request-{number}", prompts=prompts, images=1 + number % 2, steps=1 + number % 7, seeds=()
    )


def opened(home: str, database_url: str = "") -> Governor:
    """The governor over an existing installation: opening it closes what a vanished process left open."""
    return open_governor(Settings.load(home=Path(home), **({"database_url": database_url} if database_url else {})))


def govern_for_ever(home: str, diary: str, database_url: str = "") -> None:
    """Govern one request after the other, noting each answer; begins with the one whose answer was never noted."""
    notes = Diary(Path(diary))
    answered = [int(words[1]) for words in notes.lines() if words[0] == "answered"]
    governor = opened(home, database_url)
    notes.note("working")
    for number in itertools.count(max(answered, default=-1) + 1):
        try:
            items = governor.generate(numbered(number), FakePipeline()).items
        except DeniedError as denied:
            items = denied.result.items
        for item in items:
            if item.asset is not None:
                covered = parse_checkpoint(item.asset.receipt.checkpoint)
                notes.note("released", item.asset.digest, item.entry.id, covered.size, covered.root.hex())
            else:
                notes.note("withheld", item.verdict.value, item.entry.id)
        notes.note("answered", number)


def govern_until_interrupted(home: str, diary: str, first: str) -> None:
    """Govern requests from the number `first` on; says what ended it, as a program's last line."""
    notes = Diary(Path(diary))
    try:
        governor = opened(home)
        notes.note("working")
        for number in itertools.count(int(first)):
            result = governor.generate(replace(numbered(0), id=f"interrupted-{number}"), FakePipeline())
            notes.note("released", result.items[0].asset.digest, result.items[0].entry.id)
    except KeyboardInterrupt:
        sys.stdout.write("KeyboardInterrupt\n")
    except GovernanceError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")


class Meanwhile:
    """A part around whose `method` something else happens: `before` its `nth` call (from 1), or `after` it."""

    def __init__(
        self,
        part: Any,
        method: str,
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object] | None = None,
        nth: int = 1,
    ) -> None:
        self._part, self._method, self._before, self._after, self._left = part, method, before, after, nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._watched(found) if name == self._method else found

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            due = self._left == 0
            if due and self._before is not None:
                self._before()
            result = call(*args, **kwargs)
            if due and self._after is not None:
                self._after()
            return result

        return watched


def interrupted(number: int) -> GenerationRequest:
    """The request that is interrupted at the point of this number."""
    return replace(numbered(0), id=f"point-{number}")


def interrupted_at_every_step(home: str, diary: str) -> None:
    """At each point press Ctrl-C - a real signal -, note what it became, then ask for the same again."""
    notes = Diary(Path(diary))
    governor = opened(home)
    for number, (part, method, nth, when) in enumerate(INTERRUPTIONS):
        request = interrupted(number)
        parts, pipeline = _watched(governor.parts, part, method, nth, when)
        try:
            Governor(parts).generate(request, pipeline)
            notes.note(number, "nothing", "-")
        except (KeyboardInterrupt, GovernanceError) as error:
            ((_, newest),) = governor.parts.ledger.entries(after=_size(governor) - 2)
            notes.note(number, type(error).__name__, newest.kind.value, newest.body.get("step", "-"))
        if method == "finish":
            continue  # a claim whose end was interrupted ends with the process
        items = governor.generate(request, FakePipeline()).items
        notes.note(number, "again", items[0].verdict.value, items[0].entry.body["attempt"])


def _watched(parts: Parts, part: str, method: str, nth: int, when: str) -> tuple[Parts, Any]:
    """Parts and a pipeline of which one presses Ctrl-C at its `nth` call."""
    press = {when: lambda: signal.raise_signal(signal.SIGINT), "nth": nth}
    if part == "pipeline":
        return parts, Meanwhile(FakePipeline(), method, **press)
    if part == "detectors":
        return replace(parts, detectors=(Meanwhile(parts.detectors[0], method, **press),)), FakePipeline()
    return replace(parts, **{part: Meanwhile(getattr(parts, part), method, **press)}), FakePipeline()


def _size(governor: Governor) -> int:
    return parse_checkpoint(governor.parts.ledger.checkpoint()).size


POINTS = (
    ("pipeline", "describe", 1),
    ("ledger", "begin", 1),
    ("policy", "decide", 1),
    ("ledger", "append", 1),
    ("pipeline", "generate", 1),
    ("detectors", "detect", 1),
    ("policy", "decide", 2),
    ("ledger", "next_mark", 1),
    ("watermarker", "embed", 1),
    ("encoder", "encode", 1),
    ("encoder", "decode", 1),
    ("watermarker", "extract", 1),
    ("signer", "sign", 1),
    ("fingerprinter", "fingerprint", 1),
    ("vault", "put", 1),
    ("ledger", "append", 2),
    ("vault", "publish", 1),
    ("ledger", "finish", 1),
)
INTERRUPTIONS = tuple((*point, when) for point in POINTS for when in ("before", "after"))
