"""The METADATA of a bundle's Rego: what each rule is called, what it means when it objects, and how to mend that.

The form is OPA's (Open Policy Agent documentation, "Annotations"): a block of comments that begins with `# METADATA`, holds
YAML, and stands before the rule or package that it describes. A rule that makes a reason says `title`, `description`, and
under `custom` the `code` of the reason and its `fix`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from governance.errors import PolicyError
from governance_adapters.policy.answers import UNDEFINED

_BEGIN = re.compile(r"#\s*METADATA\s*")
_SUBJECT = re.compile(r"(?P<package>package\s+)?(?:default\s+)?(?P<name>[A-Za-z_][\w.]*)")
_STATEMENT = re.compile(r"[A-Za-z_]")
_REASON = re.compile(r'"code":\s*(?:"(?P<code>[^"]*)")?')
_MEND: Final = "Give the rule METADATA with title, description, custom.code and custom.fix."
_Words: TypeAlias = "str | list[_Words] | dict[str, _Words]"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One block of METADATA.

    `path` is what it describes, such as `data.governance.model.denials`, and `scope` whether that is a `package`, a `rule`
    or, with other rules of its name, a `document`. `file` is the path in the bundle; `line`, from 1, is where the rule or
    package itself begins. What a block does not say is empty.
    """

    path: str
    scope: str
    file: str
    line: int
    title: str = ""
    description: str = ""
    code: str = ""
    fix: str = ""

    @property
    def place(self) -> str:
        """File and line, as `admission/admission.rego:96`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """A reason code in the words of the policy. `places` are the rules that give it; none where the engine does."""

    code: str
    title: str
    description: str
    fix: str
    places: tuple[str, ...] = ()


UNDEFINED_CODE: Final = ReasonCode(
    UNDEFINED.code,
    UNDEFINED.message.rstrip("."),
    "No rule of the bundle gives a decision for this stage. That denies.",
    "Give the policy a rule `decision` that is always defined, and run `governance policy check`.",
)
"""What every engine says where the policy says nothing."""


def read_annotations(policies: Mapping[str, str]) -> tuple[Annotation, ...]:
    """Every annotation of `policies`, Rego texts by their paths in the bundle; in the order of the files and their lines.

    Raises:
        PolicyError: a block is not YAML, does not have the form above, or describes nothing; file and line are named.
    """
    return tuple(annotation for file, text in policies.items() for annotation in _of_file(file, text))


def reason_codes(found: Iterable[Annotation]) -> tuple[ReasonCode, ...]:
    """The reason codes that `found` describe, and `policy.undefined`, sorted. Rules that say the same are one row."""
    places: dict[tuple[str, str, str, str], list[str]] = {}
    for each in found:
        if each.code:
            places.setdefault((each.code, each.title, each.description, each.fix), []).append(each.place)
    codes = [ReasonCode(*words, tuple(where)) for words, where in places.items()]
    return tuple(sorted((*codes, UNDEFINED_CODE), key=lambda code: (code.code, code.title)))


def undocumented(policies: Mapping[str, str]) -> list[str]:
    """What is missing for every reason of `policies` to be explained, one line each with file and line.

    A rule makes a reason where it writes the key `"code"`.

    Raises:
        PolicyError: as `read_annotations`.
    """
    problems = []
    for file, text in policies.items():
        described = {annotation.line: annotation for annotation in _of_file(file, text)}
        problems += [f"{each.place} {gap}" for each in described.values() if (gap := _gap(each))]
        problems += [f"{file}:{line} {problem}" for line, problem in _undescribed(text, described)]
    return problems


def _gap(annotation: Annotation) -> str:
    if not annotation.code:
        return ""
    empty = [name for name in ("title", "description", "fix") if not getattr(annotation, name)]
    return f"describes {annotation.code} without {' and '.join(empty)}" if empty else ""


def _undescribed(text: str, described: Mapping[int, Annotation]) -> Iterator[tuple[int, str]]:
    """Where a reason is made by a rule whose METADATA says nothing, or something else, of its code."""
    current: Annotation | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if _STATEMENT.match(line):
            current = described.get(number)
        made = None if line.lstrip().startswith("#") else _REASON.search(line)
        if made is None:
            continue
        if current is None or not current.code:
            yield number, f"makes the reason {made['code'] or '(computed)'} without METADATA of that code"
        elif made["code"] not in (None, current.code):
            yield number, f"makes the reason {made['code']}, but its METADATA describes {current.code}"


def _of_file(file: str, text: str) -> Iterator[Annotation]:
    lines = text.splitlines()
    package = ""
    for number, line in enumerate(lines):
        if line.startswith("package "):
            package = f"data.{line.split()[1]}"
        elif _BEGIN.fullmatch(line):
            yield _annotation(file, lines, number, package)


def _annotation(file: str, lines: Sequence[str], begin: int, package: str) -> Annotation:
    """The block whose `# METADATA` is `lines[begin]`."""
    end = begin + 1
    while end < len(lines) and lines[end].startswith("#"):
        end += 1
    # As many empty lines as stand before the YAML, so that a complaint has the line of the file.
    words = _read(file, "\n" * (begin + 1) + "\n".join(line[1:] for line in lines[begin + 1 : end]))
    at = next((n for n in range(end, len(lines)) if lines[n] and not lines[n].startswith("#")), len(lines))
    subject = _SUBJECT.match(lines[at]) if at < len(lines) else None
    if subject is None:
        raise PolicyError(f"The METADATA at {file}:{begin + 1} describes no rule.", remedy="Put it before one.")
    custom = words.get("custom", {})
    if not isinstance(custom, dict):
        raise _misshapen(file, begin + 1, "custom")
    usual = "package" if subject["package"] else "document" if words.get("entrypoint") == "true" else "rule"
    said = {name: words.get(name, "") for name in ("title", "description")}
    said |= {name: custom.get(name, "") for name in ("code", "fix")}
    said["scope"] = words.get("scope", usual)
    for name, value in said.items():
        if not isinstance(value, str):
            raise _misshapen(file, begin + 1, name)
    described = f"data.{subject['name']}" if subject["package"] else f"{package}.{subject['name']}"
    return Annotation(described, file=file, line=at + 1, **{name: str(value).strip() for name, value in said.items()})


def _read(file: str, text: str) -> dict[str, _Words]:
    """The YAML mapping in `text`, every scalar as the text that it is."""
    try:
        node = yaml.compose(text, yaml.BaseLoader)
        value = {} if node is None else _plain(file, node)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        what = getattr(error, "problem", None) or "it does not end"
        raise PolicyError(f"The METADATA at {where} cannot be read: {what}.", remedy=_MEND) from error
    if not isinstance(value, dict):
        raise PolicyError(f"The METADATA at {file}:{node.start_mark.line + 1} is no mapping.", remedy=_MEND)
    return value


def _plain(file: str, node: Any) -> _Words:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(file, child) for child in node.value]
    found: dict[str, _Words] = {}
    for key, value in node.value:
        name = _plain(file, key)
        if not isinstance(name, str) or name in found:
            raise PolicyError(
                f"The METADATA at {file}:{key.start_mark.line + 1} has the key {name!r} twice, or it is no text.",
                remedy=_MEND,
            )
        found[name] = _plain(file, value)
    return found


def _misshapen(file: str, line: int, name: str) -> PolicyError:
    return PolicyError(f"The METADATA at {file}:{line} has {name} of another form than text.", remedy=_MEND)
