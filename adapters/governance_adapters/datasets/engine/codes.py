"""The facts of a record as whole numbers, so that a join and a count over millions of records move no texts.

`said` is one 64-bit number of what a record and its content say; `flags` are what the joins with the rights tables add. Both
live in an unfinished audit's folder only, and in one version of this program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final

from governance.datasets.policy_input import Collected, RecordFacts
from governance.datasets.records import NOT_LOOKED, Basis, Consent, OptOut, Problem, SourceKind, Synthetic
from governance.registers.standing import ContractState

ACTIONS: Final = ("", "deny", "review", "allow")
"""What the register of works says of a work."""

PERSONAL_SEPARATOR: Final = ","


class Flag(IntFlag):
    """What the rights tables say of one record."""

    LIST_ID = 1
    DUPLICATE_ID = 2
    LIST_DOMAIN = 4
    BAD_URL = 8
    WATCHED = 16
    """The domain has a snapshot: its signals must be looked at for this very URL."""
    LIST_HASH = 32
    NEAR_DUPLICATE = 64
    TDMREP = 128
    ROBOTS = 256
    X_ROBOTS_TAG = 512
    UNKNOWN_LICENCE = 1024


_OPT_OUTS: Final = {
    Flag.LIST_ID: OptOut.LIST_ID,
    Flag.LIST_DOMAIN: OptOut.LIST_DOMAIN,
    Flag.LIST_HASH: OptOut.LIST_HASH,
    Flag.TDMREP: OptOut.TDMREP,
    Flag.ROBOTS: OptOut.ROBOTS,
    Flag.X_ROBOTS_TAG: OptOut.X_ROBOTS_TAG,
}
_PROBLEMS: Final = {
    Flag.DUPLICATE_ID: Problem.DUPLICATE_ID,
    Flag.BAD_URL: Problem.BAD_URL,
    Flag.UNKNOWN_LICENCE: Problem.UNKNOWN_LICENCE,
}
SIGNAL_FLAGS: Final[Mapping[OptOut, Flag]] = {
    OptOut.TDMREP: Flag.TDMREP,
    OptOut.ROBOTS: Flag.ROBOTS,
    OptOut.X_ROBOTS_TAG: Flag.X_ROBOTS_TAG,
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fact stands in `said`: its lowest bit, and how many there are."""

    shift: int
    bits: int


def _places(**bits: int) -> dict[str, _Place]:
    places, shift = {}, 0
    for name, width in bits.items():
        places[name] = _Place(shift, width)
        shift += width
    return places


_PLACES: Final = _places(
    source_kind=4,
    consent=3,
    contract=3,
    collected=2,
    synthetic=3,
    basis=2,
    work_action=2,
    opt_outs=len(OptOut),
    problems=len(Problem),
    nsfw=7,
    similar=7,
)
_ORDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "source_kind": tuple(SourceKind),
    "consent": tuple(Consent),
    "contract": tuple(ContractState),
    "collected": tuple(Collected),
    "synthetic": tuple(Synthetic),
    "basis": tuple(Basis),
    "work_action": ACTIONS,
}
_SETS: Final[Mapping[str, tuple[str, ...]]] = {"opt_outs": tuple(OptOut), "problems": tuple(Problem)}


def code_of(fact: str, value: str) -> int:
    """The bits of one value of a fact, in their place.

    Raises:
        ValueError: the fact has no such value.
    """
    if value not in _ORDERS[fact]:
        raise ValueError(f"{value!r} is no {fact}")
    return _ORDERS[fact].index(value) << _PLACES[fact].shift


def set_code(fact: str, values: Iterable[str]) -> int:
    """The bits of several values of `opt_outs` or `problems`, in their place.

    Raises:
        ValueError: there is no such value.
    """
    order, place = _SETS[fact], _PLACES[fact]
    return sum({1 << order.index(value) for value in values}) << place.shift


def score_shift(fact: str) -> int:
    """How far a score, in hundredths and one more, is shifted."""
    return _PLACES[fact].shift


def facts_of(said: int, personal: str, licence: str, flags: int) -> RecordFacts:
    """The facts that the numbers stand for. `personal` are kinds, sorted, with commas between."""
    flag = Flag(flags)
    opt_outs = {OptOut(value) for value in _values(said, "opt_outs")} | {
        _OPT_OUTS[each] for each in _OPT_OUTS if each in flag
    }
    problems = {Problem(value) for value in _values(said, "problems")} | {
        _PROBLEMS[each] for each in _PROBLEMS if each in flag
    }
    return RecordFacts(
        licence=licence,
        source_kind=SourceKind(_value(said, "source_kind")),
        consent=Consent(_value(said, "consent")),
        contract=ContractState(_value(said, "contract")),
        collected=Collected(_value(said, "collected")),
        synthetic=Synthetic(_value(said, "synthetic")),
        opt_outs=tuple(sorted(opt_outs)),
        nsfw=_number(said, "nsfw") + NOT_LOOKED,
        similar=_number(said, "similar") + NOT_LOOKED,
        work_action=_value(said, "work_action"),
        personal=tuple(personal.split(PERSONAL_SEPARATOR)) if personal else (),
        near_duplicate=Flag.NEAR_DUPLICATE in flag,
        problems=tuple(sorted(problems)),
        basis=Basis(_value(said, "basis")),
    )


def _number(said: int, fact: str) -> int:
    place = _PLACES[fact]
    return said >> place.shift & (1 << place.bits) - 1


def _value(said: int, fact: str) -> str:
    return _ORDERS[fact][_number(said, fact)]


def _values(said: int, fact: str) -> list[str]:
    bits, order = _number(said, fact), _SETS[fact]
    return [value for at, value in enumerate(order) if bits >> at & 1]


def columns_code(columns: Mapping[str, Any], sets: Mapping[str, Any], scores: Mapping[str, Any]) -> Any:
    """`said` of many records: int64, from Arrow columns by the names of the facts.

    Raises:
        ValueError: a value is none of its fact's.
    """
    import numpy as np

    total: Any = None
    for fact, column in columns.items():
        part = _mapped(column, lambda value, fact=fact: code_of(fact, value))
        total = part if total is None else total | part
    for fact, lists in sets.items():
        total = total | _listed(lists, fact)
    for fact, column in scores.items():
        values = column.to_numpy(zero_copy_only=False).astype(np.int64) - NOT_LOOKED
        total = total | values << score_shift(fact)
    return total


def _mapped(column: Any, code: Any) -> Any:
    """The code of each value of a text column: each distinct value is looked up once."""
    import numpy as np

    encoded = (
        column.combine_chunks().dictionary_encode() if hasattr(column, "combine_chunks") else column.dictionary_encode()
    )
    codes = np.array([code(value) for value in encoded.dictionary.to_pylist()] or [0], np.int64)
    return codes[encoded.indices.to_numpy(zero_copy_only=False)]


def _listed(lists: Any, fact: str) -> Any:
    """The bits of a column of lists: most are empty."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    codes = np.zeros(len(lengths), np.int64)
    for row in np.flatnonzero(lengths):
        codes[row] = set_code(fact, lists[int(row)].as_py())
    return codes
