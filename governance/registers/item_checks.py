"""What no register takes: values that are not of their field's kind, texts that cannot be shown, times without an offset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Digest
from governance.errors import RegisterError

MAX_NAME: Final = 300
"""The most characters of a name, a title, a licence and of what is as short."""

MAX_TEXT: Final = 4000
"""The most characters of a longer text. All texts of one item must fit into one ledger entry."""

MAX_DATASETS: Final = 64
"""The most datasets that one item names."""

MAX_COMPONENTS: Final = 64
"""The most components of a model."""

_LONG: Final = frozenset({"data_origin", "intended_use", "out_of_scope", "indemnity_scope", "indemnity_exclusions"})
TIMES: Final = frozenset({"expires", "released", "starts", "ends", "shutdown"})
_NUMBERS: Final = frozenset({"moderation_sla_hours", "notice_days"})
_MOST: Final = 100_000
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class RegisterName(StrEnum):
    """The registers."""

    MODELS = "models"
    ADAPTERS = "adapters"
    VENDORS = "vendors"
    CONTRACTS = "contracts"


def moment(text: object) -> str:
    """A time as the registers write it: RFC 3339 in UTC to the millisecond. A date is its beginning in UTC.

    Raises:
        RegisterError: it is none, or has no offset from UTC.
    """
    try:
        found = datetime.fromisoformat(str(text))
        if _DATE.fullmatch(str(text)):
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is None:
            raise ValueError("it has no offset from UTC")
        return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise RegisterError(
            f"{str(text)[:64]!r} is no time: {error}.", remedy="Write `2027-06-30`, or `2027-06-30T12:00:00Z`."
        ) from error


def checked_key(register: RegisterName, key: str) -> str:
    """`key`, where an item of this register can have it.

    Raises:
        RegisterError: it is no digest, or no short name.
    """
    if register in (RegisterName.MODELS, RegisterName.ADAPTERS):
        return checked_digest(key)
    if not _SLUG.fullmatch(key):
        raise RegisterError(
            f"{key[:64]!r} is no key of the register of {register}.",
            remedy="Use 1 to 64 of a-z, 0-9, `.`, `-` and `_`, a letter or digit first.",
        )
    return key


def check_field(name: str, value: Any) -> None:
    """Refuse a value that the field `name` of an item cannot hold.

    Raises:
        RegisterError: the value is not of its kind.
    """
    if name in TIMES:
        _check_time(value)
    elif name in _NUMBERS:
        _check_number(name, value)
    elif name in _CHECKS:
        _CHECKS[name](value)
    else:
        _text(name, value)


def _check_time(value: Any) -> None:
    if value and moment(value) != value:
        raise RegisterError(f"The time {value!r} is not as registers write it.", remedy="Use `moment()`.")


def _check_number(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise RegisterError(f"{name}={value!r} is no number from 0 to {_MOST}.", remedy="Give an integer.")


def _check_title(value: Any) -> None:
    if not _text("name", value).strip():
        raise RegisterError("The name is empty.", remedy="Give one.")


def _check_key(value: Any) -> None:
    checked_key(RegisterName.VENDORS, _text("key", value))


def _check_reference(value: Any) -> None:
    if value != "":
        _check_key(value)


def _check_optional_digest(value: Any) -> None:
    if value != "":
        checked_digest(value)


def _check_components(value: Any) -> None:
    components = require_object("components", value)
    if not 0 < len(components) <= MAX_COMPONENTS:
        raise RegisterError(
            f"A model has 1 to {MAX_COMPONENTS} components, not {len(components)}.",
            remedy="Name the folder of a pipeline.",
        )
    for name, digest in components.items():
        _text("component", name)
        checked_digest(digest)


def _check_datasets(value: Any) -> None:
    if not isinstance(value, tuple) or len(value) > MAX_DATASETS or len(set(value)) != len(value):
        raise RegisterError(f"At most {MAX_DATASETS} datasets are named, each once.", remedy="Name those that matter.")
    for name in value:
        checked_key(RegisterName.VENDORS, _text("dataset", name))


def _text(name: str, value: Any) -> str:
    most = MAX_TEXT if name in _LONG else MAX_NAME
    if not isinstance(value, str) or len(value) > most:
        raise RegisterError(f"The {name} is no text of at most {most} characters.", remedy="Shorten it.")
    if any(not (each.isprintable() or (each == "\n" and name in _LONG)) for each in value):
        raise RegisterError(f"The {name} has characters that cannot be printed.", remedy="Leave them out.")
    return value


def checked_digest(value: Any) -> Digest:
    """`value`, where it is a digest.

    Raises:
        RegisterError: it is none.
    """
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise RegisterError(
            f"{str(value)[:80]!r} is no SHA-256 digest.", remedy="Give 64 lowercase hexadecimal digits."
        )
    return Digest(value)


def require_object(name: str, value: Any) -> Mapping[str, Any]:
    """`value`, where it has names and values.

    Raises:
        RegisterError: it has not.
    """
    if not isinstance(value, Mapping):
        raise RegisterError(f"The {name} is no object.", remedy="Give names and values.")
    return value


def require_list(name: str, value: Any) -> list[Any] | tuple[Any, ...]:
    """`value`, where it is a list.

    Raises:
        RegisterError: it is none.
    """
    if not isinstance(value, list | tuple):
        raise RegisterError(f"The {name} is no list.", remedy="Give a list of texts.")
    return value


_CHECKS: Final[Mapping[str, Callable[[Any], object]]] = {
    "name": _check_title,
    "title": _check_title,
    "components": _check_components,
    "datasets": _check_datasets,
    "key": _check_key,
    "vendor": _check_reference,
    "contract": _check_reference,
    "digest": checked_digest,
    "base": _check_optional_digest,
    "document": _check_optional_digest,
}
"""How the fields are checked that are no plain text, no time and no number."""
