"""The PostgreSQL that the tests start: durable, not root, a database each, and nothing left of it whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from support import postgres
from support.nursery import environment
from support.real import require

HOLDER = """
import os, signal, sys
from support.postgres import cluster
with cluster() as server:
    print(server.pid, server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def own_server():
    """The server must be of our own: the test looks at its process."""
    require("postgres", postgres.programs(), postgres.WHY)
    if postgres.named_server():
        pytest.skip("another server is named in GOVERNANCE_DATABASE_URL")


def ask(url, statement):
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def gone(pid):
    """Whether a process ends within a while."""
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


def test_a_database_of_its_own(postgres_url, postgres_cluster):
    assert ask(postgres_url, "SELECT 1 FROM pg_class WHERE relname = 'mine'") == []
    ask(postgres_url, "CREATE TABLE mine AS SELECT 1")
    other = postgres_cluster.fresh_database()
    try:
        assert ask(other, "SELECT to_regclass('mine')") == [(None,)]
        assert ask(postgres_url, "SELECT to_regclass('mine') IS NOT NULL") == [(True,)]
    finally:
        postgres_cluster.drop(other)
    found = postgres_cluster.execute(f"SELECT 1 FROM pg_database WHERE datname = '{make_url(other).database}'")
    assert found == []


def test_what_it_acknowledges_is_durable(postgres_url):
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert ask(postgres_url, f"SHOW {setting}") == [("on",)]


def test_text_is_sorted_as_people_sort_it(own_server, postgres_url):
    assert ask(postgres_url, "SELECT x FROM (VALUES ('b'), ('A'), ('a'), ('B')) AS t(x) ORDER BY x") == [
        ("a",),
        ("A",),
        ("b",),
        ("B",),
    ]


def test_it_runs_without_rights_and_stops(own_server):
    with postgres.cluster() as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        users = {
            line.split(":")[0]: line.split()[1:] for line in status.splitlines() if line.startswith(("Uid", "Gid"))
        }
        assert "0" not in users["Uid"]
        if os.geteuid() == 0:
            assert "0" not in users["Gid"]
        assert ask(server.fresh_database(), "SELECT 1") == [(1,)]
    assert gone(server.pid)
    assert not server.folder.exists()


def test_it_asks_for_the_password(own_server, postgres_url):
    with pytest.raises(psycopg.OperationalError, match="password"):
        ask(make_url(postgres_url).set(password="wrong").render_as_string(hide_password=False), "SELECT 1")


def test_nothing_is_left_when_its_process_is_killed(own_server):
    done = subprocess.run(
        [sys.executable, "-c", HOLDER], env=environment(), stdout=subprocess.PIPE, text=True, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    pid, folder = done.stdout.split()
    assert gone(pid)
    until = time.monotonic() + 60
    while Path(folder).exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(folder).exists()


def test_a_named_server_keeps_no_database_of_ours(own_server, monkeypatch):
    monkeypatch.setenv(postgres.SERVER, "")  # so that it is put back
    with postgres.cluster() as server:
        monkeypatch.setenv(postgres.VARIABLE, make_url(server.fresh_database()).render_as_string(hide_password=False))
        postgres.set_aside()
        assert postgres.VARIABLE not in os.environ
        with postgres.cluster() as named:
            url = named.fresh_database()
            assert ask(url, "SELECT 1") == [(1,)]
            assert named.folder is None
        assert server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{make_url(url).database}'") == []


def test_tests_do_not_see_the_setting():
    assert postgres.VARIABLE not in os.environ
