"""Cases of the release stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.canonical import digest
from governance.testing.corpus.cases import (
    OPTIONAL,
    UNREAD,
    WORDS,
    WORK,
    Case,
    Change,
    both,
    case_maker,
    malformed,
    put,
    unchanged,
)
from governance.testing.policy import release_facts
from governance.types import Stage

_case = case_maker(Stage.RELEASE, release_facts)

_MARKETS: Mapping[str, Any] = {
    "east": {
        "thresholds": {"nsfw": {"deny": 500_000, "review": 100_000}, "weapons": {"deny": 700_000, "review": 300_000}},
        "visible_label": "Von KI erzeugt",
        "output_formats": ["image/webp", "image/png"],
        "approvals": 2,
    },
    "north": {"visible_label": "人工智能生成", "output_formats": ["image/jpeg"]},
    "west": {"thresholds": {"nsfw": {"deny": 950_000, "review": 450_000}}},
    "a/b~c": {"thresholds": {"nsfw": {"deny": 600_000, "review": 90_000}}},
    "plain": {},
}
_WORKS: Mapping[str, Any] = {
    "mural": {"title": "Mural", "owner": "a museum", "action": "deny", "purposes": ["research"]},
    "mascot": {"title": "Mascot", "owner": "a club", "action": "review"},
    "logo": {"title": "Logo", "owner": "the house", "action": "allow"},
    "poster": {"title": "Poster", "owner": "the house", "action": "allow", "purposes": ["research"]},
    "misspelt": {"title": "Vase", "owner": "a museum", "action": "permit"},
    "not read": ["deny"],
    "Ж/~": {"title": "Ж", "owner": "a museum", "action": "deny"},
}
_DATA: Mapping[str, Any] = {
    "markets": _MARKETS,
    "works": _WORKS,
    "thresholds": {
        "nsfw": {"deny": 800_000, "review": 400_000},
        "copy": {"deny": 900_000, "review": 600_000},
        "low_quality_hash": {"deny": 1_000_001, "review": 1_000_001},
    },
}


def malformed_cases() -> list[Case]:
    """Facts of a draft, one part of them unreadable."""
    return malformed(
        Stage.RELEASE,
        _full_facts,
        unread=(*UNREAD, "/admission/obligations/", "/findings/0/evidence/"),
        optional=(*OPTIONAL, *(f"/findings/0/{word}" for word in WORDS)),
    )


def rule_cases() -> list[Case]:
    """A good draft, and for each rule one that differs from it by what the rule is about."""
    return [
        *_line_cases(),
        *_market_cases(),
        *_obligation_cases(),
        *_label_cases(),
        *_work_cases(),
        *_finding_cases(),
        *_data_cases(),
    ]


def _line_cases() -> list[Case]:
    return [
        _case("good", unchanged, "allow"),
        _case("below review", _score(399_999), "allow"),
        _case("at review", _score(400_000), "review", "finding.review"),
        _case("below deny", _score(799_999), "review", "finding.review"),
        _case("at deny", _score(800_000), "deny", "finding.denied"),
        _case("certain", _score(1_000_000), "deny", "finding.denied"),
        _case("more than certain", _score(1_000_001), "deny", "input.malformed"),
        _case("no findings", put("/findings", []), "deny", "detector.missing"),
        _case("another detector", put("/findings/0/detector", "x"), "deny", "detector.missing"),
        _case("unknown label", put("/findings/0/label", "x"), "deny", "finding.unjudged"),
        _case("label of a prototype", put("/findings/0/label", "__proto__"), "deny", "finding.unjudged"),
        _case("not admitted", put("/admission/outcome", "deny"), "deny", "admission.not_allowed"),
        _case("admission held", put("/admission/outcome", "review"), "deny", "admission.not_allowed"),
        _case("admission held and approved", _approved("review", "allow"), "allow"),
        _case("admission held, approvals awaited", _approved("review", "review"), "deny", "admission.not_allowed"),
        _case("admission held and rejected", _approved("review", "deny"), "deny", "admission.not_allowed"),
        _case("admission denied, yet approved", _approved("deny", "allow"), "deny", "admission.not_allowed"),
        _case("approved in another word", _approved("review", "yes"), "deny", "input.malformed"),
        _case(
            "approved by nothing", both(_approved("review", "allow"), put("/admission/review/decision_id", "")), "deny",
            "input.malformed",
        ),
        _case("approved by a word", put("/admission/review", "allow"), "deny", "input.malformed"),
        _case("other weights", put("/model/components/unet", digest(b"x")), "deny", "model.not_allowed"),
        _case("larger than allowed", put("/draft/width", 2**24), "deny", "draft.too_large"),
        _case("too small to mark", put("/draft/markable", False), "allow"),
        _case("too small, labelled", put("/draft/markable", False), "allow", data={"small_images": "label"}),
        _case(
            "too small, a market's label", both(put("/draft/markable", False), _markets("east")), "allow",
            data={**_DATA, "small_images": "label"},
        ),
        _case("facts of admission", put("/stage", "admission"), "deny", "input.malformed"),
    ]  # fmt: skip


def _market_cases() -> list[Case]:
    weapons = {"detector": "weapons", "detector_digest": digest(b"g"), "label": "weapons", "score_millionths": 299_999}
    return [
        _judged("stricter market, below", ["east"], 99_999, "allow"),
        _judged("stricter market, review", ["east"], 100_000, "review", "finding.review"),
        _judged("stricter market, deny", ["east"], 500_000, "deny", "finding.denied"),
        _judged("milder market, review", ["west"], 449_999, "allow"),
        _judged("milder market, deny", ["west"], 949_999, "review", "finding.review"),
        _judged("market without thresholds", ["plain"], 400_000, "review", "finding.review"),
        _judged("market that repeats itself", ["plain", "plain"], 800_000, "deny", "finding.denied"),
        _judged("the stricter of two", ["west", "east"], 100_000, "review", "finding.review"),
        _judged("the general one beside a milder", ["west", "plain"], 800_000, "deny", "finding.denied"),
        _judged("everywhere, below", [], 89_999, "allow", without="north"),
        _judged("everywhere, review", [], 90_000, "review", "finding.review", without="north"),
        _judged("everywhere, deny", [], 500_000, "deny", "finding.denied", without="north"),
        _judged("name with a slash", ["a/b~c"], 600_000, "deny", "finding.denied"),
        _judged("unknown market", ["atlantis"], 0, "deny", "market.unknown"),
        _judged("unknown market among known ones", ["plain", "atlantis"], 0, "deny", "market.unknown"),
        _case("market without a name", _markets(""), "deny", "input.malformed", data=_DATA),
        _case("everywhere where there are no markets", _score(400_000), "review", "finding.review", data={"markets": {}}),
        _case("label of one market, there", both(_markets("east"), _found(weapons)), "allow", data=_DATA),
        _case(
            "label of one market, elsewhere", both(_markets("west"), _found(weapons)), "deny", "finding.unjudged",
            data=_DATA,
        ),
        _case(
            "label of one market, both", both(_markets("east", "west"), _found(weapons)), "deny", "finding.unjudged",
            data=_DATA,
        ),
    ]  # fmt: skip


def _obligation_cases() -> list[Case]:
    """What differs here are the obligations; that engines agree on them is for the conformance run to say."""
    two = {**_DATA, "obligations": {"output_formats": ["image/png", "image/jpeg"], "approvals": 1}}
    long = {name: {"visible_label": letter * 60} for name, letter in (("one", "é"), ("two", "字"))}
    fitting = {**long, "two": {"visible_label": "字" * 57}}
    return [
        _case("obliged by one market", _markets("east"), "allow", data=_DATA),
        _case("obliged by none", _markets("west"), "allow", data=_DATA),
        _case("formats in common", _markets("north"), "allow", data=two),
        _case("no format in common", _markets("north"), "deny", "format.none", data=_DATA),
        _case("two markets without one", _markets("east", "north"), "deny", "format.none", data=two),
        _case("everywhere without one", unchanged, "deny", "format.none", data=_DATA),
        _case("no formats listed", _markets("north"), "allow", data={**_DATA, "obligations": {"output_formats": []}}),
        _case("no general formats", _markets("north"), "allow", data={**_DATA, "obligations": {}}),
        _case("labels side by side", unchanged, "allow", data={"markets": fitting}),
        _case("labels too long together", _markets("one", "two"), "allow", data={"markets": long}),
        _case(
            "a general label beside a market's", _markets("one", "three"), "allow",
            data={"markets": {**fitting, "three": {}}, "obligations": {"visible_label": "AI", "watermark": True}},
        ),
        _case(
            "more approvals in general", _markets("east"), "allow", data={**_DATA, "obligations": {"approvals": 3}}
        ),
    ]  # fmt: skip


def _label_cases() -> list[Case]:
    """Where the label stands, and in which language it is."""
    general = {"visible_label": "AI-generated", "label_language": "en", "label_position": "top-left"}
    markets = {
        "east": {"visible_label": "KI", "label_language": "de", "label_position": "top-right"},
        "far": {"visible_label": "Von KI", "label_language": "de"},
        "quebec": {"label_language": "fr"},
        "west": {"visible_label": "字" * 119, "label_language": "de"},
        "plain": {},
    }
    data = {"markets": markets, "obligations": general}
    return [
        *(
            _case(f"label in {' and '.join(named) or 'every market'}", _markets(*named), "allow", data=data)
            for named in (["plain"], ["quebec"], ["east"], ["far"], ["east", "far"], ["far", "west"], ["plain", "east"], [])
        ),
        _case("label of a market alone", _markets("far"), "allow", data={**data, "obligations": {}}),
        _case(
            "too small, labelled in a language", put("/draft/markable", False), "allow",
            data={**data, "small_images": "label"},
        ),
    ]  # fmt: skip


def _work_cases() -> list[Case]:
    research = put("/request/purpose", "research")
    return [
        _similar("denied work", "mural", 600_000, "deny", "work.denied"),
        _similar("denied work, certain", "mural", 1_000_000, "deny", "work.denied"),
        _similar("denied work, not similar enough", "mural", 599_999, "allow"),
        _similar("denied work, licensed purpose", "mural", 1_000_000, "allow", change=research),
        _similar("reviewed work", "mascot", 600_000, "review", "work.review"),
        _similar("reviewed work, certain", "mascot", 1_000_000, "review", "work.review"),
        _similar("allowed work", "logo", 1_000_000, "allow"),
        _similar("work allowed for another purpose", "poster", 600_000, "review", "work.review"),
        _similar("work allowed for this purpose", "poster", 1_000_000, "allow", change=research),
        _similar("unknown work", "new", 600_000, "review", "work.review"),
        _similar("unknown work, not similar enough", "new", 599_999, "allow"),
        _similar("unknown work, certain", "new", 900_000, "deny", "finding.denied"),
        _similar("work with an unknown action", "misspelt", 600_000, "deny", "work.denied"),
        _similar("work that cannot be read", "not read", 600_000, "deny", "work.denied"),
        _similar("work with an odd name", "Ж/~", 600_000, "deny", "work.denied"),
        _similar("nameless work", "", 600_000, "deny", "input.malformed"),
        _similar("number for a work", 7, 600_000, "deny", "input.malformed"),
        _similar("null for a work", None, 600_000, "deny", "input.malformed"),
        _similar("new work to deny", "new", 600_000, "deny", "work.denied", action="deny"),
        _similar("new work to deny, not similar enough", "new", 599_999, "allow", action="deny"),
        _similar("new work to review, certain", "new", 1_000_000, "review", "work.review", action="review"),
        _similar("new work to allow, certain", "new", 1_000_000, "allow", action="allow"),
        _similar(
            "work that the register allows and the data denies", "mural", 600_000, "deny", "work.denied", action="allow"
        ),
        _similar("work that the register denies and the data allows", "logo", 1_000_000, "allow", action="deny"),
        _similar("unread work that the register allows", "not read", 600_000, "deny", "work.denied", action="allow"),
        _similar("unknown action", "new", 0, "deny", "input.malformed", action="permit"),
    ]


def _finding_cases() -> list[Case]:
    """What a finding says of itself beside its score."""
    quality = {"detector": "similarity", "detector_digest": digest(b"works"), "label": "low_quality_hash"}
    spoilt: Mapping[str, Any] = {
        "null": {"hamming": None},
        "a boolean": {"hamming": True},
        "a fraction": {"hamming": 0.5},
        "a number beyond every safe integer": {"hamming": 2**60},
        "an array": {"hamming": [12]},
        "an object": {"hamming": {}},
        "no text": {"variant": ""},
        "no name": {"": 12},
        "nine members": {f"member {number}": number for number in range(9)},
    }
    return [
        _case("evidence", put("/findings/0/evidence", WORK["evidence"]), "allow"),
        _case("evidence of the largest kind", put("/findings/0/evidence", {f"字{n}": -n for n in range(8)}), "allow"),
        _case("evidence of nothing", put("/findings/0/evidence", {}), "allow"),
        *(
            _case(f"evidence with {name}", put("/findings/0/evidence", value), "deny", "input.malformed")
            for name, value in spoilt.items()
        ),
        _case("an action without a work", both(put("/findings/0/action", "allow"), _score(800_000)), "deny", "finding.denied"),
        _case(
            "a score that never counts", both(_markets("plain"), _found({**quality, "score_millionths": 1_000_000})),
            "allow", data=_DATA,
        ),
    ]  # fmt: skip


def _data_cases() -> list[Case]:
    broken: Mapping[str, Mapping[str, Any]] = {
        "text for a threshold": {"thresholds": {"nsfw": {"deny": "high", "review": 0}}},
        "no threshold for review": {"thresholds": {"nsfw": {"deny": 800_000}}},
        "text for a market's threshold": {"markets": {"x": {"thresholds": {"nsfw": {"deny": "high", "review": 0}}}}},
        "list for a market": {"markets": {"x": []}},
        "number for a label": {"markets": {"x": {"visible_label": 5}}},
        "text for formats": {"markets": {"x": {"output_formats": "image/png"}}},
        "fraction for approvals": {"markets": {"x": {"approvals": 1.5}}},
        "label in the middle": {"markets": {"x": {"label_position": "middle"}}},
        "array for a position": {"markets": {"x": {"label_position": ["top-left"]}}},
        "general label in the middle": {"obligations": {"label_position": "middle"}},
        "number for a language": {"markets": {"x": {"label_language": 5}}},
        "no text for the general language": {"obligations": {"label_language": ""}},
        "no markets": {"markets": None},
        "list for the works": {"works": []},
        "no works": {"works": None},
        "no label": {"visible_label": None},
        "no obligations": {"obligations": None},
        "text for the general formats": {"obligations": {"output_formats": "image/png"}},
        "text for the general approvals": {"obligations": {"approvals": "1"}},
        "number for the general label": {"obligations": {"visible_label": 1}},
        "another word for small images": {"small_images": "shrink"},
    }
    return [
        _case("no detector required", unchanged, "deny", "detector.missing", data={"required_detectors": []}),
        *(_case(name, unchanged, "deny", "data.malformed", data=data) for name, data in broken.items()),
    ]


def _full_facts() -> Mapping[str, Any]:
    """A good draft with all that may be missing."""
    facts: dict[str, Any] = release_facts()
    return {
        **facts,
        "request": {**facts["request"], "markets": ["EU"]},
        "findings": [{**facts["findings"][0], **WORK}, *facts["findings"][1:]],
    }


def _judged(name: str, markets: Sequence[str], millionths: int, outcome: str, *codes: str, without: str = "") -> Case:
    """A score in `markets` of a world that lacks `without`."""
    world = {market: rules for market, rules in _MARKETS.items() if market != without}
    return _case(name, both(_markets(*markets), _score(millionths)), outcome, *codes, data={**_DATA, "markets": world})


def _similar(
    name: str, work: object, millionths: int, outcome: str, *codes: str, change: Change = unchanged, action: str = ""
) -> Case:
    """A draft that is as similar as this to `work`, of which the register says `action` if it says any."""
    finding = {
        "detector": "similarity",
        "detector_digest": digest(b"works"),
        "label": "copy",
        "score_millionths": millionths,
        "work": work,
        **({"action": action} if action else {}),
    }
    return _case(name, both(_markets("plain"), _found(finding), change), outcome, *codes, data=_DATA)


def _approved(admission: str, review: str) -> Change:
    """Held or denied at admission, and so decided by people."""
    return both(
        put("/admission/outcome", admission), put("/admission/review", {"decision_id": "r1", "outcome": review})
    )


def _markets(*names: str) -> Change:
    return put("/request/markets", list(names))


def _found(finding: Mapping[str, Any]) -> Change:
    return lambda facts: facts["findings"].append(dict(finding))


def _score(millionths: int) -> Change:
    return put("/findings/0/score_millionths", millionths)
