"""The list of allowed functions against the engines: both have them, answer them alike, and OPA enforces the same list."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import regorus

from governance.errors import PolicyError
from governance.types import Stage
from governance_adapters.policy.builtins import ALLOWED_BUILTINS, capabilities, check_builtins
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from support.embedded import ALLOW, admission_engine, example_bundle
from support.real import require

EXPRESSIONS = {
    "abs": "abs(-3)",
    "array.concat": "array.concat([1], [2])",
    "array.reverse": "array.reverse([1, 2])",
    "array.slice": "array.slice([1, 2, 3], 1, 9)",
    "ceil": "[ceil(2), ceil(5 / 2)]",
    "concat": 'concat("/", ["a", "ß", "字"])',
    "contains": '[contains("Straße", "ß"), contains("abc", "")]',
    "count": '[count("Straße 字"), count([1, 1]), count({1, 1}), count({"a": 1})]',
    "endswith": 'endswith("字ß", "ß")',
    "floor": "[floor(2), floor(-5 / 2)]",
    "format_int": "[format_int(255, 16), format_int(-7, 2)]",
    "graph.reachable": 'graph.reachable({"a": ["b"], "b": ["c"], "d": []}, ["a", "x"])',
    "indexof": '[indexof("字ßa", "a"), indexof("a", "b")]',
    "intersection": "intersection({{1, 2}, {2, 3}})",
    "is_array": "[y | some x in [[], {}, 1]; y := object.get({true: 1}, is_array(x), 0)]",
    "is_boolean": "is_boolean(false)",
    "is_null": "is_null(null)",
    "is_number": "is_number(1)",
    "is_object": "is_object({})",
    "is_set": "is_set(set())",
    "is_string": 'is_string("")',
    "max": 'max([1, "a", null, [0], {"b": 1}])',
    "min": 'min([1, "a", null, true])',
    "numbers.range": "[numbers.range(1, 3), numbers.range(3, 1)]",
    "object.filter": 'object.filter({"a": 1, "b": 2}, ["a"])',
    "object.get": '[object.get({"a": {"b": 1}}, ["a", "b"], 0), object.get({}, "x", "none")]',
    "object.keys": 'sort(object.keys({"b": 1, "a": 2}))',
    "object.remove": 'object.remove({"a": 1, "b": 2}, ["a"])',
    "object.subset": 'object.subset({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}})',
    "object.union": 'object.union({"a": {"b": 1}}, {"a": {"c": 2}})',
    "object.union_n": 'object.union_n([{"a": 1}, {"a": 2}, {"b": 3}])',
    "product": "product([2, 3])",
    "replace": 'replace(replace("a/b~c", "~", "~0"), "/", "~1")',
    "round": "[round(5 / 2), round(2)]",
    "sort": 'sort([3, "a", null, [1], {"a": 1}, true, 1])',
    "split": 'split("a,ß,,字", ",")',
    "sprintf": 'sprintf("%s %d %v %%", ["字", 42, true])',
    "startswith": 'startswith("ßa", "ß")',
    "strings.any_prefix_match": 'strings.any_prefix_match(["ab", "c"], ["a"])',
    "strings.any_suffix_match": 'strings.any_suffix_match("ab", ["x", "b"])',
    "strings.replace_n": 'strings.replace_n({"1": "0", "2": "0"}, "1234")',
    "strings.reverse": 'strings.reverse("aß字")',
    "substring": '[substring("aß字d", 1, 2), substring("aß字d", 2, -1)]',
    "sum": "sum([1, 2])",
    "time.parse_rfc3339_ns": 'time.parse_rfc3339_ns("2026-11-23T14:00:00.123Z")',
    "trim": 'trim("xxaxx", "x")',
    "trim_left": 'trim_left("ßaß", "ß")',
    "trim_prefix": 'trim_prefix("aab", "a")',
    "trim_right": 'trim_right("abb", "b")',
    "trim_space": 'trim_space(" \\t字\\n")',
    "trim_suffix": 'trim_suffix("abb", "b")',
    "type_name": '[type_name(x) | some x in [1, "a", null, true, [], {}, set()]]',
    "union": "union({{1}, {2}})",
}
"""An expression for each allowed function, on what engines could differ about."""
FORBIDDEN = [
    'http.send({"method": "get", "url": "https://example.org"})',
    "time.now_ns()",
    'rand.intn("a", 5)',
    "opa.runtime()",
    'net.lookup_ip_addr("example.org")',
    'uuid.rfc4122("a")',
    'regex.match("a", "a")',
    'lower("A")',
    'trace("a")',
]


@pytest.fixture(scope="module")
def opa() -> str:
    found = shutil.which("opa")
    require("opa", found, "there is no `opa` on PATH, so it did not enforce the list of allowed functions")
    return str(found)


@pytest.fixture(scope="module")
def limits(opa: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of capabilities for `opa check`."""
    path = tmp_path_factory.mktemp("opa") / "capabilities.json"
    path.write_text(json.dumps(capabilities(current(opa))))
    return path


