"""Cases of the admission stage: prompts, what they name, what they hide, and what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import MAX_SAFE_INTEGER
from governance.testing.corpus.cases import Case, Change, both, case_maker, put
from governance.testing.policy import admission_facts
from governance.types import Stage

_case = case_maker(Stage.ADMISSION, admission_facts)

_TERMS: Mapping[str, Any] = {
    "blocked_terms": {
        "passport": {"category": "forgery"},
        "counterfeit money": {"category": "forgery"},
        "raffle": {"category": "gambling", "markets": ["UK", "US"]},
        "tombola": {"category": "gambling", "markets": ["Atlantis"]},
        "lottery": {"category": "gambling", "markets": "UK"},
        "uncategorised": {},
        "a/b~c": {"category": "odd"},
        "伪钞": {"category": "forgery"},
        "паспорт": {"category": "forgery"},
        "جواز سفر": {"category": "forgery"},
        "דרכון": {"category": "forgery"},
        "caf\u00e9": {"category": "composed"},
        "\U0001f52b": {"category": "weapons"},
        "\U0001f468\u200d\U0001f52c": {"category": "joined"},
        "__proto__": {"category": "object"},
    },
    "protected_names": {
        "some painter": {"kind": "artist", "outcome": "review"},
        "some mouse": {"kind": "character", "outcome": "deny"},
        "some drink": {"kind": "brand", "outcome": "deny", "markets": ["US"]},
        "some body": {"kind": "person", "outcome": "review", "markets": ["EU"]},
        "misspelt": {"kind": "artist", "outcome": "allow"},
        "neither": {},
        "ミッキー": {"kind": "character", "outcome": "deny"},
        "passport": {"kind": "brand", "outcome": "review"},
    },
    "markets": {"EU": {}, "UK": {}, "US": {}},
    "negative_terms": "note",
}
_EMBEDDING: Mapping[str, Any] = {"parameter": "prompt_embeds", "kind": "embedding", "digest": "0" * 64}


def rule_cases() -> list[Case]:
    """For each rule about prompts a request that differs from a good one by what the rule is about."""
    return [*_prompt_cases(), *_term_cases(), *_name_cases(), *_negative_cases(), *_hidden_cases(), *_opaque_cases()]


def _prompt_cases() -> list[Case]:
    words = [f"word {number}" for number in range(10_000)]
    deep: Any = "a red seven"
    for _ in range(60):
        deep = [deep]
    return [
        _case("no negative prompt", lambda facts: facts["prompts"].pop(), "allow"),
        _case("no prompt", put("/prompts", []), "deny", "prompt.missing"),
        _case("only a negative prompt", lambda facts: facts["prompts"].pop(0), "deny", "prompt.missing"),
        _case("no prompt wanted", put("/prompts", []), "allow", data={"allow_promptless": True}),
        _case("nothing to read", put("/prompts/0/ngrams", []), "deny", "prompt.unreadable"),
        _case("nothing to avoid", put("/prompts/1/ngrams", []), "deny", "prompt.unreadable"),
        _case("long prompt", put("/prompts/0/text", "a" * 2001), "deny", "prompt.too_long"),
        _case("long by its length", put("/prompts/0/length", 2001), "deny", "prompt.too_long"),
        _case("longest prompt", put("/prompts/0/text", "ä" * 2000), "allow"),
        _case("longest prompt in emoji", put("/prompts/0/text", "\U0001f3a8" * 2000), "allow"),
        _case("long prompt in emoji", put("/prompts/0/text", "\U0001f3a8" * 2001), "deny", "prompt.too_long"),
        _case("long by combining marks", put("/prompts/0/text", "e\u0301" * 1001), "deny", "prompt.too_long"),
        _case("any length", put("/prompts/0/length", MAX_SAFE_INTEGER), "allow", data=_unlimited()),
        _case("empty text", put("/prompts/0/text", ""), "allow"),
        _case("ten thousand n-grams", put("/prompts/0/ngrams", words), "allow"),
        _case("the last of ten thousand", put("/prompts/0/ngrams", [*words, "passport"]), "deny", "prompt.blocked_term",
              data=_TERMS),
        _case("an empty n-gram among them", put("/prompts/0/ngrams", [*words, ""]), "deny", "input.malformed"),
        _case("a number among them", put("/prompts/0/ngrams", [*words, 5]), "deny", "input.malformed"),
        _case("null first among them", put("/prompts/0/ngrams", [None, *words]), "deny", "input.malformed"),
        _case("a list among them", put("/prompts/0/ngrams", [*words, ["a"]]), "deny", "input.malformed"),
        _case("a text deep in lists", put("/prompts/0/text", deep), "deny", "input.malformed"),
        _case("a parameter deep in lists", put("/parameters/x", deep), "deny", "input.malformed"),
        _case("a fact that nobody asked for", put("/extra", deep), "allow"),
        _case("many prompts", lambda facts: facts["prompts"].extend(facts["prompts"] * 31), "allow"),
        _case("other normaliser", put("/normaliser", "0"), "deny", "normaliser.mismatch"),
        _case("normaliser in full width", put("/normaliser", "\uff11"), "deny", "normaliser.mismatch"),
    ]  # fmt: skip


def _term_cases() -> list[Case]:
    found = ["passport", "counterfeit money", "uncategorised", "a/b~c", "伪钞", "паспорт", "جواز سفر", "דרכון",
             "caf\u00e9", "\U0001f52b", "\U0001f468\u200d\U0001f52c", "__proto__"]  # fmt: skip
    missed = ["Passport", "passports", "passport ", "pass\u200dport", "cafe\u0301", "\u0440assport", "\U0001f52b\ufe0f",
              "دواز سفر", "constructor", "\ufeffpassport", "\uff10", "\u202epassport"]  # fmt: skip
    return [
        *(_says(f"blocked term {term}", 0, [term], "deny", "prompt.blocked_term") for term in found),
        *(_says(f"no term of the list, as it is written: {term!a}", 0, [term], "allow") for term in missed),
        _says("term of one market, everywhere", 0, ["raffle"], "deny", "prompt.blocked_term"),
        _says("term of one market, there", 0, ["raffle"], "deny", "prompt.blocked_term", markets=["UK"]),
        _says("term of one market, there and elsewhere", 0, ["raffle"], "deny", "prompt.blocked_term", markets=["EU", "US"]),
        _says("term of one market, elsewhere", 0, ["raffle"], "allow", markets=["EU"]),
        _says("term of an unknown market", 0, ["tombola"], "deny", "prompt.blocked_term", markets=["EU"]),
        _says("term of markets that cannot be read", 0, ["lottery"], "deny", "prompt.blocked_term", markets=["EU"]),
        _says("a shipped term", 0, ["passport"], "deny", "prompt.blocked_term", data={}),
        _says("term whose entry is text", 0, ["x"], "deny", "prompt.blocked_term", data={"blocked_terms": {"x": "y"}}),
        _says("term whose entry is null", 0, ["x"], "deny", "prompt.blocked_term", data={"blocked_terms": {"x": None}}),
        _says("term whose entry is a list", 0, ["x"], "deny", "prompt.blocked_term", data={"blocked_terms": {"x": ["y"]}}),
    ]  # fmt: skip


def _name_cases() -> list[Case]:
    return [
        _says("artist", 0, ["some painter"], "review", "prompt.protected_name"),
        _says("character", 0, ["some mouse"], "deny", "prompt.protected_name"),
        _says("character in katakana", 0, ["ミッキー"], "deny", "prompt.protected_name"),
        _says("artist and character", 0, ["some painter", "some mouse"], "deny", "prompt.protected_name"),
        _says("brand, everywhere", 0, ["some drink"], "deny", "prompt.protected_name"),
        _says("brand, in its market", 0, ["some drink"], "deny", "prompt.protected_name", markets=["US"]),
        _says("brand, elsewhere", 0, ["some drink"], "allow", markets=["EU"]),
        _says("person, in their market", 0, ["some body"], "review", "prompt.protected_name", markets=["EU", "UK"]),
        _says("person, elsewhere", 0, ["some body"], "allow", markets=["UK"]),
        _says("name with another outcome", 0, ["misspelt"], "deny", "prompt.protected_name"),
        _says("name with nothing said of it", 0, ["neither"], "deny", "prompt.protected_name"),
        _says("name and term", 0, ["passport"], "deny", "prompt.blocked_term"),
        _says("name in the second prompt", 0, ["some painter"], "review", "prompt.protected_name", hidden=["x"]),
    ]


def _negative_cases() -> list[Case]:
    named = ["passport", "some mouse"]
    review, deny = {**_TERMS, "negative_terms": "review"}, {**_TERMS, "negative_terms": "deny"}
    return [
        _says("term and name avoided", 1, named, "allow", "prompt.negative_term"),
        _says("name avoided", 1, ["some painter"], "allow", "prompt.negative_term"),
        _says("name avoided, review", 1, ["some mouse"], "review", "prompt.negative_term", data=review),
        _says("name avoided, deny", 1, ["some painter"], "deny", "prompt.negative_term", data=deny),
        _says("term avoided, review", 1, ["passport"], "review", "prompt.negative_term", data=review),
        _says("term avoided, deny", 1, ["passport"], "deny", "prompt.negative_term", data=deny),
        _says("term avoided in another market", 1, ["raffle"], "allow", markets=["EU"], data=deny),
        _turned("guidance turned round", "guidance_scale_thousandths", 0, "deny", "prompt.blocked_term", "prompt.protected_name"),
        _turned("guidance just below one", "guidance_scale_thousandths", 999, "deny", "prompt.blocked_term"),
        _turned("guidance of one", "guidance_scale_thousandths", 1000, "allow", "prompt.negative_term"),
        _turned("true guidance turned round", "true_cfg_scale_thousandths", -1, "deny", "prompt.blocked_term"),
        _turned("integer guidance", "true_cfg_scale", -1, "deny", "prompt.blocked_term"),
        _turned("guidance of another stage turned round", "prior_guidance_scale_thousandths", 0, "deny", "prompt.blocked_term"),
        _turned("guidance of one control turned round", "guidance_scale_thousandths", [5000, 0], "deny", "prompt.blocked_term"),
        _turned("guidance rescaled", "guidance_rescale_thousandths", 0, "allow", "prompt.negative_term"),
        _turned("guidance unset", "guidance_scale", None, "allow", "prompt.negative_term"),
        _turned("guidance in words", "guidance_scale", "0", "allow", "prompt.negative_term"),
    ]  # fmt: skip


def _hidden_cases() -> list[Case]:
    hints = put("/prompts/0/hints", ["base64"])
    return [
        *(
            _case(f"text in an encoding, {outcome}", hints, outcome if outcome != "note" else "allow", "prompt.encoded",
                  data={"encoded_prompts": outcome})
            for outcome in ("note", "review", "deny")
        ),
        _case("text in two encodings", put("/prompts/1/hints", ["base64", "rot13"]), "review", "prompt.encoded",
              data={"encoded_prompts": "review"}),
        _says("term in an encoding", 0, ["seven"], "deny", "prompt.blocked_term", hidden=["passport"]),
        _says("term in an encoding and in words", 0, ["passport"], "deny", "prompt.blocked_term", hidden=["passport"]),
        _says("name in an encoding", 0, ["seven"], "review", "prompt.protected_name", hidden=["some painter"]),
        _says("term avoided in an encoding", 1, ["blurry"], "allow", "prompt.negative_term", hidden=["passport"]),
        _says("nothing in an encoding", 0, ["seven"], "allow", hidden=["eight"]),
        _says("an empty reading", 0, ["seven"], "deny", "input.malformed", hidden=[""]),
        _case("an encoding without a name", put("/prompts/0/hints", [""]), "deny", "input.malformed"),
    ]  # fmt: skip


def _opaque_cases() -> list[Case]:
    kinds = ("audio", "embedding", "latents", "callback", "other")
    permitted = {"opaque": dict.fromkeys(kinds, "allow")}
    reviewed = {"opaque": dict.fromkeys(kinds, "review")}
    embedded = both(put("/prompts", []), put("/opaque", [_EMBEDDING]))
    negative = both(put("/prompts", []), put("/opaque", [{**_EMBEDDING, "parameter": "negative_prompt_embeds"}]))
    return [
        *(_brings(f"{kind} by default", kind, "deny", "argument.opaque") for kind in kinds),
        *(_brings(f"{kind} reviewed", kind, "review", "argument.opaque", data=reviewed) for kind in kinds),
        *(_brings(f"{kind} permitted", kind, "allow", data=permitted) for kind in kinds),
        _brings("unknown kind", "weights", "deny", "input.malformed", data=permitted),
        _brings("kind in other letters", "Latents", "deny", "input.malformed", data=permitted),
        _case("embedding in place of a prompt", embedded, "allow", data=permitted),
        _case("embedding in place of a prompt, reviewed", embedded, "review", "argument.opaque", data=reviewed),
        _case("embedding in place of a prompt, denied", embedded, "deny", "argument.opaque", "prompt.missing"),
        _case("negative embedding in place of a prompt", negative, "deny", "prompt.missing", data=permitted),
        _case("many opaque arguments", put("/opaque", [_EMBEDDING] * 300), "deny", "argument.opaque"),
    ]


def _unlimited() -> dict[str, Any]:
    """Data that let the prompts of designers have any length."""
    return {"roles": {"designer": {"limits": {"prompt_characters": MAX_SAFE_INTEGER}}}}


def _says(
    name: str,
    index: int,
    ngrams: list[str],
    outcome: str,
    *codes: str,
    hidden: list[str] | None = None,
    markets: list[str] | None = None,
    data: Mapping[str, Any] = _TERMS,
) -> Case:
    """A request whose prompt `index` has exactly these n-grams, in words and hidden in an encoding."""
    change = both(
        put(f"/prompts/{index}/ngrams", ngrams),
        put(f"/prompts/{index}/hidden", hidden or []),
        put("/request/markets", markets or []),
    )
    return _case(name, change, outcome, *codes, data=data)


def _turned(name: str, parameter: str, scale: int | str | list[int] | None, outcome: str, *codes: str) -> Case:
    """A term and a name in the negative prompt, under this guidance."""
    named: Change = put("/prompts/1/ngrams", ["passport", "some mouse"])
    return _case(name, both(named, put(f"/parameters/{parameter}", scale)), outcome, *codes, data=_TERMS)


def _brings(name: str, kind: str, outcome: str, *codes: str, data: Mapping[str, Any] | None = None) -> Case:
    """A request with a prompt and one argument of this kind."""
    return _case(name, put("/opaque", [{"parameter": "x", "kind": kind, "digest": None}]), outcome, *codes, data=data)
