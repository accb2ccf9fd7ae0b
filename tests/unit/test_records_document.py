"""`docs/records.md` says what the line writes: same kinds, same members; and its example holds to the last byte."""

import base64
import json
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from governance.agreement import disagreement
from governance.bodies import Judged, Subject, decision_of
from governance.candidate import DETAILS_OMITTED
from governance.canonical import canonical_bytes, canonical_digest, commitment, digest
from governance.checkpoint import Checkpoint, LogKey, verify_receipt
from governance.datasets.audit_entries import Audited, approved_record, audited_record, withdrawn_record
from governance.entries import Entry, EntryKind, ErasedPart, LegalHoldScope, Receipt, Spending
from governance.erasure import Basis, ErasureOrder, erased_record
from governance.errors import DetectorError, GenerationError, GovernanceError, ReviewError, StorageError
from governance.facts import InspectedInput, call_facts, facts_digest, request_facts
from governance.forgetting import Eraser
from governance.governor import Governor
from governance.in_force import RecordedPolicy
from governance.legal_holds import lifted_record, placed_record
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.manifest import Provenance
from governance.media import UNCHECKED_UNMARKED
from governance.merkle import EMPTY_ROOT, leaf_hash
from governance.obligations import Obligations
from governance.ports import ManifestReport, ManifestState
from governance.recovery import recover
from governance.registers.item_checks import RegisterName
from governance.registers.items import RegisteredModel, Vendor
from governance.registers.register import Registers
from governance.replays import Difference, Sampled
from governance.restoration import restored_record
from governance.review_facts import Act
from governance.testing import (
    EXAMPLE_MODEL,
    FailingAt,
    FakeDetector,
    FakeErasureLog,
    FakeLedger,
    FakePipeline,
    FakePolicyEngine,
    example_picture,
    example_request,
    fake_parts,
)
from governance.testing.ledger_budgets import DAY
from governance.testing.policy import admission_facts, release_facts, review_facts, run_facts
from governance.training.entries import denied_record, failed_record, started_record, trained_record
from governance.training.policy_input import BaseFacts, LineageGrade, Phase, RunFacts, run_input
from governance.training.runs import Consumed, DatasetUse, Method, ResultKind, RunPlan, TrainingResult
from governance.types import (
    CandidateDecision,
    InputImage,
    Mode,
    OpaqueArgument,
    OpaqueKind,
    Outcome,
    Reason,
    Stage,
    Usage,
)
from governance.work_records import WorkChange, work_record
from governance.works import Work, WorkAction
from governance_adapters.marking import dwtdctsvd, tiled
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.storage.tables import METADATA
from governance_adapters.web.keys import create_key
from support.markdown import ROOT, blocks, headings, inline_code, names, section, table
from support.replaying import PaintingAgain, released_by, replayer, shifted
from support.reviewing import ANN, BOB, CODES, REQUESTER, ReviewPolicy, held, request

RECORDS = (ROOT / "docs" / "records.md").read_text()
LINE = "".join((ROOT / "governance" / f"{name}.py").read_text() for name in ("governor", "releasing", "resumption"))
REASON = Reason("test.reason", "In words.", "/prompts/0")
OPAQUE = OpaqueArgument("latents", OpaqueKind.LATENTS, digest(b"latents"))
SOMETIMES = {"candidate", "work"}
"""Members of parts that are there only where there is something to say; their rows begin so."""
CANDIDATE = CandidateDecision(digest(b"a candidate"), Outcome.DENY, (REASON,), {"watermark": True})
PARTS = ("decision", "findings", "intent", "asset", "manifest", "watermark", "hold", "review", "shadow")
HELD_KINDS = {
    EntryKind.VIEWED,
    EntryKind.COMMENTED,
    EntryKind.ESCALATED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.EXPIRED,
}
NO_ATTEMPT = (
    HELD_KINDS
    | {EntryKind.POLICY, EntryKind.WORK, EntryKind.REGISTER, EntryKind.ACCESS, EntryKind.RESTORED, EntryKind.MODE}
    | {
        EntryKind.ERASED,
        EntryKind.LEGAL_HOLD,
        EntryKind.LEGAL_HOLD_LIFTED,
        EntryKind.REPLAYED,
        EntryKind.RECALLED,
        EntryKind.TRAINING,
        EntryKind.TRAINING_DENIED,
        EntryKind.TRAINING_FAILED,
        EntryKind.TRAINED,
        EntryKind.DATASET,
    }
)
BY_NOW = Reason("test.by_now", "Not any more.", "")
SHADOWED = Reason("test.shadowed", "It is recorded and not obeyed.", "")
FEWER_BY_NOW = ("brand.fewer_by_now",)


