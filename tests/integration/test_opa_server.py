"""The engine that asks a real policy server: whose bundle decides, and a server that dies or changes its bundle."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from governance.entries import EntryKind
from governance.errors import PolicyError
from governance.governor import Governor
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, fake_parts
from governance.testing.examples import example_request
from governance.testing.policy import admission_facts, release_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.signed import build_archive
from support.allowed import register
from support.bundles import bundle_at
from support.opa_server import OpaServer, opa_server
from support.refused import refusal


def test_a_server_decides_by_the_bundle(policy_server: OpaServer, served_bundle: Bundle) -> None:
    engine = OpaEngine(served_bundle, policy_server.url)
    allowed = engine.decide(Stage.ADMISSION, admission_facts())
    assert (allowed.outcome, allowed.bundle_revision) == (Outcome.ALLOW, served_bundle.revision)
    assert allowed.obligations
    assert engine.decide(Stage.RELEASE, release_facts(score=1.0)).outcome is Outcome.DENY
    asked = json.dumps(admission_facts())
    assert engine.evaluate_unvalidated(Stage.ADMISSION, asked, "outcome") == "allow"
    engine.close()
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_a_forked_child_has_connections_of_its_own(policy_server: OpaServer, served_bundle: Bundle) -> None:
    engine = OpaEngine(served_bundle, policy_server.url, connections=1)
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
    taken = engine._free.get()
    child = os.fork()
    if child == 0:
        # The only connection was in use when the child was made; the child must not wait for it.
        decided = engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        os._exit(0 if decided else 1)
    assert os.waitpid(child, 0)[1] == 0
    engine._free.put(taken)
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_another_bundle_is_an_error_that_names_both(
    policy_server: OpaServer, served_bundle: Bundle, other_bundle: Bundle
) -> None:
    said = refusal(OpaEngine(other_bundle, policy_server.url))
    assert served_bundle.revision in said
    assert other_bundle.revision in said


def test_a_server_without_a_revision_is_an_error(opa: str, served_bundle: Bundle, tmp_path: Path) -> None:
    plain = [served_bundle.root / name for name in ("lib", "admission", "release", "data.json")]
    quiet = ["--ignore", "*_test.rego"]
    with opa_server(opa, tmp_path / "folder", *quiet, "--bundle", served_bundle.root) as started:
        assert "one without a revision" in refusal(OpaEngine(served_bundle, started.url))
    with opa_server(opa, tmp_path / "files", *quiet, *plain) as started:
        assert "does not say which bundle" in refusal(OpaEngine(served_bundle, started.url))


def test_a_rule_that_errors_is_an_error_that_names_its_place(opa: str, tmp_path: Path) -> None:
    root = bundle_at(tmp_path / "policies")
    (root / "admission" / "admission.rego").write_text(
        "package governance.admission\n\ndecision := 1 / (input.version - 1)\n"
    )
    broken = Bundle.load(root)
    build_archive(broken, tmp_path / "bundle.tar.gz", opa=opa)
    with opa_server(opa, tmp_path, "--bundle", tmp_path / "bundle.tar.gz") as started:
        said = refusal(OpaEngine(broken, started.url))
    assert "answered 500" in said
    assert "admission/admission.rego line 3" in said


@pytest.mark.parametrize("content", ["1e400", "{", "[" * 100_000, ""], ids=["infinite", "cut", "deep", "empty"])
def test_what_is_not_json_is_not_asked(policy_server: OpaServer, served_bundle: Bundle, content: str) -> None:
    with pytest.raises(PolicyError, match="JSON") as caught:
        OpaEngine(served_bundle, policy_server.url).evaluate_unvalidated(Stage.ADMISSION, content)
    assert caught.value.remedy


def line(bundle: Bundle, url: str, change: Callable[[], object]) -> tuple[Governor, FakePipeline]:
    """A line that asks the server, and a pipeline during which something changes."""

    def generated(drafts):
        change()
        return drafts

    detectors = (FakeDetector(), FakeDetector({"copy": 0.0}, name="similarity"))  # what the shipped bundle requires
    parts = fake_parts(policy=OpaEngine(bundle, url), detectors=detectors)
    register(parts.ledger, EXAMPLE_MODEL)
    return Governor(parts), FakePipeline(spoil=generated)


def kinds(governor: Governor) -> list[EntryKind]:
    found = [entry.kind for _, entry in governor.parts.ledger.entries()]
    return [kind for kind in found if kind is not EntryKind.REGISTER]


def test_one_bundle_for_admission_and_release_releases(policy_server: OpaServer, served_bundle: Bundle) -> None:
    governor, pipeline = line(served_bundle, policy_server.url, lambda: None)
    assert governor.generate(example_request(), pipeline).items[0].asset is not None
    assert kinds(governor) == [EntryKind.INTENT, EntryKind.RELEASED]


def test_a_server_restarted_with_another_bundle_before_release_releases_nothing(
    opa: str, archive: Path, served_bundle: Bundle, other_bundle: Bundle, tmp_path: Path
) -> None:
    build_archive(other_bundle, tmp_path / "other.tar.gz", opa=opa)
    first = opa_server(opa, tmp_path / "first", "--bundle", archive)
    with first as before:
        second = opa_server(opa, tmp_path / "second", "--bundle", tmp_path / "other.tar.gz", port=before.port)

        def restart() -> None:
            before.stop()
            second.__enter__()

        governor, pipeline = line(served_bundle, before.url, restart)
        with pytest.raises(PolicyError, match=other_bundle.revision):
            governor.generate(example_request(), pipeline)
        second.__exit__(None, None, None)
    assert kinds(governor) == [EntryKind.INTENT, EntryKind.FAILED]


def test_a_bundle_changed_under_a_running_server_releases_nothing(
    opa: str, archive: Path, served_bundle: Bundle, other_bundle: Bundle, tmp_path: Path
) -> None:
    watched = tmp_path / "bundle.tar.gz"
    watched.write_bytes(archive.read_bytes())
    with opa_server(opa, tmp_path / "server", "--watch", "--bundle", watched) as started:
        theirs = OpaEngine(other_bundle, started.url)

        def change() -> None:
            build_archive(other_bundle, watched, opa=opa)
            assert started.eventually(lambda: decides(theirs))

        governor, pipeline = line(served_bundle, started.url, change)
        with pytest.raises(PolicyError, match=other_bundle.revision):
            governor.generate(example_request(), pipeline)
    assert kinds(governor) == [EntryKind.INTENT, EntryKind.FAILED]


def decides(engine: OpaEngine) -> bool:
    try:
        return engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
    except PolicyError:
        return False


def test_a_server_killed_in_the_middle_of_a_thousand_decisions_allows_nothing_after(
    opa: str, archive: Path, served_bundle: Bundle, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Right until it dies; from then on nothing but errors, from every thread."""
    allowed, denied = release_facts(), release_facts(score=1.0)
    decided, killed = threading.Semaphore(0), threading.Event()

    def ask(number: int) -> tuple[bool, Outcome | str]:
        after = killed.is_set()
        try:
            return after, engine.decide(Stage.RELEASE, (allowed, denied)[number % 2]).outcome
        except PolicyError as error:
            return after, f"{error}" if error.remedy else "no remedy"
        finally:
            decided.release()

    with opa_server(opa, tmp_path, "--bundle", archive) as started, ThreadPoolExecutor(4) as threads:
        engine = OpaEngine(served_bundle, started.url, connections=4, timeout=20)
        asked = [threads.submit(ask, number) for number in range(1_000)]
        for _ in range(500):
            decided.acquire()
        started.kill()
        killed.set()
        answers = [one.result() for one in asked]
    right = [Outcome.ALLOW, Outcome.DENY]
    outcomes = [(number, answer) for number, (_, answer) in enumerate(answers) if isinstance(answer, Outcome)]
    assert all(answer is right[number % 2] for number, answer in outcomes)
    after = [answer for dead, answer in answers if dead]
    errors = [answer for _, answer in answers if not isinstance(answer, Outcome)]
    assert len(outcomes) >= 500
    assert after
    assert not [answer for answer in after if isinstance(answer, Outcome)]
    assert all(f"127.0.0.1:{started.port}" in error for error in errors)
    assert all("refuses connections" in str(error) for error in after)
    figure(
        f"server killed in the middle of {len(answers)} decisions: {len(outcomes)} right before it, "
        f"{len(after)} errors and 0 allows after"
    )
