"""What `governance policy diff` and `governance policy replay` have in common: how two answers differ, and since when."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

from governance.errors import ConfigurationError
from governance_adapters.policy.questions import Answer, Contrast


def details(old: Answer, new: Answer, names: tuple[str, str]) -> Iterator[str]:
    """What differs apart from the outcome: codes that came and went, obligations, why there is no decision.

    `names` are what the two are called.
    """
    contrast = Contrast.between(old, new)
    gone, added = Counter(contrast.codes_gone), Counter(contrast.codes_added)
    yield from chain((f"- {code}" for code in gone.elements()), (f"+ {code}" for code in added.elements()))
    for name in sorted({*contrast.obligations_added, *contrast.obligations_gone, *contrast.obligations_changed}):
        first, second = (
            json.dumps(answer.obligations[name], sort_keys=True) if name in answer.obligations else "nothing"
            for answer in (old, new)
        )
        yield f"obliges {name}: {first} -> {second}"
    for which, answer in zip(names, (old, new), strict=True):
        if answer.problem:
            yield f"{which}: {answer.problem}"


def entry_time(text: str | None) -> str:
    """An RFC 3339 time as entries have it: in UTC, to the millisecond; UTC also where no offset is given.

    Raises:
        ConfigurationError: it is no time.
    """
    if text is None:
        return ""
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no time.", remedy="Write 2026-11-01T00:00:00Z.") from error
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
