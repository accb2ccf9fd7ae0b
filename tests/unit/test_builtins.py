"""The functions that a bundle may call: found in its text wherever they hide, and refused by name."""

from __future__ import annotations

import pytest

from governance.errors import PolicyError
from governance_adapters.policy.builtins import ALLOWED_BUILTINS, capabilities, check_builtins

OTHER = "package q\n\nf(a) := a\n\nnow_ns() := 5\n\nrule := 1\n"


def check(body: str, head: str = "package p") -> None:
    check_builtins({"p.rego": f"{head}\n{body}\n", "lib/q.rego": OTHER})


@pytest.mark.parametrize(
    "body",
    [
        'x := count("abc")',
        'x := count ("abc")',
        "x := f(1)\n\nf(a) := a",
        "x := f(1)\n\ndefault f(_) := 1",
        "x := data.q.f(1)",
        "import data.q\nx := q.f(1)",
        "import data.q as strange\nx := strange.f(1)",
        "import data.q.f\nx := f(1)",
        "import data.q as time\nx := time.now_ns()",  # the bundle's own, under that name
        "trace(a) := a\n\nx := trace(1)",
        "x if {\n\tf(1)\n}\n\nf(a) if a > 1",
        'x := "http.send(1)"',
        "x := `\nhttp.send(1)\n`",
        '# http.send(1)\nx := "a\\"b" # http.send(2)',
        "x contains (y) if some y in (a | b)",
        "x if not (1 == 2)",
        "x := [1 | every y in (a) { y }]\n} else := (2)",
        'x := y with input as {"a": 1} with data.limits as {}',
        "x := y with data.q.rule as 2",
        "x := a.b[c].d",
    ],
)
def test_what_is_allowed_passes(body: str) -> None:
    check(body)


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("x := http.send({})", 2, "calls http.send"),
        ("x := 1\n\ny if {\n\ttime.now_ns() > 1\n}", 5, "calls time.now_ns"),
        ('x := opa.runtime()["env"]', 2, "calls opa.runtime"),
        ("x := `\n\n`\ny := rand.intn(`a`, 2)", 5, "calls rand.intn"),
        ("x if\nhttp.send({})", 3, "calls http.send"),  # no rule of that name, though it begins the line
        ('x if\ntrace("a")', 3, "calls trace"),
        ("x if { a\ntrace(1) }", 3, "calls trace"),
        ("x := http.send\n\n({})", 2, "calls http.send"),  # the embedded engine takes it for a call
        ("x := http.send # a\n({})", 2, "calls http.send"),
        ('x := http["send"]({})', 2, "through brackets"),
        ('x := data["q"]["f"](1)', 2, "through brackets"),
        ("x := http.\nsend({})", 3, "through brackets"),
        ('x := data["q"].f(1)', 2, "through brackets"),
        ("http.send(a) := a\n\nx := http.send({})", 4, "calls http.send"),  # defining it does not make it one's own
        ("import data.q as http\nx := http.send({})", 3, "calls http.send"),
        ("import input.q\nx := q.f(1)", 3, "calls q.f"),
        ("x := input.f(1)", 2, "calls input.f"),
        ("x := data.q.g(1)", 2, "calls data.q.g"),
        ("x := f(1)", 2, "calls f"),  # there is one in another package only
        ("x := count([]) with count as http.send", 2, "replaces the function count"),
        ("x := 1 with http.send as f", 2, "replaces the function http.send"),
        ("x := 1 with data.q.f as http.send", 2, "replaces the function data.q.f"),
        ('x := 1 with data["q"].f as http.send', 2, "does not name in full"),
        ('x := $"{http.send(1)}"', 2, "'$'"),
        ('x := "abc', 2, "never closed"),
        ("x := `abc", 2, "never closed"),
        ("\ufeffx := 1", 2, "ufeff"),
        ("é(1)", 2, "'é'"),
    ],
)
def test_anything_else_is_refused_with_file_line_and_name(body: str, line: int, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check(body)
    assert f"p.rego line {line} " in str(caught.value)
    assert says in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "time.now_ns", "trace",
                                  "uuid.rfc4122", "print", "regex.match", "lower", "io.jwt.decode"])  # fmt: skip
def test_what_reaches_outside_or_differs_is_not_allowed(name: str) -> None:
    assert name not in ALLOWED_BUILTINS


def test_capabilities_keep_what_is_allowed_and_the_operators() -> None:
    given = {
        "builtins": [
            {"name": "count", "decl": {}},
            {"name": "http.send"},
            {"name": "plus"},
            {"name": "internal.print"},
        ],
        "future_keywords": ["in"],
        "features": ["rego_v1"],
    }
    assert capabilities(given) == {
        "builtins": [{"name": "count", "decl": {}}, {"name": "plus"}],
        "future_keywords": ["in"],
        "features": ["rego_v1"],
        "allow_net": [],
    }
