"""What it costs to say whether a picture is in an audited dataset, on one core: exactly with its proof, nearly, and by what it shows.

    python benchmarks/dataset_contains.py [--contents 1000000] [--vectors 200000]

An audit is written of records that are made up, whose contents are random digests, and signed in a ledger in memory. Baselines
run in the same run: a `dict` of all digests in memory for the exact answer, which proves nothing and is made anew at each start;
every hash compared in numpy; every embedding compared in numpy. Hashes are random, and the queries are some of them with 0 to 31
bits turned; embeddings are random around 2,000
centres, with a spectrum that falls as that of real ones does. Every proof is verified as a stranger verifies it, outside the time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from governance.canonical import Digest, digest
from governance.datasets.audit_entries import Audited, audited_record
from governance.datasets.leaves import SaltKey
from governance.datasets.membership import verify_proof
from governance.datasets.proof import DatasetProof
from governance.datasets.records import DatasetRecord
from governance.datasets.standing import dataset_standing
from governance.testing.fake_ledger import FakeLedger
from governance.types import Outcome, Principal
from governance_adapters.datasets.store.checking import checks
from governance_adapters.datasets.store.committing import committed_leaves
from governance_adapters.datasets.store.hashes import LIMIT
from governance_adapters.datasets.store.leaves import LeavesWriter
from governance_adapters.datasets.store.opened import SALTS_FILE, OpenDataset
from governance_adapters.datasets.store.prints import PrintsWriter
from governance_adapters.datasets.store.records import RECORDS_FILE, ROW_GROUP_ROWS, RecordsFile

TARGET_MS = 10.0
QUERIES = 200
NEAREST = 10
WIDTH = 256
CENTRES = 2000
RANDOM = np.random.default_rng(2026)
SECRET = bytes(32)


def timed(call: Callable[[Any], Any], over: Sequence[Any]) -> tuple[tuple[float, ...], list[Any]]:
    """Milliseconds of a call over these arguments - p50, p95, and p50 of the processor's own - and its results."""
    walls, cores, results = [], [], []
    for one in over:
        wall, core = time.perf_counter(), time.process_time()
        results.append(call(one))
        walls.append((time.perf_counter() - wall) * 1e3)
        cores.append((time.process_time() - core) * 1e3)
    return (float(np.percentile(walls, 50)), float(np.percentile(walls, 95)), float(np.percentile(cores, 50))), results


def line(what: str, taken: tuple[float, ...], said: str = "") -> None:
    print(f"{what:<52}" + "".join(f"{one:>9.2f}" for one in taken) + f"  {said}")


def tables(contents: np.ndarray) -> Iterator[pa.Table]:
    """Records of these contents, one each, as an audit leaves them."""
    number = 0
    texts = {"licence": "CC0-1.0", "licence_stated": "cc0", "source_kind": "own", "consent": "not_needed"}
    texts |= {"basis": "computed", "synthetic": "no", "outcome": "allow", "media_type": "image/png"}
    numbers = {"width": 512, "height": 512, "size": 200_000, "nsfw": 2, "similar": 11}
    empty = pa.array([[]] * ROW_GROUP_ROWS, pa.list_(pa.string()))
    for start in range(0, len(contents), ROW_GROUP_ROWS):
        rows = contents[start : start + ROW_GROUP_ROWS]
        hexed = [row.tobytes().hex() for row in rows]
        own = {
            "id": [f"r{at:09}" for at in range(number, number + len(rows))],
            "content": hexed,
            "location": [f"images/{each}.png" for each in hexed],
            "caption": [f"picture {at}" for at in range(number, number + len(rows))],
            "source": [f"https://example.org/{each}.png" for each in hexed],
        }
        number += len(rows)
        columns: dict[str, Any] = {}
        for name in DatasetRecord.__dataclass_fields__:
            if name in ("opt_outs", "personal", "problems", "reasons"):
                columns[name] = empty[: len(rows)]
            elif name in numbers:
                columns[name] = pa.array([numbers[name]] * len(rows), pa.int64())
            else:
                columns[name] = pa.array(own.get(name, [texts.get(name, "")] * len(rows)), pa.string())
        yield pa.table(columns)


def audited(folder: Path, count: int, vectors: np.ndarray) -> tuple[OpenDataset, FakeLedger, np.ndarray, np.ndarray]:
    """An audit of `count` contents, signed and opened, its digests and its hashes."""
    contents = (
        np.sort(RANDOM.integers(0, 256, (count, 32), np.uint8).view("S32").ravel()).view(np.uint8).reshape(-1, 32)
    )
    hashes = RANDOM.integers(0, 256, (count, 32), np.uint8)
    (folder / SALTS_FILE).write_bytes(SECRET)
    start = time.perf_counter()
    writer = None
    for table in tables(contents):
        writer = writer or parquet.ParquetWriter(folder / RECORDS_FILE, table.schema)
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
    writer.close()
    wrote = time.perf_counter() - start
    start, core = time.perf_counter(), time.process_time()
    with LeavesWriter(folder) as leaves:
        for committed in committed_leaves(RecordsFile(folder / RECORDS_FILE).tables(), SaltKey(SECRET, "made-up")):
            leaves.add_leaf(committed.leaf)
        head = leaves.finish()
    committed_in, core = time.perf_counter() - start, time.process_time() - core
    start = time.perf_counter()
    with PrintsWriter(folder) as prints:
        for index in range(count):
            prints.add(index, hashes[index].tobytes(), vectors[index] if index < len(vectors) else None)
        prints.finish()
    printed = time.perf_counter() - start
    print(
        f"{count:,} contents: records written in {wrote:.0f} s, leaves and tree in {committed_in:.1f} s "
        f"({count / core:,.0f} a second of the processor's own), prints in {printed:.0f} s; "
        + ", ".join(f"{path.name} {path.stat().st_size / 1e6:.0f} MB" for path in sorted(folder.iterdir()))
    )
    ledger = FakeLedger()
    outcomes = {Outcome.ALLOW: count}
    root = Digest(head.root.hex())
    entry = Audited("made-up", root, count, count, outcomes, b"{}", b"[]", digest(b""), audit=folder.name)
    ledger.append(audited_record(entry, Principal("auditor@example.org")))
    (folder / "report.json").write_bytes(b"{}")
    (folder / "combinations.json").write_bytes(b"[]")
    return OpenDataset(folder, dataset_standing(ledger, "made-up"), ledger), ledger, contents, hashes


