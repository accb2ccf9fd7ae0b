"""What a dataset states of its records, brought into the raw columns. What does not fit is a finding of its record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from governance.datasets.records import Problem
from governance_adapters.datasets.sources.locations import without_surrogates
from governance_adapters.datasets.sources.names import VALUES
from governance_adapters.datasets.sources.source import FIELDS, raw_schema

if TYPE_CHECKING:
    import pyarrow as pa

MAX_TEXT: Final = 65_536
"""The most bytes of a stated text; the rest is cut off, and the record says so (`bad_value`)."""

_COUNTED: Final = frozenset({"id", "owner", "contract"})
"""Fields in which a whole number is a name as good as any."""

_TRUTHS: Final = {"synthetic": ("yes", "no"), "consent": ("given", "refused")}
_UNKNOWN: Final = "unknown"
_DIGEST: Final = "^[0-9a-f]{64}$"
_HEX: Final = np.isin(np.arange(256), list(b"0123456789abcdef"))


@dataclass(frozen=True, slots=True)
class Stated:
    """What the rows of one part state: Arrow columns by the name of the field, as many values each as there are rows.

    `ids` makes the ids of rows that state none; where rows are `named` by their files, that is nothing against them.
    `problems` are those that were found before, a mask each.
    """

    rows: int
    ids: Callable[[], Any]
    columns: Mapping[str, Any]
    problems: dict[Problem, Any] = field(default_factory=dict)
    named: bool = False


def raw_table(stated: Stated, defaults: Mapping[str, str]) -> pa.Table:
    """The raw columns of the rows; `defaults` stand where a row states nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts: dict[str, Any] = {}
    bad = pa.repeat(pa.scalar(value=False), stated.rows)
    for name, column in FIELDS.items():
        given = stated.columns.get(name)
        if given is None:
            values, wrong = pa.nulls(stated.rows, pa.string()), None
        else:
            values, wrong = _texts(name, given)
        if name == "id" and given is not None and values.null_count and not stated.named:
            unnamed = pc.is_null(values)
            wrong = unnamed if wrong is None else pc.or_(wrong, unnamed)
        if values.null_count:
            missing = stated.ids() if name == "id" else _default(name, defaults)
            values = pc.coalesce(values, missing)
        texts[column] = values
        bad = bad if wrong is None else pc.or_(bad, wrong)
    found = dict(stated.problems)
    found[Problem.BAD_VALUE] = pc.or_(bad, found[Problem.BAD_VALUE]) if Problem.BAD_VALUE in found else bad
    texts["problems"] = problem_lists(stated.rows, found)
    return pa.table(texts, raw_schema())


def problem_lists(rows: int, masks: Mapping[Problem, Any]) -> Any:
    """A sorted list of problems for each row, from a mask for each problem."""
    import pyarrow as pa

    named = sorted(masks, key=lambda problem: problem.value)
    seen = [np.asarray(masks[each].to_numpy(zero_copy_only=False), dtype=bool) for each in named]
    counts = np.sum(seen, axis=0, dtype=np.int32) if seen else np.zeros(rows, np.int32)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    values = np.full(int(offsets[-1]), "", dtype=object)  # few: most records have none
    place = offsets[:-1].copy()
    for problem, mask in zip(named, seen, strict=True):
        values[place[mask]] = problem.value
        place += mask
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string()))


def column_of(values: Sequence[Any], name: str) -> tuple[Any, Any]:
    """Values of any kinds, as JSON has them, as a column of texts of the field `name`, and a mask of those that are none."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string()), None  # as almost always
    except (pa.ArrowException, UnicodeError):
        read = [_plain(each, name) for each in values]
    return pa.array([text for text, _ in read], pa.string()), pa.array([wrong for _, wrong in read], pa.bool_())


def numbered_ids(prefix: str, first: int, rows: int) -> Any:
    """Ids of rows without one: the name of their file and their number in it, from 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(pa.array(np.arange(first, first + rows)), pa.string())
    return pc.binary_join_element_wise(pa.scalar(f"{prefix}:"), numbers, "")


