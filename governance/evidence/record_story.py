"""The record for people: what happened in which order, what was decided, found and approved, and what is committed to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from governance.bodies import MESSAGES_FIELD, decision_of
from governance.entries import EntryKind
from governance.erasure import erased_parts
from governance.evidence.blocks import Block, Facts, Heading, Paragraph, Table, plain
from governance.evidence.disclosing import FieldState
from governance.evidence.gathering import Evidence, Proven, ShownField
from governance.hold_bodies import COMMENT_FIELD, REVIEWER_FIELD
from governance.records import field_commitments

_HAPPENED: Final = {
    EntryKind.INTENT: "The request was admitted and recorded, before anything was generated",
    EntryKind.DENIED: "Policy refused",
    EntryKind.HELD: "Policy held it for people to decide",
    EntryKind.RELEASED: "The file was released",
    EntryKind.FAILED: "A step failed; nothing left",
    EntryKind.ABANDONED: "Closed without an outcome: its process had ended",
    EntryKind.POLICY: "A policy bundle came into force",
    EntryKind.MODE: "Shadow mode was turned on or off",
    EntryKind.REGISTER: "An item of the registers was added, changed or withdrawn",
    EntryKind.VIEWED: "A reviewer looked at what was held",
    EntryKind.COMMENTED: "A reviewer wrote a comment",
    EntryKind.ESCALATED: "A reviewer passed it on to another queue",
    EntryKind.APPROVED: "A reviewer approved",
    EntryKind.REJECTED: "A reviewer rejected",
    EntryKind.EXPIRED: "Nobody decided in time",
    EntryKind.ERASED: "Something recorded was erased",
    EntryKind.LEGAL_HOLD: "A legal hold was placed",
    EntryKind.LEGAL_HOLD_LIFTED: "A legal hold was lifted",
    EntryKind.REPLAYED: "The recorded call was made again and compared",
}
_PEOPLE: Final = (REVIEWER_FIELD, "/by/id", "/principal/id")
_ACTS: Final = frozenset(
    {
        EntryKind.VIEWED,
        EntryKind.COMMENTED,
        EntryKind.ESCALATED,
        EntryKind.APPROVED,
        EntryKind.REJECTED,
        EntryKind.EXPIRED,
    }
)


def timeline(evidence: Evidence) -> Iterator[Block]:
    """Every entry of the record, in the order of the log."""
    yield Heading("What happened, in the order of the log")
    rows = tuple(
        (str(each.index), each.entry.time, _happened(each), _who(evidence, each), each.entry.id)
        for each in evidence.entries
    )
    yield Table(("Entry", "Time (UTC)", "What happened", "Who", "Id of the entry"), (7, 22, 29, 19, 23), rows)


def decisions(evidence: Evidence) -> Iterator[Block]:
    """Every decision of policy, with its reasons."""
    yield Heading("Decisions of policy")
    for each in evidence.entries:
        messages = evidence.fields_of(each).get(MESSAGES_FIELD)
        opened = () if messages is None or messages.field is None else (messages.field,)
        decision = decision_of(each.entry, opened)
        if decision is None:
            continue
        raw: Any = each.entry.body["decision"]
        yield Facts(
            (
                (
                    "Decision",
                    f"{decision.stage.value}: {decision.outcome.value} (entry {each.index}, {each.entry.time})",
                ),
                ("Decision id", decision.decision_id),
                ("Policy bundle", decision.bundle_revision),
                ("Policy input", f"SHA-256 {raw['input']}"),
                ("Obligations", plain(decision.obligations)),
            )
        )
        unsaid = "" if messages is None or messages.field is not None else f"[{messages.state.value}]"
        rows = tuple((reason.code, reason.path, reason.message or unsaid) for reason in decision.reasons)
        if rows:
            yield Table(("Reason", "Place in the input", "In words"), (28, 22, 50), rows)
        else:
            yield Paragraph("No rule objected: there are no reasons.")


def findings(evidence: Evidence) -> Iterator[Block]:
    """What detectors found in each image, with the digests of what scored."""
    yield Heading("What automatic checks found")
    yield Paragraph(
        "A score is a detector\u2019s estimate of a risk between 0 and 1, no verdict: policy decides by it. Policy saw it in "
        "millionths, rounded up."
    )
    rows = []
    for each in evidence.entries:
        found: Any = each.entry.body.get("findings", ())
        rows += [
            (
                f"{each.index}, image {each.entry.body['item']}",
                f"{item['detector']}: {item['label']}" + (f" (work {item['work']})" if item.get("work") else ""),
                item["score"],
                str(item["score_millionths"]),
                item["detector_digest"],
            )
            for item in found
        ]
    columns = ("Entry", "Detector: label", "Score", "In millionths", "SHA-256 of the detector")
    yield Table(columns, (12, 22, 19, 12, 35), tuple(rows))


def reviewers(evidence: Evidence) -> Iterator[Block]:
    """What people did about what policy held."""
    acts = [each for each in evidence.entries if each.entry.kind in _ACTS]
    yield Heading("What people decided")
    if not acts:
        yield Paragraph("Nothing: policy held nothing of this generation for people to decide, or nobody acted on it.")
        return
    rows = []
    for each in acts:
        codes: Any = each.entry.body.get("codes", ())
        comment = evidence.fields_of(each).get(COMMENT_FIELD)
        said = "" if comment is None else _value(comment)
        act = f"{each.entry.kind.value} ({each.entry.time})"
        rows.append((str(each.index), act, _who(evidence, each), ", ".join(codes), said))
    yield Table(("Entry", "Act", "Who", "Reason codes", "Comment"), (8, 26, 20, 20, 26), tuple(rows))


def personal(evidence: Evidence) -> Iterator[Block]:
    """Every personal field with its commitment, and whether the pack opens it."""
    yield Heading("Personal data")
    yield Paragraph(
        "The log holds no personal data, only commitments: digests that hide a value and bind its writer to it. The pack "
        "opens a commitment with the value and its salt where it says \u201cdisclosed\u201d. Values that were erased exist "
        "no more; their commitments stay, and so does every proof."
    )
    entries = {each.index: each.entry for each in evidence.entries}
    rows = tuple(
        (str(shown.index), shown.name, _state(shown), str(field_commitments(entries[shown.index])[shown.name]))
        for shown in evidence.fields
    )
    yield Table(("Entry", "Field", "State", "Commitment"), (6, 18, 16, 60), rows)


def _state(shown: ShownField) -> str:
    return f"erased by {shown.by}" if shown.state is FieldState.ERASED else shown.state.value


def _happened(each: Proven) -> str:
    entry = each.entry
    said = _HAPPENED.get(entry.kind, entry.kind.value)
    if entry.kind is EntryKind.FAILED:
        return f"{said} ({entry.body['step']}: {entry.body['error']})"
    if entry.kind is EntryKind.ERASED:
        names = ", ".join(sorted({part.name for part in erased_parts(entry)}))
        return f"{said} ({entry.body['basis']}): {names}"
    if entry.kind is EntryKind.REPLAYED:
        said = f"{said}: {str(entry.body['verdict']).replace('_', ' ')}"
    item = entry.body.get("item")
    return said if item is None else f"{said} (image {item})"


def _who(evidence: Evidence, each: Proven) -> str:
    fields = evidence.fields_of(each)
    return next((_value(fields[name]) for name in _PEOPLE if name in fields), "")


def _value(shown: ShownField) -> str:
    return f"[{shown.state.value}]" if shown.field is None else plain(shown.field.value)