def deciding(stage, outcome):
    engine = FakePolicyEngine()
    return FakePolicyEngine({stage: lambda asked, _: engine.answer(asked, outcome, REASON, watermark=True)})


def in_shadow():
    """A policy that denies at both stages, for shadow mode."""
    engine = FakePolicyEngine()
    return FakePolicyEngine(
        dict.fromkeys((Stage.ADMISSION, Stage.RELEASE), lambda stage, _: engine.answer(stage, Outcome.DENY, SHADOWED))
    )


def considering(candidate):
    """A policy with a candidate beside it."""
    engine = FakePolicyEngine()

    def decide(stage, _):
        return replace(engine.answer(stage, Outcome.ALLOW, REASON, watermark=True), candidate=candidate)

    return FakePolicyEngine(dict.fromkeys(Stage, decide))


class WorkDetector(FakeDetector):
    """Scores the likeness to a protected work."""

    def detect(self, images):
        return [tuple(replace(finding, work="a-work") for finding in findings) for findings in super().detect(images)]


def entries_of(request=None, **changes):
    parts = fake_parts(**changes)
    with suppress(GovernanceError):
        Governor(parts).generate(request or example_request(), FakePipeline())
    return [entry for _, entry in parts.ledger.entries()]


def abandoned():
    """An entry for a process that vanished after its intent."""
    ledger = FakeLedger()
    subject = Subject("generation", attempt=1)
    request = example_request()
    ledger.begin(request.principal.id, request.id, digest(b"facts"), subject.generation_id)
    engine, facts = FakePolicyEngine(), admission_facts()
    judged = Judged.of(engine.decide(Stage.ADMISSION, facts), facts)
    spending = Spending(request.principal.id, DAY, Usage.of(request))
    ledger.append(subject.intended(request, (1,), EXAMPLE_MODEL, judged, spending))
    survivor = ledger.successor()
    return list(recover(survivor, fake_parts().vault, fake_parts().quarantine))


def in_force():
    """The entries of a bundle that comes into force, and of one that takes its place."""
    ledger = FakeLedger()
    engine = FakePolicyEngine()
    policy = RecordedPolicy(engine, ledger)
    for revision in (digest(b"one bundle"), digest(b"another")):
        engine.bundle_revision = revision
        policy.decide(Stage.ADMISSION, admission_facts())
    assert {entry.subject for _, entry in ledger.entries()} == {"policy"}
    return [entry for _, entry in ledger.entries()]


def reviewed():
    """The entries of holds: let go, rejected, expired, ended by policy, and one whose release fails first."""
    two_seen = held()
    desk, hold_id = two_seen.desk, two_seen.record.id
    desk.view(ANN, hold_id)
    desk.comment(ANN, hold_id, "seen")
    desk.lease(ANN, hold_id)
    desk.escalate(ANN, hold_id, "legal", CODES, "yours")
    two_seen.approve(ANN, "fine")
    quarantine = FailingAt(two_seen.parts.quarantine, "open", StorageError("No.", remedy="None."))
    desk.lease(BOB, hold_id)
    with suppress(StorageError):
        two_seen.over(quarantine=quarantine).approve(BOB, hold_id, CODES)
    desk.settle()
    rejected = held()
    rejected.desk.lease(ANN, rejected.record.id)
    rejected.desk.reject(ANN, rejected.record.id, CODES, "no")
    rejected.desk.comment(ANN, held_again(rejected).id, "another")
    expired = held(ReviewPolicy(release=(Outcome.REVIEW, (REASON,), {"expire_hours": 1})))
    expired.desk.settle(expired.record.expires)
    ended = held(ReviewPolicy(needed=1))
    ended.policy.release = (Outcome.DENY, (BY_NOW,), {})
    with suppress(ReviewError):
        ended.approve(ANN, "fine")
    let_run = held(ReviewPolicy(needed=1, admission=(Outcome.REVIEW, (REASON,), {}), release=(Outcome.ALLOW, (), {})))
    let_run.approve(ANN, "fine")
    Governor(let_run.parts).generate(request(), FakePipeline())
    fewer = held(ReviewPolicy(needed=1, release=(Outcome.REVIEW, (REASON,), {"approvals": 2})))
    fewer.desk.lease(ANN, fewer.record.id)
    fewer.desk.approve(ANN, fewer.record.id, FEWER_BY_NOW)
    lines = two_seen, rejected, expired, ended, let_run, fewer
    return [[entry for _, entry in each.parts.ledger.entries()] for each in lines]


