"""How fast the rights of a dataset are audited: manifests without images, three joins with rights, one decision a combination.

    python benchmarks/dataset_audit.py [--sizes 100000 1000000 2000000 10000000] [--ray 1 2] [--whole 100000]

Each line is a process of its own, and does its work in it once: a process has one engine, its peak of memory is its own, and
an audit finds nothing warm either. All begin with the files that an audit has read, and end with how many records have which
rights:

- `bare joins`: the three joins in Daft with tables that are there already, and their result written, as an audit leaves one.
  `bare joins, counted` leaves nothing: Daft then carries four columns instead of nine.
- `plain Python`: the same audit by hand, with a loop, dictionaries, a counter, and the same questions to policy.
- `metadata audit`: makes the tables of rights, joins and writes, finds the distinct combinations of facts, asks policy about
  each, and counts.

What comes before (reading the manifest into parts) and after it (sorting, the report, leaves and root) is timed by itself, the
latter up to `--whole` records, for there every record is hashed in Python.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from governance.datasets.combinations import Judge, judge
from governance.datasets.leaves import SaltKey
from governance.datasets.policy_input import RecordFacts
from governance.datasets.rights import DoNotTrain, domain_of
from governance_adapters.datasets.audit.proving import write_proof
from governance_adapters.datasets.engine.codes import Flag, facts_of
from governance_adapters.datasets.engine.counting import counts
from governance_adapters.datasets.engine.joining import JOINED, READ, joined_with
from governance_adapters.datasets.engine.near import near_duplicates
from governance_adapters.datasets.engine.reading import Reading
from governance_adapters.datasets.engine.rights import Said, find_rights
from governance_adapters.datasets.engine.runner import Engine, running
from governance_adapters.datasets.engine.sorting import sort_records
from governance_adapters.datasets.engine.tables import rights_tables
from governance_adapters.datasets.engine.workers import read_parts
from governance_adapters.datasets.rights.licences import spdx_of
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.engines import open_policy
from governance_adapters.installation import initialise
from governance_adapters.settings import Settings

AS_OF = "2026-06-01T12:00:00.000Z"
BLOCK = 250_000
DOMAINS, IDS, ROWS = 50_000, 200_000, 20_000
LICENCES = [f"https://creativecommons.org/licenses/by/{n}.0/" for n in range(1, 5)]
LICENCES += ["CC-BY-4.0", "cc0", "mit", "Apache 2.0", "all rights reserved", "unknown", "", "LicenseRef-ours"]
TARGET_BARE, TARGET_PYTHON, TARGET_GIB = 0.8, 2.5, 2.0


def write_manifest(folder: Path, size: int) -> None:
    """Parquet files of records: domains as uneven as those of the web, a dozen licences, four consents."""
    random = np.random.default_rng(2026)
    for block, start in enumerate(range(0, size, BLOCK)):
        rows = np.arange(start, min(size, start + BLOCK))
        domains = (random.pareto(1.1, len(rows)) * 10).astype(np.int64) % DOMAINS
        digests = random.bytes(32 * len(rows)).hex()
        columns = {
            "id": [f"img-{row:09}" for row in rows],
            "content": [digests[64 * row : 64 * row + 64] for row in range(len(rows))],
            "source": [f"https://www.site{d}.example.org/{row}.jpg" for d, row in zip(domains, rows, strict=True)],
            "licence": _chosen(random, LICENCES, len(rows)),
            "consent": _chosen(random, ["given", "refused", "not_needed", "unknown"], len(rows)),
            "source_kind": _chosen(random, ["public", "licensed", "crawled", "user"], len(rows)),
            "collected": _chosen(random, [f"2024-{month:02}-01T10:00:00Z" for month in range(1, 13)], len(rows)),
            "caption": [f"a photograph of a thing, number {row}" for row in rows],
        }
        pq.write_table(pa.table(columns), folder / f"{block:05}.parquet")


def _chosen(random: Any, values: list[str], count: int) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(random.integers(0, len(values), count)))


LISTED = DoNotTrain(
    ids=frozenset(f"img-{row:09}" for row in range(0, 50 * IDS, 50)),
    domains=frozenset(f"site{number}.example.org" for number in range(0, DOMAINS, 7)),
)


class Clock:
    """Seconds by what was done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Time what is done within."""
        start = time.perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - start


def audit(folder: Path, size: int, engine: Engine, workers: int, *, whole: bool) -> dict[str, Any]:
    """Read and audit a manifest; seconds by step, and this process's peak of memory."""
    clock, work = Clock(), folder / f"{engine.value}-{workers}"
    shutil.rmtree(work, ignore_errors=True)
    (work / "parts").mkdir(parents=True)
    source = open_source(f"{folder / 'manifest'}/*.parquet")
    reading, parts = Reading(source, str(work / "parts"), AS_OF), source.parts()
    settings = Settings.load(home=work / "home")
    initialise(settings)
    policy = open_policy(settings)
    with running(engine, workers) as daft:
        with clock("read"):
            assert sum(read_parts(daft, engine, workers, reading, parts)) == size
        files = [reading.path(part) for part in parts]
        with clock("metadata audit"):
            with Judge(policy, time=AS_OF, purpose="marketing") as asking:
                rights = find_rights(daft, files, Said(LISTED), work / "rights", found=asking.ask)
                judged = asking.judged(rights.combinations())
            assert sum(judged.outcomes().values()) == size
        if whole:
            with clock("sort"):
                records = sort_records(rights.joined, rights.tables, rights.decisions(judged), work)
            with clock("report"):
                assert counts(records, {})["records"] == size
            with clock("root"):
                write_proof(work, records, files, SaltKey(bytes(32), "bench"), lambda _: None)
    policy.close()
    outcomes = judged.outcomes()
    return {"seconds": clock.seconds, "combinations": len(judged.judgements), "gib": _peak(), "outcomes": outcomes}