def exactly(dataset: OpenDataset, ledger: FakeLedger, contents: np.ndarray) -> None:
    there = [Digest(contents[at].tobytes().hex()) for at in RANDOM.integers(0, len(contents), QUERIES // 2)]
    absent = [digest(b"%d" % number) for number in range(QUERIES // 2)]
    start = time.perf_counter()
    known = {row.tobytes().hex(): at for at, row in enumerate(contents)}
    print(f"\n{'exactly':<52}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}")
    made = f"made in {time.perf_counter() - start:.1f} s, in memory, proves nothing"
    line("  in a dict (baseline)", timed(known.get, [*there, *absent])[0], made)
    line("  contains: among the leaves", timed(dataset.contains, [*there, *absent])[0])
    for what, asked in (("there", there), ("absent", absent)):
        dataset.prove(asked[0])
        taken, proofs = timed(dataset.prove, asked)
        verdict = "ok" if taken[0] <= TARGET_MS else "MISSED"
        line(f"  contains, with the whole proof: {what}", taken, f"<= {TARGET_MS:.0f} ms: {verdict}")
        sizes = [len(proof.to_json()) for proof in proofs]
        checked = timed(
            lambda text: verify_proof(DatasetProof.from_json(text), ledger.key), [p.to_json() for p in proofs]
        )
        line(f"    and a stranger's verification ({int(np.median(sizes)):,} bytes)", checked[0])
        if any(found.present is not (what == "there") for found in checked[1]):
            raise SystemExit("a proof says the opposite")


def nearly(dataset: OpenDataset, hashes: np.ndarray) -> None:
    asked = []
    for distance in range(LIMIT + 1):
        bits = np.unpackbits(hashes[RANDOM.integers(len(hashes))])
        bits[RANDOM.choice(256, distance, replace=False)] ^= 1
        asked.append(np.packbits(bits))
    words = hashes.view(np.uint64)

    def brute(one: np.ndarray) -> set[int]:
        distances = np.bitwise_count(words ^ one.view(np.uint64)).sum(axis=1, dtype=np.uint16)
        return set(np.flatnonzero(distances <= LIMIT).tolist())

    print(f"\n{'nearly: within 31 bits':<52}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}")
    base, exact = timed(brute, asked)
    dataset.near(asked[0].tobytes())
    taken, found = timed(lambda one: {each.index for each in dataset.near(one.tobytes())}, asked)
    line("  every hash in numpy (baseline)", base)
    missed = sum(len(a - b) for a, b in zip(exact, found, strict=True))
    line(
        "  tables, mapped",
        taken,
        f"<= {TARGET_MS:.0f} ms: {'ok' if taken[0] <= TARGET_MS else 'MISSED'}; missed {missed}",
    )


def alike(dataset: OpenDataset, vectors: np.ndarray) -> None:
    if not len(vectors):
        return
    asked = [vectors[at] for at in RANDOM.integers(0, len(vectors), 50)]
    stored = vectors.astype(np.float16).astype(np.float32)
    print(f"\n{f'alike: {len(vectors):,} embeddings of {WIDTH}':<52}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}")
    base, exact = timed(lambda one: set(np.argpartition(-(stored @ one), NEAREST)[:NEAREST].tolist()), asked)
    dataset.alike(asked[0])
    taken, found = timed(lambda one: {each.index for each in dataset.alike(one, NEAREST)}, asked)
    line("  every embedding in numpy (baseline)", base)
    recall = sum(len(a & b) for a, b in zip(exact, found, strict=True)) / sum(map(len, exact))
    line("  coarse pass, then exact", taken, f"<= {TARGET_MS:.0f} ms; recall at {NEAREST}: {recall:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", type=int, default=1_000_000)
    parser.add_argument("--vectors", type=int, default=200_000)
    given = parser.parse_args()
    count = min(given.vectors, given.contents)
    spread = (np.arange(1, WIDTH + 1) ** -0.5).astype(np.float32)  # few directions matter much, as in real embeddings
    centres = RANDOM.normal(size=(CENTRES, WIDTH)).astype(np.float32)
    vectors = centres[RANDOM.integers(0, CENTRES, count)] + 0.6 * RANDOM.normal(size=(count, WIDTH)).astype(np.float32)
    vectors *= spread
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if count else 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "audit"
        folder.mkdir()
        dataset, ledger, contents, hashes = audited(folder, given.contents, vectors)
        exactly(dataset, ledger, contents)
        nearly(dataset, hashes)
        alike(dataset, vectors)
        start = time.perf_counter()
        found = list(checks(dataset, ledger, ledger.key))
        print(f"\ndataset verify, all of it: {time.perf_counter() - start:.1f} s")
        for check in found:
            print(f"  {check.name:<10}{check.status.value:<14}{check.detail}")


if __name__ == "__main__":
    main()
