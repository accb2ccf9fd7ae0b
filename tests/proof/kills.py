"""Nothing acknowledged is lost and nothing released is unrecorded, however often processes are killed.

    python -m proof.kills [--kills 200] [--seed N] [--database sqlite] [--small]

Three processes work on one installation: two generate, one reviews. At random moments one of them, or all, are ended with
`kill -9`, also while they start, and are started again. On PostgreSQL, sessions are ended by the server in between, and
once the server itself crashes. Each process writes down what a caller was told, on disk, when it was told.

Afterwards the installation is opened again. Then every acknowledged act must have its entry with a receipt that
verifies, every released file its entry and every such entry its file, each draft that people decided on must be gone from
quarantine and each other one must be there, every checkpoint that was handed out must be one of the tree, and
`ledger.verify()` must find nothing. Whatever does not hold ends the program with an error.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from governance.holds import hold_named
from governance.testing import EXAMPLE_MODEL
from governance_adapters.installation import initialise
from governance_adapters.settings import Settings
from support import postgres
from support.accounts import Accounts, all_holds, balanced, files
from support.allowed import registered
from support.bundles import data_text, unlimited
from support.kills import check_acknowledged, check_growth
from support.line_work import Diary
from support.nursery import Child, Nursery
from support.workers import OPENING, Moment, parts_at

WORKERS = {"first": "generate_for_ever", "second": "generate_for_ever", "reviewer": "review_for_ever"}
EARLY = 8
"""Every so many kills one comes to those that were just started: recovery itself is killed."""
ALL = 0.3
"""How often all are killed rather than one."""
WORK_S, OPENING_S = 2.6, 0.8
"""Within how many seconds a kill comes."""
SESSIONS = 0.4
"""How often the server ends a session between two kills."""
ENOUGH = 30
"""Approvals among which some rejection must be."""
LIMIT_S = 600
"""How long the kills on one database may take."""
DATABASES = ("sqlite", "postgresql")
_SESSIONS = (
    "SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND datname = '{}'"
)
"""The sessions for writing: each holds the claims of its process by a lock."""


@dataclass
class Database:
    """Where the ledger is; `url` is empty for SQLite's file."""

    url: str = ""
    server: postgres.Cluster | None = None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def waiting(self) -> int:
        """How many entries are durable and have no index yet: they were committed and not numbered."""
        if not self.url:
            return 0
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM entry WHERE seq IS NULL")
            return int(count)

    def end_session(self, chance: random.Random) -> bool:
        """Have the server end one session for writing; whether there was one."""
        assert self.server
        sessions = [pid for (pid,) in self.server.execute(_SESSIONS.format(self.name))]
        if not sessions:
            return False
        ((ended,),) = self.server.execute(f"SELECT pg_terminate_backend({chance.choice(sorted(sessions))})")
        return bool(ended)


