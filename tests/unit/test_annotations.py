"""METADATA is read as OPA reads it, and what cannot be read is refused by file and line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import PolicyError
from governance_adapters.policy.annotations import (
    UNDEFINED_CODE,
    Annotation,
    read_annotations,
    reason_codes,
    undocumented,
)
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from support.real import require

RULE = """package governance.example

# METADATA
# title: Too loud
# description: >-
#   It is louder than
#   the limit.
# custom:
#   code: sound.loud
#   fix: Turn it down, or raise data.limits.
denials contains {
	"code": "sound.loud",
	"path": "",
} if true
"""
FORMS = {
    "forms/odd.rego": """#METADATA
# title: "Quoted: yes"
# description: |
#   first
#   second
package forms.odd

# METADATA
# title: 'It''s odd'
# description: plain, over
#   two lines
# related_resources:
# - ref: https://example.org/x
# custom:
#   code: a.b
#   fix: >-
#     one
#
#     two
#   number: 3

# a comment between

default _allow := false

# METADATA
# title: yes
# description: 12
# custom: {code: no, fix: [1]}
f(x) := y if {
	y := x
} else := 2
# METADATA
# entrypoint: true
a.b.c := 1

# METADATA
# scope: document
d := 1
""".replace("[1]", "'1'"),
}


@pytest.fixture(scope="module")
def opa() -> str:
    found = shutil.which("opa")
    require("opa", found, "there is no `opa` on PATH, so our reading of METADATA was not compared with OPA's")
    return str(found)


def one(text: str) -> Annotation:
    (found,) = read_annotations({"example.rego": text})
    return found


def read_by_opa(opa: str, folder: Path) -> list[tuple[str, ...]]:
    command = [opa, "inspect", "--annotations", "--format", "json", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(map(said_by_opa, json.loads(done.stdout)["annotations"]))


def said_by_opa(found: Mapping[str, Any]) -> tuple[str, ...]:
    words, custom = found["annotations"], found["annotations"].get("custom", {})
    path = ".".join(step["value"] for step in found["path"])
    texts = (words.get("title"), words.get("description"), custom.get("code"), custom.get("fix"))
    return (path, words["scope"], *((text or "").strip() for text in texts))


def said_by_us(found: Annotation) -> tuple[str, ...]:
    return (found.path, found.scope, found.title, found.description, found.code, found.fix)


class TestReading:
    def test_a_rule_has_its_words_and_its_own_line(self) -> None:
        assert one(RULE) == Annotation(
            "data.governance.example.denials",
            "rule",
            "example.rego",
            11,
            "Too loud",
            "It is louder than the limit.",
            "sound.loud",
            "Turn it down, or raise data.limits.",
        )
        assert one(RULE).place == "example.rego:11"

    def test_the_shipped_bundle_reads_as_opa_reads_it(self, opa: str, tmp_path: Path) -> None:
        bundle = Bundle.load(default_bundle_path())
        for name, text in bundle.policies.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        ours = read_annotations(bundle.policies)
        assert sorted(map(said_by_us, ours)) == read_by_opa(opa, tmp_path)
        for found in ours:
            line = bundle.policies[found.file].splitlines()[found.line - 1]
            assert (
                line.removeprefix("package ")
                .removeprefix("default ")
                .startswith(
                    found.path.removeprefix("data.") if found.scope == "package" else found.path.rpartition(".")[2]
                )
            )

    def test_every_form_reads_as_opa_reads_it(self, opa: str, tmp_path: Path) -> None:
        for name, text in FORMS.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        ours = sorted(map(said_by_us, read_annotations(FORMS)))
        assert ours == read_by_opa(opa, tmp_path)
        assert len(ours) == 5

    @given(
        st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=200), st.booleans()
    )
    def test_any_words_come_back(self, text: str, folded: bool) -> None:
        words = " ".join(text.split()) or "x"
        shown = f">-\n#   {words}" if folded else f"'{words.replace(chr(39), chr(39) * 2)}'"
        assert one(f"package p\n\n# METADATA\n# title: {shown}\nr := 1\n").title == words

    @pytest.mark.parametrize(
        ("text", "place", "words"),
        [
            ("# METADATA\n# title: a: b\npackage p\n", "x.rego:2", "cannot be read"),
            ("package p\n\n# METADATA\n# title: x\n#\ttab: y\nr := 1\n", "x.rego:5", "cannot be read"),
            ("# METADATA\n# title: x\n# title: y\npackage p\n", "x.rego:3", "twice"),
            ("# METADATA\n# - title\npackage p\n", "x.rego:2", "no mapping"),
            ("# METADATA\n# title: [a]\npackage p\n", "x.rego:1", "title of another form"),
            ("# METADATA\n# custom: word\npackage p\n", "x.rego:1", "custom of another form"),
            ("# METADATA\n# custom:\n#   fix: {a: b}\npackage p\n", "x.rego:1", "fix of another form"),
            ("package p\nr := 1\n# METADATA\n# title: x\n", "x.rego:3", "describes no rule"),
            ("# METADATA\n# title: one\n# METADATA\n# title: two\npackage p\n", "x.rego", "cannot be read"),
            ("# METADATA\n# title: &a [*a]\npackage p\n", "x.rego", "cannot be read: it does not end"),
        ],
    )
    def test_what_cannot_be_read_is_refused_by_file_and_line(self, text: str, place: str, words: str) -> None:
        with pytest.raises(PolicyError) as refused:
            read_annotations({"x.rego": text})
        assert place in str(refused.value)
        assert words in str(refused.value)


class TestCompleteness:
    def test_the_shipped_bundle_explains_every_reason(self) -> None:
        assert undocumented(Bundle.load(default_bundle_path()).policies) == []
        assert undocumented({"example.rego": RULE}) == []

    @pytest.mark.parametrize(
        ("before", "after", "problem"),
        [
            ("# METADATA\n", "# NOTHING\n", "example.rego:12 makes the reason sound.loud without METADATA"),
            ('"code": "sound.loud"', '"code": "sound.quiet"', "example.rego:12 makes the reason sound.quiet, but its"),
            (
                "code: sound.loud\n",
                "kode: sound.loud\n",
                "example.rego:12 makes the reason sound.loud without METADATA",
            ),
            ("# title: Too loud\n", "", "example.rego:10 describes sound.loud without title"),
            ("#   fix: Turn it down, or raise data.limits.\n", "", "example.rego:10 describes sound.loud without fix"),
            ("# METADATA", "x := 1\n\n# METADATA", None),
            (
                "} if true\n",
                '} if true\n\nd contains {"code": code} if code := 1\n',
                "example.rego:16 makes the reason (comp",
            ),
            ("} if true\n", '} if true\n\n# {"code": "a comment"}\n', None),
        ],
    )
    def test_what_is_missing_is_named(self, before: str, after: str, problem: str | None) -> None:
        assert before in RULE
        found = undocumented({"example.rego": RULE.replace(before, after)})
        assert len(found) == (problem is not None)
        assert all(line.startswith(str(problem)) for line in found)


class TestReasonCodes:
    def test_rules_that_say_the_same_are_one_row(self) -> None:
        codes = reason_codes(read_annotations({"a.rego": RULE, "b.rego": RULE}))
        assert [code.code for code in codes] == ["policy.undefined", "sound.loud"]
        assert codes[1].places == ("a.rego:11", "b.rego:11")
        assert codes[1].fix == "Turn it down, or raise data.limits."

    def test_rules_that_say_otherwise_are_rows_of_their_own(self) -> None:
        codes = reason_codes(read_annotations({"a.rego": RULE, "b.rego": RULE.replace("Too loud", "Loud")}))
        assert [code.title for code in codes] == [UNDEFINED_CODE.title, "Loud", "Too loud"]
