"""The tables of rights that records are joined with: small ones, made of what is distinct among the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.datasets.rights import NO_HOST, DoNotTrain, domain_of
from governance_adapters.datasets.engine.codes import Flag
from governance_adapters.datasets.engine.sql import files_of, sql
from governance_adapters.datasets.rights.licences import spdx_of
from governance_adapters.datasets.rights.signals import Signals

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RightsTables:
    """What records are joined with, each by its first column, whose values are distinct.

    `hosts`: host, host_code, domain, host_flags. `licences`: licence_stated, licence_code, licence, licence_flags. `ids`: id,
    id_flags. `contents`: content, content_flags, near_duplicate. Flags are those of `Flag`.
    """

    hosts: pa.Table
    licences: pa.Table
    ids: pa.Table
    contents: pa.Table


def rights_tables(
    parts: Sequence[Path], folder: Path, listed: DoNotTrain, signals: Signals | None, near: pa.Table
) -> RightsTables:
    """The tables for the records of `parts`. `near` has the columns content and near_duplicate.

    Raises:
        DatasetError: the parts cannot be read.
    """
    with sql(folder) as connection:
        hosts = _distinct(connection, parts, "host")
        licences = _distinct(connection, parts, "licence_stated")
        duplicates = _duplicate_ids(connection, parts)
    return RightsTables(
        hosts=_host_table(hosts, listed, signals),
        licences=_licence_table(licences),
        ids=_id_table(duplicates, listed),
        contents=_content_table(near, listed),
    )


def _distinct(connection: Any, parts: Sequence[Path], column: str) -> list[str]:
    query = f"SELECT DISTINCT {column} FROM read_parquet({files_of(parts)}) ORDER BY 1"  # noqa: S608 - our own names
    return [row[0] for row in connection.execute(query).fetchall()]


def _duplicate_ids(connection: Any, parts: Sequence[Path]) -> list[str]:
    """The ids that more than one record has: first by their 64-bit hashes, of which all fit into memory, then exactly."""
    import numpy as np
    import pyarrow as pa

    files = files_of(parts)
    columns = connection.execute(f"SELECT id_hash FROM read_parquet({files})").fetchnumpy()  # noqa: S608
    hashes = np.sort(np.asarray(columns["id_hash"], np.uint64))
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    del hashes, columns
    if not len(twice):
        return []
    connection.register("twice", pa.table({"id_hash": pa.array(twice)}))
    query = (
        f"SELECT id FROM read_parquet({files}) SEMI JOIN twice USING (id_hash) "  # noqa: S608
        "GROUP BY id HAVING count(*) > 1 ORDER BY id"
    )
    return [row[0] for row in connection.execute(query).fetchall()]


def _host_table(hosts: Sequence[str], listed: DoNotTrain, signals: Signals | None) -> pa.Table:
    import pyarrow as pa

    domains = ["" if host == NO_HOST else domain_of(host) for host in hosts]
    flags = [_of_host(host, domain, listed, signals) for host, domain in zip(hosts, domains, strict=True)]
    return pa.table(
        {
            "host": pa.array(hosts, pa.string()),
            "host_code": pa.array(range(len(hosts)), pa.int32()),
            "domain": pa.array(domains, pa.string()),
            "host_flags": pa.array(flags, pa.int32()),
        }
    )


def _of_host(host: str, domain: str, listed: DoNotTrain, signals: Signals | None) -> int:
    if not domain:
        return int(Flag.BAD_URL) if host else 0
    flags = Flag.LIST_DOMAIN if listed.names_domain(domain) else Flag(0)
    return int(flags | Flag.WATCHED if signals is not None and domain in signals.domains else flags)


def _licence_table(stated: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    licences = [spdx_of(text) for text in stated]
    unknown = [
        int(Flag.UNKNOWN_LICENCE) if text.strip() and not licence else 0
        for text, licence in zip(stated, licences, strict=True)
    ]
    return pa.table(
        {
            "licence_stated": pa.array(stated, pa.string()),
            "licence_code": pa.array(range(len(stated)), pa.int32()),
            "licence": pa.array(licences, pa.string()),
            "licence_flags": pa.array(unknown, pa.int32()),
        }
    )


def _id_table(duplicates: Sequence[str], listed: DoNotTrain) -> pa.Table:
    import pyarrow as pa

    flags = dict.fromkeys(listed.ids, int(Flag.LIST_ID))
    flags |= {each: flags.get(each, 0) | int(Flag.DUPLICATE_ID) for each in duplicates}
    return pa.table({"id": pa.array(flags.keys(), pa.string()), "id_flags": pa.array(flags.values(), pa.int32())})


def _content_table(near: pa.Table, listed: DoNotTrain) -> pa.Table:
    import pyarrow as pa

    looks = dict(zip(near["content"].to_pylist(), near["near_duplicate"].to_pylist(), strict=True))
    contents = sorted(listed.hashes | looks.keys())
    flags = [
        int(Flag.LIST_HASH if each in listed.hashes else 0) | int(Flag.NEAR_DUPLICATE if each in looks else 0)
        for each in contents
    ]
    return pa.table(
        {
            "content": pa.array(contents, pa.string()),
            "content_flags": pa.array(flags, pa.int32()),
            "near_duplicate": pa.array([looks.get(each, "") for each in contents], pa.string()),
        }
    )