def bare(folder: Path, size: int) -> dict[str, Any]:
    """The three joins over the parts that an audit has read, and nothing else: written, and only counted."""
    clock, work = Clock(), folder / "native-1"
    files = sorted((work / "parts").glob("*.parquet"))
    tables = rights_tables(files, work, LISTED, None, near_duplicates(files, work))
    with running(Engine.NATIVE, 1) as daft:
        with clock("bare joins"):
            records = daft.read_parquet([str(path) for path in files]).select(*READ)
            joined = joined_with(daft, records, tables).select(*JOINED)
            written = joined.write_parquet(str(work / "bare"), compression="snappy")
        assert daft.read_parquet(written.to_pydict()["path"]).count_rows() == size
        shutil.rmtree(work / "bare")
        with clock("bare joins, counted"):
            records = daft.read_parquet([str(path) for path in files]).select("id", "host", "licence_stated")
            joined = joined_with(daft, records, tables)
            counted = joined.groupby("flags", "licence_code").agg(daft.col("flags").count().alias("n")).to_arrow()
        assert sum(counted["n"].to_pylist()) == size
    return {"seconds": clock.seconds, "gib": _peak()}


def plain(folder: Path, size: int) -> dict[str, Any]:
    """The same audit in plain Python: one loop over rows that pyarrow reads, dictionaries, and a counter."""
    clock, work = Clock(), folder / "native-1"
    files = sorted((work / "parts").glob("*.parquet"))
    columns = ["id", "host", "licence_stated", "said", "personal"]
    policy = open_policy(Settings.load(home=work / "home"))
    with clock("plain Python"):
        hosts: dict[str, int] = {}
        licences: dict[str, tuple[str, int]] = {}
        counted: Counter[tuple[int, str, str, int]] = Counter()
        seen: set[str] = set()
        for path in files:
            for row in pq.read_table(path, columns=columns).to_pylist():
                host, stated, key = row["host"], row["licence_stated"], row["id"]
                if host not in hosts:
                    hosts[host] = Flag.LIST_DOMAIN if LISTED.names_domain(domain_of(host)) else 0
                if stated not in licences:
                    licence = spdx_of(stated)
                    licences[stated] = licence, Flag.UNKNOWN_LICENCE if stated.strip() and not licence else 0
                flags = hosts[host] + licences[stated][1] + (Flag.LIST_ID if key in LISTED.ids else 0)
                counted[row["said"], row["personal"], licences[stated][0], flags] += 1
                seen.add(key)
        assert len(seen) == size, "an id that is there twice is a finding"
        combinations: Counter[RecordFacts] = Counter()
        for (said, personal, licence, flags), records in counted.items():
            combinations[facts_of(said, personal, licence, flags)] += records
        judged = judge(combinations, policy, time=AS_OF, purpose="marketing")
    assert sum(judged.outcomes().values()) == size
    policy.close()
    return {"seconds": clock.seconds, "gib": _peak(), "outcomes": judged.outcomes()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def in_process(folder: Path, size: int, what: str, *words: str) -> dict[str, Any]:
    """One measurement in a process of its own."""
    line = [sys.executable, __file__, "--one", what, "--folder", str(folder), "--sizes", str(size), *words]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def show(size: int, what: str, seconds: float, more: str = "") -> None:
    print(f"{size:>11,}  {what:<34}{seconds:>9.2f} s{size / seconds:>13,.0f} rows/s  {more}", flush=True)


def measured(folder: Path, size: int, ray: list[int], whole: int) -> None:
    """All lines of one size."""
    (folder / "manifest").mkdir()
    write_manifest(folder / "manifest", size)
    done = in_process(folder, size, "audit", *(["--all"] if size <= whole else []))
    audited = done["seconds"]["metadata audit"]
    bare_seconds = in_process(folder, size, "bare")["seconds"]
    joins = bare_seconds["bare joins"]
    plainly = in_process(folder, size, "plain")
    python = plainly["seconds"]["plain Python"]
    assert plainly["outcomes"] == done["outcomes"], "both audits come to the same"
    for what, seconds in bare_seconds.items():
        show(size, what, seconds)
    show(size, "plain Python", python)
    ratios = (
        f"{joins / audited:.2f} x bare (target {TARGET_BARE}), {python / audited:.2f} x Python (target {TARGET_PYTHON})"
    )
    memory = f"{done['gib']:.2f} GiB (target {TARGET_GIB})"
    show(size, "metadata audit, Daft native", audited, f"{ratios}, {memory}, {done['combinations']} combinations")
    for step, seconds in done["seconds"].items():
        if step != "metadata audit":
            show(size, f"  {step}", seconds)
    for workers in ray:
        seconds = in_process(folder, size, "audit", "--engine", "ray", "--workers", str(workers))["seconds"]
        show(size, f"metadata audit, Ray, {workers} worker(s)", seconds["metadata audit"])
        show(size, "  read", seconds["read"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 2_000_000, 10_000_000])
    parser.add_argument("--ray", type=int, nargs="*", default=[1, 2], help="Ray workers, for each size")
    parser.add_argument("--whole", type=int, default=100_000, help="up to this size also sort, report and sign")
    parser.add_argument("--one", choices=("audit", "bare", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", type=Engine, default=Engine.NATIVE, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        (size,) = options.sizes
        ones: dict[str, Callable[[], dict[str, Any]]] = {
            "audit": lambda: audit(options.folder, size, options.engine, options.workers, whole=options.all),
            "bare": lambda: bare(options.folder, size),
            "plain": lambda: plain(options.folder, size),
        }
        print(json.dumps(ones[options.one]()))
        return
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measured(Path(folder), size, options.ray, options.whole)


if __name__ == "__main__":
    main()