def held_again(line):
    """The hold of another request of the same line."""
    with suppress(GovernanceError):
        Governor(line.parts).generate(request(id="another"), FakePipeline())
    return line.parts.ledger.holds()[-1]


def registered():
    """The entries of a work, of a vendor and a model in the registers, and of an API key."""
    ledger = FakeLedger()
    principal = example_request().principal
    registers = Registers(ledger)
    registers.add(Vendor("house", "A house", contact="rights@example.org"), principal)
    registers.add(RegisteredModel("example", dict(EXAMPLE_MODEL.components)), principal)
    registers.withdraw(RegisterName.VENDORS, "house", principal)
    work = Work("A title", "An owner", "CC0-1.0", WorkAction.REVIEW, (digest(b"image"),))
    ledger.append(work_record(WorkChange.ADDED, work, principal))
    with TemporaryDirectory() as folder:
        keys = ApiKeyFile(Path(folder) / "keys.sqlite")
        create_key(keys, ledger, "reviewer@example.org", ("reviewer",), (Act.HOLDS_READ,), 1)
    return [entry for _, entry in ledger.entries()]


def came_back():
    """The entries of a log that was restored, known to have lost something and not."""
    ledger = FakeLedger()
    backup = Checkpoint("log.example.org/test", 7, EMPTY_ROOT)
    ledger.append(restored_record(backup, None))
    ledger.append(restored_record(backup, 9, example_request().principal, "case 12"))
    return [entry for _, entry in ledger.entries()]


def forgotten():
    """The entries of erasures on every basis, of the hold of item 1 that ends with one, and of legal holds."""
    line = held(asked=request(images=2, seeds=(1, 2)))
    ledger, parts = line.parts.ledger, line.parts
    first, _ = sorted(ledger.holds(), key=lambda record: record.item)  # ids of one millisecond are in no order
    line.desk.lease(ANN, first.id)
    rejected = line.desk.reject(ANN, first.id, CODES, "no").entry
    scopes = (LegalHoldScope.GENERATION, "g"), (LegalHoldScope.PRINCIPAL, BOB.id), (LegalHoldScope.EVERYTHING, "")
    for kind, scope in scopes:
        placed = placed_record(kind, scope, ANN, "case 12")
        ledger.append(placed)
        ledger.append(lifted_record(placed.legal_hold, ANN, "case 12"))
    eraser = Eraser(ledger, parts.vault, parts.quarantine, FakeErasureLog(), parts.log_key)
    report = eraser.person(REQUESTER.id, ErasureOrder(Basis.REQUEST, ANN, "case 12"))
    for order in (ErasureOrder(Basis.RETENTION), ErasureOrder(Basis.REPLAY, ANN, original=report.entries[0])):
        ledger.append(erased_record("act", [ErasedPart(rejected.id, "/reviewer/id")], order))
    return [entry for _, entry in ledger.entries()]


def made_again():
    """The entries of a call that was made again: in an audit, with a difference, and where it could not be."""
    parts = fake_parts()
    released, replays = released_by(parts), replayer(parts)
    failing = PaintingAgain(error=GenerationError("No.", remedy="None."))
    other = PaintingAgain(spoil=shifted(1, 12), differences=(Difference("call", "steps: 2 recorded, 3 here"),))
    for regenerator, sampled in ((other, Sampled(1, 7)), (failing, None)):
        (answer,) = replays.replay(released, regenerator)
        replays.recorded(answer, sampled)
    return [entry for _, entry in parts.ledger.entries()]


