"""Everything that the ledger holds about one released file, each entry proven against one and the same checkpoint.

Only the port is used, so every ledger gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, commitment, digest
from governance.checkpoint import Checkpoint, LogKey, verify_checkpoint
from governance.entries import Entry, EntryKind, LegalHoldScope, PersonalField
from governance.erasure import erased_parts
from governance.errors import ProofError
from governance.evidence.disclosing import Disclosure, FieldState, states
from governance.evidence.verify import committed_documents
from governance.merkle import Tree, leaf_hash, verify_consistency, verify_inclusion
from governance.mode_record import mode_of
from governance.ports import Ledger
from governance.records import field_commitments
from governance.shadow import SHADOW
from governance.types import Mode

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry, its index in the log, and its inclusion proof against the checkpoint of the evidence."""

    index: int
    entry: Entry
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that was kept outside the ledger, and the proof that it is a prefix of the evidence's."""

    note: str
    size: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShownField:
    """One personal field of an entry, and what is shown of it. `field` only where disclosed; `by` is who erased it."""

    index: int
    name: str
    state: FieldState
    field: PersonalField | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not in the evidence, by its place in a pack, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the ledger holds about one released file. Entries in the order of the log; `note` is the checkpoint's text."""

    log_key: LogKey
    note: str
    checkpoint: Checkpoint
    released: Proven
    entries: tuple[Proven, ...]
    documents: Mapping[Digest, bytes]
    fields: tuple[ShownField, ...]
    published: tuple[Published, ...]
    missing: tuple[Missing, ...]

    def entry(self, entry_id: str) -> Proven | None:
        """The entry with this id, where it is among these."""
        return next((each for each in self.entries if each.entry.id == entry_id), None)

    def fields_of(self, proven: Proven) -> dict[str, ShownField]:
        """The personal fields of an entry, by name."""
        return {field.name: field for field in self.fields if field.index == proven.index}

    def erased_by(self, entry_id: str, name: str) -> str:
        """The id of the entry that erased `name` beside an entry; empty where none did."""
        return _erased_by([each.entry for each in self.entries], entry_id, name)


def gather(
    ledger: Ledger, log_key: LogKey, released: Entry, choice: Disclosure, published: Sequence[str] = ()
) -> Evidence:
    """The evidence about the file that `released` released. `published` are checkpoints that were kept elsewhere.

    Raises:
        ConfigurationError: `choice` names a field that the record does not have.
        ProofError: the ledger does not hold together: a leaf, a proof, a document or a published checkpoint.
        LedgerError: the ledger cannot be read.
    """
    note = ledger.checkpoint()
    checkpoint = verify_checkpoint(note, log_key)
    tree = Tree(checkpoint.size, ledger.tile)
    entries = tuple(_proven(tree, checkpoint, found) for found in _record(ledger, released, checkpoint.size))
    documents, missing = _documents(ledger, entries)
    fields = tuple(_fields(ledger, entries, choice))
    (own,) = (each for each in entries if each.entry.id == released.id)
    kept = tuple(_published(tree, checkpoint, log_key, each) for each in published)
    missing = (*missing, *_missing_policies(entries))
    return Evidence(log_key, note, checkpoint, own, entries, documents, fields, kept, missing)


def decided_by(entry: Entry) -> str | None:
    """The revision of the bundle that made the decision of an entry, if it records one."""
    decision: Any = entry.body.get("decision")
    return decision["bundle_revision"] if isinstance(decision, Mapping) else None


def revisions(entries: Iterable[Proven]) -> dict[str, int]:
    """The bundles that decided, each with the index of the first entry that records a decision of it."""
    found: dict[str, int] = {}
    for each in entries:
        revision = decided_by(each.entry)
        if revision is not None:
            found.setdefault(revision, each.index)
    return found


def _record(ledger: Ledger, released: Entry, size: int) -> Iterator[tuple[int, Entry]]:
    """The entries of the generation and of those it goes back to, with what is said elsewhere about them, by index."""
    found: dict[str, tuple[int, Entry]] = {}
    subjects = [released.subject]
    for subject in subjects:
        for index, entry in _pages(ledger, subject=subject):
            found[entry.id] = index, entry
            review: Any = entry.body.get("review")
            if isinstance(review, Mapping):
                before = ledger.entry(review["entry"]).subject
                subjects += [before] if before not in subjects else []
    for index, entry in _said_elsewhere(ledger, found, subjects):
        found[entry.id] = index, entry
    yield from sorted((each for each in found.values() if each[0] < size), key=lambda each: each[0])


def _said_elsewhere(
    ledger: Ledger, found: Mapping[str, tuple[int, Entry]], subjects: Sequence[str]
) -> list[tuple[int, Entry]]:
    """The `policy` entries of the bundles that decided, what erased anything of these entries, and legal holds on them."""
    first: dict[str, int] = {}
    for index, entry in sorted(found.values(), key=lambda each: each[0]):
        revision = decided_by(entry)
        if revision is not None:
            first.setdefault(revision, index)
    in_force: dict[str, tuple[int, Entry]] = {}
    for index, entry in _pages(ledger, kind=EntryKind.POLICY):
        revision = str(entry.body.get("revision"))
        if index < first.get(revision, -1):
            in_force[revision] = index, entry  # the newest before the first decision is the one that it stood on
    said = [*in_force.values(), *_mode(ledger, found), *_legal_holds(ledger, subjects)]
    return [*said, *_erasures(ledger, [*found, *(entry.id for _, entry in said)])]


