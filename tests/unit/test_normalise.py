"""The normaliser: fixed points, evasions that must be found, innocent look-alikes that must not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import RequestError
from governance.normalise import (
    MAX_PROMPT_CHARACTERS,
    NGRAM_CHARACTERS,
    NORMALISER_VERSION,
    check_prompt,
    is_term,
    ngrams,
    normalise,
)

DATA = json.loads((Path(__file__).parents[2] / "policies" / "data.json").read_text())
TERMS = DATA["blocked_terms"]

EVASIONS = """
c0unterfeit money | counterfe1t money | C0UNTERFE1T | cöunterfeit | c o u n t e r f e i t | c.o.u.n.t.e.r.f.e.i.t
c-o-u-n-t-e-r-f-e-i-t | c_o_u_n_t_e_r_f_e_i_t | c*o*u*n*t*e*r*f*e*i*t | c🙂o🙂u🙂n🙂t🙂e🙂r🙂f🙂e🙂i🙂t
counter-feit | counter feit | coun.ter.feit | counterfeiiiit | ccccounterfeit | counterfeit! | (counterfeit:1.3)
ＣＯＵＮＴＥＲＦＥＩＴ | 𝐜𝐨𝐮𝐧𝐭𝐞𝐫𝐟𝐞𝐢𝐭 | 𝓬𝓸𝓾𝓷𝓽𝓮𝓻𝓯𝓮𝓲𝓽 | ⓒⓞⓤⓝⓣⓔⓡⓕⓔⓘⓣ | 🅒🅞🅤🅝🅣🅔🅡🅕🅔🅘🅣 | 🅲🅾🆄🅽🆃🅴🆁🅵🅴🅸🆃 | 🇨 🇴 🇺 🇳 🇹 🇪 🇷 🇫 🇪 🇮 🇹
cоunterfeit | соunterfеit | сοunterfеіt | ᴄᴏᴜɴᴛᴇʀғᴇɪᴛ counterfeit | ⒞⒪⒰⒩⒯⒠⒭⒡⒠⒤⒯
p a s s p o r t | a p a s s p o r t | P.A.S.S.P.O.R.T | pa$$port | p@ssport | p@$$p0rt | P4SSP0R7 | passp0rt2 | 1passport
passport1 | passport007 | pass9port | passport|blue | passport+blue | blue+passport | passport@home | passsssport | passportttt
p\u00e1ssp\u00f3rt | p̶a̶s̶s̶p̶o̶r̶t̶ | p̲a̲s̲s̲p̲o̲r̲t̲ | pas\u00adsport | pas\u200bsport | p\u200ca\u200ds\u2060sport | \u202epassport\u202c | \ufeffpassport
pass\ufe0fport | p\u034fassport | p\U000e0061assport | рaѕѕрort | раssроrt | ρassροrt | pαssport | passpοrt | ПАЅЅРОRТ passport
pass-port | pass_port | pass port | pass/port | pa.ss.po.rt | PassPort | fake p a s s p o r t | f4ke p4ssp0rt | f a k e id
fake-id | fake_id | fake   id | FAKE\u2028ID | fake\tid | f@ke id | fаke id | fake ID card, fake id | \u2066fake\u2069 id
b4nkn0te | b a n k n o t e s | bank-note | bank note | bankn0t3s | b@nknote | bänknöte | ban\u200bknote | bank.note
expl0sive | exp1osive | expl0s1ve | expl0s!ve | explos|ve | 3xplosive | e x p l o s i v e | e.x.p.l.o.s.i.v.e | explosiveeee | EXPLOSIVES!!!
gr3nade | gren4de | g r e n a d e s | hand gren@de | p1pe b0mb | pipe-bomb | pipebomb pipe bomb | p i p e  b o m b pipe bomb | nerve-agent | n3rve 4gent
det0nator | d e t o n a t o r | deton\u0430tor | amm0 ammunit1on | s1lencer | sil€ncer | landm1ne | land mine | land-mines
deep-fake | deepf4ke | d33pfake | ph1shing | p h i s h i n g | b4llot paper | ballot-paper | offici4l seal | off1cial se4l | b1rth cert1f1cate
护照 | 护 照 | 护-照 | 一本护照的照片 | 护\u200b照 | 偽造 | 偽 造 パスポート | 偽造パスポート | 伪钞 | 伪、钞
паспорт | ПАСПОРТ | па\u0301спорт | п а с п о р т | п.а.с.п.о.р.т | паспорт1 | пас\u200bпорт
"""

INNOCENT = """
a red seven on a blue background | a harbour in Newport | the port of Passau | Port Said at dawn | sports car passing | a mountain pass in snow
Passport Island is not here, only passerby | airport lounge | a transport hub | a passenger ship | compass and map | a porter with a trunk
a boarding pass held aloft | a bank of clouds | a riverbank, musical notes | notes on a piano | the left bank of the Seine | a notebook | a note from the bank manager
an explosion of colour | exploding stars | exploration of Mars | explosively bright flowers | a pomegranate | pomegranates in a bowl | Grenada beach | Granada, Alhambra | grenadine syrup
a counter in a café | counterpoint, fugue | a counterweight crane | counter attack in chess | surfeit of lampreys | forfeit | a forge with glowing iron | a blacksmith forging a blade
forget-me-not flowers | the forest | forgotten temple | George Forger, painter | a foraging party | fakir on a mat | a lake with an id tag | a flake of snow | fake fur coat | identical twins
identity in the mirror | a birthday cake | birth of Venus | a certificate of merit | Card players by Cezanne | a playing card | a drivers seat | the driver | driving through rain
licence plate | a social gathering | secure harbour | sea lion, seal on a rock | an official opening | a seal pup | official portrait | a silent forest | silence | a pencil drawing
a landscape with mines of coal | landmark | Rammstein castle | communion | a munitions museum from outside | nerves of steel | an estate agent | a travel agent at a desk | secret agent film poster
a pipe organ | bombast | bombazine dress | a bath bomb | pipe and tobacco | photobomb by a goat | deep sea | a deep lake | fish in a deep bowl | fishing boats
a fisherman phishes nothing | fake news stand | a paper boat | ballet dancer, paper lantern | the ballad of paper | invoice on a desk | voice of the valley | a ballpoint pen on paper
35mm film, f/1.8, 4k, 8k | 1st prize, 2nd place, 3rd row | 1920s poster | mp3 player | 3d render | 50mm lens | $20 bill sketch | 100% wool | 24-70mm | RGB and CMYK | U.S.A. flag | A B C blocks
Müller am See | Zürich, Straße | Łódź | Ærø | Ørsted | naïve art | São Paulo | Nguyễn | Москва ночью | порт Одесса | пас в футболе | επίθεση | ορεινό τοπίο | 東京タワー | 照片 | 护士 | 北京 | パスタ | ภูเขา | जंगल में बाघ | حديقة جميلة | גן יפה
Mr. Gunn and Mrs. Hill | Scunthorpe | Essex | Cockburn Street | Penistone | Sussex downs | a cocktail | class assignment | grass | bass guitar | Massachusetts | Dick Whittington | therapist office
medical illustration of a nerve | anatomy of an agent of disease | an antique detonation chart without words | ammonite fossil | Ammunition Hill is a place in another list | immunity
I O U note on a fridge | e e cummings | o o o | zzz sleeping cat | hmmm | brrr winter | yesss | wow!!! | C'est la vie | rock'n'roll | it's | don't | l'été | naive id | an idea | I'd
"""


def items(block: str) -> list[str]:
    return [item for line in block.strip("\n").split("\n") for item in line.split(" | ")]


def hits(text: str) -> set[str]:
    return set(ngrams(normalise(text))) & set(TERMS)


@pytest.mark.parametrize("text", items(EVASIONS))
def test_evasions_are_found(text: str) -> None:
    assert hits(text), normalise(text)


# Words that these texts rightly contain.
NAMED_HERE = {"Passport Island is not here, only passerby", "Ammunition Hill is a place in another list"}


@pytest.mark.parametrize("text", items(INNOCENT))
def test_innocent_look_alikes_pass(text: str) -> None:
    assert bool(hits(text)) is (text in NAMED_HERE), hits(text)


def test_the_corpora_are_large_enough() -> None:
    assert len(items(EVASIONS)) >= 100
    assert len(items(INNOCENT)) >= 100


def test_the_demo_prompt_is_caught_by_both_of_its_words() -> None:
    assert hits("a c0unterfe1t p a s s p o r t in r3d") == {"counterfeit", "passport"}


@pytest.mark.parametrize("term", sorted(TERMS))
def test_every_shipped_term_can_match(term: str) -> None:
    assert is_term(term)
    assert hits(f"A photo of the {term.upper()}, please.") >= {term}


ALPHABET = st.one_of(
    st.sampled_from("aaabeiosptrl1340$@!|+.- -  'AS\u0301\u0e31\u0e01护照а с\u200bͅßİŉ\u2028🅿"),
    st.characters(),
)


@given(st.text(ALPHABET, max_size=80))
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()
    assert "  " not in once


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


def test_ngrams_of_words_and_of_characters() -> None:
    assert ngrams("a red seven") == (
        "a",
        "a red",
        "ared",
        "a red seven",
        "aredseven",
        "red",
        "red seven",
        "redseven",
        "seven",
    )
    assert ngrams("护照片") == ("护照片", "护", "护照", "照", "照片", "片")
    assert set(ngrams("one two three four", limit=2)) >= {"one two", "threefour"}
    assert "one two three" not in ngrams("one two three four", limit=2)
    longest = max(len(item) for item in ngrams("字" * 5 + "画" * 5) if len(item) < 10)
    assert longest == NGRAM_CHARACTERS


@pytest.mark.parametrize(
    "term",
    [
        "",
        "Passport",
        "pass-port",
        "passsport",
        "covid19",
        "a b c d",
        "p a s",
        "one two three four",
        " x",
        "字" * 5 + "画" * 5 + "x y",
    ],
)
def test_what_could_never_match_is_no_term(term: str) -> None:
    assert not is_term(term)


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
