"""`governance ledger erase`, `retain` and `legal-hold` on a real installation, from outside."""

from __future__ import annotations

import warnings
from contextlib import closing, suppress

import pytest

from governance.entries import EntryKind, HoldState, Receipt
from governance.errors import GenerationError, WithheldError
from governance.review import ReviewDesk
from governance.search import Query
from governance.testing import EXAMPLE_MODEL, FailingAt, FakeDetector, FakePipeline, example_request
from governance.types import Finding, Principal, Prompt
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.wiring import open_governor, open_ledger, open_verifier
from support.allowed import allowed
from support.command import Shell

GONE, STAYS = (Principal(f"{name}@example.org", ("designer", "reviewer")) for name in ("gone", "stays"))
ANN, BOB = (Principal(f"{name}@example.org", ("reviewer",)) for name in ("ann", "bob"))
CODES = ("brand.own_work",)
WORDS = ("zebra", "zucchini", "counterfeit")

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


class Sometimes(FakeDetector):
    """Finds a picture to be a copy of a registered work, where that is asked for."""

    copies = False

    def detect(self, images):
        score = 0.97 if self.copies else 0.0
        return [
            (Finding(self.name, self.digest, "copy", score, "work-1", "review", {"hamming": 8, "variant": "upright"}),)
            if self.copies
            else (Finding(self.name, self.digest, "copy", score),)
            for _ in images
        ]


@pytest.fixture
def installed(settings):
    """Somebody asked in every way there is; somebody else too. The files that were released lie beside."""
    allowed(settings, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    detector = Sometimes(name="similarity")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=(FakeDetector(), detector))
    broken = FailingAt(FakePipeline(), "generate", GenerationError("no memory for a zebra"))
    desk = ReviewDesk(governor.parts)

    def ask(who, number, prompt, *, copies=False, pipeline=None):
        detector.copies = copies
        asked = example_request(
            id=f"request-{number}", principal=who, prompts=(Prompt(prompt),), seeds=(number,), markets=("EU",)
        )
        with suppress(WithheldError, GenerationError):
            return governor.generate(asked, pipeline or FakePipeline()).items[0].asset

    with closing(governor.parts.ledger):
        files = {"gone": ask(GONE, 1, "a zebra"), "stays": ask(STAYS, 2, "a heron")}
        ask(GONE, 3, "counterfeit banknotes for a zebra")
        ask(GONE, 4, "a zucchini", copies=True)
        ask(GONE, 5, "a quick zebra", pipeline=broken)
        ask(GONE, 6, "a zebra and a zucchini", copies=True)
        reviewed = governor.parts.ledger.holds()[-1]
        for reviewer in (ANN, BOB):
            desk.lease(reviewer, reviewed.id)
            desk.approve(reviewer, reviewed.id, CODES, "a zebra like any other")
        ask(STAYS, 7, "a stork", copies=True)
        other = governor.parts.ledger.holds()[-1]
        desk.lease(GONE, other.id)
        desk.reject(GONE, other.id, CODES, "no storks, says gone")
        kinds = {entry.kind for _, entry in governor.parts.ledger.entries(limit=1000)}
        assert kinds >= {EntryKind.RELEASED, EntryKind.DENIED, EntryKind.HELD, EntryKind.FAILED, EntryKind.APPROVED}
    for name, asset in files.items():
        (settings.home / f"{name}.png").write_bytes(asset.content)
        (settings.home / f"{name}.receipt").write_text(asset.receipt.to_json())
    return settings


@pytest.fixture
def shell(installed):
    variables = {"GOVERNANCE_PRINCIPAL": "privacy@example.org"}
    return Shell(installed.home.parent, installed.home, variables)


def bytes_of(settings):
    return b"".join(path.read_bytes() for path in settings.home.glob("ledger.sqlite3*") if path.is_file())


def of_person(ledger):
    """The subjects that a search for the person finds, in every way there is."""
    queries = [Query(principal=GONE.id), Query(reviewer=GONE.id), *(Query(words=word) for word in WORDS)]
    return {entry.subject for query in queries for _, entry in ledger.search(query, limit=1000).items}


def checks(shell, name):
    ran = shell("verify", shell.home / f"{name}.png", "--receipt", shell.home / f"{name}.receipt", "--json")
    return ran.code, {check["name"]: check for check in ran.json["checks"]}


