"""What every test may use: a real installation in a temporary folder, and no word to anybody outside."""

import os
import warnings
from collections import Counter
from functools import lru_cache

os.environ.update(
    ENCYPHER_C2PA_TELEMETRY="off",
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_VERBOSITY="error",
    DIFFUSERS_VERBOSITY="error",
)

import pytest

from governance_adapters.detectors.similarity import efficientnet
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support import postgres
from support.real import NOT_TESTED, require

postgres.set_aside()
# Every fresh home wants the default embedding converted: the same weights make the same model, once a process.
efficientnet.convert = lru_cache(maxsize=1)(efficientnet.convert)
FIGURE = "figure"


EVERY_CLASS = "--every-class"


def pytest_addoption(parser):
    """`--every-class`: all that tests take a sample of otherwise.

    Every pipeline class there is a tiny instance of runs down the line, not one of each family; and several processes look
    for every kind of alteration on each database, not for some on one and some on the other.
    """
    parser.addoption(EVERY_CLASS, action="store_true", help="every pipeline class and alteration, not a sample")


@pytest.fixture
def figure(record_property):
    """Say a measured figure: it stands at the end of the run, whichever process measured it."""
    return lambda text: record_property(FIGURE, text)


def pytest_terminal_summary(terminalreporter):
    """Print what tests measured, and loudly what was not tested."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    said = [text for report in reports for name, text in report.user_properties if name == FIGURE]
    if said:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(said))
    skipped = [each.longrepr for each in terminalreporter.stats.get("skipped", ()) if isinstance(each.longrepr, tuple)]
    missing = Counter(reason.removeprefix("Skipped: ") for _, _, reason in skipped if NOT_TESTED in reason)
    if missing:
        terminalreporter.section("not tested")
        terminalreporter.write_line("\n".join(f"{reason} ({count} tests)" for reason, count in sorted(missing.items())))


@pytest.fixture(scope="session")
def postgres_cluster():
    """A real PostgreSQL server, one a process of the tests, started by the first that needs it."""
    require("postgres", postgres.available(), postgres.WHY)
    with postgres.cluster() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_cluster):
    """The URL of an empty database on a real PostgreSQL."""
    url = postgres_cluster.fresh_database()
    yield url
    postgres_cluster.drop(url)


@pytest.fixture
def settings(tmp_path):
    """A fresh installation: default bundle, development keys, empty ledger."""
    made = Settings.load(home=tmp_path / "installation", principal="designer@example.org", roles=("designer",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(made)
    return made


@pytest.fixture
def governor(settings):
    """A governor of real parts over `settings`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        opened = open_governor(settings)
    yield opened
    opened.parts.ledger.close()
