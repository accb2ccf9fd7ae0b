"""The tables of look-alikes, held against a list that is not ours."""

from __future__ import annotations

import string
import unicodedata
from collections import defaultdict

from confusable_homoglyphs import confusables

from governance.confusables import LATIN_VARIANTS, MIXED_SCRIPT, TURNED, WHOLE_SCRIPT
from governance.normalise import normalise

FLOOR = 0.96


def look_alikes() -> dict[str, set[str]]:
    """Single letters that the Unicode consortium's list calls confusable with a letter of ASCII, and with which."""
    found = defaultdict(set)
    for letter in string.ascii_letters:
        for item in confusables.confusables_data.get(letter, []):
            alike = item["c"]
            if len(alike) == 1 and not alike.isascii() and unicodedata.category(alike).startswith("L"):
                found[alike].add(letter.lower())
    return found


def test_letters_that_look_alike_are_read_alike(figure) -> None:
    known = look_alikes()
    read = [
        alike
        for alike, letters in known.items()
        if set(normalise(f"qz{alike}qz").split()) & {f"qz{letter}qz" for letter in letters}
    ]
    share = len(read) / len(known)
    figure(f"confusable letters of confusable-homoglyphs that are read as theirs: {len(read)} of {len(known)}")
    assert share >= FLOOR
    # What is left is mostly the capital I, which is read as an i.
    left = known.keys() - set(read)
    capital_i = {
        alike for alike in left if unicodedata.normalize("NFKC", alike).casefold() in ("i", "ι", "і", "ⲓ", "ɩ", "ꓲ")
    }
    assert len(left - capital_i) <= 0.02 * len(known)


def test_tables_lead_to_small_latin_letters() -> None:
    for table in (LATIN_VARIANTS, MIXED_SCRIPT, WHOLE_SCRIPT):
        assert all(target.isascii() and target.islower() for target in table.values())
        assert not any(chr(code).isascii() for code in table)
    assert set(TURNED.values()) == set(string.ascii_lowercase) - set("sxz")


def test_a_word_in_one_script_is_left_alone_unless_it_is_drawn_like_latin() -> None:
    assert normalise("масло") == "масло"
    assert normalise("сосо") == "coco"
    assert "масло" in normalise("маслo").split()
