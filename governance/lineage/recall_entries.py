"""What the ledger says of recalls: that a file, a model, a LoRA or an audited dataset is not to be used any more, and why.

A recall is a series of entries of kind `recalled`, for one entry holds about 500 files. Their subject says what was recalled
(`recall:licence:cc-by-4.0`), so asking for the subject gives all of them, over every run. The first names the datasets,
models and LoRAs: what could make more comes before what was made. Nothing is edited and nothing deleted; there is no entry
that takes a recall back.

A released file is named by the id of its `released` entry, a model by its key in the register (the digest of its component
digests), a LoRA by the digest of its weights, a dataset by the entry of its audit: a later audit is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Json, commitment, new_salt
from governance.entries import Entry, EntryKind, PersonalField, Record
from governance.errors import ProofError, RecallError
from governance.ports import Ledger
from governance.search import MAX_TEXT, Query
from governance.types import Principal, new_id

BODY_VERSION: Final = 1
PRINCIPAL_FIELD: Final = "/principal/id"
REASON_FIELD: Final = "/reason"
SUBJECT_PREFIX: Final = "recall:"
ASSETS_AN_ENTRY: Final = 500
"""Ids of released files in one entry: 20 KiB of the 32 that an entry may have."""
NAMES_AN_ENTRY: Final = 150
"""Datasets, models and LoRAs in one entry; a dataset takes about 200 bytes."""
MAX_REASON: Final = 2000
"""The most characters of a reason."""


class RecallBy(StrEnum):
    """What a recall starts from."""

    LICENCE = "licence"
    DATASET = "dataset"
    RECORD = "record"
    MODEL = "model"
    ADAPTER = "adapter"


@dataclass(frozen=True, slots=True)
class Cause:
    """What is recalled: a licence (SPDX), a dataset's name, a record's content (SHA-256), a model's key, a LoRA's digest.

    Raises:
        RecallError: `value` is empty or too long.
    """

    by: RecallBy
    value: str

    def __post_init__(self) -> None:
        if not 0 < len(self.value) <= MAX_TEXT - 32 or not self.value.isprintable():
            raise RecallError(
                f"There is no {self.by.value} {self.value[:64]!r}.", remedy="Give 1 to 480 printable characters."
            )

    @property
    def subject(self) -> str:
        """The subject of the entries of every recall of this: SPDX licences are the same in any case (SPDX 2.3, annex D)."""
        value = self.value.casefold() if self.by is RecallBy.LICENCE else self.value
        return f"{SUBJECT_PREFIX}{self.by.value}:{value}"

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"by": self.by.value, "value": self.value}


@dataclass(frozen=True, slots=True)
class RecalledDataset:
    """One audit of a dataset: its name, the id of its `dataset` entry, and the root (hexadecimal) that the entry signs."""

    name: str
    audited: str
    root: str

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"name": self.name, "audited": self.audited, "root": self.root}


@dataclass(frozen=True, slots=True)
class Targets:
    """What is recalled, each thing once: audits of datasets, keys of models, digests of LoRAs, ids of `released` entries."""

    datasets: tuple[RecalledDataset, ...] = ()
    models: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.datasets) + len(self.models) + len(self.adapters) + len(self.assets)

    def without(self, others: Targets) -> Targets:
        """Those that are not in `others`, in the order they have here."""
        audits = {each.audited for each in others.datasets}
        return Targets(
            tuple(each for each in self.datasets if each.audited not in audits),
            _without(self.models, others.models),
            _without(self.adapters, others.adapters),
            _without(self.assets, others.assets),
        )

    def parts(self) -> Iterator[Targets]:
        """The same in the portions that fit an entry: what could make more comes first, in entries of its own."""
        for start in range(0, len(self.datasets), NAMES_AN_ENTRY):
            yield Targets(datasets=self.datasets[start : start + NAMES_AN_ENTRY])
        for start in range(0, len(self.models), NAMES_AN_ENTRY):
            yield Targets(models=self.models[start : start + NAMES_AN_ENTRY])
        for start in range(0, len(self.adapters), NAMES_AN_ENTRY):
            yield Targets(adapters=self.adapters[start : start + NAMES_AN_ENTRY])
        for start in range(0, len(self.assets), ASSETS_AN_ENTRY):
            yield Targets(assets=self.assets[start : start + ASSETS_AN_ENTRY])

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "datasets": [each.as_json() for each in self.datasets],
            "models": list(self.models),
            "adapters": list(self.adapters),
            "assets": list(self.assets),
        }


@dataclass(frozen=True, slots=True)
class Recall:
    """One run of a recall: why, by whom, and an id that its entries share."""

    cause: Cause
    by: Principal
    reason: str = ""
    id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        if len(self.reason) > MAX_REASON:
            raise RecallError("The reason is too long.", remedy=f"Give at most {MAX_REASON} characters.")

    def records(self, targets: Targets) -> list[Record]:
        """The records that recall `targets`, in the order in which they are to be written; none for nothing."""
        parts = list(targets.parts())
        return [self._record(part, number, len(parts)) for number, part in enumerate(parts, 1)]

    def _record(self, targets: Targets, part: int, parts: int) -> Record:
        values: dict[str, Json] = {PRINCIPAL_FIELD: self.by.id}
        if self.reason:
            values[REASON_FIELD] = self.reason
        body: dict[str, Json] = {
            "version": BODY_VERSION,
            "recall": {"id": self.id, **self.cause.as_json()},
            "part": part,
            "parts": parts,
            "targets": targets.as_json(),
            "principal": {"roles": list(self.by.roles), "issuer": self.by.issuer, "assurance": self.by.assurance.value},
        }
        fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
        body["fields"] = {field.name: commitment(field.name, field.value, field.salt) for field in fields}
        return Record(Entry(EntryKind.RECALLED, self.cause.subject, body), fields)


def targets_of(entry: Entry) -> Targets:
    """What a `recalled` entry names.

    Raises:
        ProofError: the body does not have the shape of this version.
    """
    try:
        named: Any = entry.body["targets"]
        return Targets(
            tuple(RecalledDataset(*map(_text, (d["name"], d["audited"], d["root"]))) for d in named["datasets"]),
            tuple(map(_text, named["models"])),
            tuple(map(_text, named["adapters"])),
            tuple(map(_text, named["assets"])),
        )
    except (KeyError, TypeError) as error:
        raise ProofError(
            f"The body of entry {entry.id} cannot be read: {error!r}.",
            remedy="It was written by another version: use that version to read it.",
        ) from error


def cause_of(entry: Entry) -> Cause:
    """Why a `recalled` entry was written.

    Raises:
        ProofError: the body does not have the shape of this version.
    """
    named: Any = entry.body.get("recall")
    try:
        return Cause(RecallBy(named["by"]), _text(named["value"]))
    except (KeyError, TypeError, ValueError, RecallError) as error:
        raise ProofError(
            f"Entry {entry.id} does not say what was recalled: {error!r}.", remedy="Run `governance ledger verify`."
        ) from error


def recalling(ledger: Ledger, named: str) -> Entry | None:
    """The oldest `recalled` entry that names this: the id of a `released` entry or of a dataset's audit, a model's key, or
    a LoRA's digest. None where it was not recalled. Quick at any size: it asks the index of searches.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return next(recalls_of(ledger, named), None)


