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
from urllib.parse import quote, unquote

from governance.canonical import Digest
from governance.datasets.records import OptOut
from governance.datasets.rights import domain_of
from governance.errors import DatasetError
from governance_adapters.datasets.rights.paths import Location

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
_SIGNAL: Final = re.compile(r"\bai-train\s*=\s*no\b", re.IGNORECASE)
_USAGE: Final = re.compile(r"\btrain-ai\s*=\s*n\b", re.IGNORECASE)
_AUTHORITY: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#@\\]*@)?(\[[^\]]*\]|[^/?#:@\[\]\\]+)(?::[0-9]*)?(?=[/?#]|$)"
)
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Site:
    """What one domain said. `rules` are the locations of its TDMRep file in order; `headers` by URL."""

    robots: Any = None
    usage: tuple[Location, ...] = ()
    rules: tuple[tuple[Location, bool], ...] = ()
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
        if next((reserved for location, reserved in site.rules if location.match(path)), False):
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
            _check_names(place)
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
    # Not by urlsplit: it refuses names of users that `URL_PATTERN` takes, and whoever wrote one would not be asked about.
    authority = _AUTHORITY.match(url)
    if authority is None:
        return "", ""
    stated, _, query = url[authority.end() :].partition("#")[0].partition("?")
    domain, path = domain_of(authority[1]), unquote(stated)
    ends = "/" if path.endswith(("/", "/.", "/..")) else ""
    path = f"/{normpath(f'/{path}').strip('/')}{ends}".replace("//", "/")
    return domain, path + (f"?{unquote(query)}" if query else "")


def _kept_out(site: _Site, domain: str, path: str) -> bool:
    if any(location.match(path) for location in site.usage):
        return True
    url = f"https://{domain}{quote(path, safe='/?&=')}"
    return site.robots is not None and not all(site.robots.can_fetch(url, agent) for agent in ("*", *CRAWLERS))


@lru_cache(maxsize=4096)
def _site(folder: str, domain: str, digest: Digest) -> _Site:
    """What a domain said. `digest` is of what the folder held: another one is another folder."""
    del digest
    place = Path(folder) / domain
    robots = _text(place / "robots.txt")
    if robots is not None and ("\0" in robots or robots.lstrip().startswith("<")):
        raise _unreadable(place / "robots.txt", "it is no text in UTF-8, or a page in its place")
    return _Site(
        robots=_robots(robots),
        usage=_usage(robots or ""),
        rules=_rules(place / "tdmrep.json"),
        headers=_headers(place / "headers.jsonl", domain),
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


def _usage(text: str) -> tuple[Location, ...]:
    """Where training is refused by a usage preference: everywhere by `Content-Signal`, below a path by `Content-Usage`."""
    found = []
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-signal" and _SIGNAL.search(value):
            found.append(Location.of("/"))
        elif name.strip().lower() == "content-usage" and _USAGE.search(value):
            path = value.split(maxsplit=1)[0]
            found.append(Location.of(path if path.startswith("/") else "/"))
    return tuple(found)


def _rules(path: Path) -> tuple[tuple[Location, bool], ...]:
    text = _text(path)
    if text is None:
        return ()
    try:
        rules = json.loads(text, object_pairs_hook=_once)
        if not isinstance(rules, list):
            raise TypeError("no list")
        return tuple(map(_rule, rules))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, f"it is no list of locations with `tdm-reservation`: {error!r}") from error


def _rule(rule: Mapping[str, Any]) -> tuple[Location, bool]:
    location, reserved = rule["location"], str(rule["tdm-reservation"])
    if not location.startswith(("/", "*")) or reserved not in {"0", "1"}:
        raise ValueError(f"{location!r}: {reserved}")
    return Location.of(location), reserved == "1"


def _headers(path: Path, domain: str) -> dict[tuple[str, str], frozenset[OptOut]]:
    """The signals in headers by the place that was asked for; one of another domain would never be found there."""
    found: dict[tuple[str, str], frozenset[OptOut]] = {}
    for number, line in enumerate((_text(path) or "").split("\n"), 1):
        if not line.strip():
            continue
        try:
            headers = _Headers.of(json.loads(line, object_pairs_hook=list))
            (text,) = headers.values["url"]
            url = _asked(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(path, f"line {number} is no object with `url`") from error
        if url[0] != domain:
            raise _unreadable(path, f"line {number} is about no URL of {domain}")
        found[url] = found.get(url, frozenset()) | headers.opt_outs()
    return found


@dataclass(frozen=True, slots=True)
class _Headers:
    """Headers by name in lower case: a server may send one several times, and whoever took them write them as a list."""

    values: Mapping[str, list[str]]

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Headers:
        """Of the members of a JSON object, in order, also those of one name.

        Raises:
            TypeError: a value is an object, or a list of something else than texts and numbers.
        """
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            for each in value if isinstance(value, list) else [value]:
                if each is not None and not isinstance(each, (str, int, float)):
                    raise TypeError(f"{name} is no text")
                values.setdefault(name.lower(), []).append("" if each is None else str(each))
        return cls(values)

    def opt_outs(self) -> frozenset[OptOut]:
        """What they reserve. A reservation that is neither 0 nor empty is one."""
        words = re.split(r"[,;\s]+", ",".join(self.values.get("x-robots-tag", [])).lower())
        said = {OptOut.X_ROBOTS_TAG} if {word.rpartition(":")[2] for word in words} & _NO_TRAINING else set[OptOut]()
        reserved = {each.strip() for text in self.values.get("tdm-reservation", []) for each in text.split(",")}
        return frozenset(said | ({OptOut.TDMREP} if reserved - {"", "0"} else set()))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members stand there once: readers differ in which of two they take."""
    if len(members := dict(pairs)) != len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _check_names(place: Path) -> None:
    """Refuse a folder of a domain without a snapshot, or with one under a name that nothing would read."""
    names = {each.name for each in place.iterdir()}
    if not names & {*FILES} or any(each.lower() in FILES and each not in FILES for each in names):
        raise DatasetError(
            f"{place} has no snapshot, or one under another name.", remedy=f"Name the files {', '.join(FILES)}."
        )


def _unreadable(path: Path, why: str) -> DatasetError:
    return DatasetError(f"The snapshot {path} cannot be read: {why}.", remedy="Take it again, or remove it.")
