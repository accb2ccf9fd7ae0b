"""The entries of what people, and the passing of time, do about a hold.

Each names the hold and the entry that holds it. Reason codes and queues stand in the clear; who did it and what they
wrote are committed fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from governance.bodies import Judged, record_of
from governance.canonical import Json, canonical_bytes, new_salt
from governance.entries import EntryKind, HoldRecord, PersonalField, Record
from governance.errors import CanonicalError, ReviewError

COMMENT_FIELD = "/comment"
REVIEWER_FIELD = "/reviewer/id"
MAX_CODES = 8
MAX_CODE_CHARACTERS = 64
MAX_QUEUE_CHARACTERS = 120
MAX_COMMENT_CHARACTERS = 4000
_CODE = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+", re.ASCII)


def act_record(
    kind: EntryKind,
    record: HoldRecord,
    judged: Judged,
    *,
    time: str,
    codes: Sequence[str] = (),
    comment: str = "",
    to: str = "",
    lacking: int = 0,
    after: HoldRecord | None = None,
) -> Record:
    """An act about the hold `record`, which policy let somebody do, and how the hold stands `after` it.

    `to` is the queue that an escalation goes to. `lacking` is how many approvals the `held` entry obliges beyond those
    given with this one.
    """
    body: dict[str, Json] = {"item": record.item, "hold": {"id": record.id, "entry": record.entry_id}}
    if codes:
        body["codes"] = list(codes)
    if to:
        body["queue"] = to
    if lacking > 0:
        body["lacking"] = lacking
    fields = (PersonalField(COMMENT_FIELD, new_salt(), comment),) if comment else ()
    act = record_of(kind, record.subject, body, judged=judged, fields=fields, time=time)
    return replace(act, hold=after)


def expired_record(after: HoldRecord, time: str, erasure: str = "") -> Record:
    """Nobody decided in time, or nobody can any more since the entry `erasure`: the hold as it stands `after` that."""
    body: dict[str, Json] = {"item": after.item, "hold": {"id": after.id, "entry": after.entry_id}}
    if erasure:
        body["erasure"] = erasure
    return replace(record_of(EntryKind.EXPIRED, after.subject, body, time=time), hold=after)


def checked_codes(codes: Sequence[str]) -> tuple[str, ...]:
    """`codes`, if they are 1 to 8 different reason codes such as `brand.too_similar`.

    Raises:
        ReviewError: they are not.
    """
    sound = not isinstance(codes, str) and all(
        isinstance(code, str) and len(code) <= MAX_CODE_CHARACTERS and _CODE.fullmatch(code) for code in codes
    )
    if not sound or not 1 <= len(codes) <= MAX_CODES or len(set(codes)) != len(codes):
        raise ReviewError(
            f"{str(codes)[:200]} are no reason codes.",
            remedy=f"Give 1 to {MAX_CODES} different ones such as `brand.too_similar`: small letters and `_`, in parts "
            f"with a dot between, of at most {MAX_CODE_CHARACTERS} characters.",
        )
    return tuple(codes)


def checked_comment(text: str) -> str:
    """`text` as it is, if it can be kept; it may be empty.

    Raises:
        ReviewError: it is no text, too long, or no valid Unicode.
    """
    try:
        if not isinstance(text, str) or len(text) > MAX_COMMENT_CHARACTERS:
            raise ReviewError(
                "The comment is too long, or no text.", remedy=f"Write at most {MAX_COMMENT_CHARACTERS} characters."
            )
        canonical_bytes(text)
    except CanonicalError as error:
        raise ReviewError(f"The comment cannot be kept: {error}", remedy=error.remedy) from error
    return text


def checked_queue(name: str) -> str:
    """`name`, if a queue can be called so; whether there is one, policy says.

    Raises:
        ReviewError: it is no text of 1 to 120 printable characters.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_QUEUE_CHARACTERS or not name.isprintable():
        raise ReviewError(
            f"{str(name)[:64]!r} is no name of a queue.",
            remedy=f"Give 1 to {MAX_QUEUE_CHARACTERS} printable characters, as in data.review.queues.",
        )
    return name
