"""What can be erased beside an entry, whose it is, and what else goes with it: the rules that every ledger shares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from governance.bodies import MESSAGES_FIELD
from governance.canonical import parsed_json
from governance.datasets.erased_rows import are_rows_of
from governance.entries import Entry, EntryKind, PersonalField
from governance.erasure import ASSET, HOLD, WATERMARK
from governance.errors import ErasureError
from governance.facts import day_of
from governance.hold_bodies import COMMENT_FIELD, REVIEWER_FIELD
from governance.holds import hold_named
from governance.legal_holds import HELD_PERSON_FIELD
from governance.records import asset_digest, field_commitments, mark_named

PRINCIPAL_FIELD: Final = "/principal/id"
REQUEST_FIELD: Final = "/request/id"
REQUESTER_FIELD: Final = "/hold/requester"
PEOPLE_FIELDS: Final = frozenset({PRINCIPAL_FIELD, REVIEWER_FIELD, REQUESTER_FIELD, HELD_PERSON_FIELD})
"""Personal fields that hold the id of a person."""
APPROVER_FIELDS: Final = "/approvals/"
"""How the names of those begin that do so too: who approved."""
_DOERS: Final = frozenset(
    {
        EntryKind.WORK,
        EntryKind.REGISTER,
        EntryKind.DATASET,
        EntryKind.RECALLED,
        EntryKind.ERASED,
        EntryKind.LEGAL_HOLD,
        EntryKind.LEGAL_HOLD_LIFTED,
        EntryKind.RESTORED,
    }
)
"""Kinds whose principal did something that is not about them. A training run is about whoever asked for it, as a generation is."""


def erasable(entry: Entry) -> frozenset[str]:
    """The names of everything that can be erased beside `entry`, whether or not it is still there."""
    names = set(field_commitments(entry))
    if mark_named(entry) is not None:
        names.add(WATERMARK)
    if asset_digest(entry) is not None:
        names.add(ASSET)
    if entry.kind is EntryKind.HELD and hold_named(entry) is not None:
        names.add(HOLD)
    return frozenset(names)


def check_erasable(entry_id: str, entry: Entry | None, names: Collection[str]) -> Entry:
    """`entry`, if there is one and something of each of `names` can stand beside it.

    Raises:
        ErasureError: there is none, or it has nothing of one of these names.
    """
    if entry is None:
        raise ErasureError(f"There is no entry {entry_id!r}.", remedy="Check the id; `governance ledger list`.")
    if unknown := sorted(name for name in set(names) - erasable(entry) if not are_rows_of(entry, name)):
        raise ErasureError(
            f"Entry {entry_id} has no {', '.join(map(repr, unknown))} that could be erased.",
            remedy="`governance ledger show` shows what it has.",
        )
    return entry


def refuse_running(subject: str) -> ErasureError:
    """What to raise where the call of this generation still runs."""
    return ErasureError(
        f"Generation {subject} runs now, and what it writes next could not be erased with the rest.",
        remedy="Wait until it ends, then erase.",
    )


def forgets_claim(names: Iterable[str]) -> bool:
    """Whether what is erased takes the claim of its generation with it: a digest of who asked, and under which id."""
    return any(name in (PRINCIPAL_FIELD, REQUEST_FIELD) for name in names)


def forgets_usage(entry: Entry, names: Iterable[str]) -> bool:
    """Whether what is erased takes the usage of its day with it, where no other intent of that day names who asked.

    It is kept under a digest of their id. While another intent is kept, its day's budget must still count.
    """
    return entry.kind is EntryKind.INTENT and PRINCIPAL_FIELD in set(names)


def spent_on(entry: Entry, policy_input: bytes | None) -> str:
    """The day whose usage an intent counts for: that of its policy input, or of its own time where that is not kept."""
    try:
        time = None if policy_input is None else parsed_json(policy_input)["time"]
    except (ValueError, KeyError, TypeError, RecursionError):
        time = None
    return day_of(time if isinstance(time, str) else entry.time)


def forgets_request(entry: Entry, names: Iterable[str]) -> bool:
    """Whether what is erased takes the digest of what was asked from the hold that `entry` opened."""
    return entry.kind is EntryKind.HELD and any(name.startswith("/") for name in names)


def is_person(name: str) -> bool:
    """Whether a personal field of this name holds the id of a person."""
    return name in PEOPLE_FIELDS or name.startswith(APPROVER_FIELDS)


def people_named(fields: Iterable[PersonalField]) -> frozenset[str]:
    """The ids of the people whom these fields name."""
    return frozenset(field.value for field in fields if is_person(field.name) and isinstance(field.value, str))


def is_about(entry: Entry, fields: Iterable[PersonalField], person: str) -> bool:
    """Whether an entry shows that all of its subject is about `person`: they asked for it, or a legal hold is on them."""
    asked = () if entry.kind in _DOERS else (PRINCIPAL_FIELD, REQUESTER_FIELD)
    return any(field.value == person and field.name in (*asked, HELD_PERSON_FIELD) for field in fields)


def names_of_person(fields: Sequence[PersonalField], person: str, *, about: bool) -> frozenset[str]:
    """Those of an entry's fields that are `person`'s. `about`: whether all of its subject is about them.

    Of what is about a person, all is theirs but the ids of others: who reviewed it, who placed a legal hold. Of what they
    reviewed of others, their id, their comment and the reasons that policy gave them; elsewhere their id, and their comment.
    """
    ids = {field.name for field in fields if is_person(field.name)}
    own = {field.name for field in fields if field.name in ids and field.value == person}
    names = {field.name for field in fields}
    if about:
        return frozenset(names - ids | own)
    if REVIEWER_FIELD in own:
        own |= names & {COMMENT_FIELD, MESSAGES_FIELD}
    if PRINCIPAL_FIELD in own:
        own |= names & {COMMENT_FIELD}
    return frozenset(own)
