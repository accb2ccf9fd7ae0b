"""The terms that an index finds entries by: 16 bytes each, so that the index holds no words of anybody.

A term is the beginning of a hash of a name and a value. Every filter of a query is a union of terms that every entry which
holds it has; entries that have the terms and do not hold it are told apart by `governance.traits.matches`. So a term may
be coarser than its filter, and two values may share one.

Perceptual hashes are found by multi-index hashing (Norouzi, Punjani and Fleet, "Fast search in Hamming space with
multi-index hashing", CVPR 2012): of two hashes of 256 bits in 16 bands that differ in at most 31 bits, some band differs in
at most one, for 16 bands of two differing bits each make 32. So the 17 values of each band that differ from it in at most
one bit find all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

from governance.attribution import PDQ_BYTES
from governance.covers import SCORE_STEPS, TIME_PLACES, score_cover, time_cover
from governance.normalise import NGRAM_CHARACTERS
from governance.search import Query, ScoreRange
from governance.traits import Traits, is_syllabic
from governance.words import unspaced

TERM_BYTES: Final = 16
_DOMAIN: Final = b"diffusion-governance/term/v1\0"
_BAND_BYTES: Final = 2
_PLAIN: Final = (
    "kind", "subject", "stage", "outcome", "principal", "reviewer", "purpose", "model", "adapter", "bundle", "reason",
    "asset", "watermark", "work", "shadow", "recalled",
)  # fmt: skip
"""The filters of a query that one term answers."""

Union = tuple[bytes, ...]
"""Terms of which an entry has at least one."""


def term(name: str, value: str) -> bytes:
    """SHA-256 of `"diffusion-governance/term/v1" || 0x00 || name || 0x00 || value`, its first 16 bytes.

    No name holds 0x00, so no two pairs are hashed alike.
    """
    state = _begun(name).copy()
    state.update(value.encode("utf-8", "surrogatepass"))
    return state.digest()[:TERM_BYTES]


@cache
def _begun(name: str) -> hashlib._Hash:
    """The hash as far as the name: there are few of them, and many values."""
    return hashlib.sha256(_DOMAIN + name.encode() + b"\0")


def terms_of_traits(traits: Traits) -> frozenset[bytes]:
    """The terms of an entry with these traits."""
    return frozenset(term(name, value) for name, value in _named(traits))


def picture_terms(pdq: bytes) -> frozenset[bytes]:
    """The terms of a released picture with this PDQ hash, one for each of its 16 bands; none where it is no such hash."""
    return frozenset(_band(band, value) for band, value in _bands(pdq)) if len(pdq) == PDQ_BYTES else frozenset()


def alike_terms(pdq: bytes) -> tuple[Union, ...]:
    """For each band 17 terms; every picture whose PDQ hash differs in at most 31 bits has one of them all together."""
    bits = 8 * _BAND_BYTES
    return tuple(
        (_band(band, value), *(_band(band, value ^ (1 << bit)) for bit in range(bits))) for band, value in _bands(pdq)
    )


def wanted(query: Query, years: Sequence[str]) -> tuple[Union, ...]:
    """What an entry must have a term of, for each of these, to be found; nothing for a query without filters.

    `years` (`2026`) are those that any entry is of: a time range without an end would have no end of terms.
    """
    unions: list[Union] = [(term(name, value),) for name, value in _filters(query)]
    unions += [tuple(_score_term(each, step, first) for step, first in score_cover(each)) for each in query.scores]
    unions += [(each,) for word in query.wanted_words for each in _word_terms(word)]
    if query.since is not None or query.until is not None:
        unions.append(tuple(term("time", place) for place in time_cover(query.since, query.until, years)))
    return tuple(unions)


def _named(traits: Traits) -> Iterator[tuple[str, str]]:
    """Names and values of every term."""
    for name, values in (
        ("kind", (traits.kind.value,)),
        ("subject", (traits.subject,)),
        ("stage", (traits.stage,)),
        ("outcome", (traits.outcome,)),
        ("principal", traits.principals),
        ("reviewer", traits.reviewers),
        ("purpose", traits.purposes),
        ("model", traits.models),
        ("adapter", traits.adapters),
        ("bundle", traits.bundles),
        ("reason", traits.reasons),
        ("asset", traits.assets),
        ("watermark", () if traits.mark is None else (traits.mark[1],)),
        ("work", traits.works),
        ("shadow", traits.shadows),
        ("recalled", traits.recalled),
        ("word", (part for word in traits.words for part in _parts(word))),
        ("time", () if traits.moment is None else (traits.moment[0][:place] for place in TIME_PLACES)),
    ):
        yield from ((name, value) for value in values if value)
    for detector, label, score in traits.scores:
        yield from (("score", _score_value(detector, label, step, score // step * step)) for step in SCORE_STEPS)


def _filters(query: Query) -> Iterator[tuple[str, str]]:
    """Names and values of the filters that one term answers."""
    for name in _PLAIN:
        if (value := getattr(query, name)) is not None:
            yield name, str(value)


def _parts(word: str) -> Iterator[str]:
    """What a word of a prompt is found by; see `governance.traits.finds_word`.

    Where words are not spaced: each character, and each two. Korean: each beginning. Else the word.
    """
    if unspaced(word):
        yield from word
        yield from map("".join, pairwise(word))
    elif is_syllabic(word):
        yield from (word[:length] for length in range(1, min(len(word), NGRAM_CHARACTERS) + 1))
    else:
        yield word


def _word_terms(word: str) -> Iterator[bytes]:
    """What a word of a query is looked up by: every entry with the word has all of these."""
    if unspaced(word):
        parts: Sequence[str] = list(map("".join, pairwise(word))) or [word]
    else:
        parts = [word[:NGRAM_CHARACTERS] if is_syllabic(word) else word]
    yield from (term("word", part) for part in dict.fromkeys(parts))


def _score_value(detector: str, label: str, step: int, first: int) -> str:
    """Both names behind their lengths, so that no two pairs read alike."""
    return f"{len(detector)}:{detector}{len(label)}:{label}{step}:{first}"


def _score_term(scores: ScoreRange, step: int, first: int) -> bytes:
    return term("score", _score_value(scores.detector, scores.label, step, first))


def _bands(pdq: bytes) -> Iterator[tuple[int, int]]:
    for band in range(PDQ_BYTES // _BAND_BYTES):
        yield band, int.from_bytes(pdq[band * _BAND_BYTES :][:_BAND_BYTES])


def _band(band: int, value: int) -> bytes:
    return term("pdq", f"{band}/{value:04x}")
