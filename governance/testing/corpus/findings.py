"""Cases of the release stage about works that a draft resembles, and about what a finding says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.testing.corpus.cases import WORK, Case, Change, both, put, unchanged
from governance.testing.corpus.release import DATA, also_found, case, in_markets, with_score


def rule_cases() -> list[Case]:
    """For each rule about works and findings a case that differs by what the rule is about."""
    return [*_work_cases(), *_finding_cases()]


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
        case("evidence", put("/findings/0/evidence", WORK["evidence"]), "allow"),
        case("evidence of the largest kind", put("/findings/0/evidence", {f"字{n}": -n for n in range(8)}), "allow"),
        case("evidence of nothing", put("/findings/0/evidence", {}), "allow"),
        *(
            case(f"evidence with {name}", put("/findings/0/evidence", value), "deny", "input.malformed")
            for name, value in spoilt.items()
        ),
        case("an action without a work", both(put("/findings/0/action", "allow"), with_score(800_000)), "deny", "finding.denied"),
        case(
            "a score that never counts", both(in_markets("plain"), also_found({**quality, "score_millionths": 1_000_000})),
            "allow", data=DATA,
        ),
    ]  # fmt: skip


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
    return case(name, both(in_markets("plain"), also_found(finding), change), outcome, *codes, data=DATA)
