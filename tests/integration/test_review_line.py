"""Held, decided by people and released, all with real parts: the shipped policy, SQLite, AES, the watermark and C2PA."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import pytest
from encypher_c2pa import verify

from governance.canonical import commitment, digest
from governance.entries import EntryKind, HoldState
from governance.errors import HeldError, HoldClosedError, LeaseError, NotPermittedError, StorageError
from governance.ports import ManifestState
from governance.review import ReviewDesk
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_picture, example_request
from governance.types import Finding, Principal, Prompt
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.marking.keys import ROOTS
from governance_adapters.wiring import open_governor, open_verifier
from support.allowed import allowed

ANN, BOB = (Principal(f"{name}@example.org", ("reviewer",)) for name in ("ann", "bob"))
COUNSEL = Principal("counsel@example.org", ("counsel",))
REQUESTER = Principal("designer@example.org", ("designer", "reviewer"))
CODES = ("brand.own_work",)


class CopyDetector(FakeDetector):
    """Finds each picture to be a copy of a registered work that a person must look at."""

    def detect(self, images):
        return [
            (Finding(self.name, self.digest, "copy", 0.97, "work-1", "review", {"hamming": 8, "variant": "upright"}),)
            for _ in images
        ]


@pytest.fixture
def installed(settings):
    """An installation whose bundle allows the example model."""
    allowed(settings, EXAMPLE_MODEL, name="example", licence="Apache-2.0")
    return settings


@contextmanager
def opened(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=(FakeDetector(), CopyDetector(name="similarity")))
    try:
        yield governor
    finally:
        governor.parts.ledger.close()


def asked(**changes):
    return example_request(**{"principal": REQUESTER, "seeds": (5,), "markets": ("EU",), **changes})


def hold(governor, **changes):
    with pytest.raises(HeldError, match=r"work\.review"):
        governor.generate(asked(**changes), FakePipeline())
    return governor.parts.ledger.holds()[-1]


def approve(desk, reviewer, record):
    desk.lease(reviewer, record.id)
    return desk.approve(reviewer, record.id, CODES, "seen, and ours")


def test_two_people_let_a_copy_go_and_the_file_proves_it(installed):
    with opened(installed) as governor:
        parts, desk = governor.parts, ReviewDesk(governor.parts)
        record = hold(governor)
        assert (record.queue, record.state) == ("brand", HoldState.OPEN)
        assert record.opened < record.due < record.expires
        assert b"PNG" not in (installed.quarantine_path / f"{record.id}.sealed").read_bytes()
        pixels = parts.encoder.decode(desk.view(ANN, record.id))
        assert (pixels == example_picture(256, 256, 5)).all()

        first = approve(desk, ANN, record)
        assert first.item is None
        desk.lease(ANN, record.id)
        with pytest.raises(NotPermittedError, match=r"review\.twice"):
            desk.approve(ANN, record.id, CODES)
        with pytest.raises(NotPermittedError, match=r"review\.requester"):
            desk.view(REQUESTER, record.id)
        with pytest.raises(NotPermittedError, match=r"review\.queue"):
            desk.lease(COUNSEL, record.id)
        with pytest.raises(LeaseError):
            desk.approve(BOB, record.id, CODES)
        desk.give_back(ANN, record.id)
        item = approve(desk, BOB, record).item

        entry, asset = item.entry, item.asset
        approvals = entry.body["review"]["approvals"]
        people = []
        for approval in approvals:
            field = next(f for f in parts.ledger.fields(approval["entry"]) if f.name == "/reviewer/id")
            assert commitment(field.name, field.value, field.salt) == approval["reviewer"]
            people.append(field.value)
        assert people == [ANN.id, BOB.id]
        assert parts.ledger.hold(record.id).state is HoldState.DONE
        assert parts.quarantine.holds() == []
        assert parts.signer.read(asset.content).state is ManifestState.TRUSTED
        assert list(parts.ledger.verify()) == []
        assert governor.generate(asked(), FakePipeline()).items[0].asset == asset

    with opened(installed) as governor:  # a process later
        assert governor.generate(asked(), FakePipeline()).items[0].asset.digest == digest(asset.content)
    verification = open_verifier(installed).verify(asset.content)
    assert [check.name for check in verification.checks if check.status.value == "fails"] == []
    assert verification.entry.id == entry.id
    roots = (installed.keys_path / ROOTS).read_text()
    assert verify(asset.content, "image/png", trust_pem=roots, no_default_trust=True)["validation_state"] == "Trusted"


def test_what_is_rejected_never_decrypts_again(installed):
    with opened(installed) as governor:
        parts, desk = governor.parts, ReviewDesk(governor.parts)
        record = hold(governor)
        approve(desk, ANN, record)
        desk.lease(BOB, record.id)
        desk.reject(BOB, record.id, ("brand.too_similar",), "=HYPERLINK('x')")
        with pytest.raises(HoldClosedError):
            desk.view(ANN, record.id)
        with pytest.raises(StorageError):
            parts.quarantine.open(record.id)
        assert list(installed.quarantine_path.glob(f"{record.id}*")) == []
        kinds = [entry.kind for _, entry in parts.ledger.entries(subject=record.subject)]
        assert kinds == [EntryKind.INTENT, EntryKind.HELD, EntryKind.APPROVED, EntryKind.REJECTED]
    with opened(installed) as governor:
        with pytest.raises(StorageError):
            governor.parts.quarantine.open(record.id)
        assert list(governor.parts.ledger.verify()) == []


def test_counsel_decides_on_what_is_escalated_and_others_do_not(installed):
    with opened(installed) as governor:
        desk = ReviewDesk(governor.parts)
        record = hold(governor)
        desk.lease(ANN, record.id)
        for queue in ("nowhere", "brand"):
            with pytest.raises(NotPermittedError, match=r"review\.escalation"):
                desk.escalate(ANN, record.id, queue, CODES)
        desk.escalate(ANN, record.id, "legal", CODES, "not mine to say")
        with pytest.raises(NotPermittedError, match=r"review\.queue"):
            desk.lease(BOB, record.id)
        desk.lease(COUNSEL, record.id)
        assert desk.reject(COUNSEL, record.id, CODES).record.state is HoldState.REJECTED
        assert list(governor.parts.ledger.verify()) == []


def test_silence_is_a_rejection_when_the_line_is_opened(installed):
    with opened(installed) as governor:
        record = hold(governor)
        desk = ReviewDesk(governor.parts, clock=lambda: record.expires)
        with pytest.raises(HoldClosedError, match="expired"):
            desk.lease(ANN, record.id)
        assert governor.parts.quarantine.holds() == []
        assert list(governor.parts.ledger.verify()) == []


def test_a_request_that_people_let_run_runs_once(installed):
    with opened(installed) as governor:
        parts, desk = governor.parts, ReviewDesk(governor.parts)
        named = {"prompts": (Prompt("a bottle of coca cola"),)}
        with pytest.raises(HeldError):
            governor.generate(asked(**named), FakePipeline())
        (record,) = parts.ledger.holds()
        assert record.item is None
        pipeline = FakePipeline()
        done = approve(desk, ANN, record)
        assert done.record.state is HoldState.APPROVED
        with pytest.raises(HeldError, match=r"work\.review"):  # now the draft itself
            governor.generate(asked(**named), pipeline)
        assert pipeline.runs == 1
        draft = parts.ledger.holds(state=HoldState.OPEN)[0]
        approve(desk, ANN, draft)
        item = approve(desk, BOB, draft).item
        assert item.asset is not None
        intent = parts.ledger.entries(kind=EntryKind.INTENT)[0][1]
        assert intent.body["review"]["hold"] == record.id
        assert item.entry.body["review"]["hold"] == draft.id
        with pytest.raises(HeldError):
            governor.generate(asked(id="another", **named), pipeline)
        assert pipeline.runs == 1
        assert list(parts.ledger.verify()) == []
