"""The tokenizer of the reference model: byte-level pairs whose merges make each word of the grammar one token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from transformers import CLIPTokenizer

from . import digits

MAX_LENGTH: Final = 32
"""Tokens of a prompt with its start and end; the pipeline cuts or fills every prompt to this length."""

START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
_WORD_END: Final = "</w>"


def grammar_words() -> list[str]:
    """List each word that a prompt may hold, once, in a fixed order."""
    words: list[str] = [*digits.PALETTE, *digits.DIGIT_WORDS]
    for template in digits.TEMPLATES:
        words += [word for word in template.split() if not word.startswith("{")]
    words += ["an", "image", "drawing", "and", "color", "colour"]
    return list(dict.fromkeys(words))


def byte_symbols() -> list[str]:
    """List the 256 printable characters by which byte-level coding writes the bytes 0..255, in byte order.

    A byte that is a printable Latin-1 character stands for itself; the others take the characters from
    U+0100 on, in turn.
    """
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in shown else chr(next(others)) for byte in range(256)]


def _apply(merges: Iterable[tuple[str, str]], word: str) -> list[str]:
    """Split a word as the merges do, the earliest first."""
    parts = [*word[:-1], word[-1] + _WORD_END]
    for left, right in merges:
        place = 0
        while place < len(parts) - 1:
            if (parts[place], parts[place + 1]) == (left, right):
                parts[place : place + 2] = [left + right]
            else:
                place += 1
    return parts


def word_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Find merges, in order of rank, after which each of the words is a single token.

    Words are taken in turn. What the merges so far leave of a word is joined from the left by new merges of
    higher rank; those cannot undo an earlier word, which the lower ranks have joined already.
    """
    merges: list[tuple[str, str]] = []
    for word in words:
        parts = _apply(merges, word)
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = _apply(merges, word)
    return merges


def build_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer. It lower-cases; a word outside the grammar becomes several tokens, down to bytes."""
    symbols = byte_symbols()
    merges = word_merges(grammar_words())
    tokens = [
        *symbols,
        *(symbol + _WORD_END for symbol in symbols),
        *(left + right for left, right in merges),
    ]
    vocabulary = {token: place for place, token in enumerate([*dict.fromkeys(tokens), START, END])}
    kind: Any = CLIPTokenizer
    made: CLIPTokenizer = kind(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)
    return made
