"""Blocked terms in disguise, by rule: what people do to a word so that a list no longer finds it.

A kind is a function of a term and a source of chance. `TUNED` holds the kinds that the normaliser means to undo, `UNTUNED`
kinds that it was not written for; both were written down before the normaliser was measured. The same seed gives the same
corpus.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from support.spellings import items

Kind = Callable[[str, Random], str]

LATIN_TERMS = items("""
ammunition | ausweisdokument | ballot paper | ballot papers | banconote false | banknote | banknotes | billetes falsos
birth certificate | car bomb | car bombs | carte didentite | contrefacon | counterfeit | counterfeit money
counterfeiting | counterfeits | deepfake | deepfakes | detonating cord | detonator | detonators | dinero falso
dowod osobisty | drivers licence | drivers license | drivers permit | driving licence | explosif | explosifs
explosive | explosives | explosivos | fake banknote | fake banknotes | fake currency | fake diploma | fake id
fake identity card | fake ids | fake invoice | fake invoices | fake licence | fake license | fake money
fake passport | fake passports | fake receipt | fake receipts | falschgeld | falsificacion | falszywe pieniadze
fausse monnaie | faux billets | forged | forged signature | forgeries | forgery | fuhrerschein | gefalscht
gefalschte | ghost gun | ghost guns | granada de mano | grenade | grenades | hand grenade | hand grenades
handgranate | ho chieu | identity card | identity cards | impersonation | kimlik karti | landmine | landmines
machine gun | machine guns | materiale esplosivo | materialy wybuchowe | nerve agent | nerve agents | nerve gas
official seal | pasaport | pasaporte | pasaportes | passaporte | passaporti | passaporto | passeport | passeports
passport | passports | paszport | patlayici | permis de conduire | personalausweis | phishing | phishing mail
phishing page | pipe bomb | pipe bombs | reisepass | rifle scope | sahte para | schalldampfer | silencer | silencers
social security card | sprengstoff | suicide vest | thuoc no | tien gia | voter card | warhead | warheads
""")
"""Shipped terms in Latin letters. They are named here so that a term that is added changes no corpus."""

OTHER_TERMS = items("""
δελτιο ταυτοτητασ | διαβατηρια | διαβατηριο | εκρηκτικα | πλαστα χαρτονομισματα | πλαστογραφια | πυρομαχικα
χειροβομβιδα | боеприпасы | взрывчатка | взрывчатки | вибухівка | глушитель | граната | гранаты | детонатор | дипфеик
загранпаспорт | паспорт | паспорта | паспорти | паспортом | паспорту | подделка | подделки | поддельныи | підробка
удостоверение личности | фальшивка | фальшивые деньги | фишинг | անձնագիր | דיוג | דרכון | הדרכון | זיוף | חומר נפץ
כדורי תחמושת | רימון יד | שטרות מזויפים | תעודת זהות | المتفجرات | بطاقة هوية | تزوير | تصيد احتيالي | جواز السفر
جواز سفر | ذخيرة | عملة مزورة | قنبلة يدوية | متفجرات | پاسپورت | जालसाजी | जाली नोट | डीपफेक | नकली नोट | पासपोर्ट
विस्फोटक | हथगोला | পাসপোর্ট | ธนบัตรปลอม | ปลอมแปลง | พาสปอร์ต | ระเบิดมือ | วัตถุระเบิด | หนังสือเดินทาง | პასპორტი
サイレンサー | ディープフェイク | ニセ札 | パスポート | フィッシング詐欺 | 伪造 | 伪钞 | 假币 | 假幣 | 假钞 | 偽札 | 偽造 | 偽鈔 | 手榴弹 | 手榴弾 | 手榴彈 | 护照 | 消音器 | 炸药
炸藥 | 護照 | 贋札 | 身份证 | 身分證 | 運転免許証 | 釣魚網站 | 钓鱼网站 | 雷管 | 기폭장치 | 딥페이크 | 소음기 | 수류탄 | 신분증 | 여권 | 위조 | 위조여권 | 위조지폐 | 주민등록증
폭발물 | 피싱
""")
"""Shipped terms in other scripts."""

HELD_OUT_TERMS = items("""
crossbow | pepper spray | tear gas | stink bomb | lockpick | skeleton key | poaching | ivory trade | perjury | treason
mercenary | spyware | keylogger | catfishing | price fixing | vandalism | looting | stalking | wiretap | jailbreak
bootleg whisky | black market | stolen jewels | false beard | ransom letter
""")
"""Terms that do not ship and that nothing was tuned with."""

CARRIERS = (
    "{}",
    "a photo of a {} on a wooden table",
    "{}, soft light, 35mm",
    "old engraving: {} and a rose",
    "Studio shot of the {} in blue.",
)
"""What stands around a disguised term."""


class Evasion(NamedTuple):
    """A prompt that hides `term`."""

    kind: str
    term: str
    text: str


# --- parts of kinds


def _clusters(word: str) -> list[str]:
    """The letters of `word`, each with the marks and invisible characters behind it."""
    found: list[str] = []
    for character in word:
        if found and unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
            found[-1] += character
        else:
            found.append(character)
    return found


def _letters(change: Callable[[str], str]) -> Kind:
    """`change` for every letter; spaces stay."""
    return lambda term, _: "".join(change(letter) if letter.isalpha() else letter for letter in term)


def _alphabet(first: int, case: Callable[[str], str] = str.lower) -> Kind:
    """The 26 letters of an alphabet of symbols that begins at code point `first`."""
    start = ord(case("a"))
    return _letters(lambda letter: chr(first + ord(case(letter)) - start) if letter.isascii() else letter)


def _table(source: str, target: str, case: Callable[[str], str] = str.lower) -> Kind:
    pairs = dict(zip(source, target.split() if " " in target else target, strict=True))
    return _letters(lambda letter: pairs.get(case(letter), letter))


def _some(table: Kind, share: float = 0.5) -> Kind:
    """`table` for some of the letters, for one at least that it changes."""

    def apply(term: str, chance: Random) -> str:
        changed = [table(letter, chance) for letter in term]
        able = [index for index, letter in enumerate(term) if changed[index] != letter]
        if not able:
            return term
        chosen = {index for index in able if chance.random() < share} or {chance.choice(able)}
        return "".join(changed[index] if index in chosen else letter for index, letter in enumerate(term))

    return apply


def _between(*separators: str) -> Kind:
    """One separator of these between all letters of each word; words stay apart by three spaces."""

    def apply(term: str, chance: Random) -> str:
        separator = chance.choice(separators)
        return "   ".join(separator.join(_clusters(word)) for word in term.split())

    return apply


def _inside(*marks: str, count: int = 1) -> Kind:
    """`count` of these marks somewhere inside each word."""

    def apply(term: str, chance: Random) -> str:
        words = []
        for word in term.split():
            letters = _clusters(word)
            places = sorted(chance.sample(range(1, len(letters)), min(count, len(letters) - 1)), reverse=True)
            for place in places:
                letters.insert(place, chance.choice(marks))
            words.append("".join(letters))
        return " ".join(words)

    return apply


def _each(*marks: str, most: int = 1) -> Kind:
    """Some of these marks behind each letter."""
    return lambda term, chance: "".join(
        letter + "".join(chance.choices(marks, k=chance.randint(1, most))) if letter.isalpha() else letter
        for letter in term
    )


def _repeated(times: int, share: float) -> Kind:
    """Letters stand `times` times."""
    return _some(_letters(lambda letter: letter * times), share)


def _one_repeated(term: str, chance: Random) -> str:
    place = chance.choice([index for index, letter in enumerate(term) if letter.isalpha()])
    return term[:place] + term[place] * chance.randint(3, 6) + term[place:].removeprefix(term[place])


def _one_doubled(term: str, chance: Random) -> str:
    place = chance.randint(1, len(term) - 1)
    return term[:place] + term[place - 1] + term[place:]


def _swapped(term: str, chance: Random) -> str:
    place = chance.randint(1, len(term) - 3)
    return term[:place] + term[place + 1] + term[place] + term[place + 2 :]


def _flipped_case(term: str, chance: Random) -> str:
    return "".join(chance.choice((letter.upper(), letter.lower())) for letter in term)


def _split(parts: int) -> Kind:
    def apply(term: str, chance: Random) -> str:
        letters = _clusters(term)
        places = [place for place in range(1, len(letters)) if " " not in letters[place - 1 : place + 1]]
        for place in sorted(chance.sample(places, min(parts - 1, len(places))), reverse=True):
            letters.insert(place, chance.choice(" -./_"))
        return "".join(letters)

    return apply


def _upside_down(term: str, _: Random) -> str:
    return term[::-1].translate(str.maketrans("abcdefghijklmnopqrtuvwyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹʇnʌʍʎz"))


def _base64(term: str, _: Random) -> str:
    return base64.b64encode(term.encode()).decode()


def _base64_spaced(term: str, _: Random) -> str:
    return " ".join(re.findall(".{1,4}", base64.b64encode(term.encode()).decode()))


def _tags(term: str, chance: Random) -> str:
    return _each(*(chr(0xE0000 + code) for code in range(0x61, 0x7B)))(term, chance)


def _multisign(term: str, _: Random) -> str:
    signs = {"k": "|<", "h": "|-|", "n": "|\\|", "v": "\\/", "o": "()", "u": "|_|", "d": "|)", "m": "|\\/|"}
    return "".join(signs.get(letter, letter) for letter in term)


def _braille(letter: str) -> str:
    dots = dict(zip("abcdefghij", (1, 3, 9, 25, 17, 11, 27, 19, 10, 26), strict=True))
    for index, made in enumerate("klmnopqrst"):
        dots[made] = dots["abcdefghij"[index]] + 4
    for made, of in zip("uvxyz", "abcde", strict=True):
        dots[made] = dots[of] + 36
    dots["w"] = 58
    return chr(0x2800 + dots[letter]) if letter in dots else letter


ACCENTS = "\u0300\u0301\u0302\u0303\u0307\u0308\u030a\u0323\u0328"
EMOJI = ("🙂", "🔥", "👍🏽", "❤\ufe0f", "👩\u200d🚀", "⭐")

CYRILLIC = _table("abcehikmnopstuxyw", "авсенікмпорѕтцхуш")
GREEK = _table("aeiknoptuvxybzmw", "αεικηορτυνχγβζμω")
ARMENIAN = _table("ghnoqsuwfl", "ցհոօզտսաքլ")
CHEROKEE = _table("abcdeghijklmprstvwzy", "ᎪᏼᏟᎠᎬᏀᎻᏆᎫᏦᏞᎷᏢᎡᏚᎢᏙᏔᏃᎩ")
LISU = _table("abcdefghijklmnoprstuvwxyz", "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ")
COPTIC = _table("bcehikmnoprtxy", "ⲃⲥⲉⲏⲓⲕⲙⲛⲟⲣⲅⲧⲭⲩ")
FAUX_CYRILLIC = _table("rnadwuoebyx", "ЯИДԀШЦФЗЪЧЖ")
STROKED = _table("abcdefghijklnoprstuyz", "ⱥƀȼđɇƒǥħɨɉꝁłꞥøᵽɍꞩŧʉɏƶ")
PHONETIC = _table("acegilnrsuvy", "ɑɕɘɡɪɭɲɾʂʊʋʎ")
CURRENCY = _table("abcdefghklmnpstwy", "₳฿₵₫€ƒ₲♄₭£₥₦₱$₮₩¥")
LEET = _table("aeiost", "431057")
LEET_SIGNS = _table("aeilst", "@€!|$+")
LEET_HEAVY = _table("aeiostgbqlz", "43105798912")

TUNED: dict[str, Kind] = {
    "full width": _alphabet(0xFF41),
    "mathematical bold": _alphabet(0x1D41A),
    "mathematical fraktur": _alphabet(0x1D586),
    "mathematical monospace": _alphabet(0x1D68A),
    "circled": _alphabet(0x24D0),
    "parenthesised": _alphabet(0x249C),
    "negative squared": _alphabet(0x1F170, str.upper),
    "negative circled": _alphabet(0x1F150, str.upper),
    "regional indicators": lambda term, _: " ".join(chr(0x1F1E6 + ord(c) - 97) for c in term if c.isalpha()),
    "superscript": _table("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"),
    "small capitals": _table("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"),
    "braille": _letters(_braille),
    "zero width": _each("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", most=2),
    "bidi controls": _each("\u202a", "\u202c", "\u2066", "\u2069", "\u200e", "\u200f"),
    "bidi override": lambda term, _: f"\u202e{term[::-1]}\u202c",
    "soft hyphens": _inside("\u00ad", count=3),
    "tag characters": _tags,
    "variation selectors": _each("\ufe0e", "\ufe0f", "\U000e0100"),
    "one accent": _some(_each(*ACCENTS), 0.2),
    "many accents": _each(*ACCENTS, most=6),
    "struck through": _each("\u0336", "\u0335", "\u0338", "\u0332"),
    "enclosing marks": _each("\u20dd", "\u20e3"),
    "some Cyrillic": _some(CYRILLIC),
    "all Cyrillic": CYRILLIC,
    "faux Cyrillic": _some(FAUX_CYRILLIC, 0.7),
    "some Greek": _some(GREEK),
    "all Greek": GREEK,
    "some Armenian": _some(ARMENIAN),
    "some Cherokee": _some(CHEROKEE),
    "all Cherokee": CHEROKEE,
    "Lisu": LISU,
    "some Coptic": _some(COPTIC),
    "several scripts": lambda term, chance: "".join(
        chance.choice((CYRILLIC, GREEK, ARMENIAN, LISU, COPTIC, STROKED))(letter, chance) for letter in term
    ),
    "stroked letters": STROKED,
    "phonetic letters": _some(PHONETIC, 0.8),
    "currency signs": _some(CURRENCY, 0.3),
    "leet digits": LEET,
    "some leet digits": _some(LEET),
    "leet signs": _some(LEET_SIGNS, 0.6),
    "leet, heavy": LEET_HEAVY,
    "leet of several signs": _multisign,
    "spaced": _between(" "),
    "spaced, all alike": lambda term, _: " ".join(term.replace(" ", "")),
    "dotted": _between(".", "\u00b7", "\u2022"),
    "dashed": _between("-", "\u2013", "\u2014", "~"),
    "stars and slashes": _between("*", "/", "_", ",", "\\"),
    "emoji between": _between(*EMOJI),
    "emoji inside": _inside(*EMOJI),
    "one letter repeated": _one_repeated,
    "letters repeated": _repeated(4, 0.25),
    "all letters doubled": _repeated(2, 1.1),
    "all letters tripled": _repeated(3, 1.1),
    "case flipped": _flipped_case,
    "words joined": lambda term, chance: _flipped_case(term.replace(" ", ""), chance),
    "words in capitals joined": lambda term, _: "My" + term.title().replace(" ", "") + "Photo",
    "split in two": _split(2),
    "split in three": _split(3),
    "digits behind": lambda term, chance: term + str(chance.randint(0, 2030)),
    "digits around": lambda term, chance: f"{chance.randint(0, 99)}{term}{chance.randint(0, 99)}",
    "signs around": lambda term, chance: chance.choice(
        ("({})", "(({}:1.4))", "[{}]", "#{}", "**{}**", "{}!!!", "«{}»")
    ).format(term),
    "base64": _base64,
    "base64, url-safe, bare": lambda term, _: base64.urlsafe_b64encode(f"{term}?>".encode()).decode().rstrip("="),
    "base64, twice": lambda term, chance: _base64(_base64(term, chance), chance),
    "base64, spaced": _base64_spaced,
    "rot13": lambda term, _: codecs.encode(term, "rot13"),
    "upside down": _upside_down,
    "upside down, in order": lambda term, chance: _upside_down(term, chance)[::-1],
}

FIRST = (
    "some leet digits",
    "some Cyrillic",
    "one accent",
    "case flipped",
    "zero width",
    "stroked letters",
    "some Greek",
)
SECOND = (
    "spaced",
    "dotted",
    "full width",
    "one letter repeated",
    "digits behind",
    "emoji inside",
    "split in two",
    "soft hyphens",
    "signs around",
)
"""Kinds that people combine: the first is applied to the term, the second to what came of it."""

ANY_SCRIPT = (
    "zero width", "bidi controls", "bidi override", "soft hyphens", "tag characters", "variation selectors", "struck through",
    "enclosing marks", "spaced", "dotted", "dashed", "stars and slashes", "emoji between", "emoji inside", "case flipped",
    "one letter repeated", "letters repeated", "split in two", "digits behind", "signs around", "base64", "base64, twice",
)  # fmt: skip
"""Kinds that work on letters of every script."""

UNTUNED: dict[str, Kind] = {
    "a star for a vowel": _some(_table("aeiou", "*****"), 0.2),
    "vowels left out": lambda term, _: re.sub("[aeiou]", "", term),
    "neighbours swapped": _swapped,
    "one letter doubled": _one_doubled,
    "rn for m, vv for w, cl for d": lambda term, _: term.replace("m", "rn").replace("w", "vv").replace("d", "cl"),
    "capital I for l": lambda term, _: term.replace("l", "I"),
    "percent encoding": lambda term, _: "".join(f"%{ord(letter):02X}" for letter in term),
    "character references": lambda term, _: "".join(f"&#{ord(letter)};" for letter in term),
    "hexadecimal": lambda term, _: term.encode().hex(),
    "reversed": lambda term, _: term[::-1],
    "pig Latin": lambda term, _: " ".join(f"{word[1:]}{word[0]}ay" for word in term.split()),
    "markup inside": _inside("<b></b>", "{}", "[]"),
    "words joined to others": lambda term, _: f"thebest{term.replace(' ', '')}ever",
}


def generated(kinds: dict[str, Kind], terms: Iterable[str], seed: int, each: int) -> list[Evasion]:
    """`each` terms in every kind of disguise, chosen so that all terms come up; nothing that changes nothing."""
    chance = Random(seed)
    pool: list[str] = []
    made: list[Evasion] = []
    for name, kind in kinds.items():
        for _ in range(each):
            if not pool:
                pool = sorted(terms)
                chance.shuffle(pool)
            term = pool.pop()
            disguised = kind(term, chance)
            if disguised != term:
                made.append(Evasion(name, term, chance.choice(CARRIERS).format(disguised)))
    return made


def combined(terms: Iterable[str], seed: int, each: int) -> list[Evasion]:
    """Every pair of `FIRST` and `SECOND`, with `each` terms."""
    pairs: dict[str, Kind] = {
        f"{one}, then {two}": (lambda term, chance, one=one, two=two: TUNED[two](TUNED[one](term, chance), chance))
        for one in FIRST
        for two in SECOND
    }
    return generated(pairs, terms, seed, each)
