"""Joins records with the tables of rights, in Daft, and counts the distinct combinations of facts.

What is kept of each record is its ordinal and five numbers; everything else is in the part's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance_adapters.datasets.engine.codes import SIGNAL_FLAGS, Flag
from governance_adapters.datasets.engine.tables import RightsTables
from governance_adapters.datasets.rights.signals import Signals

if TYPE_CHECKING:
    import pyarrow as pa

KEY: Final = ("said", "personal", "licence_code", "flags")
"""What two records have alike if their facts are alike."""

JOINED: Final = ("ordinal", "host_code", *KEY)
RECORDS: Final = "records"
READ: Final = ("ordinal", "id", "host", "licence_stated", "said", "personal")


def join_rights(daft: Any, parts: Sequence[Path], tables: RightsTables, signals: Signals | None) -> pa.Table:
    """The columns `JOINED` of the records of `parts`, joined with `tables`: about 36 bytes a record."""
    columns = [*READ, *(["content"] if len(tables.contents) else []), *(["source"] if signals else [])]
    records = daft.read_parquet([str(path) for path in parts]).select(*columns)
    joined = joined_with(daft, records, tables)
    if signals is not None:
        joined = joined.with_column("flags", _looked_up(daft, signals)(daft.col("flags"), daft.col("source")))
    table: pa.Table = joined.select(*JOINED).to_arrow()
    return table


def joined_with(daft: Any, records: Any, tables: RightsTables) -> Any:
    """Records with the columns host_code, licence_code and flags of the tables beside them."""
    col, none = daft.col, daft.lit(0).cast(daft.DataType.int32())
    hosts = daft.from_arrow(tables.hosts.select(["host", "host_code", "host_flags"]))
    licences = daft.from_arrow(tables.licences.select(["licence_stated", "licence_code", "licence_flags"]))
    joined = records.join(hosts, on="host", how="left").join(licences, on="licence_stated", how="left")
    flags = col("host_flags") + col("licence_flags")
    if len(tables.ids):
        joined = joined.join(daft.from_arrow(tables.ids), on="id", how="left")
        flags = flags + daft.coalesce(col("id_flags"), none)
    if len(tables.contents):
        contents = daft.from_arrow(tables.contents.select(["content", "content_flags"]))
        joined = joined.join(contents, on="content", how="left")
        flags = flags + daft.coalesce(col("content_flags"), none)
    return joined.with_column("flags", flags.cast(daft.DataType.int32()))


def combinations(joined: pa.Table) -> pa.Table:
    """The distinct values of `KEY` among joined records, and how many `records` have each."""
    return joined.group_by(list(KEY)).aggregate([([], "count_all")]).rename_columns([*KEY, RECORDS])


def summed(parts: Sequence[pa.Table]) -> pa.Table:
    """What `combinations` found in several tables, as if they were one."""
    import pyarrow as pa

    counted = pa.concat_tables(parts).group_by(list(KEY)).aggregate([(RECORDS, "sum")])
    return counted.rename_columns([*KEY, RECORDS])


def _looked_up(daft: Any, signals: Signals) -> Callable[..., Any]:
    """A Daft function: `flags` where every domain with a snapshot was asked about this very URL."""

    def look_up(flags: Any, sources: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        values = np.array(flags.to_arrow().to_numpy(zero_copy_only=False))
        watched = np.flatnonzero(values & int(Flag.WATCHED))
        urls = sources.to_arrow().take(pa.array(watched)).to_pylist()
        found = {url: sum(int(SIGNAL_FLAGS[each]) for each in signals.opt_outs(url)) for url in set(urls)}
        values &= ~int(Flag.WATCHED)
        values[watched] |= np.array([found[url] for url in urls], values.dtype)
        return pa.array(values)

    made: Callable[..., Any] = daft.func.batch(return_dtype=daft.DataType.int32())(look_up)
    return made
