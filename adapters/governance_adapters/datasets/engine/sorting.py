"""The one sort of an audit: every record with what was found and decided, by content and id, into one Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance_adapters.datasets.engine.sql import files_of, quoted, sql
from governance_adapters.datasets.engine.tables import RightsTables

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS: Final = "records.parquet"
ROW_GROUP_ROWS: Final = 2048
"""Small, so that whoever asks for one content reads little."""

_COLUMNS: Final = """
    p.id AS id, p.content AS content, d.basis AS basis, p.location AS location, p.media_type AS media_type,
    p.width::BIGINT AS width, p.height::BIGINT AS height, p.size::BIGINT AS size, p.caption AS caption,
    d.licence AS licence, p.licence_stated AS licence_stated, p.source AS source, h.domain AS domain,
    d.source_kind AS source_kind, p.owner AS owner, p.contract AS contract, d.consent AS consent,
    p.collected AS collected, d.synthetic AS synthetic, d.opt_outs AS opt_outs, d.nsfw AS nsfw, d.personal AS personal,
    d.similar AS similar, p.work AS work, d.work_action AS work_action,
    coalesce(c.near_duplicate, '') AS near_duplicate, d.problems AS problems, d.outcome AS outcome, d.reasons AS reasons,
    p.pdq AS pdq, p.pdq_quality::BIGINT AS pdq_quality
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """The files of an audit before its sort: of the parts, and of what was joined to them."""

    parts: Sequence[Path]
    rights: Sequence[Path]


def sort_records(joined: Joined, tables: RightsTables, decisions: pa.Table, folder: Path) -> Path:
    """Write `records.parquet` into `folder`: the fields of `DatasetRecord`, then pdq and pdq_quality; sorted by content, id.

    `decisions` has the columns of `joining.KEY`, and the values that follow from them.

    Raises:
        DatasetError: the files cannot be read or written.
    """
    pending = folder / f"{RECORDS}.tmp"
    with sql(folder) as connection:
        connection.register("decisions", decisions)
        connection.register("hosts", tables.hosts)
        connection.register("contents", tables.contents)
        connection.execute(_query(joined, pending))
    done = folder / RECORDS
    pending.replace(done)
    return done


def decisions_table(keys: pa.Table, facts: Sequence[dict[str, Any]]) -> pa.Table:
    """`keys` (the columns of `joining.KEY`) with the values of `facts`, one for each of its rows."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    kinds = {
        "basis": pa.string(),
        "licence": pa.string(),
        "source_kind": pa.string(),
        "consent": pa.string(),
        "synthetic": pa.string(),
        "opt_outs": texts,
        "nsfw": pa.int64(),
        "personal": texts,
        "similar": pa.int64(),
        "work_action": pa.string(),
        "problems": texts,
        "outcome": pa.string(),
        "reasons": texts,
    }
    keys = keys.rename_columns([f"key_{name}" for name in keys.column_names])
    for name, kind in kinds.items():
        keys = keys.append_column(name, pa.array([each[name] for each in facts], kind))
    return keys


def _query(joined: Joined, target: Path) -> str:
    matching = " AND ".join(f"j.{name} = d.key_{name}" for name in ("said", "personal", "licence_code", "flags"))
    return (
        f"COPY (SELECT {_COLUMNS} FROM read_parquet({files_of(joined.parts)}) p "  # noqa: S608 - our own names
        f"JOIN read_parquet({files_of(joined.rights)}) j ON p.ordinal = j.ordinal "
        f"JOIN decisions d ON {matching} JOIN hosts h ON j.host_code = h.host_code "
        "LEFT JOIN contents c ON p.content = c.content "
        f"ORDER BY p.content, p.id, p.ordinal) TO {quoted(str(target))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    )
