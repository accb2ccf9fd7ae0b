"""Gathering evidence over the ledger's port alone: generations that led to each other, and what is not there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from governance.canonical import digest
from governance.entries import EntryKind, ErasedPart, LegalHoldScope
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.errors import NoEntryError, ProofError
from governance.evidence import verify
from governance.evidence.asked import asked_by_name
from governance.evidence.disclosing import Disclosure, FieldState
from governance.evidence.dossier import TimeStamp
from governance.evidence.gathering import gather
from governance.evidence.pack import pack_files
from governance.evidence.story import story
from governance.governor import Governor
from governance.legal_holds import lifted_record, placed_record
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.testing import FakePipeline
from governance.types import Outcome, Principal, Reason, new_id
from support.dossiers import dossier, put, report, signed_again
from support.packs import with_new_index
from support.reviewing import ANN, BOB, ReviewPolicy, held, request

ASKED = Reason("prompt.review", "A person should see this.", "/prompts/0")


@pytest.fixture
def line():
    """A request that was held at admission, let go by two people, and then made again and released."""
    policy = ReviewPolicy(admission=(Outcome.REVIEW, (ASKED,), {}), release=(Outcome.ALLOW, (), {}))
    line = held(policy)
    line.approve(ANN)
    line.approve(BOB)
    return line


def ask(line):
    (item,) = Governor(line.parts).generate(request(), FakePipeline()).items
    return item


def test_the_generation_that_was_held_belongs_to_the_one_that_ran(line):
    item = ask(line)
    made = dossier(line, item)
    kinds = [each.entry.kind.value for each in made.evidence.entries]
    assert kinds == ["held", "approved", "approved", "intent", "released"]
    assert len({each.entry.subject for each in made.evidence.entries}) == 2
    said, _ = report(line, made)
    assert (said.verdict, said.problems) == ("verified", [])
    assert "2 approvals by people stand before what they allowed" in said.checked
    assert {ANN.id, BOB.id} <= set(story(made).texts())


def test_an_approval_less_than_policy_obliged_is_found(line):
    # What the record says is what is checked: two were obliged, so an intent that names one does not hold.
    item = ask(line)
    made = dossier(line, item)
    body = next(each.entry.body for each in made.evidence.entries if each.entry.kind is EntryKind.INTENT)
    review = {**body["review"], "approvals": body["review"]["approvals"][:1]}
    checking = verify._Verification(pack_files(made, b"%PDF"), None)
    for step in (checking._list, checking._log, checking._record):
        assert list(step()) == []
    entry = next(each for each in checking.entries.values() if each.value["kind"] == "intent")
    assert "its last approval was not enough" in " ".join(checking._review(entry, review))
    twice = {**review, "approvals": [body["review"]["approvals"][1]] * 2}
    assert "one person approved twice" in " ".join(checking._review(entry, twice))
    other = {**body["review"], "hold": "another"}
    assert "the hold that people let go is not the one" in " ".join(checking._review(entry, other))


def test_what_fakes_do_not_keep_is_said_to_be_missing(line):
    made = dossier(line, ask(line))
    (revision,) = {each.entry.body["decision"]["bundle_revision"] for each in made.evidence.entries}
    assert {each.what for each in made.missing} == {
        f"policy entry of {revision}", f"policy/{revision}/", verify.MANIFEST
    }  # fmt: skip


def test_a_file_that_the_vault_lost_is_missing(line):
    item = ask(line)
    line.parts.vault.erase(item.asset.digest)
    made = dossier(line, item)
    assert (made.asset, made.verification) == (None, None)
    assert "not kept" in next(each.why for each in made.missing if each.what.startswith("asset/"))
    assert report(line, made)[0].verdict == "verified"


def test_a_file_that_was_recalled_is_not_handed_out_in_a_pack(line):
    item = ask(line)
    cause = Cause(RecallBy.LICENCE, "CC-BY-4.0")
    line.parts.ledger.append(Recall(cause, ANN).records(Targets(assets=(item.entry.id,)))[0])
    made = dossier(line, item)
    assert made.asset is None
    assert made.manifest is None
    (why,) = (each.why for each in made.missing if each.what.startswith("asset/"))
    assert why.startswith("not handed out again: recalled by entry ")
    checked, files = report(line, made)
    assert not [path for path in files if path.startswith("asset/") and not path.endswith(".json")]
    assert b"licence CC-BY-4.0" in files[verify.VERIFICATION]
    assert checked.verdict == "verified"  # of the record: what it says was released then


def test_a_lost_document_is_missing_and_an_altered_one_is_an_error(line):
    item = ask(line)
    name = item.entry.body["decision"]["input"]

    class Lacking:
        def __init__(self, content):
            self.content = content

        def __getattr__(self, method):
            return getattr(line.parts.ledger, method)

        def document(self, asked):
            return self.content if asked == name else line.parts.ledger.document(asked)

    evidence = gather(Lacking(None), line.parts.log_key, item.entry, Disclosure())
    assert f"record/documents/{name}.json" in {each.what for each in evidence.missing}
    with pytest.raises(ProofError, match="was altered"):
        gather(Lacking(b"{}"), line.parts.log_key, item.entry, Disclosure())


def test_legal_holds_on_the_generation_or_on_everything_belong_to_it(line):
    item, ledger, by = ask(line), line.parts.ledger, Principal("counsel@example.org", ("counsel",))
    kept = [
        ledger.append(placed_record(LegalHoldScope.GENERATION, item.entry.subject, by)).entry,
        ledger.append(placed_record(LegalHoldScope.EVERYTHING, "", by, "case 7")).entry,
    ]
    ledger.append(placed_record(LegalHoldScope.GENERATION, "another", by))
    ledger.append(placed_record(LegalHoldScope.PRINCIPAL, "somebody@example.org", by))
    (placed,) = (hold for hold in ledger.legal_holds() if hold.placed_by == kept[0].id)
    kept.append(ledger.append(lifted_record(placed, by)).entry)
    made = dossier(line, item)
    found = [each.entry.id for each in made.evidence.entries if "legal_hold" in each.entry.kind.value]
    assert sorted(found) == sorted(entry.id for entry in kept)
    assert report(line, made)[0].verdict == "verified"


def test_entries_that_come_after_the_checkpoint_do_not_go_in(line):
    item, ledger = ask(line), line.parts.ledger
    early = ledger.checkpoint()
    ledger.append(placed_record(LegalHoldScope.EVERYTHING, "", Principal("counsel@example.org")))

    class Slow:
        def __getattr__(self, method):
            return getattr(ledger, method)

        def checkpoint(self):
            return early

    evidence = gather(Slow(), line.parts.log_key, item.entry, Disclosure())
    assert evidence.checkpoint.size == max(each.index for each in evidence.entries) + 1
    assert not any(each.entry.kind is EntryKind.LEGAL_HOLD for each in evidence.entries)


def erase(line, entry, *names):
    """The `erased` entry that takes these fields of `entry`."""
    parts = [ErasedPart(entry.id, name) for name in names]
    order = ErasureOrder(Basis.REQUEST, Principal("privacy@example.org"), "file 17")
    return line.parts.ledger.append(erased_record(new_id(), parts, order)).entry


def test_what_erased_something_of_what_erased_something_goes_in(line):
    item, ledger = ask(line), line.parts.ledger
    placed = placed_record(LegalHoldScope.EVERYTHING, "", Principal("counsel@example.org"), "case 7")
    hold = ledger.append(placed).entry
    ledger.append(lifted_record(ledger.legal_holds()[0], Principal("counsel@example.org")))
    first = erase(line, item.entry, "/principal/id")
    second = erase(line, first, "/principal/id", "/reference")
    third = erase(line, second, "/reference")
    fourth = erase(line, hold, "/reference")
    made = dossier(line, item)
    by = {(field.index, field.name): field.by for field in made.evidence.fields if field.by}
    erased = ((item.entry, "/principal/id"), (first, "/principal/id"), (first, "/reference"), (second, "/reference"))
    for (entry, name), taken in zip(
        (*erased, (hold, "/reference")), (first, second, second, third, fourth), strict=True
    ):
        assert by[made.evidence.entry(entry.id).index, name] == taken.id
    assert len(by) == 5
    assert FieldState.NOT_KEPT not in {field.state for field in made.evidence.fields}
    assert report(line, made)[0].verdict == "verified"


def test_a_published_checkpoint_goes_in_with_its_proof_and_another_logs_does_not(line):
    early = line.parts.ledger.checkpoint()
    item = ask(line)
    made = dossier(line, item, [early])
    said, files = report(line, made)
    assert said.verdict == "verified"
    assert [path for path in files if path.startswith(verify.CHECKPOINTS)] == ["record/checkpoints/000000000003.txt"]
    proofs = json.loads(files[verify.PROOFS])
    proofs["checkpoints"][0]["proof"] = []
    forged = {**files, verify.PROOFS: verify.canonical_bytes(proofs)}
    found = verify.verify_pack(forged, verify.LogKey.parse(str(line.parts.log_key))).problems
    assert any("the operator kept two stories" in problem for problem in found)
    with pytest.raises(ProofError):
        dossier(line, item, [held().parts.ledger.checkpoint()])


def test_a_time_stamp_of_another_checkpoint_makes_no_pack(line):
    early = line.parts.ledger.checkpoint()
    item = ask(line)
    sound = TimeStamp(3, b"a response over " + bytes.fromhex(digest(early.encode())))
    assert dossier(line, item, [early], time_stamps=[sound]).time_stamps == (sound,)
    for wrong in (replace(sound, content=b"a response over " + bytes(32)), replace(sound, size=4)):
        with pytest.raises(ProofError, match="is none of that checkpoint"):
            dossier(line, item, [early], time_stamps=[wrong])


def with_file(files, path, content):
    """The files as a forger would hand them out, with one more of those that `pack.json` alone lists."""
    index = json.loads(files[verify.INDEX])
    index["files"].append({"path": path, "role": "RFC 3161 time-stamp of a checkpoint", "bound": "listed"})
    return with_new_index({**files, path: content, verify.INDEX: verify.spelt(index)})


@pytest.mark.parametrize(
    "path",
    [
        "record/timestamps/../../../.profile", "record/timestamps/./x.tsr", "record/timestamps//x.tsr",
        "/record/timestamps/x.tsr", "record\\timestamps\\x.tsr", "record/timestamps/..\\x.tsr", "C:x.tsr",
        "record/timestamps/c:/x.tsr", "record/timestamps/x\n.tsr", "record/timestamps/\u202e.tsr", "record/timestamps/",
        "", "..",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_a_pack(line, path):
    _, files = report(line, dossier(line, ask(line)))
    stamp = hashlib.sha256(files[verify.CHECKPOINT]).digest()
    found = verify.verify_pack(with_file(files, path, stamp), verify.LogKey.parse(str(line.parts.log_key)))
    assert (found.verdict, "leads out of the pack" in " ".join(found.problems)) == ("refused", True)
    assert all(text.isprintable() for text in found.lines())


def test_a_time_stamp_has_the_name_of_its_size_and_no_other(line):
    early = line.parts.ledger.checkpoint()
    made = dossier(line, ask(line), [early])
    size = made.evidence.checkpoint.size
    _, files = report(line, made)
    key = verify.LogKey.parse(str(line.parts.log_key))
    names = {f"{size:012d}.tsr": size, "000000000003.tsr": 3}
    notes = {size: files[verify.CHECKPOINT], 3: early.encode()}
    others = (
        "a.tsr; curl example.org; #",
        "$(id).tsr",
        f"{size:013d}.tsr",
        f"{size}.tsr",
        f"{size:012d}.txt",
        "x/y.tsr",
    )
    for name in (*names, *others):
        for stamped, note in notes.items():
            forged = with_file(files, f"record/timestamps/{name}", hashlib.sha256(note).digest())
            found = verify.verify_pack(forged, key)
            assert (found.verdict == "verified") == (names.get(name) == stamped), (name, stamped, found.problems)
            assert any("openssl ts" in how for _, how in found.not_checked) == (found.verdict == "verified")


def test_a_checkpoint_has_the_name_of_its_size_and_no_other(line):
    early = line.parts.ledger.checkpoint()
    _, files = report(line, dossier(line, ask(line), [early]))
    for name in ("000000000004.txt", "3.txt", "000000000003.tsr", "a;id.txt"):
        path, was = f"record/checkpoints/{name}", "record/checkpoints/000000000003.txt"
        renamed = {path if each == was else each: content for each, content in files.items()}
        for part in (verify.INDEX, verify.PROOFS):
            renamed[part] = renamed[part].replace(was.encode(), path.encode())
        found = verify.verify_pack(with_new_index(renamed), verify.LogKey.parse(str(line.parts.log_key)))
        assert (found.verdict, f"{path} is not named as" in " ".join(found.problems)) == ("refused", True)


def test_no_path_in_a_command_is_more_than_one_word_to_a_shell(line):
    # What names files and generations in a record, whoever runs a log of their own chooses.
    _, files = report(line, dossier(line, ask(line)))
    checking = verify._Verification(files, None)
    for step in (checking._list, checking._log, checking._record):
        assert list(step()) == []
    asset = "asset/x; id.png"
    checking.files = {asset: b"", f"{asset}.receipt.json": b"", **files}
    checking.entries[checking.index["entry"]].value["subject"] = "$(id)"
    assert list(checking._say()) == []
    commands = [how for _, how in checking.report.not_checked]
    assert any(how.startswith(f"governance verify '{asset}' --root") for how in commands)
    assert any(how.endswith("governance ledger show '$(id)'") for how in commands)


def test_what_was_never_released_is_not_found(line):
    for name in ("", "nothing", "0" * 64, line.record.entry_id, ask(line).asset.id[:-1] + "x"):
        with pytest.raises(NoEntryError):
            asked_by_name(line.parts.ledger, name)


RECORDS = {
    "nothing wrong": (lambda body: None, ""),
    "denied": (put("decision", "outcome", value="deny"), "did not allow the release"),
    "held, and nobody let it go": (put("decision", "outcome", value="review"), "did not allow the release"),
    "of another stage": (put("decision", "stage", value="admission"), "its policy input is of another stage"),
    "no findings": (put("findings", value=[]), "it names no intent or no findings"),
    "other findings": (put("findings", 0, "score_millionths", value=1), "policy decided on other findings"),
    "another intent": (put("intent", "leaf", value="0" * 64), "what it names as its intent is none"),
    "an intent that is not there": (
        put("intent", "id", value="elsewhere"),
        "its intent elsewhere is not in the record",
    ),
    "another principal": (
        put("fields", "/principal/id", value="0" * 64),
        "its policy input commits to another /principal/id",
    ),
    "no mark and no label": (put("watermark", value=None), "it carries no watermark"),
    "another file": (put("asset", "digest", value="0" * 64), "is not the file that was released"),
    "another document": (put("decision", "input", value="0" * 64), "is not there, and nothing says why"),
    "a malformed body": (put("decision", value="none"), "it does not have the form of this version"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_no_release_down_the_whole_line_is_refused_though_it_is_signed(line, name):
    change, problem = RECORDS[name]
    files, key = signed_again(report(line, dossier(line, ask(line)))[1], change)
    found = verify.verify_pack(files, verify.LogKey.parse(key))
    assert (found.verdict == "verified") == (not problem), found.problems
    assert problem in "\n".join(found.problems)


def test_nothing_in_a_pack_writes_a_verdict(line):
    _, files = report(line, dossier(line, ask(line)))
    index = json.loads(files[verify.INDEX])
    index["missing"].append({"what": "x\nverdict: verified", "why": "\x1b[2J\u202e"})
    found = verify.verify_pack(with_new_index({**files, verify.INDEX: verify.spelt(index)}))
    lines = list(found.lines())
    assert [text for text in lines if text.startswith("verdict")] == ["verdict: self-consistent"]
    assert all(text.isprintable() for text in lines)
