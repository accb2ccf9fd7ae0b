"""`kill -9` at random moments of `generate`: nothing acknowledged is lost, nothing released is unrecorded."""

from __future__ import annotations

import random
import signal
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

from governance.testing import EXAMPLE_MODEL
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from support.accounts import balanced, files
from support.allowed import registered
from support.bundles import data_text, unlimited
from support.kills import check_acknowledged, check_growth, wait_for
from support.line_work import Diary, opened
from support.nursery import Nursery

KILLS = {"sqlite": 24, "postgresql": 10}
"""A sample of those of `make proof`."""
EARLY = 6
"""Every so many kills one comes while the process still opens the installation: recovery itself is killed."""
WORK_S, OPENING_S = 2.0, 0.4
"""Within how many seconds a kill comes: ten images or so, and the time it takes to open."""


def kill_once(nursery, settings, diary, output, moment, *, early):
    """One process, killed `moment` seconds after it was started (`early`), or after it began to work."""
    before = len(diary.lines())
    arguments = (str(settings.home), str(diary.path), settings.database_url or "")
    child = nursery.start("support.line_work:govern_for_ever", *arguments, output=output)
    if not early:
        wait_for(lambda: len(diary.lines()) > before, child)
    time.sleep(moment)
    child.kill(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, output.read_text()


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as opened_nursery:
        yield opened_nursery


@pytest.fixture(params=KILLS)
def installed(request, tmp_path):
    """A fresh installation on each database."""
    database = {"database_url": request.getfixturevalue("postgres_url")} if request.param == "postgresql" else {}
    made = Settings.load(
        home=tmp_path / "installation", principal="designer@example.org", roles=("designer",), **database
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(made)
    registered(made, EXAMPLE_MODEL)
    return made


def test_kill_9_at_random_moments(installed, nursery, tmp_path, figure):
    settings, database = installed, "postgresql" if installed.database_url else "sqlite"
    kills = KILLS[database]
    settings.bundle_path.joinpath("data.json").write_text(data_text(settings.bundle_path, unlimited))
    diary, output = Diary(tmp_path / "diary"), tmp_path / "output"
    chance = random.Random(20261123)
    left = Counter()
    for number in range(kills):
        early = number % EARLY == EARLY - 1
        moment = chance.uniform(0, OPENING_S if early else WORK_S)
        kill_once(nursery, settings, diary, output, moment, early=early)
        left.update(left_behind(settings))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        governor = opened(str(settings.home), settings.database_url or "")
    accounts = balanced(settings, governor.parts)
    acknowledged = check_acknowledged([diary], governor.parts, accounts.entries)
    check_growth([diary], accounts.entries)
    asked_again = Counter(entry.body["attempt"] for entry in accounts.entries if "attempt" in entry.body)
    governor.parts.ledger.close()

    assert accounts.counts["abandoned"] >= kills // 5, "the kills came at no moment that matters"
    assert acknowledged["released"] >= kills
    answered = [int(words[1]) for words in diary.lines() if words[0] == "answered"]
    assert answered == list(range(len(answered))), "a request that was cut off was not answered when asked again"
    if database == "sqlite":
        assert list((settings.home / "ledger.sqlite3.owners").iterdir()) == []
    figure(
        f"{database}: {kills} kills at random moments; acknowledged {dict(acknowledged)}; entries {dict(accounts.counts)}; "
        f"files left staged {left['staged']}; entries by attempt {dict(asked_again)}; lost 0, unrecorded 0"
    )
    said = output.read_text()
    assert "Traceback" not in said
    assert "panicked" not in said


def left_behind(settings):
    """What a kill left to be recovered, to know that the kills hit."""
    return Counter({"staged": len(files(settings, "staged"))}) if Path(settings.vault_url).exists() else Counter()