def recalled():
    """The entries of a recall."""
    ledger = FakeLedger()
    recall = Recall(Cause(RecallBy.LICENCE, "CC-BY-4.0"), example_request().principal, "it ended")
    for record in recall.records(Targets(models=(EXAMPLE_MODEL.digest,), assets=("an entry",))):
        ledger.append(record)
    return [entry for _, entry in ledger.entries()]


def trained():
    """The entries of runs that were denied, failed by themselves and by policy, and ended with an adapter and a model."""
    ledger, engine = FakeLedger(), FakePolicyEngine()
    use = DatasetUse("digits", "an entry", digest(b"root"))
    who = example_request().principal
    base = canonical_digest(dict(EXAMPLE_MODEL.components))
    plan = RunPlan(
        who, "marketing", Method.LORA, LineageGrade.WITNESSED, base, (use,), {"steps": 1}, {"caption": "a seven"}
    )
    facts = RunFacts(
        who, "marketing", Phase.START, "lora", LineageGrade.WITNESSED, BaseFacts(base, "registered"), datasets=()
    )
    asked = run_input(facts, time=DAY + "T00:00:00.000Z", bundle_revision=engine.bundle_revision)
    judged = Judged.of(engine.decide(Stage.TRAINING, asked), asked)
    ledger.append(denied_record(plan, judged))
    receipt = ledger.append(started_record(plan, judged))
    ledger.append(failed_record(plan, receipt, "train", ValueError("No.")))
    ledger.append(failed_record(plan, receipt, "finish", ValueError("No."), judged))
    consumed = [Consumed("digits", use.root, 8, 1, b"\1")]
    for result in (
        TrainingResult(ResultKind.ADAPTER, digest(b"weights"), "a lora", digest(b"file"), "unet"),
        TrainingResult(ResultKind.MODEL, base, "a model", components=EXAMPLE_MODEL.components),
    ):
        signature = {"method": "key", "file": digest(b"signature"), "key": digest(b"key")}
        ledger.append(trained_record(plan, receipt, judged, consumed, result, signature))
    return [entry for _, entry in ledger.entries()]


def audited():
    """The entries of two audits of a dataset, of an approval and of its withdrawal."""
    ledger, who = FakeLedger(), example_request().principal
    found = Audited("digits", digest(b"root"), 2, 3, {Outcome.ALLOW: 3}, b"{}", b"[]", digest(b"bundle"), "marketing")
    first = audited_record(found, who)
    again = audited_record(replace(found, audit="another"), who, first.entry)
    for record in (first, again, approved_record(again.entry, who, "read"), withdrawn_record(again.entry, who)):
        ledger.append(record)
    return [entry for _, entry in ledger.entries()]


@pytest.fixture(scope="module")
def written():
    """Bodies of every kind, from every way of getting there."""
    found = defaultdict(list)
    runs = [
        entries_of(),
        entries_of(example_request(inputs=(InputImage("image", example_picture()),))),
        entries_of(example_request(opaque=(OPAQUE,)), policy=considering(CANDIDATE), detectors=(WorkDetector(),)),
        entries_of(policy=in_shadow(), mode=Mode.SHADOW),
        *(
            entries_of(policy=deciding(stage, o))
            for stage in ("admission", "release")
            for o in (Outcome.DENY, Outcome.REVIEW)
        ),
        entries_of(detectors=(FakeDetector(failing=DetectorError("No.", remedy="None.")),)),
        entries_of(policy=FailingAt(FakePolicyEngine(), "decide", GenerationError("No.", remedy="None."))),
        abandoned(),
        in_force(),
        *reviewed(),
        registered(),
        came_back(),
        forgotten(),
        made_again(),
        recalled(),
        audited(),
        trained(),
    ]
    for entry in (entry for run in runs for entry in run):
        found[entry.kind].append(entry.body)
    return found


def members(bodies):
    return {name for body in bodies for name in body}


def test_every_kind_is_documented(written):
    documented = {
        title.strip("`") for level, title in headings(section(RECORDS, "Entry kinds")) if title.startswith("`")
    }
    assert documented == {kind.value for kind in EntryKind}
    assert set(written) == set(EntryKind)


