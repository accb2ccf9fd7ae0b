"""How one entry of the ledger is shown: who asked, what was decided, found and released, and what exactly made it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from governance.bodies import MESSAGES_FIELD, decision_of, findings_of
from governance.canonical import Digest, Json, digest
from governance.entries import Entry, EntryKind
from governance.errors import ProofError
from governance.ports import Ledger
from governance.shadow import shadow_of
from governance.types import CandidateDecision
from governance_adapters.commands.output import out, printable

POLICY_INPUT: Final = "policy_input"
MODEL: Final = "model"
_SHOWN_APART: Final = frozenset({"version", "decision", "findings", "fields", "intent", MODEL, "call"})
"""Members of a body that have a section of their own, or are digests of what has one."""
_NO_GENERATION: Final = (EntryKind.POLICY, EntryKind.MODE)


def entry_json(index: int, entry: Entry) -> dict[str, Json]:
    """An entry and its index in the log."""
    return {
        "index": index,
        "id": entry.id,
        "kind": entry.kind.value,
        "subject": entry.subject,
        "time": entry.time,
        "body": dict(entry.body),
    }


def codes_of(entry: Entry) -> str:
    """Why it came to that, in short: the reason codes of its decision, or the step that failed.

    Of what shadow mode let go: what enforcement would have done.
    """
    if (shadow := shadow_of(entry)) is not None:
        return f"SHADOW: {shadow.in_words()}"
    if entry.kind is EntryKind.MODE:
        return f"{entry.body['mode']} from here on"
    decision = decision_of(entry, ())
    if decision and decision.reasons:
        return ", ".join(reason.code for reason in decision.reasons)
    return f"{entry.body['step']}: {entry.body['error']}" if entry.kind is EntryKind.FAILED else ""


def personal_json(ledger: Ledger, entry: Entry) -> dict[str, Json]:
    """The personal fields of an entry by name; None where one was erased."""
    committed: Any = entry.body.get("fields", {})
    kept = {field.name: field.value for field in ledger.fields(entry.id)}
    return {name: kept.get(name) for name in sorted({*committed, *kept})}


def documents_json(ledger: Ledger, entry: Entry) -> dict[str, Json]:
    """What an entry commits to by digest: `policy_input` (redacted), `model`, `call`.

    An outcome names its intent, and with it the model and the call that it came from. None: the entry names no such
    document, or it is not kept any more.

    Raises:
        ProofError: a document is not the one that was committed.
        LedgerError: the intent cannot be read.
    """
    body: Any = entry.body
    intent = body.get("intent")
    asked: Any = ledger.entry(intent["id"]).body if intent else body
    wanted = {
        POLICY_INPUT: (body.get("decision") or {}).get("input"),
        MODEL: asked.get(MODEL),
        "call": asked.get("call"),
    }
    return {name: None if wish is None else _document(ledger, Digest(wish)) for name, wish in wanted.items()}


def print_entry(ledger: Ledger, index: int, entry: Entry, shown: dict[str, str]) -> None:
    """An entry in sections. `shown` has the documents of the entries before, and which entry that was."""
    out.print(Text(f"{index} {entry.kind.value} {entry.time}", style="bold"))
    if (shadow := shadow_of(entry)) is not None:
        out.print(Text(f"  SHADOW MODE: {printable(shadow.in_words())}", style="bold yellow"))
    _section("", {"entry": entry.id, "subject" if entry.kind in _NO_GENERATION else "generation": entry.subject})
    personal = personal_json(ledger, entry)
    gone = ledger.erasures(entry.id)
    words = {name: _in_words(value, gone.get(name)) for name, value in personal.items() if name != MESSAGES_FIELD}
    _section("personal", words)
    _section("erased", {name: f"by entry {by}" for name, by in gone.items() if name not in words})
    decision = decision_of(entry, ledger.fields(entry.id))
    if decision is not None:
        said = {f"{reason.code} {reason.path}".rstrip(): reason.message for reason in decision.reasons}
        obliged = {f"obliges {name}": value for name, value in _flat(decision.obligations)}
        by = {"outcome": f"{decision.stage.value}: {decision.outcome.value}", "bundle": str(decision.bundle_revision)}
        _section("decision", {**by, "decision id": decision.decision_id, **said, **obliged})
        if decision.candidate is not None:
            _section("candidate, not obeyed", _candidate(decision.candidate))
    _section("findings", {f"{f.detector} {f.label}": repr(f.score) for f in findings_of(entry)})
    _section("recorded", dict(_flat({name: entry.body[name] for name in entry.body if name not in _SHOWN_APART})))
    for name, document in documents_json(ledger, entry).items():
        _print_document(name, document, entry, shown)


def _candidate(candidate: CandidateDecision) -> dict[str, str]:
    """What a bundle on trial would have decided; its reasons have no words."""
    outcome = "none" if candidate.outcome is None else candidate.outcome.value
    outcome += f": {candidate.error}" if candidate.error else ""
    said = {f"{reason.code} {reason.path}".rstrip(): "" for reason in candidate.reasons}
    obliged = {f"obliges {name}": value for name, value in _flat(candidate.obligations)}
    return {"outcome": outcome, "bundle": candidate.bundle_revision, **said, **obliged}


def _print_document(name: str, document: Json, entry: Entry, shown: dict[str, str]) -> None:
    if not isinstance(document, Mapping):
        return
    title, text = name.replace("_", " "), json.dumps(document, sort_keys=True)
    if text in shown:
        _section(title, {"as in": shown[text]})
        return
    shown[text] = entry.id
    # The model facts stand in the policy input too, and are a section of their own.
    _section(title, dict(_flat({key: document[key] for key in document if (name, key) != (POLICY_INPUT, MODEL)})))


def _document(ledger: Ledger, wanted: Digest) -> Json:
    content = ledger.document(wanted)
    if content is None:
        return None
    if digest(content) != wanted:
        raise ProofError(f"The document {wanted} was altered.", remedy="Run `governance ledger verify`.")
    value: Json = json.loads(content)
    return value


def _section(title: str, lines: Mapping[str, str]) -> None:
    """`title` and its lines; nothing at all where there are none."""
    if lines and title:
        out.print(Text(f"  {title}", style="bold"))
    width = max(map(len, lines), default=0)
    for name, value in lines.items():
        out.print(Text(f"    {name:<{width}}  {printable(value)}".rstrip()))


def _in_words(value: Json, erased_by: str | None) -> str:
    if value is None:
        return "(missing)" if erased_by is None else f"(erased by entry {erased_by})"
    if isinstance(value, Mapping) and "text" in value:
        return f"{value['text']} ({value['parameter']})"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Each leaf of a JSON value with its dotted path; lists of plain values stay together, empty ones are left out."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _flat(child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if any(isinstance(child, (Mapping, list)) for child in value):
            for number, child in enumerate(value):
                yield from _flat(child, f"{path}.{number}")
        elif value:
            yield path, ", ".join(map(str, value))
    elif value != "":
        yield path, value if isinstance(value, str) else json.dumps(value)
