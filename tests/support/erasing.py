"""A ledger in which several people asked, reviewed and edited, and an eraser over it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from governance.entries import Entry, EntryKind
from governance.erasure import Basis, ErasureOrder
from governance.errors import GenerationError, WithheldError
from governance.forgetting import Eraser
from governance.governor import Governor
from governance.parts import Parts
from governance.review import ReviewDesk
from governance.search import Query
from governance.testing import FailingAt, FakeErasureLog, FakePipeline, fake_parts
from governance.types import Outcome, Principal, Prompt, Reason
from governance.work_records import WorkChange, work_record
from governance.works import Work, WorkAction
from support.reviewing import ANN, CODES, ReviewPolicy, request

GONE = Principal("gone@example.org", ("designer", "reviewer"))
STAYS = Principal("stays@example.org", ("designer",))
OPERATOR = Principal("operator@example.org", ("privacy",))
ORDER = ErasureOrder(Basis.REQUEST, OPERATOR, "file 17")
ALLOWED: tuple[Outcome, tuple[Reason, ...], dict[str, Any]] = (Outcome.ALLOW, (), {})
DENIED = (Outcome.DENY, (Reason("prompt.blocked", "Names a zebra.", "/prompts/0"),), {})
WORDS = ("zebra", "zucchini")
"""What the prompts of `GONE` are about, and nobody else's."""


@dataclass
class Scene:
    """The parts of a line, an erasure log, and who asked what."""

    parts: Parts
    log: Any = field(default_factory=FakeErasureLog)
    policy: ReviewPolicy = field(default_factory=ReviewPolicy)

    @classmethod
    def of(cls, **changes: Any) -> Scene:
        """Over fakes, or over `changes`."""
        policy = ReviewPolicy(needed=1, release=ALLOWED)
        return cls(fake_parts(policy=policy, **changes), policy=policy)

    def eraser(self, **changes: Any) -> Eraser:
        """An eraser over these parts, or over `changes`."""
        parts: dict[str, Any] = {name: getattr(self.parts, name) for name in ("ledger", "vault", "quarantine")}
        parts |= {"log": self.log, "log_key": self.parts.log_key, **changes}
        return Eraser(**parts)

    def ask(
        self, who: Principal, number: int, prompt: str = "a red seven", answer: Any = None, pipeline: Any = None
    ) -> str:
        """The generation of one call; `answer` is the policy's at release, by default that it may leave."""
        self.policy.release = answer or ALLOWED
        asked = request(principal=who, id=f"request-{number}", prompts=(Prompt(prompt),))
        before = self._newest()
        with suppress(WithheldError, GenerationError):
            Governor(self.parts).generate(asked, pipeline or FakePipeline())
        self.policy.release = ALLOWED
        return next(entry.subject for index, entry in self.entries() if index > before)

    def review(self, who: Principal, generation: str, act: str, comment: str = "") -> None:
        """Lease and decide on the one hold of a generation."""
        (hold,) = [each for each in self.parts.ledger.holds(limit=1000) if each.subject == generation]
        desk = ReviewDesk(self.parts)
        desk.lease(who, hold.id)
        getattr(desk, act)(who, hold.id, CODES, comment)

    def entries(self) -> list[tuple[int, Entry]]:
        """All of them."""
        return list(self.parts.ledger.entries(limit=10_000))

    def kinds(self, subject: str | None = None) -> list[str]:
        """The kinds of all entries, or of those about one subject."""
        return [entry.kind.value for _, entry in self.entries() if subject in (None, entry.subject)]

    def values(self, subject: str | None = None) -> str:
        """Every personal value that is kept, as text."""
        return json.dumps(
            [
                [each.name, each.value]
                for _, entry in self.entries()
                if subject in (None, entry.subject)
                for each in self.parts.ledger.fields(entry.id)
            ]
        )

    def found(self, **filters: Any) -> set[str]:
        """The subjects that a search finds."""
        return {entry.subject for _, entry in self.parts.ledger.search(Query(**filters), limit=1000).items}

    def _newest(self) -> int:
        return max((index for index, _ in self.entries()), default=-1)


@dataclass
class Crowd:
    """A scene with generations of `GONE`, by what became of them, and one of `STAYS`."""

    scene: Scene
    theirs: dict[str, str]
    other: str


def crowd(scene: Scene) -> Crowd:
    """`GONE` asks in every way there is, reviews somebody else's hold, and edits a work."""
    held = (Outcome.REVIEW, (Reason("finding.review", "Too high.", "/findings/0/score_millionths"),), {})
    broken = FailingAt(FakePipeline(), "generate", GenerationError("no memory for the zebra of gone@example.org"))
    theirs = {
        "released": scene.ask(GONE, 1, "a zebra"),
        "denied": scene.ask(GONE, 2, "a zucchini", DENIED),
        "held": scene.ask(GONE, 3, "a zebra and a zucchini", held),
        "reviewed": scene.ask(GONE, 4, "a zebra at night", held),
        "failed": scene.ask(GONE, 5, "a fast zebra", pipeline=broken),
    }
    scene.review(ANN, theirs["reviewed"], "approve", "the zebra is fine")
    other = scene.ask(STAYS, 1, "a heron", held)
    scene.review(GONE, other, "reject", "I dislike herons")
    work = Work("Heron", "The museum", "CC0-1.0", WorkAction.DENY, ())
    scene.parts.ledger.append(work_record(WorkChange.ADDED, work, GONE))
    return Crowd(scene, theirs, other)


def of_kind(scene: Scene, kind: EntryKind) -> list[Entry]:
    """All entries of a kind."""
    return [entry for _, entry in scene.parts.ledger.entries(kind=kind, limit=10_000)]