def recalls_of(ledger: Ledger, named: str) -> Iterator[Entry]:
    """All `recalled` entries that name this, oldest first; see `recalling`.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    query = Query(recalled=named)
    after: int | None = -1
    while after is not None:
        page = ledger.search(query, after=after, limit=1)
        yield from (entry for _, entry in page.items)
        after = page.next


def recall_misfits(entry: Entry) -> Iterator[str]:
    """What is wrong with a `recalled` entry: it must say why, and name at least one thing, each once."""
    if entry.kind is not EntryKind.RECALLED:
        return
    try:
        cause, targets = cause_of(entry), targets_of(entry)
    except ProofError as error:
        yield str(error)
        return
    if entry.subject != cause.subject:
        yield "its subject must say what was recalled"
    if not len(targets):
        yield "a recall names what it recalls"
    every: Sequence[Sequence[str]] = (
        [each.audited for each in targets.datasets],
        targets.models,
        targets.adapters,
        targets.assets,
    )
    if any(len(set(names)) != len(names) or "" in names for names in every):
        yield "a recall names each thing once"


def named_by(body: Mapping[str, Any]) -> Iterator[object]:
    """What the body of a `recalled` entry can be found by; whatever is not of its shape is left out."""
    targets = body.get("targets")
    if isinstance(targets, Mapping):
        for name in ("models", "adapters", "assets"):
            yield from targets[name] if isinstance(targets.get(name), list | tuple) else ()
        datasets = targets.get("datasets")
        for each in datasets if isinstance(datasets, list | tuple) else ():
            yield each.get("audited") if isinstance(each, Mapping) else None


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    gone = frozenset(others)
    return tuple(name for name in names if name not in gone)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
