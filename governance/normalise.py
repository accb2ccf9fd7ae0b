"""Prompts in the form in which blocked terms are looked up: without disguise, and the same however they are spelt.

The normalised form is for searching, not for reading. It holds each word in its likeliest reading, in order; after them,
divided by `00`, stand further readings of those words that can be read in several ways (`passport1`, `exp1osive`), with
their neighbours. A blocked term must be a fixed point of `normalise` and one of its own n-grams (`is_term`), or it could
never be found.

`governance.folding` sees to characters, `governance.words` to where words begin and end, `governance.readings` to what a
word says, `governance.respelling` to texts that are something else altogether. The output for one version never changes:
bundles name the version that their terms are written for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from governance.errors import RequestError
from governance.folding import DIVIDER, fold
from governance.readings import LIKELY, REPEATS, VIEWS, Reading
from governance.respelling import NEIGHBOURS, respelt, windows
from governance.words import CLUSTERED, SHORT, read_words, settled_rows, unspaced

NORMALISER_VERSION = "2"
MAX_PROMPT_CHARACTERS = 4000
NGRAM_WORDS = 3
NGRAM_CHARACTERS = 8
NGRAM_CLUSTERED_CHARACTERS = 16
NGRAM_SPELT_CHARACTERS = 20

BREAK = " 00 "
"""What stands between a text and further readings of its parts, so that no term is found across them."""

_CLUSTERED_START = re.compile(f"[{CLUSTERED}]")
_SYLLABLES_START = re.compile("[\uac00-\ud7a3]")
_ODD = (
    re.compile(r"[^a-z\s-]"),
    re.compile(r"\s\s"),
    re.compile(r"-[a-z]{1,2}-|[a-z]-+[a-z]+-+[a-z]+-+[a-z]"),
    re.compile(r"\b([a-z])[\s-]+\1[\s-]+(?:\1\b|([a-z])[\s-]+\2[\s-]+([a-z])[\s-]+\3\b)"),
    re.compile(REPEATS.pattern.replace(r"[^\W\d_]", "[a-z]")),
)
"""What is in every folded text that is more than plain words with dividers between them."""
_PLAIN_TERM = re.compile("[a-z]+(?: [a-z]+){0,2}")
_SETTLING_PASSES = 8


def check_prompt(text: str) -> None:
    """Refuse text that cannot be a prompt, before any work is spent on it.

    Raises:
        RequestError: longer than `MAX_PROMPT_CHARACTERS`, blank, or binary (control characters, lone surrogates).
    """
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise RequestError(
            f"A prompt has {len(text)} characters.", remedy=f"Shorten it to at most {MAX_PROMPT_CHARACTERS}."
        )
    if not text.strip():
        raise RequestError("A prompt is empty.", remedy="Say in words what the image should show.")
    for character in sorted(set(text)):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise RequestError(
                f"A prompt holds the character U+{ord(character):04X}, so it is binary data or broken text.",
                remedy="Send valid Unicode text without control characters.",
            )


def normalise(text: str) -> str:
    """The form in which blocked terms are looked up. Normalising it again changes nothing.

    Time is linear in the length of `text`.
    """
    for _ in range(_SETTLING_PASSES):
        folded = fold(text)
        others = list(respelt(text))
        if not others and _is_plain(folded):
            return _plain(folded)
        lines = chain(_lines(folded), *(_lines(fold(other)) for other in others))
        settled = BREAK.join(line for line in dict.fromkeys(lines) if line)
        if settled == text or _is_plain(settled.replace(BREAK, " ")):
            return settled
        text = settled
    return text


def ngrams(normalised: str, limit: int = NGRAM_WORDS) -> tuple[str, ...]:
    """What a normalised text is looked up by, without repetition.

    Each word; each sequence of up to `limit` words; those and sequences of one word more written together (`pass port`);
    longer sequences of short words written together, of up to `NGRAM_SPELT_CHARACTERS` letters (`p a s s p o r t`); and,
    where a script does not space its words, each sequence of up to `NGRAM_CHARACTERS` characters, or of
    `NGRAM_CLUSTERED_CHARACTERS` where several make a syllable (Thai, Lao, Burmese, Khmer). Korean words are looked up by
    their beginnings, since particles follow.
    """
    words = normalised.split()
    found = dict.fromkeys(words)
    solid = words if normalised.isascii() else ["" if unspaced(word) else word for word in words]
    for size in range(2, limit + 1):
        found.update(dict.fromkeys(map(" ".join, zip(*(words[start:] for start in range(size)), strict=False))))
    for size in range(2, limit + 2):
        sequences = zip(*(solid[start:] for start in range(size)), strict=False)
        found.update(dict.fromkeys(map("".join, sequences if solid is words else filter(all, sequences))))
    found.update(dict.fromkeys(_spelt(solid, limit + 1)))
    if solid is not words:
        found.update(dict.fromkeys(chain.from_iterable(map(_within, words))))
    return tuple(found)


def is_term(text: str) -> bool:
    """Whether `text` can be a blocked term: a fixed point of `normalise`, and one of its own n-grams."""
    if _PLAIN_TERM.fullmatch(text) and _is_plain(text):
        return True
    return bool(text) and normalise(text) == text and text in ngrams(text)


# --- n-grams


def _spelt(words: Sequence[str], limit: int) -> Iterator[str]:
    """More than `limit` words written together, all short but the first and the last: words spelt letter by letter."""
    short = [0 < len(word) <= SHORT for word in words]
    for first in range(len(words) - limit):
        if not (words[first] and all(short[first + 1 : first + limit])):
            continue
        spelt = words[first]
        for last in range(first + 1, len(words)):
            spelt += words[last]
            if not words[last] or len(spelt) > NGRAM_SPELT_CHARACTERS:
                break
            if last - first >= limit:
                yield spelt
            if not short[last]:
                break


def _within(word: str) -> Iterator[str]:
    """The sequences of characters in a word of a script that does not space words, or that puts particles behind."""
    if _SYLLABLES_START.match(word):
        yield from (word[:stop] for stop in range(1, min(NGRAM_CHARACTERS, len(word)) + 1))
    elif _CLUSTERED_START.match(word):
        # A mark belongs to the letter before it.
        edges = [index for index, character in enumerate(word) if not unicodedata.category(character).startswith("M")]
        edges.append(len(word))
        for number, start in enumerate(edges):
            for stop in edges[number + 1 : number + 1 + NGRAM_CLUSTERED_CHARACTERS]:
                if stop - start > NGRAM_CLUSTERED_CHARACTERS:
                    break
                yield word[start:stop]
    elif unspaced(word):
        for start in range(len(word)):
            for stop in range(start + 1, min(start + NGRAM_CHARACTERS, len(word)) + 1):
                yield word[start:stop]


# --- lines of words


def _lines(folded: str) -> Iterator[str]:
    """The words of a folded text in their likeliest reading, then those parts that read differently in another view."""
    if _is_plain(folded):
        yield _plain(folded)
        return
    likely: list[Reading] = []
    views: dict[str, dict[int, Reading]] = {}
    for word in read_words(folded):
        for view, reading in word.items():
            if view != LIKELY:
                views.setdefault(view, {})[len(likely)] = reading
        likely.append(word[LIKELY])
    yield _joined(likely)
    for view in VIEWS:
        if others := views.get(view):
            for start, stop in windows(list(others), len(likely), NEIGHBOURS):
                yield _joined(others.get(index, likely[index]) for index in range(start, stop))


def _is_plain(folded: str) -> bool:
    return not any(odd.search(folded) for odd in _ODD)


def _plain(folded: str) -> str:
    return " ".join(folded.replace(DIVIDER, " ").split())


def _joined(readings: Iterable[Reading]) -> str:
    """The words of `readings`; those of scripts that do not space words are one where they meet."""
    words: list[str] = []
    for word in chain.from_iterable(readings):
        if words and unspaced(word) and unspaced(words[-1]):
            words[-1] += word
        else:
            words.append(word)
    return " ".join(settled_rows(words))