def _mode(ledger: Ledger, found: Mapping[str, tuple[int, Entry]]) -> Iterator[tuple[int, Entry]]:
    """The newest entry that turned shadow mode on before the first of these that was made in it."""
    first = min((index for index, entry in found.values() if SHADOW in entry.body), default=-1)
    turned_on = [
        (index, entry)
        for index, entry in _pages(ledger, kind=EntryKind.MODE)
        if index < first and mode_of(entry) is Mode.SHADOW
    ]
    yield from turned_on[-1:]


def _erasures(ledger: Ledger, found: Iterable[str]) -> Iterator[tuple[int, Entry]]:
    """The entries that erased anything beside those `found`, those that erased something beside these, and so on."""
    known = dict.fromkeys(found)
    waiting = list(known)
    for entry_id in waiting:
        for by in sorted({*ledger.erasures(entry_id).values()} - known.keys()):
            known[by] = None
            waiting.append(by)
            act = ledger.entry(by).subject
            yield from (each for each in _pages(ledger, subject=act, kind=EntryKind.ERASED) if each[1].id == by)


def _legal_holds(ledger: Ledger, subjects: Sequence[str]) -> Iterator[tuple[int, Entry]]:
    """Legal holds on these generations or on everything, and what lifted them. Whom one on a person is about is not said."""
    placed = set()
    for index, entry in _pages(ledger, kind=EntryKind.LEGAL_HOLD):
        scope: Any = entry.body.get("scope")
        if scope["kind"] == LegalHoldScope.EVERYTHING or scope.get("generation") in subjects:
            placed.add(entry.id)
            yield index, entry
    for index, entry in _pages(ledger, kind=EntryKind.LEGAL_HOLD_LIFTED):
        if entry.body.get("placed") in placed:
            yield index, entry


def _pages(ledger: Ledger, *, subject: str | None = None, kind: EntryKind | None = None) -> Iterator[tuple[int, Entry]]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject, kind=kind):
        yield from page
        after = page[-1][0]


def _proven(tree: Tree, checkpoint: Checkpoint, found: tuple[int, Entry]) -> Proven:
    index, entry = found
    proof = tree.inclusion_proof(index)
    verify_inclusion(leaf_hash(entry.leaf()), index, checkpoint.size, proof, checkpoint.root)
    return Proven(index, entry, proof)


def _published(tree: Tree, checkpoint: Checkpoint, log_key: LogKey, note: str) -> Published:
    """A checkpoint that was kept elsewhere, once it is known to be a prefix of this log."""
    kept = verify_checkpoint(note, log_key)
    if kept.size > checkpoint.size:
        raise ProofError(
            f"A published checkpoint has {kept.size} entries and the ledger has {checkpoint.size}: its newest are gone.",
            remedy="Restore the ledger from a backup that has them; the published checkpoint proves that they were there.",
        )
    proof = tree.consistency_proof(kept.size)
    verify_consistency(kept.size, checkpoint.size, proof, kept.root, checkpoint.root)
    return Published(note, kept.size, proof)


def _documents(ledger: Ledger, entries: Sequence[Proven]) -> tuple[dict[Digest, bytes], tuple[Missing, ...]]:
    """The documents that the entries commit to, and those that are not kept any more."""
    documents: dict[Digest, bytes] = {}
    missing: dict[str, Missing] = {}
    for each in entries:
        for name in map(Digest, committed_documents(each.entry.body)):
            content = ledger.document(name)
            if content is None:
                path = f"record/documents/{name}.json"
                missing[path] = Missing(path, "the ledger does not keep this document any more")
            elif digest(content) != name:
                raise ProofError(f"The document {name} was altered.", remedy="Run `governance ledger verify`.")
            else:
                documents[name] = content
    return documents, tuple(missing.values())


def _fields(ledger: Ledger, entries: Sequence[Proven], choice: Disclosure) -> Iterator[ShownField]:
    """Every personal field that the entries commit to, and what is shown of it."""
    committed = {(each.index, name): each.entry for each in entries for name in field_commitments(each.entry)}
    choice.check(name for _, name in committed)
    kept = [(each.index, field) for each in entries for field in _opened(ledger, each.entry)]
    shown = dict(zip([(index, field.name) for index, field in kept], states([f for _, f in kept], choice), strict=True))
    every = [each.entry for each in entries]
    for (index, name), entry in sorted(committed.items()):
        if (index, name) in shown:
            field, state = shown[index, name]
            yield ShownField(index, name, state, field if state is FieldState.DISCLOSED else None)
        else:
            by = _erased_by(every, entry.id, name)
            yield ShownField(index, name, FieldState.ERASED if by else FieldState.NOT_KEPT, by=by)


def _opened(ledger: Ledger, entry: Entry) -> Sequence[PersonalField]:
    """The personal fields that are kept beside an entry, each the one that was committed to."""
    fields, committed = ledger.fields(entry.id), field_commitments(entry)
    for field in fields:
        if commitment(field.name, field.value, field.salt) != committed.get(field.name):
            raise ProofError(
                f"The personal field {field.name} of entry {entry.id} was altered.",
                remedy="Run `governance ledger verify`.",
            )
    return fields


def _missing_policies(entries: Sequence[Proven]) -> Iterator[Missing]:
    """Bundles that decided before entries of that kind were written."""
    for revision in revisions(entries):
        if not any(e.entry.kind is EntryKind.POLICY and e.entry.body.get("revision") == revision for e in entries):
            yield Missing(f"policy entry of {revision}", "no entry says that this bundle was in force")


def _erased_by(entries: Iterable[Entry], entry_id: str, name: str) -> str:
    listed = ((entry.id, part) for entry in entries for part in erased_parts(entry))
    return next((by for by, part in listed if (part.entry_id, part.name) == (entry_id, name)), "")
