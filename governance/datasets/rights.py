"""Rights as texts say them: hosts of URLs, times, and lists of what must not be trained on."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import idna

from governance.canonical import Digest, canonical_digest
from governance.datasets.policy_input import Collected
from governance.errors import DatasetError

URL_PATTERN: Final = (
    r"^[A-Za-z][A-Za-z0-9+.\-]*://(?:[^\s/?#@\\]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#:@\[\]\\]+)(?::[0-9]{0,5})?(?:[/?#]\S*)?$"
)
"""A URL with a host (RFC 3986, section 3.2), as a pattern that RE2 and Python read alike.

A backslash before the path makes none of it: browsers take it for the beginning of the path, and see another host.
"""

NO_HOST: Final = "?"
"""What stands in the place of the host of a text that is no URL: no host can be called so."""

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOST: Final = 253
"""Characters of a domain name (RFC 1035)."""


def domain_of(host: str) -> str:
    """A host in its one form: lower case, in ASCII (IDNA 2008, UTS 46), without a point at its end. Empty where it is none.

    IPv4 addresses stay as they are, IPv6 addresses in their brackets, compressed (RFC 5952).
    """
    text = host.strip().rstrip(".").lower()
    try:
        if text.startswith("["):
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]" if text.endswith("]") else ""
        text = text if text.isascii() else idna.encode(text, uts46=True).decode()
        labels = text.split(".")
        if labels[-1].isdigit():
            return str(ipaddress.IPv4Address(text))
    except ValueError:  # UnicodeError is one
        return ""
    return text if len(text) <= _MOST and all(map(_LABEL.fullmatch, labels)) else ""


def parents_of(domain: str) -> Iterator[str]:
    """A domain and those above it: `a.example.org`, `example.org`, `org`."""
    yield domain
    while not domain.startswith("[") and "." in domain:
        domain = domain.partition(".")[2]
        yield domain


def collected_at(text: str, as_of: str) -> tuple[str, Collected] | None:
    """A time as RFC 3339 in UTC, and whether it is later than `as_of`; None where the text is no time.

    A day alone is its beginning, and a time without an offset is taken for UTC. Empty is missing.
    """
    if not text:
        return "", Collected.MISSING
    try:
        read = datetime.fromisoformat(text)
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if len(text) < len("2024-01-01") or not _DAY.match(text):
        return None
    digits = "milliseconds" if read.microsecond else "seconds"
    written = read.isoformat(timespec=digits).replace("+00:00", "Z")
    return written, Collected.FUTURE if read > datetime.fromisoformat(as_of) else Collected.KNOWN


@dataclass(frozen=True, slots=True)
class DoNotTrain:
    """What must not be trained on: ids of records, domains (and all below them), digests of contents (SHA-256)."""

    ids: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def __or__(self, other: DoNotTrain) -> DoNotTrain:
        return DoNotTrain(self.ids | other.ids, self.domains | other.domains, self.hashes | other.hashes)

    def names_domain(self, domain: str) -> bool:
        """Whether a domain, or one above it, is listed."""
        return bool(self.domains) and any(each in self.domains for each in parents_of(domain))

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical form of the three lists."""
        return canonical_digest([sorted(self.ids), sorted(self.domains), sorted(self.hashes)])


def do_not_train(text: str, name: str) -> DoNotTrain:
    """A do-not-train list: JSON lines of `{"kind": ..., "value": ...}`, or CSV with the columns `kind` and `value`.

    A kind is `id`, `domain` or `hash` (SHA-256, hexadecimal). `name` is the list's, for errors.

    Raises:
        DatasetError: a line is none of these. A list that is read in part would let through what it names.
    """
    values: dict[str, set[str]] = {"id": set(), "domain": set(), "hash": set()}
    for number, kind, value in _lines(text.removeprefix("\ufeff"), name):
        checked = {"id": value, "domain": domain_of(value), "hash": value.lower()}.get(kind, "")
        if not checked or (kind == "hash" and not _DIGEST.fullmatch(checked)):
            raise DatasetError(
                f"Line {number} of {name} names no id, domain or hash: {kind[:40]!r}, {value[:80]!r}.",
                remedy="Give `kind` (id, domain or hash) and `value`; a hash is the SHA-256 in hexadecimal.",
            )
        values[kind].add(checked)
    return DoNotTrain(frozenset(values["id"]), frozenset(values["domain"]), frozenset(values["hash"]))


def _lines(text: str, name: str) -> Iterator[tuple[int, str, str]]:
    if text.lstrip().startswith("{"):
        rows: Iterable[tuple[int, object]] = _json_lines(text)
    else:
        rows = _csv_rows(text, name)
    for number, row in rows:
        kind, value = (row.get("kind"), row.get("value")) if isinstance(row, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(value, str):
            raise DatasetError(
                f"Line {number} of {name} is not `kind` and `value`, two texts.",
                remedy='Write lines such as {"kind": "domain", "value": "example.org"}.',
            )
        yield number, kind.strip().lower(), value.strip()


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if text.strip() and not {"kind", "value"} <= set(reader.fieldnames or ()):
            raise DatasetError(f"{name} has no columns `kind` and `value`.", remedy="Name them in its first line.")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(
            f"{name} is no CSV: {error}, at line {reader.line_num}.", remedy="Close its quotes, one value in each line."
        ) from error


def _json_lines(text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            yield number, None
