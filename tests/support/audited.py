"""Audits made by hand: records in, a folder with leaves, prints and records out, and the entry that signs its root."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from governance.canonical import Digest, canonical_bytes, digest
from governance.datasets.audit_entries import Audited, audited_record
from governance.datasets.leaves import SaltKey, committed_record
from governance.datasets.records import Basis, DatasetRecord
from governance.datasets.standing import dataset_standing
from governance.ports import Ledger
from governance.types import Outcome, Principal
from governance_adapters.datasets.store.leaves import LeavesWriter, TreeHead
from governance_adapters.datasets.store.opened import SALTS_FILE, SOURCE_FILE, OpenDataset
from governance_adapters.datasets.store.prints import PrintsWriter
from governance_adapters.datasets.store.records import RECORDS_FILE, ROW_GROUP_ROWS

AUDITOR = Principal("auditor@example.org", ("counsel",))
SECRET = bytes(range(32))


def record(number: int, content: Digest | str | None = None, **said: object) -> DatasetRecord:
    """The record `number`, allowed unless it says otherwise, of a content of its own unless one is given."""
    content = digest(b"content %d" % number) if content is None else content
    known = {"basis": Basis.COMPUTED, "outcome": Outcome.ALLOW, "caption": f"caption {number}", "licence": "CC0-1.0"}
    return DatasetRecord(**{"id": f"r{number:06}", "content": content, **known, **said})


def ordered(records: Iterable[DatasetRecord]) -> list[DatasetRecord]:
    """Records as an audit leaves them."""
    return sorted(records, key=lambda each: (each.content, each.id, each.caption))


def write_audit(
    folder: Path,
    records: Sequence[DatasetRecord],
    *,
    name: str = "cats",
    root: Path | None = None,
    prints: Mapping[str, tuple[bytes | None, np.ndarray | None]] | None = None,
) -> TreeHead:
    """Write everything that an audit of `records` leaves in its folder; `prints` by content."""
    folder.mkdir(parents=True)
    salts = SaltKey(SECRET, name)
    (folder / SALTS_FILE).write_bytes(SECRET)
    (folder / SOURCE_FILE).write_text(json.dumps({"root": str(root or folder)}))
    write_records(folder / RECORDS_FILE, ordered(records))
    with LeavesWriter(folder) as leaves, PrintsWriter(folder) as writer:
        contents = groupby((each for each in ordered(records) if each.content), key=lambda each: each.content)
        for index, (content, group) in enumerate(contents):
            leaves.add(content, [committed_record(each, salts) for each in group])
            if prints is not None and content in prints:
                writer.add(index, *prints[content])
        if prints is not None:
            writer.finish()
        return leaves.finish()


def write_records(path: Path, records: Sequence[DatasetRecord], rows: int = ROW_GROUP_ROWS) -> None:
    """Write records as they are, in this order."""
    kinds = {name: pa.list_(pa.string()) for name in ("opt_outs", "personal", "problems", "reasons")}
    kinds |= {name: pa.int64() for name in ("width", "height", "size", "nsfw", "similar")}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in DatasetRecord.__dataclass_fields__])
    parquet.write_table(pa.Table.from_pylist([each.as_json() for each in records], schema), path, row_group_size=rows)


def sign(
    ledger: Ledger, head: TreeHead, records: Sequence[DatasetRecord], *, name: str = "cats", audit: str = "one"
) -> None:
    """Append the entry that signs an audit."""
    outcomes = {outcome: sum(each.outcome is outcome for each in records) for outcome in Outcome}
    report = canonical_bytes({"version": 1, "name": name, "records": len(records)})
    revision = digest(b"bundle")
    audited = Audited(
        name, Digest(head.root.hex()), head.size, len(records), outcomes, report, b"[]", revision, audit=audit
    )
    ledger.append(audited_record(audited, AUDITOR))


def audited_dataset(folder: Path, ledger: Ledger, records: Sequence[DatasetRecord], **options: object) -> OpenDataset:
    """An audit of `records` in `folder`/one, signed in `ledger`, and opened."""
    head = write_audit(folder / "one", records, **options)
    (folder / "one" / "report.json").write_bytes(
        canonical_bytes({"version": 1, "name": "cats", "records": len(records)})
    )
    sign(ledger, head, records)
    return OpenDataset(folder / "one", dataset_standing(ledger, "cats"), ledger)