class TestErase:
    def test_a_person_is_forgotten_and_everything_still_verifies(self, installed, shell):
        with open_ledger(installed) as ledger:
            subjects = of_person(ledger)
            day = ledger.entries()[0][1].time[:10]
            assert len(subjects) == 6
            assert ledger.usage(GONE.id, day).images > 0
        said = shell("ledger", "erase", "--principal", GONE.id, "--reference", "file 17", "--yes", "--json").succeeded()
        assert said.json["erased"]["subjects"] == 6
        assert said.json["erased"]["holds"] == 1
        assert said.json["kept"] == []
        content = bytes_of(installed)
        assert [text for text in (GONE.id, *WORDS, "storks") if text.encode() in content] == []
        shell("ledger", "verify").succeeded()
        with open_ledger(installed) as ledger:
            assert of_person(ledger) == set()
            assert ledger.usage(GONE.id, day).images == 0
            assert ledger.search(Query(principal=STAYS.id)).items
            assert ledger.search(Query(words="heron")).items
            assert {hold.state for hold in ledger.holds()} <= {HoldState.DONE, HoldState.REJECTED, HoldState.EXPIRED}
        assert list(installed.quarantine_path.iterdir()) == []
        for subject in subjects:
            shown = shell("ledger", "show", subject).succeeded()
            assert f"(erased by entry {said.json['entries'][0]}" in shown.out
            assert not [text for text in (GONE.id, *WORDS) if text in shown.out]
            shell("ledger", "show", subject, "--json").succeeded()
        for name in ("gone", "stays"):
            code, found = checks(shell, name)
            assert code == 0, found
            assert found["attribution"]["status"] == "holds"
        again = shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json").succeeded()
        assert again.json["entries"] == []

    def test_with_files_verify_says_that_the_fingerprint_was_erased(self, installed, shell):
        said = shell("ledger", "erase", "--principal", GONE.id, "--files", "--yes").succeeded()
        assert "released files     2" in said.out
        code, found = checks(shell, "gone")
        assert code == 0, found
        assert found["attribution"]["status"] == "not checked"
        assert "the fingerprint of its record was erased by entry" in found["attribution"]["detail"]
        assert {check["status"] for name, check in found.items() if name != "attribution"} == {"holds"}
        code, found = checks(shell, "stays")
        assert (code, found["attribution"]["status"]) == (0, "holds")
        assert len(list((installed.home / "vault" / "assets").iterdir())) == 1
        receipt = Receipt.from_json((installed.home / "gone.receipt").read_text())
        shown = shell("ledger", "show", receipt.entry.id).succeeded()
        assert "watermark" in shown.out.split("erased", 1)[1]

    def test_a_file_of_other_bytes_is_not_attributed_any_more(self, installed, shell):
        shell("ledger", "erase", "--principal", GONE.id, "--files", "--yes").succeeded()
        parts = open_verifier(installed)._marks
        pixels = parts.codecs.decode((installed.home / "gone.png").read_bytes())
        (installed.home / "copy.png").write_bytes(parts.codecs.encode(pixels, "image/png"))
        ran = shell("verify", installed.home / "copy.png", "--json")
        found = {check["name"]: check for check in ran.json["checks"]}
        assert ran.code == 1
        assert found["attribution"]["status"] == "not checked"
        assert found["entry"]["status"] == "fails"

    def test_one_generation(self, installed, shell):
        receipt = Receipt.from_json((installed.home / "gone.receipt").read_text())
        subject = receipt.entry.subject
        said = shell("ledger", "erase", "--generation", subject, "--basis", "order", "--yes", "--json").succeeded()
        assert said.json["erased"]["subjects"] == 1
        with open_ledger(installed) as ledger:
            assert subject not in of_person(ledger)
            assert len(of_person(ledger)) == 5
            (_, erased), *_ = ledger.entries(kind=EntryKind.ERASED)
            assert erased.body["basis"] == "order"
        shell("ledger", "verify").succeeded()

    def test_doctor_names_an_erasure_that_was_interrupted(self, installed, shell):
        (erased,) = shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json").succeeded().json["entries"]
        vault = {part["part"]: part for part in shell("doctor", "--json").json}["vault"]
        assert vault["sound"], vault
        log = installed.erasure_log_path
        log.write_text(
            "".join(log.read_text().splitlines(keepends=True)[:-1])
        )  # as if it had ended before its last step
        vault = {part["part"]: part for part in shell("doctor", "--json").json}["vault"]
        assert (vault["sound"], erased in vault["detail"], "governance ledger retain" in vault["detail"]) == (
            False,
            True,
            True,
        )
        shell("ledger", "retain").succeeded()
        assert {part["part"]: part for part in shell("doctor", "--json").json}["vault"]["sound"]

    def test_a_dry_run_says_what_would_go_and_leaves_it(self, installed, shell):
        before = bytes_of(installed)
        said = shell("ledger", "erase", "--principal", GONE.id, "--dry-run").succeeded()
        assert "would be erased" in said.out
        assert bytes_of(installed) == before
        assert not installed.erasure_log_path.exists()

    def test_it_asks_first_and_takes_no_for_an_answer(self, installed, shell, monkeypatch):
        import io

        before = bytes_of(installed)
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        ran = shell("ledger", "erase", "--principal", GONE.id)
        assert ran.code == 1
        assert "would be erased" in ran.out
        with open_ledger(installed) as ledger:
            assert ledger.entries(kind=EntryKind.ERASED) == []
            assert len(of_person(ledger)) == 6
        assert len(bytes_of(installed)) >= len(before) // 2

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "--principal or --generation"),
            (("--principal", "x", "--generation", "y"), "--principal or --generation"),
            (("--principal", "x", "--json"), "--yes"),
            (("--principal", "privacy@example.org", "--yes"), "somebody else"),
            (("--generation", "nothing", "--yes"), "No entry is about"),
            (("--principal", "x", "--yes", "--reference", "x" * 2000), "reference"),
        ],
    )
    def test_what_it_refuses(self, shell, words, said):
        shell("ledger", "erase", *words).failed(1, said)

    def test_api_keys_that_open_nothing_go_and_others_are_named(self, installed, shell):
        made = [
            shell("api-keys", "create", "--principal", who, "--role", "reviewer", "--scope", "holds.read", "--json")
            .succeeded()
            .json["id"]
            for who in (GONE.id, GONE.id, STAYS.id)
        ]
        shell("api-keys", "revoke", made[0]).succeeded()
        ran = shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json")
        assert ran.code == 1
        assert [each["subject"] for each in ran.json["kept"]] == [made[1]]
        assert {key["id"] for key in shell("api-keys", "list", "--json").json} == set(made[1:])
        shell("api-keys", "revoke", made[1]).succeeded()
        shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json").succeeded()
        assert {key["id"] for key in shell("api-keys", "list", "--json").json} == {made[2]}
        files = b"".join(path.read_bytes() for path in installed.home.glob("api-keys.sqlite3*"))
        assert GONE.id.encode() not in files
        assert GONE.id.encode() not in bytes_of(installed)
        shell("ledger", "verify").succeeded()

    def test_api_keys_of_whom_a_legal_hold_is_on_are_kept_and_named(self, installed, shell):
        made = [
            shell("api-keys", "create", "--principal", GONE.id, "--role", "x", "--scope", "holds.read", "--json")
            .succeeded()
            .json["id"]
            for _ in range(2)
        ]
        shell("api-keys", "revoke", made[0]).succeeded()

        def kept():
            listed = shell("api-keys", "list", "--json").succeeded().json
            ran = shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json")
            left = {key["id"] for key in shell("api-keys", "list", "--json").succeeded().json}
            assert {key["id"] for key in listed} == set(made)
            return left, {each["subject"]: each["legal_hold"] for each in ran.json["kept"]}

        person = shell("ledger", "legal-hold", "place", "--principal", GONE.id, "--json").succeeded().json["id"]
        left, named = kept()
        assert left == set(made)
        assert {named[each] for each in made} == {person}
        shell("ledger", "legal-hold", "lift", person).succeeded()
        one = shell("ledger", "legal-hold", "place", "--generation", made[0], "--json").succeeded().json["id"]
        left, named = kept()
        assert left == set(made)
        assert (named[made[0]], named[made[1]]) == (one, None)  # the other is valid still
        shell("ledger", "legal-hold", "lift", one).succeeded()
        assert kept()[0] == {made[1]}


