"""The corpora: disguised terms that must be found, innocent look-alikes that must not, and every miss in the docs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from governance.hidden import hidden_readings
from governance.normalise import ngrams, normalise
from support.evasions import (
    ANY_SCRIPT,
    HELD_OUT_TERMS,
    LATIN_TERMS,
    OTHER_TERMS,
    TUNED,
    UNTUNED,
    Evasion,
    combined,
    generated,
)
from support.innocents import BLOCKS, INNOCENT
from support.markdown import ROOT, inline_code, section, table
from support.spellings import ALL, BY_SCRIPT, items

DATA = json.loads((Path(__file__).parents[2] / "policies" / "data.json").read_text())
LISTED = frozenset(DATA["blocked_terms"]) | frozenset(DATA["protected_names"])
HELD_OUT = frozenset(HELD_OUT_TERMS) | frozenset(term.replace(" ", "") for term in HELD_OUT_TERMS)
PAGE = (ROOT / "docs" / "normaliser.md").read_text()

GENERATED = [
    *generated(TUNED, LATIN_TERMS, seed=7, each=14),
    *combined(LATIN_TERMS, seed=8, each=4),
    *generated({kind: TUNED[kind] for kind in ANY_SCRIPT}, OTHER_TERMS, seed=9, each=14),
]
HELD_OUT_EVASIONS = [
    *generated(TUNED, HELD_OUT_TERMS, seed=2026, each=10),
    *combined(HELD_OUT_TERMS, seed=2027, each=3),
]


def hits(text: str, terms: frozenset[str] = LISTED) -> set[str]:
    """What policy would find: listed terms among the n-grams of the prompt and of what it hides."""
    return {*ngrams(normalise(text)), *hidden_readings(text).ngrams} & terms


def missed(evasions: Iterable[Evasion], terms: frozenset[str] = LISTED) -> list[Evasion]:
    return [evasion for evasion in evasions if not hits(evasion.text, terms)]


def rate(misses: int, total: int) -> str:
    return f"{total - misses} of {total} ({100 * (total - misses) / total:.1f} %)"


def documented(title: str) -> list[str]:
    """The texts that the page lists as missed under a heading."""
    return [code for row in table(section(PAGE, title)) for code in inline_code(row[0])]


def test_the_corpora_are_as_large_as_they_say() -> None:
    assert len({evasion.text for evasion in GENERATED}) >= 1000
    assert len({evasion.term for evasion in GENERATED}) >= 60
    assert len({evasion.kind for evasion in GENERATED} & TUNED.keys()) >= 50
    assert set(LATIN_TERMS) | set(OTHER_TERMS) <= LISTED
    assert not HELD_OUT & LISTED
    assert len({text for block in BY_SCRIPT.values() for text in items(block)}) >= 60
    assert len(BY_SCRIPT) >= 10
    assert len(set(INNOCENT)) >= 500
    assert all(len(items(block)) >= 50 for block in BLOCKS.values())


def test_no_disguise_is_the_term_itself() -> None:
    assert not [evasion for evasion in GENERATED if evasion.term in evasion.text.split()]


def test_evasions_by_rule_are_found(figure) -> None:
    misses = missed(GENERATED)
    terms = len({evasion.term for evasion in GENERATED})
    figure(
        f"evasions by rule, {len(TUNED)} kinds and pairs of them, {terms} terms: {rate(len(misses), len(GENERATED))}"
    )
    assert len(misses) <= 0.02 * len(GENERATED)
    assert documented("Disguises by rule that are missed") == [evasion.text for evasion in misses]


def test_evasions_by_hand_are_found(figure) -> None:
    misses = [text for text in ALL if not hits(text)]
    figure(f"evasions by hand, {len(BY_SCRIPT)} scripts: {rate(len(misses), len(ALL))}")
    assert len(misses) <= 0.02 * len(ALL)
    assert documented("Disguises by hand that are missed") == misses


@pytest.mark.parametrize("script", BY_SCRIPT)
def test_every_script_is_found(script: str) -> None:
    texts = items(BY_SCRIPT[script])
    assert sum(bool(hits(text)) for text in texts) >= 0.9 * len(texts)


def test_evasions_of_terms_that_nothing_was_tuned_with_are_found(figure) -> None:
    misses = missed(HELD_OUT_EVASIONS, HELD_OUT)
    figure(f"evasions by rule, {len(HELD_OUT_TERMS)} terms held out: {rate(len(misses), len(HELD_OUT_EVASIONS))}")
    assert len(misses) <= 0.03 * len(HELD_OUT_EVASIONS)


def test_kinds_that_are_not_undone_are_in_the_docs(figure) -> None:
    rows = []
    for name, kind in UNTUNED.items():
        evasions = generated({name: kind}, LATIN_TERMS, seed=9, each=20)
        rows.append([name, f"{len(evasions) - len(missed(evasions))} of {len(evasions)}"])
    found = [[int(number) for number in row[1].split(" of ")] for row in rows]
    figure(f"kinds that nothing was written for: {sum(row[0] for row in found)} of {sum(row[1] for row in found)}")
    assert [row[:2] for row in table(section(PAGE, "Kinds that are not undone"))] == rows


def test_innocent_look_alikes_pass(figure) -> None:
    denied = [text for text in INNOCENT if hits(text)]
    figure(f"look-alikes: {rate(len(denied), len(INNOCENT))} pass")
    assert len(denied) <= 0.01 * len(INNOCENT)
    assert documented("Look-alikes that are denied") == denied


def test_innocent_look_alikes_are_rarely_taken_for_encoded(figure) -> None:
    hinted = [text for text in INNOCENT if hidden_readings(text).hints]
    figure(f"look-alikes: {rate(len(hinted), len(INNOCENT))} without a hint of an encoding")
    assert len(hinted) <= 0.01 * len(INNOCENT)
    assert documented("Look-alikes with a hint") == hinted
    assert not [text for text in INNOCENT if set(hidden_readings(text).ngrams) & LISTED]


def test_the_page_says_what_was_measured() -> None:
    said = " ".join(PAGE.split())
    for text in (
        f"{rate(len(missed(GENERATED)), len(GENERATED))}",
        f"{rate(sum(not hits(text) for text in ALL), len(ALL))}",
        f"{rate(len(missed(HELD_OUT_EVASIONS, HELD_OUT)), len(HELD_OUT_EVASIONS))}",
        f"{rate(sum(bool(hits(text)) for text in INNOCENT), len(INNOCENT))}",
    ):
        assert text in said, text