@pytest.mark.parametrize("kind", EntryKind)
def test_every_member_of_a_body_is_documented(kind, written):
    always = names(section(RECORDS, "In every body")) - ({"attempt"} if kind in NO_ATTEMPT else set())
    assert always | names(section(RECORDS, f"`{kind.value}`")) == members(written[kind])
    assert all(always <= set(body) for body in written[kind])


@pytest.mark.parametrize("kind", EntryKind)
def test_a_member_of_some_bodies_is_said_to_be_only_theirs(kind, written):
    conditions = {
        "only for the whole call": lambda body: body["item"] is None,
        "only for an image": lambda body: body["item"] is not None,
        "only after the intent was written": lambda body: (
            body["step"] not in ("open", "describe", "claim", "admit", "intend")
        ),
        "only where policy held it and people let it go": lambda body: body["decision"]["outcome"] == "review",
        "only where more approvals were obliged when it was held": lambda body: body["codes"] == list(FEWER_BY_NOW),
        "only where somebody in particular does it": lambda body: "/principal/id" in body["fields"],
        "only in shadow mode": lambda body: (
            body["decision"]["reasons"] == [{"code": SHADOWED.code, "path": SHADOWED.path}]
        ),
        "only in an audit": lambda body: body["change"] == "audited",
        "only in an approval or a withdrawal": lambda body: body["change"] != "audited",
        "only in a replay": lambda body: body["basis"] == "replay",
        "only where something was generated": lambda body: body["drafts"]["regenerated"] is not None,
        "only where what people would need to know was erased": lambda body: body["item"] == 1,
        "only where policy refused the result": lambda body: body["step"] == "finish",
        "only where people had let it go": lambda body: (
            body.get("step") == "restore"
            or body.get("decision", {}).get("reasons") == [{"code": BY_NOW.code, "path": ""}]
        ),
    }
    for cells in table(section(RECORDS, f"`{kind.value}`")):
        (name,), (condition, colon, _) = inline_code(cells[0]), cells[1].partition(":")
        assert bool(colon and condition.startswith("only ")) == (condition in conditions), cells
        due = conditions.get(condition, lambda _: True)
        assert [name in body for body in written[kind]] == [bool(due(body)) for body in written[kind]], name


@pytest.mark.parametrize("part", PARTS)
def test_every_member_of_a_part_is_documented(part, written):
    values = [body[part] for bodies in written.values() for body in bodies if body.get(part)]
    each = [item for value in values for item in (value if isinstance(value, (list, tuple)) else [value])]
    assert names(section(RECORDS, f"`body.{part}`")) == members(each)


def test_a_member_of_some_parts_is_said_to_be_only_theirs(written):
    decisions = [body["decision"] for bodies in written.values() for body in bodies if "decision" in body]
    findings = [finding for bodies in written.values() for body in bodies for finding in body.get("findings", ())]
    for part, values in (("decision", decisions), ("findings", findings)):
        always = set.intersection(*(set(value) for value in values))
        rows = {inline_code(cells[0])[0]: cells[1] for cells in table(section(RECORDS, f"`body.{part}`"))}
        sometimes = {name for name, said in rows.items() if "; only where" in said}
        assert sometimes == set(rows) - always
        assert sometimes <= SOMETIMES


def test_a_candidate_is_documented_and_read_back(written):
    (found,) = [body for body in written[EntryKind.RELEASED] if "candidate" in body["decision"]]
    said = section(RECORDS, "`body.decision`").split("A `candidate` has", 1)[1]
    assert set(inline_code(said)) == {*found["decision"]["candidate"], "candidate", DETAILS_OMITTED}
    read = decision_of(Entry(EntryKind.RELEASED, "g", found), ())
    assert read.candidate == replace(CANDIDATE, reasons=(replace(REASON, message=""),))
    for absent in (None, replace(CANDIDATE, outcome=None, reasons=(), obligations={}, error="PolicyError")):
        (entry, *_) = entries_of(policy=considering(absent))
        assert decision_of(entry, ()).candidate == absent


def test_every_object_in_a_body_is_described(written):
    nested = {
        name
        for bodies in written.values()
        for body in bodies
        for name, value in body.items()
        if isinstance(value, (dict, list, tuple))
    }
    assert nested == {*PARTS, "fields", "honoured", "metadata", "codes", "principal", "images", "roles", "scopes"} | {
        "parts",
        "released",
        "drafts",
        "numbers",
        "tolerance",
        "differences",
        "sample",
        "scope",
        "recall",
        "item",
        "targets",
        "datasets",
        "started",
        "consumed",
        "outcomes",
        "result",
        "signature",
    }