class TestLegalHold:
    def test_what_it_keeps_is_named_until_it_is_lifted(self, installed, shell):
        placed = shell("ledger", "legal-hold", "place", "--principal", GONE.id, "--reference", "A 7", "--json")
        hold = placed.succeeded().json["id"]
        listed = shell("ledger", "legal-hold", "list", "--json").succeeded().json
        assert [(each["id"], each["kind"], each["scope"], each["state"]) for each in listed] == [
            (hold, "principal", GONE.id, "stands")
        ]
        ran = shell("ledger", "erase", "--principal", GONE.id, "--yes", "--json")
        assert ran.code == 1
        assert {each["legal_hold"] for each in ran.json["kept"]} == {hold}
        assert ran.json["entries"] == []
        human = shell("ledger", "erase", "--principal", GONE.id, "--dry-run")
        assert f"legal hold {hold}" in human.err
        shell("ledger", "legal-hold", "lift", hold).succeeded()
        assert shell("ledger", "legal-hold", "list", "--json").succeeded().json == []
        assert "lifted" in shell("ledger", "legal-hold", "list", "--lifted").succeeded().out
        shell("ledger", "erase", "--principal", GONE.id, "--yes").succeeded()
        assert GONE.id.encode() not in bytes_of(installed)
        assert "(erased)" in shell("ledger", "legal-hold", "list", "--lifted").succeeded().out
        shell("ledger", "verify").succeeded()

    def test_on_everything_and_on_one_generation(self, installed, shell):
        with open_ledger(installed) as ledger:
            subject = ledger.entries()[0][1].subject
        everything = shell("ledger", "legal-hold", "place", "--everything", "--json").succeeded().json["id"]
        one = shell("ledger", "legal-hold", "place", "--generation", subject, "--json").succeeded().json["id"]
        rows = shell("ledger", "legal-hold", "list", "--json").succeeded().json
        assert [(each["id"], each["kind"], each["scope"]) for each in rows] == [
            (everything, "everything", ""),
            (one, "generation", subject),
        ]

    def test_on_nothing_that_there_is_it_is_refused_or_says_so(self, shell):
        before = shell("ledger", "list", "--json").succeeded().json
        shell("ledger", "legal-hold", "place", "--generation", "g").failed(1, "would keep nothing")
        assert shell("ledger", "list", "--json").succeeded().json == before
        assert shell("ledger", "legal-hold", "list", "--json").succeeded().json == []
        said = shell("ledger", "legal-hold", "place", "--principal", "later@example.org").succeeded()
        assert "No entry names this person yet" in said.err
        for who, named in (("other@example.org", False), (GONE.id, True)):
            placed = shell("ledger", "legal-hold", "place", "--principal", who, "--json").succeeded()
            assert (placed.json["named"], placed.err) == (named, "")

    def test_what_it_refuses(self, shell):
        shell("ledger", "legal-hold", "place").failed(1, "--everything")
        shell("ledger", "legal-hold", "place", "--everything", "--generation", "g").failed(1, "--everything")
        shell("ledger", "legal-hold", "place", "--principal", "").failed(1, "needs its id")
        shell("ledger", "legal-hold", "lift", "nothing").failed(1, "no legal hold")
        hold = shell("ledger", "legal-hold", "place", "--everything", "--json").succeeded().json["id"]
        shell("ledger", "legal-hold", "lift", hold).succeeded()
        shell("ledger", "legal-hold", "lift", hold).failed(1, "lifted already")