@dataclass
class Crew:
    """The processes at work on one installation."""

    nursery: Nursery
    home: Path
    folder: Path
    database: Database
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, names: Sequence[str]) -> None:
        for name in names:
            arguments = [str(self.home), self.database.url, str(self.diary(name).path), str(self._moment(name))]
            if WORKERS[name] == "generate_for_ever":
                arguments.append(name)
            self.children[name] = self.nursery.start(
                f"support.workers:{WORKERS[name]}", *arguments, output=self.output(name)
            )

    def kill(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """`kill -9` at once; returns what each was doing."""
        for name in names:
            assert self.children[name].ended() is None, f"{name} ended by itself: {self.said(name)}"
        for name in names:
            self.children[name].kill(signal.SIGKILL)
        for name in names:
            assert self.children[name].wait() == -signal.SIGKILL, self.said(name)
        return [(WORKERS[name].partition("_")[0], Moment(self._moment(name)).word) for name in names]

    def diary(self, name: str) -> Diary:
        return Diary(self.folder / f"{name}.diary")

    def output(self, name: str) -> Path:
        return self.folder / f"{name}.output"

    def said(self, name: str) -> str:
        return self.output(name).read_text()[-4000:] if self.output(name).exists() else "nothing"

    def _moment(self, name: str) -> Path:
        return self.folder / f"{name}.moment"


def installation(folder: Path, database: Database) -> Settings:
    """A fresh one."""
    settings = Settings.load(home=folder / "installation", **({"database_url": database.url} if database.url else {}))
    initialise(settings)
    registered(settings, EXAMPLE_MODEL)
    settings.bundle_path.joinpath("data.json").write_text(data_text(settings.bundle_path, unlimited))
    return settings


def work_and_kill(crew: Crew, kills: int, chance: random.Random) -> Counter[str]:
    """Let the crew work, and kill it `kills` times; counts what happened."""
    happened: Counter[str] = Counter()
    deadline = time.monotonic() + LIMIT_S
    names: Sequence[str] = tuple(WORKERS)
    crew.start(names)
    while happened["kills"] < kills:
        assert time.monotonic() < deadline, f"only {happened['kills']} kills in {LIMIT_S} s"
        if crew.database.server is not None:
            fault(crew.database, kills, chance, happened)
        early = happened["kills"] % EARLY == EARLY - 1
        time.sleep(chance.uniform(0, OPENING_S if early else WORK_S))
        if not early:
            names = tuple(WORKERS) if chance.random() < ALL else (chance.choice(tuple(WORKERS)),)
        ended = crew.kill(names)
        happened["kills"] += 1
        happened["kills of all at once"] += len(names) > 1
        for role, word in ended:
            happened[f"while {role if word != OPENING else 'anybody'}: {word}"] += 1
        happened["kills that left entries without an index"] += crew.database.waiting() > 0
        crew.start(names)
    time.sleep(WORK_S)
    crew.kill(tuple(WORKERS))
    return happened


def fault(database: Database, kills: int, chance: random.Random, happened: Counter[str]) -> None:
    """What a server does between kills: it ends sessions, and once, half way, it crashes."""
    assert database.server
    if chance.random() < SESSIONS:
        time.sleep(chance.uniform(0, WORK_S / 2))
        happened["sessions ended by the server"] += database.end_session(chance)
    if database.server.pid and not happened["crashes of the server"] and 2 * happened["kills"] >= kills:
        database.server.crash()
        happened["crashes of the server"] += 1


def check(settings: Settings, crew: Crew) -> Iterator[str]:
    """Open the installation again and assert that all holds; says what was counted."""
    left = len(files(settings, "staged"))
    # The first opening releases what people approved; until then nothing staged is discarded, so the second does that.
    parts_at(str(settings.home), crew.database.url).ledger.close()
    parts = parts_at(str(settings.home), crew.database.url)
    try:
        accounts: Accounts = balanced(settings, parts)
        diaries = [crew.diary(name) for name in WORKERS]
        acknowledged = check_acknowledged(diaries, parts, accounts.entries)
        handed_out = check_growth(diaries, accounts.entries)
        holds = Counter(record.state.value for record in all_holds(parts).values())
    finally:
        parts.ledger.close()
    assert crew.database.waiting() == 0, "entries are left without an index"
    for name in WORKERS:
        said = crew.output(name).read_text()
        assert "panicked" not in said, said
        assert crew.database.url or "Traceback" not in said, said
    attempts = Counter(int(str(entry.body["attempt"])) for entry in accounts.entries if "attempt" in entry.body)
    told = {
        kind: count
        for kind, count in acknowledged.items()
        if kind not in ("working", "answered", "asked-again", "error", "failed-unrecorded", "failed-for-good")
    }
    assert acknowledged["released"] > 0, "nothing was released"
    assert accounts.counts["abandoned"] > 0, "the kills came at no moment that matters"
    assert holds["done"] > 0, "nothing that was held was released"
    assert holds["rejected"] > 0 or acknowledged["approved"] < ENOUGH, "nothing was rejected"
    reviewed = sum(entry.kind.value == "released" and hold_named(entry) is not None for entry in accounts.entries)
    yield f"acknowledged: {spoken(told)}"
    errors = Counter(words[1] for diary in diaries for words in diary.lines() if words[0] == "error")
    yield f"started {acknowledged['working']} times; told while the database was away: {spoken(errors) or 'no error'}"
    yield f"entries: {spoken(accounts.counts)}; of those released {reviewed} after people approved them"
    yield f"holds: {spoken(holds)}; files left staged by the last kill: {left}"
    yield f"attempts: {', '.join(f'{count} x no. {attempt}' for attempt, count in sorted(attempts.items()))}"
    yield f"checkpoints handed out, each of the tree as it stands: {handed_out}"
    yield "acknowledged and lost: 0; released and unrecorded: 0; claims left open: 0; entries without an index: 0"


def spoken(counts: Counter[str] | dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def prove(nursery: Nursery, name: str, database: Database, kills: int, seed: int) -> None:
    """One database."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="governance-proof-") as temporary:
        folder = Path(temporary)
        settings = installation(folder, database)
        crew = Crew(nursery, settings.home, folder, database)
        happened = work_and_kill(crew, kills, random.Random(f"{seed}/{name}"))
        killed = time.monotonic() - start
        print(f"{name}: {kills} kills in {killed:.0f} s, seed {seed}")
        for what in sorted(happened):
            print(f"  {what}: {happened[what]}")
        for line in check(settings, crew):
            print(f"  {line}")
        print(f"  all holds; {time.monotonic() - start:.0f} s in all", flush=True)


@contextmanager
def opened(name: str) -> Iterator[Database]:
    """An empty database."""
    if name == "sqlite":
        yield Database()
        return
    assert postgres.available(), postgres.WHY
    with postgres.cluster() as server:
        yield Database(server.fresh_database(), server)


def main() -> None:
    """Prove it on both databases, or on one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200, help="on each database")
    parser.add_argument("--seed", type=int, default=20261130, help="of the random moments")
    parser.add_argument("--database", choices=DATABASES, help="this one only")
    parser.add_argument("--small", action="store_true", help="a tenth of the kills")
    options = parser.parse_args()
    kills = max(1, options.kills // 10) if options.small else options.kills
    warnings.simplefilter("ignore")
    postgres.set_aside()
    with Nursery() as nursery:
        for name in (options.database,) if options.database else DATABASES:
            with opened(name) as database:
                prove(nursery, name, database, kills, options.seed)


if __name__ == "__main__":
    main()
