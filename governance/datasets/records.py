"""One record of a dataset, as an audit leaves it: what was found, what was said of it, and what policy decided."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from governance.canonical import Digest, Json
from governance.errors import DatasetError
from governance.types import Outcome

NOT_LOOKED: Final = -1
"""The score of a detector that did not look: no score at all, never a low one."""

PERSONAL: Final = ("caption", "owner", "source")
"""The fields of a record that may name a person: only salted commitments to them leave the audit's own files."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


class SourceKind(StrEnum):
    """Where a record comes from, by the classes that Article 53(1)(d) of Regulation (EU) 2024/1689 is answered in."""

    PUBLIC = "public"
    LICENSED = "licensed"
    CRAWLED = "crawled"
    USER = "user"
    SYNTHETIC = "synthetic"
    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"


class Consent(StrEnum):
    """What the person who is shown, or whose work it is, said to training."""

    GIVEN = "given"
    REFUSED = "refused"
    NOT_NEEDED = "not_needed"
    UNKNOWN = "unknown"


class Synthetic(StrEnum):
    """Whether a model made it: as its C2PA manifest or our watermark says, else as whoever made the dataset states."""

    YES = "yes"
    STATED = "stated"
    NO = "no"
    UNKNOWN = "unknown"


class OptOut(StrEnum):
    """A signal against use for training, by where it stands."""

    TDMREP = "tdmrep"
    ROBOTS = "robots"
    X_ROBOTS_TAG = "x_robots_tag"
    IPTC = "iptc_data_mining"
    C2PA = "c2pa_training_mining"
    LIST_ID = "list_id"
    LIST_DOMAIN = "list_domain"
    LIST_HASH = "list_hash"


class Problem(StrEnum):
    """What is wrong with a record itself."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    HASH_DIFFERS = "hash_differs"
    DUPLICATE_ID = "duplicate_id"
    BAD_URL = "bad_url"
    BAD_VALUE = "bad_value"
    FUTURE_TIME = "future_time"
    UNKNOWN_LICENCE = "unknown_licence"
    MANIFEST_INVALID = "manifest_invalid"


class Basis(StrEnum):
    """Where the digest of a record's content is from: its bytes were read, or whoever made the dataset states it."""

    COMPUTED = "computed"
    STATED = "stated"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One record. Texts are empty, and sizes 0, where nothing is known.

    `id` is the dataset's own; `content` the SHA-256 of the file's bytes, and `basis` where that is from. `location` says where
    the bytes are read; it stays in the audit's files. `width` and `height` in pixels, `size` in bytes. `licence` is the SPDX
    expression, normalised, and `licence_stated` what stood there. `source` is a URL and `domain` its host. `contract` is a
    contract's key in the register. `collected` is RFC 3339 in UTC. `opt_outs`, `personal` (kinds of personal data that were
    found) and `problems` are sorted. `nsfw` and `similar` are the highest scores in hundredths, rounded up, or `NOT_LOOKED`;
    `work` is the protected work that is the most similar, and `work_action` what the register of works says of it.
    `near_duplicate` is the least digest among the contents that look the same; empty where there is no other. `outcome` and
    `reasons` are what policy decided.
    """

    id: str
    content: Digest | str
    basis: Basis
    location: str = ""
    media_type: str = ""
    width: int = 0
    height: int = 0
    size: int = 0
    caption: str = ""
    licence: str = ""
    licence_stated: str = ""
    source: str = ""
    domain: str = ""
    source_kind: SourceKind = SourceKind.UNKNOWN
    owner: str = ""
    contract: str = ""
    consent: Consent = Consent.UNKNOWN
    collected: str = ""
    synthetic: Synthetic = Synthetic.UNKNOWN
    opt_outs: tuple[OptOut, ...] = ()
    nsfw: int = NOT_LOOKED
    personal: tuple[str, ...] = ()
    similar: int = NOT_LOOKED
    work: str = ""
    work_action: str = ""
    near_duplicate: str = ""
    problems: tuple[Problem, ...] = ()
    outcome: Outcome = Outcome.DENY
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Its values by name; what is personal stands in the clear."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(DatasetRecord)}


def checked_name(name: str) -> str:
    """`name`, where a dataset may be called so.

    Raises:
        DatasetError: it is no name of 1 to 64 small ASCII letters, digits, points, dashes and underscores.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"{name[:64]!r} is no name for a dataset.",
            remedy="Use 1 to 64 of a-z, 0-9, `.`, `-` and `_`, a letter or digit first.",
        )
    return name


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return value if isinstance(value, int) else str(value)
