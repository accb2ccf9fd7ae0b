"""Counts what a report says, in DuckDB, over the sorted records of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from governance.canonical import Json
from governance.datasets.records import NOT_LOOKED
from governance.datasets.report import MOST_DOMAINS
from governance_adapters.datasets.engine.sql import files_of, sql

_VALUES: Final = {
    "source_kinds": "source_kind",
    "consents": "consent",
    "synthetic": "synthetic",
    "media_types": "media_type",
    "bases": "basis",
}
_LISTS: Final = ("opt_outs", "problems", "personal")


def counts(records: Path, contracts: Mapping[str, str]) -> dict[str, Json]:
    """The members of a report that are counted; `contracts` are the states of contracts by their keys.

    Raises:
        DatasetError: the records cannot be read.
    """
    with sql(records.parent) as connection:
        connection.execute(f"CREATE VIEW r AS SELECT * FROM read_parquet({files_of([records])})")  # noqa: S608
        return {
            **{name: _values(connection, column) for name, column in _VALUES.items()},
            **{name: _listed(connection, name) for name in _LISTS},
            "licences": _allowed(connection, "licence", where="TRUE"),
            "contracts": _contracts(connection, contracts),
            **_domains(connection),
            **_sums(connection),
            "collected": _collected(connection),
            "nsfw": _tenths(connection, "nsfw"),
            "similar": _tenths(connection, "similar"),
            "works": _values(connection, "work", where="work <> ''"),
        }


def _values(connection: Any, column: str, where: str = "TRUE") -> dict[str, Json]:
    return _pairs(connection, f"SELECT {column}, count(*) FROM r WHERE {where} GROUP BY 1 ORDER BY 1")  # noqa: S608


def _listed(connection: Any, column: str) -> dict[str, Json]:
    query = f"SELECT value, count(*) FROM (SELECT unnest({column}) AS value FROM r) GROUP BY 1 ORDER BY 1"  # noqa: S608
    return _pairs(connection, query)


def _pairs(connection: Any, query: str) -> dict[str, Json]:
    return {str(value): int(count) for value, count in connection.execute(query).fetchall()}


def _allowed(connection: Any, column: str, where: str) -> dict[str, dict[str, Json]]:
    query = (
        f"SELECT {column}, count(*), count(*) FILTER (outcome = 'allow') FROM r "  # noqa: S608 - our own names
        f"WHERE {where} GROUP BY 1 ORDER BY 1"
    )
    rows = connection.execute(query).fetchall()
    return {str(value): {"records": int(count), "allowed": int(allowed)} for value, count, allowed in rows}


def _contracts(connection: Any, states: Mapping[str, str]) -> dict[str, Json]:
    found = _allowed(connection, "contract", where="contract <> ''")
    return {key: {**said, "state": states.get(key, "unknown")} for key, said in found.items()}


def _domains(connection: Any) -> dict[str, Json]:
    grouped = "SELECT domain, count(*) AS n FROM r WHERE domain <> '' GROUP BY 1"
    most = _pairs(connection, f"{grouped} ORDER BY n DESC, domain LIMIT {MOST_DOMAINS}")
    (number,) = connection.execute("SELECT count(DISTINCT domain) FROM r WHERE domain <> ''").fetchone()
    return {"domains": dict(sorted(most.items())), "domain_count": int(number)}


def _sums(connection: Any) -> dict[str, Json]:
    by_content = (
        "SELECT content, max(size) AS size, count(*) AS records, bool_or(near_duplicate <> '') AS near "
        "FROM r WHERE content <> '' GROUP BY content"
    )
    contents, size, records, near = connection.execute(
        f"SELECT count(*), coalesce(sum(size), 0), coalesce(sum(records), 0), count(*) FILTER (near) FROM ({by_content})"  # noqa: S608
    ).fetchone()
    total, owners, twice, *sides = connection.execute(
        "SELECT count(*), count(DISTINCT owner) FILTER (owner <> ''), "
        "count(*) FILTER (list_contains(problems, 'duplicate_id')), "
        "min(width) FILTER (width > 0), max(width) FILTER (width > 0), "
        "min(height) FILTER (height > 0), max(height) FILTER (height > 0) FROM r"
    ).fetchone()
    return {
        "records": int(total),
        "contents": int(contents),
        "without_content": int(total) - int(records),
        "bytes": int(size),
        "duplicates": int(records) - int(contents),
        "near_duplicates": int(near),
        "owners": int(owners),
        "duplicate_ids": int(twice),
        "widths": {"min": sides[0], "max": sides[1]},
        "heights": {"min": sides[2], "max": sides[3]},
    }


def _collected(connection: Any) -> dict[str, Json]:
    first, last, missing, future = connection.execute(
        "SELECT min(collected) FILTER (collected <> ''), max(collected) FILTER (collected <> ''), "
        "count(*) FILTER (collected = ''), count(*) FILTER (list_contains(problems, 'future_time')) FROM r"
    ).fetchone()
    years = _values(connection, "left(collected, 4)", where="collected <> ''")
    return {"first": first or "", "last": last or "", "missing": int(missing), "future": int(future), "years": years}


def _tenths(connection: Any, column: str) -> dict[str, Json]:
    column = f'"{column}"'  # one of them is a word of SQL
    tenth = f"CASE WHEN {column} = {NOT_LOOKED} THEN 'not_looked' ELSE ({column} // 10)::VARCHAR END"
    return _values(connection, tenth)