class TestRetain:
    def test_nothing_goes_before_its_time_and_everything_after_it(self, installed, shell):
        assert shell("ledger", "retain", "--json").succeeded().json["erased"]["subjects"] == 0
        far = "2999-01-01T00:00:00Z"
        planned = shell("ledger", "retain", "--now", far, "--dry-run", "--json").succeeded().json
        assert planned["dry_run"]
        done = shell("ledger", "retain", "--now", far, "--json").succeeded().json
        assert done["erased"] == planned["erased"]
        assert done["erased"]["subjects"] >= 6
        assert done["erased"]["files"] == 3
        with open_ledger(installed) as ledger:
            assert ledger.due("9999-12-31") == []
            assert {e.body["basis"] for _, e in ledger.entries(kind=EntryKind.ERASED)} == {"retention"}
            assert of_person(ledger) == set()
        content = bytes_of(installed)
        assert [text for text in (GONE.id, STAYS.id, *WORDS, "heron", "storks") if text.encode() in content] == []
        shell("ledger", "verify").succeeded()
        assert shell("ledger", "retain", "--now", far, "--json").succeeded().json["entries"] == []

    @pytest.mark.parametrize("time", ["yesterday", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T00:00:00"])
    def test_a_time_that_is_none_is_refused(self, shell, time):
        shell("ledger", "retain", "--now", time).failed(1, "is no time")

    def test_nobody_in_particular_may_run_it(self, installed):
        plain = Shell(installed.home.parent, installed.home)
        plain("ledger", "retain", "--now", "2999-01-01T00:00:00Z").succeeded()
        with open_ledger(installed) as ledger:
            (_, erased), *_ = ledger.entries(kind=EntryKind.ERASED)
            assert "principal" not in erased.body
            assert ledger.fields(erased.id) == []


def test_the_log_of_erasures_names_nobody(installed, shell):
    shell("ledger", "erase", "--principal", GONE.id, "--reference", "file 17", "--yes").succeeded()
    content = installed.erasure_log_path.read_bytes()
    assert [text for text in (GONE.id, "privacy@example.org", "file 17", *WORDS) if text.encode() in content] == []
    assert content.count(b"\n") == 1
