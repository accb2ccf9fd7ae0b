"""A real PostgreSQL: a server of our own in a temporary folder, or the one that `GOVERNANCE_DATABASE_URL` names.

    with cluster() as server:
        url = server.fresh_database()

The server of our own refuses to run as root, so it runs as an account without rights. It durably writes what it
acknowledges, as a production server does, sorts text as people do rather than by bytes, and asks for a password.
A shell watches over it that ends with the pipe to this process: whatever this process dies of, the server ends and
its folder goes.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

from support.opa_server import free_port

VARIABLE = "GOVERNANCE_DATABASE_URL"
"""A setting of the product too: a test that found it set would write into that database."""
SERVER = "POSTGRESQL_OF_TESTS"
"""Where `set_aside` keeps that URL: worker processes of the tests inherit it."""
WHY = "there is no `initdb`, and no server in GOVERNANCE_DATABASE_URL, so nothing was tried on PostgreSQL"
_ACCOUNTS = ("postgres", "nobody")
"""Who runs the server where we are root: the first that exists."""
_USER = "ledger"
_ATTEMPTS = 5
"""Ports that are tried: another process may take a free one just before the server does."""
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
max_connections = 100
shared_buffers = 32MB
work_mem = 4MB
max_wal_size = 256MB
jit = off
"""
_WATCH = """
programs=$1 folder=$2 user=$3 server=
end() {
  if [ -n "$server" ]; then kill -QUIT "$server" 2>/dev/null; wait "$server"; fi
  rm -rf "$folder"
}
trap end EXIT
exec 2>>"$folder/log"
"$programs/initdb" --pgdata="$folder/data" --username="$user" --pwfile="$folder/password" --auth=scram-sha-256 \
  --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US --no-sync >&2 </dev/null || exit 1
cat "$folder/configuration" >>"$folder/data/postgresql.conf"
echo made
while read -r port; do
  "$programs/postgres" -D "$folder/data" -p "$port" >&2 </dev/null &
  server=$!
  until grep -q '^ready' "$folder/data/postmaster.pid" 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { server=; break; }
    sleep 0.05
  done
  if [ -n "$server" ]; then echo up; else echo down; fi
done
"""
"""What the shell runs: it is told ports until one works, and ends everything at the end of its input."""


def set_aside() -> None:
    """Take `GOVERNANCE_DATABASE_URL` out of this process's settings, and keep it for `cluster`."""
    if url := os.environ.pop(VARIABLE, ""):
        os.environ[SERVER] = url


def named_server() -> str:
    """The URL of the server to use instead of one of our own; empty if there is none."""
    return os.environ.get(VARIABLE) or os.environ.get(SERVER, "")


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`: on PATH, or where Debian has them, newest first; None without them."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian)]))
    return Path(found).resolve().parent if found else None


def available() -> bool:
    """Whether `cluster` has a server to give."""
    return bool(named_server() or programs())


class Cluster:
    """A server and the databases made on it.

    `pid` is the process of the server of our own, and `folder` where it lies; None on a server that is named.
    """

    def __init__(self, url: URL, folder: Path | None = None, start: Callable[[int], None] | None = None) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._made: list[str] = []
        self._start = start
        self.folder = folder
        self.pid = int((folder / "data/postmaster.pid").read_text().split()[0]) if folder else None

    def fresh_database(self, like: str = "") -> str:
        """The URL of a database of its own: empty, or a copy of the one named `like`, which nobody is connected to."""
        name = f"test_{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name} {f'TEMPLATE {like}' if like else ''}")
        self._made.append(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database that `fresh_database` made, whoever is still connected."""
        name = make_url(url).database
        self._made.remove(str(name))
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def drop_all(self) -> None:
        """Remove every database that is left."""
        for name in list(self._made):
            self.drop(self._url.set(database=name).render_as_string(hide_password=False))

    def crash(self) -> None:
        """End the server of our own at once, as a loss of power would, and start it again: it recovers from its log."""
        assert self.pid
        assert self.folder
        assert self._start
        assert self._url.port
        os.kill(self.pid, signal.SIGQUIT)
        while _runs(self.pid):
            time.sleep(0.01)
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)
        self._start(self._url.port)
        self.pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement as the server's administrator, outside any database of a test; its rows."""
        import psycopg

        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True, connect_timeout=30) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def cluster(environment: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A server for a while: of our own, or the named one, which keeps no database of ours afterwards.

    `environment` is added to that of a server of our own.
    """
    if named := named_server():
        server = Cluster(make_url(named))
        try:
            yield server
        finally:
            server.drop_all()
    else:
        with _own_server(environment or {}) as server:
            yield server


@contextmanager
def _own_server(environment: Mapping[str, str]) -> Iterator[Cluster]:
    found = programs()
    assert found, WHY
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="governance-postgresql-"))
    password = secrets.token_urlsafe(16)
    try:
        (folder / "password").write_text(password)
        (folder / "configuration").write_text(_CONFIGURATION)
        for path in (folder, *folder.iterdir()):
            if account:
                os.chown(path, account.pw_uid, account.pw_gid)
        rights: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        with subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "watch", str(found), str(folder), _USER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environment},
            start_new_session=True,  # an interrupt from the keyboard reaches this process alone, which then ends it
            **rights,
        ) as watch:
            port = _port(watch, folder)
            url = URL.create("postgresql", _USER, password, "127.0.0.1", port, "postgres")
            yield Cluster(url, folder, lambda again: _start(watch, folder, again))
        assert not folder.exists(), "the server's folder was left behind"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _port(watch: subprocess.Popen[str], folder: Path) -> int:
    """The port at which the server that `watch` watches listens."""
    assert watch.stdin
    assert watch.stdout
    said = watch.stdout.readline()
    attempts = _ATTEMPTS
    while said and said != "up\n" and attempts:
        attempts -= 1
        port = free_port()
        watch.stdin.write(f"{port}\n")
        watch.stdin.flush()
        said = watch.stdout.readline()
    assert said == "up\n", f"PostgreSQL does not start: {_log(folder)}"
    return port


def _start(watch: subprocess.Popen[str], folder: Path, port: int) -> None:
    """Have `watch` start the server again."""
    assert watch.stdin
    assert watch.stdout
    watch.stdin.write(f"{port}\n")
    watch.stdin.flush()
    assert watch.stdout.readline() == "up\n", f"PostgreSQL does not start again: {_log(folder)}"


def _runs(pid: int) -> bool:
    """Whether a process is there and has not ended: one whose parent has not looked yet is no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _log(folder: Path) -> str:
    """The end of what the server and `initdb` said."""
    log = folder / "log"
    return log.read_text()[-4000:] if log.exists() else "it could not write into its folder"


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as; None: as this process does."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name: account for account in pwd.getpwall()}
    return next(known[name] for name in _ACCOUNTS if name in known)
