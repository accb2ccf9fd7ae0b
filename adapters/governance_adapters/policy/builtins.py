"""Which builtin functions of Rego a bundle may call, and that it calls no others.

The list holds functions that are pure, and that the embedded engine and the Open Policy Agent answer alike. Out are all
that reach outside (`http.send`, `net.*`, `opa.runtime`) or answer differently each time (`rand.*`, `uuid.*`,
`time.now_ns`: the time of a decision is a fact of its input), and those on which the two engines differ, such as `regex.*`
and `lower` beyond ASCII. The Open Policy Agent enforces the same list with `opa check --capabilities`, given what
`capabilities` returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from governance.errors import PolicyError

ALLOWED_BUILTINS = frozenset({
    "abs", "array.concat", "array.reverse", "array.slice", "ceil", "concat", "contains", "count", "endswith", "floor",
    "format_int", "graph.reachable", "indexof", "intersection", "is_array", "is_boolean", "is_null", "is_number",
    "is_object", "is_set", "is_string", "max", "min", "numbers.range", "object.filter", "object.get", "object.keys",
    "object.remove", "object.subset", "object.union", "object.union_n", "product", "replace", "round", "sort",
    "split", "sprintf", "startswith", "strings.any_prefix_match", "strings.any_suffix_match", "strings.replace_n",
    "strings.reverse", "substring", "sum", "time.parse_rfc3339_ns", "trim", "trim_left", "trim_prefix", "trim_right",
    "trim_space", "trim_suffix", "type_name", "union",
})  # fmt: skip
"""Functions that a bundle may call by name. The engines differ on `strings.replace_n` where one replacement holds another
pattern; use `replace` there."""

_OPERATORS = frozenset({
    "and", "assign", "div", "eq", "equal", "gt", "gte", "internal.member_2", "internal.member_3", "lt", "lte", "minus",
    "mul", "neq", "or", "plus", "rem",
})  # fmt: skip
"""What OPA calls the operators and `in`; nobody writes these names."""

_KEYWORDS = frozenset({
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some", "true",
    "with",
})  # fmt: skip
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
    | (?P<line>\n)
    | (?P<text>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<sign>[][{}(),:;=<>!+*/%&|.-])""",
    re.VERBOSE,
)
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


def capabilities(of_opa: Mapping[str, Any]) -> dict[str, Any]:
    """What `opa capabilities --current` prints, cut down to the allowed functions and no network: for `opa check`."""
    permitted = ALLOWED_BUILTINS | _OPERATORS
    builtins = [builtin for builtin in of_opa["builtins"] if builtin["name"] in permitted]
    return {**of_opa, "builtins": builtins, "allow_net": []}


def check_builtins(policies: Mapping[str, str]) -> None:
    """Refuse policies (path to Rego text) that call a function which is neither allowed nor one of their own.

    Names are found in the text, so that hostile text meets no parser of a vendor's in this process. Where a call could be
    hidden (through brackets, by replacing a function in `with`, in characters that Rego has no use for) the text is
    refused as well.

    Raises:
        PolicyError: naming file, line and function.
    """
    modules = [_read(path, text) for path, text in policies.items()]
    own = {name: function for module in modules for name, function in module.defined.items()}
    for module in modules:
        for name, line in module.calls:
            if name not in ALLOWED_BUILTINS and module.in_full(name) not in own:
                raise _refused(
                    module.path, line, f"calls {name}, which is neither an allowed function nor one of the bundle"
                )
        for name, line in module.replaced:
            if name.partition(".")[0] not in ("input", "data") or own.get(name):
                raise _refused(module.path, line, f"replaces the function {name} in `with`")


@dataclass(slots=True)
class _Module:
    """One file: what it defines (full name, and whether that is a function), calls and replaces, each with its line."""

    path: str
    package: str = ""
    imports: dict[str, str] = field(default_factory=dict)
    defined: dict[str, bool] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    replaced: list[tuple[str, int]] = field(default_factory=list)

    def in_full(self, name: str) -> str:
        """The path of `name` under `data`, if it can be a rule. A name with dots is one only by `data` or an import."""
        head, dot, rest = name.partition(".")
        if head == "data":
            return name
        if head in self.imports:
            return f"{self.imports[head]}{dot}{rest}"
        return "" if dot else f"{self.package}.{name}"


@dataclass(frozen=True, slots=True)
class _Token:
    """`first`: on its line, outside of all brackets."""

    kind: str
    text: str
    line: int
    first: bool


_NOTHING = _Token("", "", 0, first=False)


@lru_cache(maxsize=256)
def _read(path: str, text: str) -> _Module:
    """What a file says; kept, because whoever allows a model or reloads a bundle reads all its other files again.

    Raises:
        PolicyError: it hides a call, or is no text of Rego.
    """
    module = _Module(path)
    tokens = [_NOTHING, *_tokens(path, text), _NOTHING, _NOTHING, _NOTHING]
    for index, token in enumerate(tokens[:-3]):
        before, after = tokens[index - 1], tokens[index + 1]
        if token.text == "import" and token.first:
            alias = tokens[index + 3].text if tokens[index + 2].text == "as" else after.text.rpartition(".")[2]
            module.imports[alias] = after.text
        elif token.text == "package" and token.first:
            module.package = f"data.{after.text}"
        elif before.text == "with" and (token.kind != "name" or (after.text == "[" and token.text.startswith("data"))):
            raise _refused(path, token.line, "replaces in `with` what it does not name in full")
        elif before.text == "with":
            module.replaced.append((token.text, token.line))
        elif _defines(before, token):
            module.defined[f"{module.package}.{token.text}"] = after.text == "("
        elif after.text == "(" and (token.text == "]" or (token.kind == "name" and before.text == ".")):
            raise _refused(path, token.line, "calls a function through brackets")
        elif after.text == "(" and token.kind == "name" and token.text not in _KEYWORDS:
            module.calls.append((token.text, token.line))
    return module


def _defines(before: _Token, token: _Token) -> bool:
    """Whether `token` is the name in the head of a rule: first on its line, after something that can end a rule."""
    if token.kind != "name" or token.text in _KEYWORDS:
        return False
    if before.text == "default" and before.first:
        return True
    ended = before.text in (*_CLOSING, "", "true", "false", "null") or before.kind in ("text", "number")
    return token.first and (ended or (before.kind == "name" and before.text not in _KEYWORDS))


def _tokens(path: str, text: str) -> Iterator[_Token]:
    position, line, depth, first = 0, 1, 0, True
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _refused(path, line, f"holds {text[position]!r}, which begins nothing in Rego or is never closed")
        position = match.end()
        kind, found = str(match.lastgroup), match.group()
        if kind == "line":
            first = True
        elif kind != "space":
            depth -= found in _CLOSING
            yield _Token(kind, found, line, first and depth == 0)
            depth += found in _OPENING
            first = False
        line += found.count("\n")


def _refused(path: str, line: int, what: str) -> PolicyError:
    return PolicyError(
        f"{path} line {line} {what}.",
        remedy="Call functions by name: the allowed builtin ones, or those of the bundle itself.",
    )
