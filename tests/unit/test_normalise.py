"""The normaliser: fixed points, n-grams, and what each rule of it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import RequestError
from governance.normalise import (
    BREAK,
    MAX_PROMPT_CHARACTERS,
    NGRAM_CHARACTERS,
    NGRAM_CLUSTERED_CHARACTERS,
    NGRAM_SPELT_CHARACTERS,
    NORMALISER_VERSION,
    check_prompt,
    is_term,
    ngrams,
    normalise,
)

DATA = json.loads((Path(__file__).parents[2] / "policies" / "data.json").read_text())
TERMS = DATA["blocked_terms"]


def hits(text: str) -> set[str]:
    return set(ngrams(normalise(text))) & set(TERMS)


def test_the_demo_prompt_is_caught_by_both_of_its_words() -> None:
    assert hits("a c0unterfe1t p a s s p o r t in r3d") == {"counterfeit", "passport"}


@pytest.mark.parametrize("term", sorted({*TERMS, *DATA["protected_names"]}))
def test_every_shipped_term_can_match(term: str) -> None:
    assert is_term(term)
    assert term in ngrams(normalise(f"A photo of the {term.upper()}, please."))


@pytest.mark.parametrize("term", [term for term in TERMS if " " in term])
def test_every_shipped_term_of_several_words_is_listed_written_together_too(term: str) -> None:
    assert TERMS[term.replace(" ", "")]["category"] == TERMS[term]["category"]


ALPHABET = st.one_of(
    st.sampled_from(
        "aaabeiosptrl:1340$@!|+.- -  'AS\u0301\u0e31\u0e01护照а сдИжрΙϲ여권\u200bͅßİŉ\u2028🅿ɹʇǝ\u202e\u202c)(\\/_<I"
    ),
    st.characters(),
)


@given(st.text(ALPHABET, max_size=80))
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()
    assert "  " not in once


@given(st.text("aab  --:.1ссіoהв", max_size=24))
def test_normalising_rows_of_letters_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(ALPHABET, max_size=40))
def test_ngrams_are_complete_and_without_repetition(text: str) -> None:
    normalised = normalise(text)
    found = ngrams(normalised)
    assert len(found) == len(set(found))
    assert all(found)
    assert set(normalised.split()) <= set(found)
    assert bool(found) is bool(normalised)


@given(st.lists(st.sampled_from(["red", "seven", "old", "town"]), min_size=1, max_size=6))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert normalise(" ".join(words)) == " ".join(words)


def test_ngrams_of_words() -> None:
    assert ngrams("a red seven") == (
        "a",
        "red",
        "seven",
        "a red",
        "red seven",
        "a red seven",
        "ared",
        "redseven",
        "aredseven",
    )
    assert set(ngrams("one two three four", limit=2)) >= {"one two", "threefour", "onetwothree"}
    assert "one two three" not in ngrams("one two three four", limit=2)
    assert "onetwothreefour" in ngrams("one two three four five")
    assert "onetwothreefourfive" not in ngrams("one two three four five")


def test_ngrams_of_letters_spelt_out() -> None:
    found = ngrams("my f a k e i d card")
    assert {"fakeid", "myfakeid", "fakeidcard", "eid"} <= set(found)
    assert max(map(len, ngrams(" ".join("abcdefghijklmnopqrstuvwxyz")))) == NGRAM_SPELT_CHARACTERS


def test_ngrams_of_scripts_that_do_not_space_words() -> None:
    assert ngrams("护照片") == ("护照片", "护", "护照", "照", "照片", "片")
    assert max(len(item) for item in ngrams("字" * 5 + "画" * 5) if len(item) < 10) == NGRAM_CHARACTERS
    thai = ngrams("ภาพหนังสือเดินทาง")
    assert "หนังสือเดินทาง" in thai
    assert not any(item.startswith("\u0e31") for item in thai)
    assert max(len(item) for item in ngrams("ก" * 20 + "ข" * 20) if len(item) < 40) == NGRAM_CLUSTERED_CHARACTERS


def test_korean_words_are_looked_up_by_their_beginnings() -> None:
    assert {"여", "여권", "여권을"} <= set(ngrams("여권을"))
    assert "여권" not in ngrams("참여권")


@pytest.mark.parametrize(
    "term",
    [
        "",
        "Passport",
        "pass-port",
        "passsport",
        "covid19",
        "a b c d",
        "one two three four",
        " x",
        "字" * 5 + "画" * 5 + "x y",
    ],
)
def test_what_could_never_match_is_no_term(term: str) -> None:
    assert not is_term(term)


@given(st.text("ab cp$1е|-", max_size=14))
def test_a_short_way_to_a_plain_term_is_the_long_way(text: str) -> None:
    assert is_term(text) is (bool(text) and normalise(text) == text and text in ngrams(text))


def test_a_view_holds_for_all_words_of_a_text() -> None:
    # Each word can be read in several ways; a term of several words needs one way for all of them.
    assert "official seal" in ngrams(normalise("an off1c1a1 sea1 on wax"))
    assert "social security card" in ngrams(normalise("soc1a1 5ecur1ty card"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("d011s", "dolls"),
        ("na71on", "nation"),
        ("c1ass", "class"),
        ("пасп0рт", "паспорт"),
        ("п4спорт", "паспорт"),
        ("пacпopт", "паспорт"),
        ("διαβatήριο", "διαβατηριο"),
        ("护1照", "护照"),
        ("ぱすぽーと", "パスポート"),
        ("جـــواز", "جواز"),
        ("٣fake", "fake"),
        ("ʇɹodssɐd", "passport"),
        ("\u202etropssap\u202c", "passport"),
        ("myPassport", "passport"),
        ("\U000e0070\U000e0061\U000e0073\U000e0073port", "passport"),
        ("|<n|fe", "knife"),
        ("⠋⠁⠅⠑", "fake"),
        ("ppaassssppoorrtt", "passport"),
        ("pasportttt", "pasport"),
    ],
)
def test_words_are_read_as_people_read_them(text: str, word: str) -> None:
    assert word in normalise(text).split()


def test_words_of_other_languages_stay_words_of_theirs() -> None:
    for text in ("карта мира", "διαβαση", "여권", "حديقة", "שלום", "हिन्दी", "ผู้หญิง", "kucing", "straße".casefold()):
        assert normalise(text) == text


def test_rows_of_letters_end_where_spaces_are_wide() -> None:
    assert normalise("f a k e   i d") == "fake id"
    assert normalise("a f a k e   i d").startswith("a fake id")
    assert normalise("f a k e i d") == "f a k e i d"


def test_further_readings_stand_apart() -> None:
    normalised = normalise("old passport1 of mine")
    assert normalised.startswith(f"old passport of mine{BREAK}")
    assert "mine old" not in ngrams(normalised)


@pytest.mark.parametrize(
    "unit", ["a red seven, ", "p@ssp0rt ", "a b ", "护照", "พาสปอร์ต ", "чайка ", "a.b", "\u0e38\u0e48", "e\u0301"]
)
def test_twice_the_text_is_at_most_twice_the_work(unit: str) -> None:
    def work(characters: int) -> int:
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        text = (unit * characters)[:characters]
        sys.setprofile(count)
        try:
            found = ngrams(normalise(text))
        finally:
            sys.setprofile(None)
        return calls + sum(map(len, found))

    assert work(8000) <= 2.1 * work(4000) + 2000


def test_vowel_signs_that_spell_are_kept() -> None:
    assert normalise("ผู้หญิง") == "ผู้หญิง"
    assert normalise("हिन्दी") != normalise("हनद")
    assert normalise("が") != normalise("か")


def test_arabic_and_hebrew_points_are_dropped() -> None:
    assert normalise("كِتَاب") == normalise("كتاب")
    assert normalise("שָׁלוֹם") == normalise("שלום")


@pytest.mark.parametrize("text", ["a", "a\tb\nc\r\n", "赤い", "🙂", "x" * MAX_PROMPT_CHARACTERS])
def test_prompts_that_can_be_read_pass_the_check(text: str) -> None:
    check_prompt(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\u3000", "empty"),
        ("a\0b", "U\\+0000"),
        ("\x89PNG\r\n\x1a\n", "U\\+001A"),
        ("a\x7fb", "U\\+007F"),
        ("a\ud800b", "U\\+D800"),
        ("x" * (MAX_PROMPT_CHARACTERS + 1), "4001 characters"),
        ("\0" * 1_000_000, "1000000 characters"),
    ],
)
def test_prompts_that_cannot_be_governed_are_refused(text: str, says: str) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        check_prompt(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "unit", ["a", "a ", "a1", "1", "ab$", "護", "e\u0301", "\u0301", "ا\u064b", "a.", "aaa ", "!|+", "\u0e31\u0e48"]
)
def test_the_longest_prompts_settle(unit: str) -> None:
    text = (unit * MAX_PROMPT_CHARACTERS)[:MAX_PROMPT_CHARACTERS]
    once = normalise(text)
    assert normalise(once) == once
    assert sum(map(len, ngrams(once))) < 100 * MAX_PROMPT_CHARACTERS


def test_the_version_is_the_one_the_terms_are_written_for() -> None:
    assert DATA["normaliser"] == NORMALISER_VERSION
