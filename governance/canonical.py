"""Canonical bytes (RFC 8785), digests, and salted commitments to single fields."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NewType, TypeAlias

import rfc8785

from governance.errors import CanonicalError

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value without floats: engines and languages differ in the tails of floats, and entries are forever."""

Digest = NewType("Digest", str)
"""A SHA-256 digest as 64 lowercase hexadecimal digits."""

MAX_SAFE_INTEGER = 2**53 - 1
SALT_BYTES = 32
_QUICK = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
_FIELD_DOMAIN = b"diffusion-governance/field/v1"


def digest(content: bytes) -> Digest:
    """SHA-256 of `content`."""
    return Digest(hashlib.sha256(content).hexdigest())


def canonical_bytes(value: Json) -> bytes:
    """RFC 8785 bytes of `value`.

    Raises:
        CanonicalError: the value holds a float, an integer beyond 2^53-1 or text that is not valid Unicode.
    """
    try:
        if _is_plain(value):
            quick = _QUICK.encode(value)
            if quick.isascii():  # see `is_canonical`
                return quick.encode()
        _refuse_floats(value, "")
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise CanonicalError(
            f"This value has no canonical JSON form: {error}.",
            remedy="Write integers beyond 2^53-1 as decimal strings, and use valid Unicode text.",
        ) from error


def parsed_json(content: bytes) -> Any:
    """The JSON value of `content`, where nothing in it lacks a canonical form.

    Raises:
        ValueError: it is no JSON, or holds a float or an integer beyond 2^53-1.
    """
    return _STRICT.decode(content.decode())


def is_canonical(content: bytes, value: Json) -> bool:
    """Whether `content` are the canonical bytes of `value`, all of which came from `parsed_json`.

    Python's own encoder is far quicker than one of RFC 8785, and where every character is ASCII and no number is a float
    it writes the same: the two escape the same characters, and order the same keys in the same way.

    Raises:
        CanonicalError: the value has no canonical form.
    """
    if content.isascii():
        quick = _QUICK.encode(value)
        return quick.isascii() and quick.encode() == content
    return canonical_bytes(value) == content


def parsed_canonical(contents: Sequence[bytes]) -> list[Any] | None:
    """The JSON values of many canonical byte strings, quickly; None where one of them is not plainly canonical.

    Then `parsed_json` and `is_canonical` say of each alone which. All values are encoded again at once: each content was
    one whole JSON value to its last byte, and without floats no such text is a beginning of another text of the same value,
    so where all of them joined are the same bytes, each is.
    """
    together = b",".join(contents)
    if not together.isascii():
        return None
    values: list[Any] = []
    try:
        for content in contents:
            text = content.decode()
            value, end = _STRICT.raw_decode(text)
            if end != len(text):
                return None
            values.append(value)
        return values if _QUICK.encode(values).encode() == b"[" + together + b"]" else None
    except (ValueError, RecursionError):
        return None


def canonical_digest(value: Json) -> Digest:
    """SHA-256 of the canonical bytes of `value`."""
    return digest(canonical_bytes(value))


def parsed_digest(value: Json) -> Digest:
    """SHA-256 of the canonical bytes of `value`, all of which came from `parsed_json`; quick as `is_canonical` is.

    Raises:
        CanonicalError: the value has no canonical form.
    """
    quick = _QUICK.encode(value)
    return digest(quick.encode()) if quick.isascii() else canonical_digest(value)


def without_floats(value: object) -> Json:
    """`value` as JSON, each finite float as its shortest decimal string, each integer beyond 2^53-1 likewise.

    For configuration that is recorded, never for policy inputs (those use thousandths and millionths).

    Raises:
        CanonicalError: a NaN, an infinity, or a type that JSON lacks.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CanonicalError(f"{value} is not a number that can be recorded.", remedy="Use a finite value.")
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): without_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_floats(item) for item in value]
    raise CanonicalError(f"{type(value).__name__} has no JSON form.", remedy="Record it as text or by its digest.")


def new_salt() -> bytes:
    """32 fresh random bytes."""
    return secrets.token_bytes(SALT_BYTES)


def commitment(field: str, value: Json, salt: bytes) -> Digest:
    """A hiding, binding commitment to one field of one entry.

    `SHA-256(domain || 0x00 || field name UTF-8 || 0x00 || 32-byte salt || RFC 8785 bytes of the value)`. The field
    name may not hold a zero byte, so the encoding is injective.

    Raises:
        CanonicalError: the salt is not 32 bytes, the field name holds a zero byte, or the value has no canonical form.
    """
    return commitment_to_bytes(field, canonical_bytes(value), salt)


def commitment_to_bytes(field: str, content: bytes, salt: bytes) -> Digest:
    """`commitment` to the value of which `content` are the canonical bytes.

    Raises:
        CanonicalError: the salt is not 32 bytes, or the field name holds a zero byte.
    """
    if len(salt) != SALT_BYTES:
        raise CanonicalError(f"A salt has {SALT_BYTES} bytes, not {len(salt)}.", remedy="Use new_salt().")
    name = field.encode()
    if b"\0" in name:
        raise CanonicalError("A field name may not hold a zero byte.", remedy="Use a JSON pointer.")
    return digest(_FIELD_DOMAIN + b"\0" + name + b"\0" + salt + content)


def _is_plain(value: object) -> bool:
    """Whether there is nothing in a value that Python's own encoder might write otherwise than RFC 8785, but for its text."""
    if type(value) is str or type(value) is bool or value is None:
        return True
    if type(value) is int:
        return abs(value) <= MAX_SAFE_INTEGER
    if type(value) is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    return type(value) in (list, tuple) and all(map(_is_plain, value))  # type: ignore[call-overload]


def _no_number(text: str) -> int:
    raise ValueError(f"{text} is no integer")


def _safe_integer(text: str) -> int:
    value = int(text)
    if abs(value) > MAX_SAFE_INTEGER:
        raise ValueError(f"{text} is beyond 2^53-1")
    return value


# Kept, for making one takes longer than parsing an entry.
_STRICT = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number, parse_int=_safe_integer)


def _refuse_floats(value: object, path: str) -> None:
    if isinstance(value, float):
        raise CanonicalError(
            f"A float stands at {path or '/'}.",
            remedy="Use integers in thousandths or millionths, or a decimal string.",
        )
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_floats(item, f"{path}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse_floats(item, f"{path}/{index}")