def current(opa: str) -> dict[str, Any]:
    done = subprocess.run([opa, "capabilities", "--current"], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def strict_check(opa: str, limits: Path, root: Path) -> subprocess.CompletedProcess[str]:
    command = [opa, "check", "--strict", "--capabilities", str(limits), "--bundle", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def bundle_calling(root: Path, expression: str) -> Path:
    """The shipped bundle without its tests, its admission policy calling `expression`."""
    shutil.copytree(default_bundle_path(), root, ignore=shutil.ignore_patterns("*_test.rego"))
    policy = root / "admission" / "admission.rego"
    policy.write_text(f"{policy.read_text()}\ncalled := {expression}\n")
    return root


def test_opa_accepts_the_shipped_bundle_with_the_allowed_functions_alone(
    opa: str, limits: Path, tmp_path: Path
) -> None:
    root = bundle_calling(tmp_path / "bundle", "count([])")
    done = strict_check(opa, limits, root)
    assert done.returncode == 0, done.stderr
    Bundle.load(root)


@pytest.mark.parametrize("expression", FORBIDDEN)
def test_what_is_not_allowed_is_refused_by_both(opa: str, limits: Path, tmp_path: Path, expression: str) -> None:
    root = bundle_calling(tmp_path / "bundle", expression)
    name = expression.partition("(")[0]
    done = strict_check(opa, limits, root)
    assert done.returncode != 0
    assert f"undefined function {name}" in done.stderr
    line = len((root / "admission" / "admission.rego").read_text().splitlines())
    with pytest.raises(PolicyError, match=rf"admission/admission\.rego line {line} calls {re.escape(name)}"):
        Bundle.load(root)


def test_both_engines_have_every_allowed_function_and_answer_alike(opa: str, tmp_path: Path) -> None:
    assert set(EXPRESSIONS) == ALLOWED_BUILTINS
    known = {builtin["name"] for builtin in current(opa)["builtins"]}
    assert known >= ALLOWED_BUILTINS
    answers = ",\n".join(f"{json.dumps(name)}: {text}" for name, text in EXPRESSIONS.items())
    (tmp_path / "p.rego").write_text(f"package governance.admission\n\nanswers := {{{answers}}}\n")
    command = [opa, "eval", "--format", "raw", "--data", str(tmp_path / "p.rego"), "data.governance.admission.answers"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    with closing(admission_engine(f"decision := {ALLOW}\n\nanswers := {{{answers}}}")) as engine:
        ours = engine.evaluate_unvalidated(Stage.ADMISSION, "{}", "answers")
    theirs = json.loads(done.stdout)
    assert set(ours) == ALLOWED_BUILTINS
    for name, answer in theirs.items():
        assert ours[name] == answer, name


def test_the_calls_found_in_the_text_are_those_that_a_parser_finds() -> None:
    engine = regorus.Engine()
    engine.set_rego_v0(False)
    policies = example_bundle().policies
    for path, text in policies.items():
        engine.add_policy(path, text)
    called = {name for file in json.loads(engine.get_ast_as_json()) for name in calls(file)} - ALLOWED_BUILTINS
    assert len(called) > 20
    # Each of them is found: without its definition it is refused.
    for name in sorted(called):
        rule = name.rpartition(".")[2]
        without = {
            path: re.sub(rf"^(default )?{rule}\(", r"\1renamed_rule(", text, flags=re.MULTILINE)
            for path, text in policies.items()
        }
        with pytest.raises(PolicyError, match="which is neither"):
            check_builtins(without)


def calls(node: Any) -> set[str]:
    """The names of all functions that an AST of the embedded engine calls."""
    if isinstance(node, list):
        return {name for item in node for name in calls(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for item in node.values() for name in calls(item)}
    if "Call" in node:
        found.add(dotted(node["Call"]["fcn"]))
    return found


def dotted(reference: dict[str, Any]) -> str:
    if "Var" in reference:
        return str(reference["Var"]["value"])
    return f"{dotted(reference['RefDot']['refr'])}.{reference['RefDot']['field'][1]}"
