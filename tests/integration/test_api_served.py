"""`governance serve` as a process of its own: a draft is held, two people look at it and approve it, and the file verifies."""

from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from governance.errors import HeldError
from governance.governor import Governor
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request
from governance.types import new_id
from governance_adapters.policy.bundle import Bundle
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_parts, open_verifier
from support.allowed import registered
from support.bundles import data_text
from support.command import Shell

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")
CODES = {"codes": ["work.licensed"]}


def two_must_approve(data):
    data["review"]["approvals"] = 2


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation whose policy allows the example model and wants two approvals."""
    folder = tmp_path_factory.mktemp("served")
    shell = Shell(folder, folder / "home", {"GOVERNANCE_UPLOAD_LIMIT": "4194304"})
    shell("init").succeeded()
    bundle = shell.home / "policies"
    bundle.joinpath("data.json").write_text(data_text(bundle, two_must_approve))
    Bundle.load(bundle)
    registered(Settings.load(home=shell.home), EXAMPLE_MODEL)
    return shell


@contextmanager
def serving(shell, *words):
    """The URL of the server while it runs, and afterwards its exit code is 0."""
    process = shell.start("serve", "--port", 0, *words)
    line = process.stdout.readline()
    try:
        yield re.search(r"http://[\d.:]+", line)[0]
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def url(shell):
    with serving(shell) as url:
        yield url


def person(shell, url, name, role, *scopes):
    words = [word for scope in scopes for word in ("--scope", scope)]
    made = shell("api-keys", "create", "--principal", name, "--role", role, *words, "--json").succeeded().json
    return httpx.Client(
        base_url=f"{url}/v1", headers={"Authorization": f"Bearer {made['key']}"}, timeout=60, trust_env=False
    )


HOLDS = ("holds.read", "holds.view", "holds.lease", "holds.comment", "holds.decide", "ledger.read", "files.verify")


@pytest.fixture(scope="module")
def people(shell, url):
    """Two reviewers."""
    names = ("first@example.org", "second@example.org")
    with ExitStack() as opened:
        yield [opened.enter_context(person(shell, url, name, "reviewer", *HOLDS)) for name in names]


def held(shell):
    """The id of a new hold: a draft that a detector was unsure about."""
    detectors = FakeDetector({"nsfw": 0.5}), FakeDetector({"copy": 0.0}, name="similarity")
    parts = open_parts(Settings.load(home=shell.home), detectors=detectors)
    try:
        Governor(parts).generate(example_request(id=new_id()), FakePipeline())
    except HeldError as error:
        return error.result.items[0].entry.body["hold"]["id"]
    finally:
        parts.ledger.close()
    raise AssertionError("it was not held")


def approve(reviewer, hold):
    assert reviewer.post(f"/holds/{hold}/lease", json={}).status_code == 200
    return reviewer.post(f"/holds/{hold}/approve", json=CODES)


def test_two_people_release_a_file_that_verifies(shell, url, people):
    first, second = people
    hold = held(shell)
    assert hold in [each["id"] for each in first.get("/holds").json()["items"]]
    draft = first.post(f"/holds/{hold}/view")
    assert (draft.headers["content-type"], draft.headers["cache-control"]) == ("image/png", "no-store")
    assert draft.content.startswith(b"\x89PNG")
    said = first.post(f"/holds/{hold}/comments", json={"text": "The owner agreed."})
    assert said.status_code == 201, said.text

    one = approve(first, hold)
    assert (one.status_code, one.json()["released"], one.json()["hold"]["state"]) == (200, None, "open"), one.text
    again = approve(first, hold)
    assert (again.status_code, again.json()["reasons"]) == (403, ["review.twice"])
    first.delete(f"/holds/{hold}/lease")
    two = approve(second, hold)
    assert (two.status_code, two.json()["hold"]["state"]) == (200, "done"), two.text

    digest = two.json()["released"]["digest"]
    content = second.get(f"/assets/{digest}/content")
    assert content.headers["content-disposition"].startswith("attachment; filename=")
    assert open_verifier(Settings.load(home=shell.home)).verify(content.content).exit_code == 0
    assert second.post("/verify", files={"file": content.content}).json()["exit_code"] == 0

    chain = second.get(f"/assets/{digest}").json()["chain"]
    kinds = [entry["kind"] for entry in chain]
    assert kinds == ["intent", "held", "viewed", "commented", "approved", "approved", "released"]
    approvals = chain[-1]["body"]["review"]["approvals"]
    assert [each["entry"] for each in approvals] == [e["id"] for e in chain if e["kind"] == "approved"]
    late = second.post(f"/holds/{hold}/approve", json=CODES)
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "conflict")


def test_what_is_rejected_is_never_seen_again(shell, people):
    first, second = people
    hold = held(shell)
    first.post(f"/holds/{hold}/lease", json={})
    assert second.post(f"/holds/{hold}/lease", json={}).status_code == 409
    assert second.post(f"/holds/{hold}/reject", json=CODES).status_code == 409
    assert first.post(f"/holds/{hold}/reject", json=CODES).json()["hold"]["state"] == "rejected"
    assert second.post(f"/holds/{hold}/view").status_code == 409
    assert not list((shell.home / "quarantine").glob(f"{hold}*"))


def test_of_approvals_at_the_same_moment_each_counts_once(shell, people):
    hold = held(shell)
    first, second = people
    assert first.post(f"/holds/{hold}/lease", json={}).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(each.post, f"/holds/{hold}/approve", json=CODES) for each in (first, second) * 4]
        answers = [each.result() for each in asked]
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1, [answer.text for answer in answers]
    assert set(statuses) <= {200, 403, 409}
    assert first.get(f"/holds/{hold}").json()["approvals"] == 1


def test_a_wrong_name_of_a_key_is_told(shell, people):
    shell("api-keys", "revoke", "0123456789abcdef").failed(1, "api-keys list")


def test_keys_are_made_listed_and_revoked_on_record(shell, url):
    made = shell(
        "api-keys", "create", "--principal", "=1+1@example.org", "--role", "auditor", "--scope", "ledger.read", "--json"
    ).succeeded()
    listed = shell("api-keys", "list", "--json").succeeded()
    assert made.json["key"] not in listed.out
    assert made.json["id"] in [key["id"] for key in listed.json]
    assert made.json["key"] not in (shell.home / "api-keys.sqlite3").read_bytes().decode("latin-1")
    with httpx.Client(base_url=f"{url}/v1", headers={"Authorization": f"Bearer {made.json['key']}"}) as auditor:
        assert auditor.get("/checkpoint").status_code == 200
        shell("api-keys", "revoke", made.json["id"]).succeeded()
        assert auditor.get("/checkpoint").status_code == 401
    entries = json.loads(shell("ledger", "show", made.json["id"], "--json").succeeded().out)
    assert [each["body"]["change"] for each in entries] == ["created", "revoked"]
    assert "=1+1" not in json.dumps([each["body"] for each in entries])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "auditor", "--scope", "ledger.read", "--days", 367), "366"),
        (("--role", "", "--scope", "ledger.read"), "printable"),
        (("--role", "auditor ", "--scope", "ledger.read"), "space around"),
    ],
)
def test_keys_that_are_refused(shell, words, said):
    shell("api-keys", "create", "--principal", "a@example.org", *words).failed(1, said)


def test_a_key_file_that_others_may_read_is_refused(shell, tmp_path):
    path = tmp_path / "keys.sqlite3"
    path.touch(0o644)
    path.chmod(0o644)
    Shell(shell.folder, shell.home, {"GOVERNANCE_API_KEYS": str(path)})("api-keys", "list").failed(1, "chmod 600")


def test_a_network_without_encryption_is_refused(shell):
    shell("serve", "--host", "0.0.0.0").failed(1, "--behind-tls")
    shell("serve", "--tls-key", "key.pem").failed(1, "both")
    shell("serve", "--tls-key", "key.pem", "--tls-certificate", "none.pem").failed(1, "PEM")


def test_a_port_that_is_taken(shell, url):
    shell("serve", "--port", url.rpartition(":")[2]).failed(1, "another port")
