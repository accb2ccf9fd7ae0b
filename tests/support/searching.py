"""Random entries and random questions about them, from the same few values, so that many of them meet."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime

from hypothesis import strategies as st

from governance.canonical import digest
from governance.entries import EntryKind
from governance.search import TOP, Query, ScoreRange, instant
from governance.testing.example_records import ALGORITHM
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.ledger_search import differing
from governance.testing.search_records import ADAPTED_MODEL, LORA, NSFW, Told
from governance.types import Outcome, Stage

KINDS = (EntryKind.INTENT, EntryKind.DENIED, EntryKind.COMMENTED, EntryKind.RELEASED)
PEOPLE = ("ann@example.org", "bob@example.org", "cat@example.org")
SUBJECTS = ("g1", "g2", "g3")
PURPOSES = ("marketing", "art")
CODES = ("prompt.blocked_term", "brand.too_similar")
MODELS = (EXAMPLE_MODEL, ADAPTED_MODEL)
BUNDLES = (digest(b"one"), digest(b"two"))
TEXTS = (
    "a red seven",
    "RED-HOT l33t",
    "\u7ea2\u8272\u7684\u4e03",
    "\ube68\uac04 \uc0ac\uacfc\ub97c",
    "p a s s p o r t of a man",
)
PROMPT_WORDS = (
    "red",
    "Seven",
    "leet",
    "\u7ea2",
    "\u8272\u7684",
    "\u4e03\u7ea2",
    "\uc0ac\uacfc",
    "\ube68",
    "passport",
    "man red",
    "nothing",
)
TIMES = (
    "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z", "2026-01-31T23:30:00Z", "2026-02-01T00:00:00.000Z",
    "2026-02-28T12:59:59.9Z", "2028-02-29T00:00:00.001Z", "2028-03-01T01:00:00.000Z",
)  # fmt: skip
SCORES = (0.0, 0.000001, 0.0999995, 0.1, 0.25, 0.5, 0.999, 0.9999999, 1.0)
WORKS = ("", "work-1", "work-2")

_numbers = itertools.count()


def moments():
    """Some at the edges of years, months, days and hours, and any other."""
    any_time = st.datetimes(min_value=datetime(2025, 12, 1), max_value=datetime(2028, 4, 1))  # noqa: DTZ001 - it says Z
    return st.sampled_from(TIMES) | any_time.map(lambda at: f"{at.isoformat(timespec='milliseconds')}Z")


def tellings():
    """What random entries tell."""
    return st.builds(
        Told,
        kind=st.sampled_from(KINDS),
        time=moments(),
        subject=st.sampled_from(SUBJECTS),
        principal=st.sampled_from(PEOPLE),
        reviewer=st.sampled_from(("", *PEOPLE)),
        purpose=st.sampled_from(PURPOSES),
        prompts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2).map(tuple),
        model=st.sampled_from(MODELS),
        bundle=st.sampled_from(BUNDLES),
        stage=st.sampled_from((Stage.ADMISSION, Stage.RELEASE)),
        outcome=st.sampled_from(tuple(Outcome)),
        codes=st.lists(st.sampled_from(CODES), max_size=2, unique=True).map(tuple),
        scores=st.lists(st.sampled_from(SCORES) | st.floats(0, 1), min_size=1, max_size=3).map(tuple),
        work=st.sampled_from(WORKS),
        content=st.sampled_from((b"one", b"two")),
    ).map(_marked)


def _marked(told):
    """A release gets a watermark of its own; three PDQ hashes are alike, the fourth is not."""
    if told.kind is not EntryKind.RELEASED:
        return told
    number = next(_numbers)
    content = told.content + str(number % 5).encode()
    return replace(told, content=content, mark=(number, differing(bytes(range(32)), (0, 20, 31, 60)[number % 4])))


def ranges():
    """Ranges of scores, mostly around those that there are."""
    edges = st.integers(0, TOP) | st.sampled_from([int(score * TOP) for score in SCORES])
    return st.tuples(edges, edges).map(lambda pair: ScoreRange(*NSFW, min(pair), max(pair)))


def queries():
    """Questions with up to a few filters."""
    filters = {
        "principal": st.sampled_from(PEOPLE),
        "reviewer": st.sampled_from(PEOPLE),
        "purpose": st.sampled_from(PURPOSES),
        "model": st.sampled_from([each.digest for each in MODELS] + [each.pipeline for each in MODELS]),
        "adapter": st.sampled_from((LORA.name, LORA.digest, "unknown")),
        "bundle": st.sampled_from(BUNDLES),
        "stage": st.sampled_from(tuple(Stage)),
        "outcome": st.sampled_from(tuple(Outcome)),
        "kind": st.sampled_from(KINDS),
        "reason": st.sampled_from(CODES),
        "scores": st.lists(ranges(), min_size=1, max_size=2).map(tuple),
        "asset": st.sampled_from([digest(b"one0"), digest(b"two3"), f"asset-{digest(b'one1')[:8]}"]),
        "subject": st.sampled_from(SUBJECTS),
        "work": st.sampled_from(WORKS[1:]),
        "words": st.sampled_from(PROMPT_WORDS),
    }
    given = st.sets(st.sampled_from(sorted(filters)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: filters[name] for name in sorted(names)})
    )
    spans = st.tuples(st.none() | moments(), st.none() | moments()).map(_span)
    marks = st.just({}) | st.builds(
        dict, watermark=st.integers(0, 20), algorithm=st.sampled_from((None, ALGORITHM, "x"))
    )
    return st.builds(lambda *parts: Query(**{k: v for part in parts for k, v in part.items()}), given, spans, marks)


def _span(pair):
    since, until = pair
    if since is not None and until is not None and instant(since) >= instant(until):
        since, until = (until, since) if since != until else (since, None)
    return {"since": since, "until": until}
