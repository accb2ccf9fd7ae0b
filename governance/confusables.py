"""Tables of characters that are written in place of others. The modules that read them say when each applies.

Chosen by hand for the shapes that Unicode Technical Standard 39 calls confusable, and for what people do that it does not
list: digits and signs for letters, letters turned upside down. Where the Unicode name of a character says which letter it
is (LATIN SMALL LETTER O WITH STROKE), the name decides and no table is kept.
"""

# ruff: noqa: RUF001  (these tables are about ambiguous characters)

from __future__ import annotations

import re
import unicodedata


def _look_alikes(**letters: str) -> dict[int, str]:
    """For each letter, what is taken for it. Both cases of a look-alike count."""
    return {
        ord(form): letter
        for letter, alikes in letters.items()
        for alike in alikes
        for form in (alike, alike.lower(), alike.casefold())
        if len(form) == 1
    }


# --- letters that NFKC leaves alone and that are the same letter wherever they stand

_NAMED = re.compile(
    r"(?:(?:CROSSED )?NEGATIVE (?:CIRCLED|SQUARED) |REGIONAL INDICATOR SYMBOL )?"
    r"(?:LATIN )?(?:SMALL |CAPITAL )?LETTER (?:SMALL (?:CAPITAL )?)?"
    r"(?:(?:OPEN|SCRIPT|DOTLESS|LONG|BLACKLETTER|INSULAR|REVERSED|INVERTED|TURNED|SIDEWAYS|BARRED|FINAL) )*"
    r"([A-Z]|AE|OE|AO|AU|AV|AY|OO)(?: BAR)?(?: (?:WITH|ROTUNDA) .*)?"
)
_NAMED_BLOCKS = (
    (0x00C0, 0x02AF),
    (0x1D00, 0x1DBF),
    (0x1E00, 0x1EFF),
    (0x2C60, 0x2C7F),
    (0xA720, 0xA7FF),
    (0xAB30, 0xAB6F),
    (0x1F150, 0x1F1FF),
)


def _by_name() -> dict[int, str]:
    """Characters whose name is that of a Latin letter, perhaps with strokes, hooks or turned round."""
    return {
        code: match[1].lower()
        for first, last in _NAMED_BLOCKS
        for code in range(first, last + 1)
        if (match := _NAMED.fullmatch(unicodedata.name(chr(code), "")))
    }


def _braille() -> dict[int, str]:
    """Cells of six dots: `a` to `j`, the same with dot 3, then with dots 3 and 6; `w` came later."""
    dots = dict(zip("abcdefghij", (1, 3, 9, 25, 17, 11, 27, 19, 10, 26), strict=True))
    first = list(dots.values())
    dots |= dict(zip("klmnopqrst", (cell + 4 for cell in first), strict=True))
    dots |= dict(zip("uvxyz", (cell + 36 for cell in first[:5]), strict=True)) | {"w": 58}
    return {0x2800 + cell: letter for letter, cell in dots.items()}


SYMBOL_LETTERS = {code: letter for code, letter in _by_name().items() if code > 0xFFFF} | (
    _braille() | _look_alikes(c="ϲ") | {0x03F9: "c"}
)
"""Letters on coloured ground, regional indicators, Braille; the lunate sigma, which case folding makes another sigma."""

LATIN_VARIANTS = _by_name() | _look_alikes(
    a="ɑ⍺",
    b="ƅꞵ",
    d="ðƍ",
    f="ꞙẝꬵ",
    g="ᶃ",
    i="ɩ",
    l="ǀ",
    n="ŋƞ",
    o="ꬽ",
    p="þ",
    r="ꭇꭈꞃꝛ",
    s="ƨƽꞅ",
    t="ꞇ",
    u="ʊꞟꭎꭒ",
    v="ʋ",
    x="ꭓ",
    y="ɣƔꭚỿ",
    z="ʒƶ",
)
"""Latin letters that do not decompose: stroked, hooked, dotless, turned, small capitals, ligatures. They always apply."""

ARABIC_VARIANTS = {0x06CC: "\u064a", 0x0649: "\u064a", 0x06A9: "\u0643", 0x06AA: "\u0643", 0x06C1: "\u0647"} | {
    0x06BE: "\u0647",
    0x06D5: "\u0647",
    0x06C3: "\u0629",
}
"""Yeh, kaf and heh as Persian, Urdu and others write them. They always apply."""

TURNED = dict(zip("ɐqɔpǝɟƃɓɥᴉıɾʞןɯuodbɹʇnʌʍʎ", "abcdefgghiijklmnopqrtuvwy", strict=True))
"""Letters turned upside down; those that look the same either way stand for themselves."""

TURNED_MARKS = "ɐɔǝɟɥɹʇʌʍʎɯʞᴉ"
"""Those of them that are nothing else, so that a word with two of them was turned."""