def test_every_personal_field_is_documented(written):
    committed = {
        re.sub(r"\d+$", "<index>", name) for bodies in written.values() for b in bodies for name in b.get("fields", {})
    }
    assert names(section(RECORDS, "Field commitments")) == committed


def test_every_step_is_documented():
    steps = re.findall(r'(?:\bstep(?:, [\w.]+)* = |\breached\()"(\w+)"', LINE)
    assert names(section(RECORDS, "Steps")) == set(steps)
    assert len(steps) > 10
    passed_on = len(re.findall(r"\bstep = (?:step|name)\b", LINE))
    set_or_told = re.findall(r"\bstep\b[^=():\n]*=[^=]|\breached\((?!self|name)", LINE)
    assert len(steps) + passed_on == len(set_or_told), "a step is set in a new way"


def test_documents_are_documented():
    asked = (admission_facts(), release_facts(), review_facts(), run_facts())
    assert names(section(RECORDS, "The policy input")) == {name for facts in asked for name in facts}
    assert names(section(RECORDS, "The model")) == set(EXAMPLE_MODEL.as_json())
    consumed = Consumed("digits", digest(b"root"), 8, 1, b"\1")
    assert names(section(RECORDS, "What a run consumed")) == set(json.loads(consumed.document().content))
    picture = InputImage("image", example_picture())
    facts = request_facts(example_request(opaque=(OPAQUE,)), EXAMPLE_MODEL, (InspectedInput(picture, ()),))
    judged = Judged.of(FakePolicyEngine().decide(Stage.ADMISSION, admission_facts()), admission_facts())
    spending = Spending("ann", DAY, Usage.of(example_request()))
    record = Subject("g", 1).intended(example_request(), (1,), EXAMPLE_MODEL, judged, spending)
    call = next(json.loads(each.content) for each in record.documents if each.digest == record.entry.body["call"])
    assert names(section(RECORDS, "The call")) == set(call)
    row = next(line for line in section(RECORDS, "The policy input").splitlines() if line.startswith("| `usage`"))
    assert set(inline_code(row)) - {"usage", "time"} == set(admission_facts()["usage"])
    for fact in ("prompts", "inputs", "opaque"):
        name = f"/{fact}/<index>"
        row = next(line for line in section(RECORDS, "Field commitments").splitlines() if name in line)
        assert set(inline_code(row)) - {name} == set(facts[fact][0])
    size, newline = re.search(r"SHA-256 of `(.+)`, a (newline)", section(RECORDS, "Field commitments")).groups()
    written = size.replace("<height>", "64").replace("<width>", "64").encode() + {"newline": b"\n"}[newline]
    assert facts["inputs"][0]["digest"] == digest(written + picture.pixels.tobytes())


def test_what_makes_two_calls_the_same_is_documented():
    request = example_request()
    facts = admission_facts(request)
    text = section(RECORDS, "The same request again")
    left_out = re.search(r"without (.+) and `request\.(\w+)`", text)
    for name in inline_code(left_out[1]):
        del facts[name]
    del facts["request"][left_out[2]]
    compared = canonical_digest({"facts": facts, "call": call_facts(request, request.seeds)})
    assert {"facts", "call"} <= set(inline_code(text))
    assert facts_digest(request_facts(request, EXAMPLE_MODEL, ()), request, EXAMPLE_MODEL) == compared


def test_wire_forms_are_documented():
    entry = Entry(EntryKind.INTENT, "g", {})
    assert names(section(RECORDS, "Entries")) == set(json.loads(entry.leaf()))
    assert names(section(RECORDS, "Receipt")) == set(json.loads(Receipt(b"", 0, 1, (), "").to_json()))
    provenance = Provenance(
        asset_id="a", intent_entry_id="i", intent_leaf=digest(b"l"), log_origin="o", bundle_revision=digest(b"b"),
        decision_ids=("d",), model_digest=digest(b"m"), components={"unet": digest(b"u")}, disclosed={"x": 1},
        mode=Mode.SHADOW, caveat=UNCHECKED_UNMARKED,
    ).assertion()  # fmt: skip
    paths = {
        path
        for name, value in provenance.items()
        for path in ([f"{name}.{inner}" for inner in value] if name in ("intent", "policy", "model") else [name])
    }
    assert names(section(RECORDS, "The provenance assertion")) == paths


