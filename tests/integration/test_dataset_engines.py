"""One audit natively, in several processes, and on Ray: the same records, the same report, the same root."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from governance_adapters.dataset_audits import planned
from governance_adapters.datasets.audit.folders import SALTS, begun, locked
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from support.audit_process import asked_of
from support.audits import left, pictures
from support.command import Shell
from support.planted import image_file, picture, with_exif
from support.real import missing, require

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

SALT = bytes(range(32))


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation."""
    shell = Shell(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("made") / "home")
    shell("init").succeeded()
    return shell


@pytest.fixture(scope="module")
def asked(shell):
    """What is asked: pictures with something of everything that more than one worker could see differently."""
    files = {f"{number}.png": image_file(picture(number)) for number in range(6)}
    files["near.png"] = image_file(picture(0, side=128))
    files["person.jpg"] = with_exif(picture(7), artist="Somebody", gps=True)
    files["broken.png"] = files["1.png"][:100]
    said = {f"{number}.png": {"source": f"https://site{number}.example.org/{number}"} for number in range(6)}
    place = pictures(shell.folder / "pictures", files, said)
    (shell.folder / "no.csv").write_text("kind,value\nid,2.png\ndomain,site3.example.org\n")
    site = shell.folder / "signals" / "site4.example.org"
    site.mkdir(parents=True)
    (site / "robots.txt").write_text("User-agent: *\nDisallow: /4\n")
    return {
        "location": str(place),
        "name": "pictures",
        "opt_outs": [str(shell.folder / "no.csv")],
        "signals": str(shell.folder / "signals"),
        "purpose": "marketing",
        "detectors": False,
        "as_of": "2026-06-01T12:00:00.000Z",
        "rows": 2,
    }


def audited(shell, asked, **said):
    """What an audit in a process of its own leaves, with a key of salts that every one of them has."""
    settings = Settings.load(home=shell.home)
    what = {**asked, **said}
    with ledger_for_appending(settings) as ledger:
        plan = planned(settings, asked_of(what), ledger)
    with locked(settings.datasets_path, "pictures") as place:
        folder = begun(place, plan)
        (folder.path / SALTS).write_bytes(SALT)
    words = [sys.executable, "-m", "support.audit_process", json.dumps(what)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=400, check=False, **shell.place())
    if "Ray cannot be started" in done.stderr:
        missing("ray", f"audits on a cluster are not tried, its processes do not come up here: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == folder.path.name
    return left(folder.path)


@pytest.fixture(scope="module")
def native(shell, asked):
    """What the audit leaves natively, by one worker."""
    return audited(shell, asked, engine="native", workers=1)


def test_the_audit_found_what_there_is(native):
    records, files = native
    found = {row["id"]: row for row in records}
    assert [found[f"{number}.png"]["opt_outs"] for number in range(6)] == [
        [], [], ["list_id"], ["list_domain"], ["robots"], [],
    ]  # fmt: skip
    assert found["broken.png"]["problems"] == ["unreadable"]
    assert found["near.png"]["near_duplicate"] == found["0.png"]["near_duplicate"] != ""
    assert found["person.jpg"]["personal"]
    assert json.loads(files["report.json"])["near_duplicates"] == 2


def test_several_processes_leave_the_same(shell, asked, native):
    assert audited(shell, asked, engine="native", workers=2) == native


def test_ray_leaves_the_same(shell, asked, native):
    require("ray", importlib.util.find_spec("ray"), "audits on a cluster are not tried")
    assert audited(shell, asked, engine="ray", workers=2) == native