def _plain(value: Any, name: str) -> tuple[str | None, bool]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, False
    if isinstance(value, str):
        text = without_surrogates(value)
        return text, text != value
    if isinstance(value, bool) and name in _TRUTHS:
        return _TRUTHS[name][not value], False
    if isinstance(value, int) and not isinstance(value, bool) and name in _COUNTED:
        return str(value), False
    return None, True


def _texts(name: str, column: Any) -> tuple[Any, Any]:
    """A column as texts of the field `name`, null where nothing is stated, and a mask of the values that do not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, tuple):  # of `column_of`
        return _fitting(name, *column)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _fitting(name, *_valid(column))
    read = _read(name, column)
    return (pa.nulls(len(column), pa.string()), pc.is_valid(column)) if read is None else (read, None)


def _read(name: str, column: Any) -> Any:
    """A column of truths, whole numbers or times as texts, where the field `name` can have them; else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_boolean(kind) and name in _TRUTHS:
        return pc.if_else(column, *_TRUTHS[name])
    if pa.types.is_integer(kind) and name in _COUNTED:
        return pc.cast(column, pa.string())
    if (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and name == "collected":
        return _times(column)
    return None


def _valid(column: Any) -> tuple[Any, Any]:
    """Texts that are UTF-8, whatever the file said they were, and a mask of those that were not."""
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        held = column.cast(pa.large_binary()).to_pylist()
        texts = [None if each is None else each.decode("utf-8", "replace") for each in held]
        wrong = [each is not None and (text or "").encode() != each for each, text in zip(held, texts, strict=True)]
        return pa.array(texts, pa.string()), pa.array(wrong, pa.bool_())
    return (column if pa.types.is_string(column.type) else column.cast(pa.string())), None


def _fitting(name: str, values: Any, wrong: Any = None) -> tuple[Any, Any]:
    """Texts without space around them, null where nothing is left or the field has no such value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest > MAX_TEXT:
        long = pc.fill_null(pc.greater(pc.binary_length(values), MAX_TEXT), fill_value=False)
        values = pa.array([_cut(each) for each in values.to_pylist()], pa.string())
        wrong = long if wrong is None else pc.or_(wrong, long)
    values = pc.utf8_trim_whitespace(values)
    if pc.any(empty := pc.equal(values, "")).as_py():
        values = pc.if_else(empty, None, values)
    unfit = None
    if name in VALUES:
        values = pc.utf8_lower(values)
        unfit = pc.invert(pc.is_in(values, pa.array([*VALUES[name]])))
    elif name == "content" and not _all_digests(values):
        values = pc.replace_substring_regex(pc.utf8_lower(values), "^sha256:", "")
        unfit = pc.invert(pc.match_substring_regex(values, _DIGEST))
    if unfit is not None:
        unfit = pc.and_(pc.is_valid(values), pc.fill_null(unfit, fill_value=True))
        values = pc.if_else(unfit, None, values)
        wrong = unfit if wrong is None else pc.or_(wrong, unfit)
    return values, wrong


def _all_digests(values: Any) -> bool:
    """Whether every text is a digest already: seen in the bytes at once, where a pattern would take most of the time."""
    import pyarrow.compute as pc

    sizes = pc.min_max(pc.binary_length(values)).as_py()
    if values.null_count or sizes != {"min": 64, "max": 64}:
        return False
    held = np.frombuffer(values.buffers()[2], np.uint8)[64 * values.offset :][: 64 * len(values)]
    return bool(_HEX[held].all())


def _cut(text: str | None) -> str | None:
    return None if text is None else text.encode()[:MAX_TEXT].decode("utf-8", "ignore")


def _times(column: Any) -> Any:
    """Times as RFC 3339 in UTC, to the second; those without a zone are taken for UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seconds = pc.cast(column, pa.timestamp("s", getattr(column.type, "tz", None)), safe=False)
    return pc.strftime(pc.cast(seconds, pa.timestamp("s"), safe=False), format="%Y-%m-%dT%H:%M:%SZ")


def _default(name: str, defaults: Mapping[str, str]) -> str:
    return defaults.get(name, _UNKNOWN if name in VALUES else "")