# --- letters of other scripts

_CYRILLIC = _look_alikes(
    a="аәӓѧд", b="вьъбѣыҍ", c="сҫҁ", d="ԁđꚁ", e="еєҽҿзҙэѐ", f="ғӻ", g="ԍ", h="һнңҥҺђћԧӈ", i="іӏꙇ", j="јʝ", k="кқҝҟҡӄ",
    l="Ӏ", m="мӎ", n="плпҋ", o="оөӧфѳ", p="рҏ", q="ԛ", r="гяѓґ", s="ѕ", t="тҭ", u="ицџҵ", v="ѵѷ", w="ѡԝшщѿ", x="хҳӽжҗ",
    y="уүұўчӌҷ", z="ԅ",
)  # fmt: skip
_GREEK = _look_alikes(
    a="αλ", b="β", c="ϲ", d="δ", e="εξ", f="ϝ", i="ι", j="ϳ", k="κϰ", m="ϻμ", n="ηπ", o="οσθφϙ", p="ρϱ", r="ᴦ", s="ϛ",
    t="τ", u="υ", v="ν", w="ωψ", x="χ", y="γϒ", z="ζ",
)  # fmt: skip
_ARMENIAN = _look_alikes(
    f="ք", g="ցշ", h="հի", l="լւ", n="ոռղ", o="օ", q="գզ", s="տ", u="ս", w="ա", j="յ", d="ժ"
)  # fmt: skip
_RIGHT_TO_LEFT = _look_alikes(
    i="\u05d5", l="\u05df\u0627", n="\u05d7", o="\u05e1\u05dd\u0647", p="\u05e7", u="\u05d8", w="\u05e9", y="\u05e2"
)
_GEORGIAN = _look_alikes(b="ხ", d="ძ", g="ე", h="ჩ", m="ო", o="ჿი", s="ჽ", y="ყ")
_COPTIC = _look_alikes(
    a="ⲁ", b="ⲃ", c="ⲥ", e="ⲉ", h="ⲏ", i="ⲓ", k="ⲕ", l="ⳑ", m="ⲙ", n="ⲛ", o="ⲟⲑ", p="ⲣ", r="ⲅ", t="ⲧ", w="ⲱϣ", x="ⲭ",
    y="ⲩ", z="ⲍ",
)  # fmt: skip
_CHEROKEE = _look_alikes(
    a="Ꭺ", b="ᏏᏴ", c="Ꮯ", d="ᎠᏧ", e="Ꭼ", g="Ꮐᏻ", h="ᎻᏂ", i="ᎥᏆ", j="Ꭻ", k="Ꮶ", l="Ꮮ", m="Ꮇ", o="Ꮎ", p="Ꮲ", r="ᎡᏒ",
    s="ᏚᏕ", t="Ꭲ", v="Ꮩ", w="ᏔᎳ", y="ᎩᎽ", z="Ꮓ",
)  # fmt: skip
_LISU = _look_alikes(
    a="ꓮꓯ", b="ꓐꓭ", c="ꓚꓛ", d="ꓓꓷ", e="ꓰꓱ", f="ꓝꓞ", g="ꓖꓨ", h="ꓧ", i="ꓲ", j="ꓙ", k="ꓗꓘ", l="ꓡꓶ", m="ꓟ", n="ꓠ",
    o="ꓳ", p="ꓑꓒ", r="ꓣꓤ", s="ꓢ", t="ꓔꓕ", u="ꓴꓵ", v="ꓦ", w="ꓪ", x="ꓫ", y="ꓬ", z="ꓜ",
)  # fmt: skip
_CANADIAN = _look_alikes(
    a="ᗅᗩ", b="ᑲᖯᗷ", c="ᑕ", d="ᑯᗞᗪ", e="ᗴ", f="ᖴ", h="ᕼ", j="ᒍ", l="ᒪ", m="ᗰ", n="ᑎ", p="ᑭ", q="ᑫ", r="ᖇ", s="ᔕ", u="ᑌ",
    v="ᐯ", w="ᗯ", x="ᕁᕽ", z="ᘔ",
)  # fmt: skip
_LIVING = _look_alikes(
    l="ⵏ", e="ⴹ", o="ⵔዐഠଠဝ", q="ⵕ", v="ⴸ", x="ⵝ", u="ሀ", i="𑣃", r="𖼵"
) | _look_alikes(l="𖼨𖼖", a="𖽀", s="𖼺", t="𖼊", u="𖽂", v="𖼈𑜆", y="𖽃", w="ꛟ𑜊𑜎𑜏")  # fmt: skip
_ANCIENT = _look_alikes(
    a="𐊠", b="𐊡𐌁𐊂", c="𐊢𐌂𐐽𐐕𐔜", e="𐊆", f="𐊥𐊇𐔥", h="𐋏", k="𐔘ᛕ", l="𐊊𐌉𐐛𐔦ᛁ", m="𐊰𐌑ᛖ", n="𐔓", o="𐊫𐐬𐐄𐊒𐔖𐓪𐓂", p="𐊕",
    r="𐒴", s="𐑈𐐠𐊖", t="𐊱𐌕𐊗", u="𐓶𐓎", v="𐔝", x="𐊴𐌗𐊐𐔧ᚷ", y="𐊲",
) | _look_alikes(e="𑢦𑢮", f="𑣂", l="𑢢𑢲", o="𑣈𑣗𑢵", s="𑣁", t="𑢼", u="𑣘𑢸", v="𑣀𑢠", y="𑣜𑢤", z="𑣄𑢩")  # fmt: skip
"""Deseret, Osage, Elbasan, Warang Citi, runes, and the alphabets of ancient Italy and Anatolia."""

