"""What sites said of training when they were looked at: snapshots of robots.txt, TDMRep and HTTP headers, in a folder.

    FOLDER/<domain>/robots.txt      as served; `Content-Signal: ai-train=no` and `Content-Usage: train-ai=n` count too
    FOLDER/<domain>/tdmrep.json     as served at /.well-known/tdmrep.json (TDMRep, W3C Community Group Report of 2024-02-02)
    FOLDER/<domain>/headers.jsonl   one JSON object a line: {"url": ..., "x-robots-tag": ..., "tdm-reservation": ...}

Nothing is fetched: what a site says is evidence of one moment, and whoever took the snapshot says which.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from posixpath import normpath
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from governance.canonical import Digest
from governance.datasets.records import OptOut
from governance.datasets.rights import domain_of
from governance.errors import DatasetError

CRAWLERS: Final = (
    "AI2Bot",
    "Applebot-Extended",
    "Bytespider",
    "CCBot",
    "ClaudeBot",
    "Diffbot",
    "GPTBot",
    "Google-Extended",
    "Meta-ExternalAgent",
    "anthropic-ai",
    "cohere-ai",
    "img2dataset",
)
"""Agents that fetch what models are trained on. A site that keeps any of them from a URL, or everybody, has said no."""

FILES: Final = ("robots.txt", "tdmrep.json", "headers.jsonl")
_NO_TRAINING: Final = frozenset({"noai", "noimageai"})
_SIGNAL: Final = re.compile(r"^\s*content-signal\s*:.*\bai-train\s*=\s*no\b", re.IGNORECASE | re.MULTILINE)
_USAGE: Final = re.compile(r"^\s*content-usage\s*:\s*(/\S*)?.*\btrain-ai\s*=\s*n\b", re.IGNORECASE | re.MULTILINE)
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Site:
    """What one domain said. `rules` are the locations of its TDMRep file in order; `headers` by URL."""

    robots: Any = None
    usage: tuple[re.Pattern[str], ...] = ()
    rules: tuple[tuple[re.Pattern[str], bool], ...] = ()
    headers: Mapping[tuple[str, str], frozenset[OptOut]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signals:
    """A folder of snapshots; a plain value that workers get. `digest` is over all its files: what was seen, exactly."""

    folder: str
    domains: frozenset[str]
    digest: Digest

    def opt_outs(self, url: str) -> tuple[OptOut, ...]:
        """The signals against training on what is at `url`, sorted; none where its domain has no snapshot.

        Raises:
            DatasetError: a snapshot cannot be read.
        """
        domain, path = _asked(url)
        if domain not in self.domains:
            return ()
        site = _site(self.folder, domain, self.digest)
        found = set(site.headers.get((domain, path), ()))
        if _kept_out(site, domain, path):
            found.add(OptOut.ROBOTS)
        if next((reserved for pattern, reserved in site.rules if pattern.match(path)), False):
            found.add(OptOut.TDMREP)
        return tuple(sorted(found))


def open_signals(folder: Path) -> Signals:
    """The snapshots in `folder`, every file of which is read and understood first.

    Raises:
        DatasetError: there is no such folder, a folder in it is called like no domain, or a file cannot be read as what it is.
    """
    state, domains = hashlib.sha256(), set()
    try:
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            if domain_of(place.name) != place.name:
                raise DatasetError(
                    f"{place} is not called like a domain.", remedy="Name it like the host: `www.example.org`."
                )
            domains.add(place.name)
            for name in FILES:
                if (path := place / name).exists():
                    content = path.read_bytes()
                    state.update(f"{place.name}/{name}\0{len(content)}\0".encode() + content)
    except OSError as error:
        raise DatasetError(
            f"The snapshots in {folder} cannot be read: {error.strerror or error}.",
            remedy="Name a folder with a folder for each domain.",
        ) from error
    digest = Digest(state.hexdigest())
    for domain in sorted(domains):
        _site(str(folder), domain, digest)
    return Signals(str(folder), frozenset(domains), digest)


def _asked(url: str) -> tuple[str, str]:
    """What a server is asked for at `url`: its domain, and path with query, as it reads them itself.

    Whoever states a URL must not get round a rule by another spelling of it: escapes are resolved, and `.` and `..` too; scheme,
    port and fragment say nothing (RFC 3986, section 6.2.2).
    """
    try:
        parts = urlsplit(url)
        domain = domain_of(f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "")
    except ValueError:
        return "", ""
    path = unquote(parts.path)
    ends = "/" if path.endswith(("/", "/.", "/..")) else ""
    path = f"/{normpath(f'/{path}').strip('/')}{ends}".replace("//", "/")
    return domain, path + (f"?{unquote(parts.query)}" if parts.query else "")


def _kept_out(site: _Site, domain: str, path: str) -> bool:
    if any(pattern.match(path) for pattern in site.usage):
        return True
    url = f"https://{domain}{quote(path, safe='/?&=')}"
    return site.robots is not None and not all(site.robots.can_fetch(url, agent) for agent in ("*", *CRAWLERS))


@lru_cache(maxsize=4096)
def _site(folder: str, domain: str, digest: Digest) -> _Site:
    """What a domain said. `digest` is of what the folder held: another one is another folder."""
    del digest
    place = Path(folder) / domain
    robots = _text(place / "robots.txt")
    return _Site(
        robots=_robots(robots),
        usage=_usage(robots or ""),
        rules=_rules(place / "tdmrep.json"),
        headers=_headers(place / "headers.jsonl"),
    )


def _text(path: Path) -> str | None:
    try:
        if not path.exists():
            return None
        if path.stat().st_size > _MOST_BYTES:
            raise _unreadable(path, f"it is larger than {_MOST_BYTES} bytes")
        return path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _robots(text: str | None) -> Any:
    if text is None:
        return None
    from protego import Protego

    return Protego.parse(text)


def _usage(text: str) -> tuple[re.Pattern[str], ...]:
    """Where training is refused by a usage preference: everywhere by `Content-Signal`, below a path by `Content-Usage`."""
    everywhere = [_pattern("/")] if _SIGNAL.search(text) else []
    return (*everywhere, *(_pattern(found[1] or "/") for found in _USAGE.finditer(text)))


def _rules(path: Path) -> tuple[tuple[re.Pattern[str], bool], ...]:
    text = _text(path)
    if text is None:
        return ()
    try:
        rules = json.loads(text)
        return tuple((_pattern(str(rule["location"])), int(rule["tdm-reservation"]) == 1) for rule in rules)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(path, f"it is no list of locations with `tdm-reservation`: {error!r}") from error


def _headers(path: Path) -> dict[tuple[str, str], frozenset[OptOut]]:
    found: dict[tuple[str, str], frozenset[OptOut]] = {}
    for number, line in enumerate((_text(path) or "").splitlines(), 1):
        if not line.strip():
            continue
        try:
            headers = {str(name).lower(): str(value) for name, value in json.loads(line).items()}
            url = _asked(headers["url"])
        except (ValueError, KeyError, AttributeError, RecursionError) as error:
            raise _unreadable(path, f"line {number} is no object with `url`") from error
        found[url] = found.get(url, frozenset()) | _of_headers(headers)
    return found


def _of_headers(headers: Mapping[str, str]) -> frozenset[OptOut]:
    directives = {
        word.rpartition(":")[2].strip().lower() for word in headers.get("x-robots-tag", "").replace(";", ",").split(",")
    }
    said = {OptOut.X_ROBOTS_TAG} if directives & _NO_TRAINING else set()
    return frozenset(said | ({OptOut.TDMREP} if headers.get("tdm-reservation", "").strip() == "1" else set()))


def _pattern(location: str) -> re.Pattern[str]:
    """A path as TDMRep and RFC 9309 write it: `*` is anything, `$` at the end is the end; escapes are resolved."""
    ends = location.endswith("$")
    body = ".*".join(re.escape(unquote(piece)) for piece in location.removesuffix("$").split("*"))
    return re.compile(body + ("$" if ends else ""), re.DOTALL)


def _unreadable(path: Path, why: str) -> DatasetError:
    return DatasetError(f"The snapshot {path} cannot be read: {why}.", remedy="Take it again, or remove it.")