def test_every_table_and_mark_is_documented():
    assert names(section(RECORDS, "The database")) == set(METADATA.tables)
    assert {tiled.ALGORITHM, dwtdctsvd.ALGORITHM} <= set(inline_code(section(RECORDS, "Watermark payload")))


class TestExample:
    """The example is what the line wrote, so another verifier can be tried on it."""

    example = section(RECORDS, "Example")
    intent, outcome = (json.loads(re.sub(r"  // .*", "", block)) for block in blocks(example, "jsonc"))
    opened, call, receipt, provenance = (json.loads(block) for block in blocks(example, "json"))

    def test_has_the_shape_that_is_written_now(self, written):
        for entry in (self.intent, self.outcome):
            bodies = written[EntryKind(entry["kind"])]
            assert set(entry["body"]) == members(bodies) - {"review", "shadow"}
            assert set(self.call) == names(section(RECORDS, "The call"))
            for part in PARTS:
                if value := entry["body"].get(part):
                    fresh = [body[part] for body in bodies if body.get(part)]
                    now = members(
                        each for item in fresh for each in (item if isinstance(item, (list, tuple)) else [item])
                    )
                    assert members(value if isinstance(value, list) else [value]) == now - SOMETIMES

    def test_every_obligation_is_honoured(self):
        assert set(self.outcome["body"]["honoured"]) == {field.name for field in fields(Obligations)}

    def test_the_receipt_verifies_with_the_key(self):
        key = LogKey.parse(next(code for code in inline_code(self.example) if code.count("+") >= 2))
        receipt = Receipt.from_json(json.dumps(self.receipt))
        entry = verify_receipt(receipt, key)
        assert receipt.leaf == canonical_bytes(self.outcome)
        assert entry.kind is EntryKind.RELEASED

    def test_the_outcome_and_the_manifest_name_the_intent(self):
        leaf = leaf_hash(canonical_bytes(self.intent)).hex()
        named = {"id": self.intent["id"], "leaf": leaf}
        assert self.outcome["body"]["intent"] == named
        assert leaf in inline_code(self.example)
        assert (self.provenance["intent"]["entry"], self.provenance["intent"]["leaf"]) == (named["id"], leaf)
        assert self.provenance["asset"] == self.outcome["body"]["asset"]["id"]
        decisions = [entry["body"]["decision"]["decision_id"] for entry in (self.intent, self.outcome)]
        assert self.provenance["policy"]["decision_ids"] == decisions
        assert self.provenance["model"]["digest"] == self.intent["body"]["model"]

    def test_the_release_is_one_that_verifies(self):
        entry = Entry.from_leaf(canonical_bytes(self.outcome))
        report = ManifestReport(ManifestState.TRUSTED, provenance=self.provenance)
        log_name = self.provenance["intent"]["log"]
        assert disagreement(entry, decision_of(entry, ()), report, log_name) == ""

    def test_the_call_is_the_one_that_the_intent_names(self):
        assert canonical_digest(self.call) == self.intent["body"]["call"]
        assert len(self.call["seeds"]) == self.call["images"] == self.intent["body"]["items"]

    def test_the_commitments_open(self):
        assert set(self.opened) == {"/decision/messages", "/principal/id", "/request/id"}
        for name, opening in self.opened.items():
            salt = base64.b64decode(opening["salt"])
            assert self.intent["body"]["fields"][name] == commitment(name, opening["value"], salt)

    def test_the_names_of_model_and_mark_follow(self):
        codes = inline_code(self.example)
        weights = bytes.fromhex(canonical_digest(self.provenance["model"]["components"]))
        assert f"ni:///sha-256;{base64.urlsafe_b64encode(weights).rstrip(b'=').decode()}" in codes
        payload = base64.b64decode(next(code for code in codes if len(code) == 12 and code.endswith("=")))
        assert str(int.from_bytes(payload) >> 24) == self.outcome["body"]["watermark"]["id"]