_RARE = _COPTIC | _CHEROKEE | _LISU | _CANADIAN | _LIVING | _ANCIENT

MIXED_SCRIPT = _CYRILLIC | _GREEK | _ARMENIAN | _RIGHT_TO_LEFT | _GEORGIAN | _RARE
"""Letters in a word that has letters of another script as well: nobody mixes scripts in a word by accident."""

OTHER_SHAPES = _look_alikes(h="η", n="νи", p="п", r="π", s="σ", u="μ", y="υ")
"""What some of these are taken for otherwise: as capitals, by their sound."""

WHOLE_SCRIPT = _look_alikes(a="аα", c="с", e="е", o="оο", p="рρ", x="хχ", y="у", i="іι", j="ј", s="ѕ", h="һ", d="ԁ") | (
    _look_alikes(q="ԛ", w="ԝ", v="ν", k="κ", u="υ") | _RARE
)
"""Letters whose small forms are the same drawing, and those of rare scripts: a word of nothing else reads as Latin."""

NATIVE = {
    "CYRILLIC": dict(zip(map(ord, "abcehikmnoprtuxy"), "авсенікмпоргтиху", strict=True)),
    "GREEK": dict(zip(map(ord, "abeihkmnoptuvxyz"), "αβειηκμνορτυνχγζ", strict=True)),
}
"""Latin letters for those of Cyrillic and of Greek, in words that are really in that script."""

# --- digits and signs

LEET = _look_alikes(
    a="4@₳∀", b="8฿", c="¢₵₡©", d="₫∂", e="3€∈∑℮", f="₣", g="9₲", h="₴♄", k="₭", l="£₤", m="₥", n="₦∩"
) | (_look_alikes(o="0", p="₱₽", r="®₹", s="5$§", t="7+₮₸", u="∪", v="∨√", w="₩", y="¥", z="2") | {ord("6"): "g"})
"""Digits and signs that stand for one letter. `1`, `!` and `|` stand for `i` or `l`: see `BARS`."""

LEET_OTHERWISE = LEET | _look_alikes(b="6", q="9", y="7", s="2", h="4", a="₳")
"""What some people mean by the same digits."""

_CYRILLIC_LEET = dict(zip(map(ord, "03468@$€1!|"), "озчбвасеиии", strict=True))
LEET_NATIVE = {
    "CYRILLIC": (
        _CYRILLIC_LEET,
        _CYRILLIC_LEET | dict(zip(map(ord, "34"), "еа", strict=True)),
        _CYRILLIC_LEET | dict(zip(map(ord, "1!|"), "ллл", strict=True)),
    ),
    "GREEK": (dict(zip(map(ord, "034578@$€1!|"), "οεαστθασειιι", strict=True)),),
}
"""Digits and signs for letters of these scripts, likeliest meanings first."""

BARS = "1!|"
"""Upright strokes, read as `i` or `l`."""

LETTER_SIGNS = "".join(chr(code) for code in LEET if not chr(code).isalnum() and chr(code) != "+")
"""Signs that are mostly letters when they stand inside a word."""

DIVIDING_SIGNS = "!|+"
"""Signs that mostly divide words, and sometimes stand for letters."""

SIGNS = LETTER_SIGNS + DIVIDING_SIGNS
"""All signs that may be part of a disguised word."""

DRAWN = {
    "|\\/|": "m", "/\\/\\": "m", "\\/\\/": "w", "|\\|": "n", "/\\/": "n", "|-|": "h", "]-[": "h", "|_|": "u", "()": "o",
    "[]": "o", "|<": "k", "|)": "d", "|>": "p", "|3": "b", "\\/": "v", "/\\": "a", "_|": "j", "><": "x", "|_": "l",
}  # fmt: skip
"""Several signs that draw one letter, the longest first."""
