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

case = case_maker(Stage.RELEASE, release_facts)

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
DATA: Mapping[str, Any] = {
    "markets": _MARKETS,
    "works": _WORKS,
    "thresholds": {
        "nsfw": {"deny": 800_000, "review": 400_000},
        "copy": {"deny": 900_000, "review": 600_000},
        "low_quality_hash": {"deny": 1_000_001, "review": 1_000_001},
    },
}
"""Markets, works and thresholds of these cases."""


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
        *_data_cases(),
    ]


def _line_cases() -> list[Case]:
    return [
        case("good", unchanged, "allow"),
        case("below review", with_score(399_999), "allow"),
        case("at review", with_score(400_000), "review", "finding.review"),
        case("below deny", with_score(799_999), "review", "finding.review"),
        case("at deny", with_score(800_000), "deny", "finding.denied"),
        case("certain", with_score(1_000_000), "deny", "finding.denied"),
        case("more than certain", with_score(1_000_001), "deny", "input.malformed"),
        case("no findings", put("/findings", []), "deny", "detector.missing"),
        case("another detector", put("/findings/0/detector", "x"), "deny", "detector.missing"),
        case("unknown label", put("/findings/0/label", "x"), "deny", "finding.unjudged"),
        case("label of a prototype", put("/findings/0/label", "__proto__"), "deny", "finding.unjudged"),
        case("not admitted", put("/admission/outcome", "deny"), "deny", "admission.not_allowed"),
        case("admission held", put("/admission/outcome", "review"), "deny", "admission.not_allowed"),
        case("admission held and approved", _approved("review", "allow"), "allow"),
        case("admission held, approvals awaited", _approved("review", "review"), "deny", "admission.not_allowed"),
        case("admission held and rejected", _approved("review", "deny"), "deny", "admission.not_allowed"),
        case("admission denied, yet approved", _approved("deny", "allow"), "deny", "admission.not_allowed"),
        case("approved in another word", _approved("review", "yes"), "deny", "input.malformed"),
        case(
            "approved by nothing", both(_approved("review", "allow"), put("/admission/review/decision_id", "")), "deny",
            "input.malformed",
        ),
        case("approved by a word", put("/admission/review", "allow"), "deny", "input.malformed"),
        case("other weights", put("/model/components/unet", digest(b"x")), "deny", "model.not_allowed"),
        case("larger than allowed", put("/draft/width", 2**24), "deny", "draft.too_large"),
        case("too small to mark", put("/draft/markable", False), "allow"),
        case("too small, labelled", put("/draft/markable", False), "allow", data={"small_images": "label"}),
        case(
            "too small, a market's label", both(put("/draft/markable", False), in_markets("east")), "allow",
            data={**DATA, "small_images": "label"},
        ),
        case("facts of admission", put("/stage", "admission"), "deny", "input.malformed"),
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
        case("market without a name", in_markets(""), "deny", "input.malformed", data=DATA),
        case("everywhere where there are no markets", with_score(400_000), "review", "finding.review", data={"markets": {}}),
        case("label of one market, there", both(in_markets("east"), also_found(weapons)), "allow", data=DATA),
        case(
            "label of one market, elsewhere", both(in_markets("west"), also_found(weapons)), "deny", "finding.unjudged",
            data=DATA,
        ),
        case(
            "label of one market, both", both(in_markets("east", "west"), also_found(weapons)), "deny", "finding.unjudged",
            data=DATA,
        ),
    ]  # fmt: skip


def _obligation_cases() -> list[Case]:
    """What differs here are the obligations; that engines agree on them is for the conformance run to say."""
    two = {**DATA, "obligations": {"output_formats": ["image/png", "image/jpeg"], "approvals": 1}}
    long = {name: {"visible_label": letter * 60} for name, letter in (("one", "é"), ("two", "字"))}
    fitting = {**long, "two": {"visible_label": "字" * 57}}
    return [
        case("obliged by one market", in_markets("east"), "allow", data=DATA),
        case("obliged by none", in_markets("west"), "allow", data=DATA),
        case("formats in common", in_markets("north"), "allow", data=two),
        case("no format in common", in_markets("north"), "deny", "format.none", data=DATA),
        case("two markets without one", in_markets("east", "north"), "deny", "format.none", data=two),
        case("everywhere without one", unchanged, "deny", "format.none", data=DATA),
        case("no formats listed", in_markets("north"), "allow", data={**DATA, "obligations": {"output_formats": []}}),
        case("no general formats", in_markets("north"), "allow", data={**DATA, "obligations": {}}),
        case("labels side by side", unchanged, "allow", data={"markets": fitting}),
        case("labels too long together", in_markets("one", "two"), "allow", data={"markets": long}),
        case(
            "a general label beside a market's", in_markets("one", "three"), "allow",
            data={"markets": {**fitting, "three": {}}, "obligations": {"visible_label": "AI", "watermark": True}},
        ),
        case(
            "more approvals in general", in_markets("east"), "allow", data={**DATA, "obligations": {"approvals": 3}}
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
            case(f"label in {' and '.join(named) or 'every market'}", in_markets(*named), "allow", data=data)
            for named in (["plain"], ["quebec"], ["east"], ["far"], ["east", "far"], ["far", "west"], ["plain", "east"], [])
        ),
        case("label of a market alone", in_markets("far"), "allow", data={**data, "obligations": {}}),
        case(
            "too small, labelled in a language", put("/draft/markable", False), "allow",
            data={**data, "small_images": "label"},
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
        case("no detector required", unchanged, "deny", "detector.missing", data={"required_detectors": []}),
        *(case(name, unchanged, "deny", "data.malformed", data=data) for name, data in broken.items()),
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
    return case(
        name, both(in_markets(*markets), with_score(millionths)), outcome, *codes, data={**DATA, "markets": world}
    )


def _approved(admission: str, review: str) -> Change:
    """Held or denied at admission, and so decided by people."""
    return both(
        put("/admission/outcome", admission), put("/admission/review", {"decision_id": "r1", "outcome": review})
    )


def in_markets(*names: str) -> Change:
    """For these markets."""
    return put("/request/markets", list(names))


def also_found(finding: Mapping[str, Any]) -> Change:
    """With one more finding."""
    return lambda facts: facts["findings"].append(dict(finding))


def with_score(millionths: int) -> Change:
    """With this score of the first finding."""
    return put("/findings/0/score_millionths", millionths)
