"""Snapshots that a site, or whoever took them, wrote so that training seems to be allowed, or so that nobody gets to an end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datasets.records import OptOut
from governance.datasets.rights import do_not_train
from governance.errors import DatasetError
from governance_adapters.datasets.rights.paths import Location
from governance_adapters.datasets.rights.signals import open_signals

DOMAIN = "www.example.org"
URL = f"https://{DOMAIN}/a.jpg"
EVERYBODY_OUT = "User-agent: *\nDisallow: /\n"


def found(tmp_path: Path, url: str = URL, **files: str | bytes) -> tuple[OptOut, ...]:
    """What is found at `url` where its site has one of these files, named without its ending."""
    endings = {"robots": "txt", "tdmrep": "json", "headers": "jsonl"}
    (tmp_path / DOMAIN).mkdir()
    for name, text in files.items():
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / DOMAIN / f"{name}.{endings.get(name, 'other')}").write_bytes(content)
    return open_signals(tmp_path).opt_outs(url)


@pytest.mark.parametrize("user", ["a\N{ACCOUNT OF}b", "[", "]", "[x]", "a:b"])
def test_a_user_in_a_url_does_not_hide_its_site(tmp_path, user):
    assert found(tmp_path, f"https://{user}@{DOMAIN}/a.jpg", robots=EVERYBODY_OUT) == (OptOut.ROBOTS,)


@pytest.mark.parametrize("robots", [EVERYBODY_OUT.encode("utf-16"), "<!DOCTYPE html><title>Moved</title>"])
def test_what_is_no_robots_txt_is_refused(tmp_path, robots):
    with pytest.raises(DatasetError, match=r"robots\.txt cannot be read"):
        found(tmp_path, robots=robots)


@pytest.mark.parametrize("files", [{}, {"Robots": EVERYBODY_OUT}])
def test_a_site_without_a_snapshot_that_is_read_is_refused(tmp_path, files):
    (tmp_path / DOMAIN).mkdir()
    for name, text in files.items():
        (tmp_path / DOMAIN / f"{name}.TXT").write_text(text)
    with pytest.raises(DatasetError, match="has no snapshot"):
        open_signals(tmp_path)


@pytest.mark.parametrize(
    ("headers", "opt_outs"),
    [
        ('"x-robots-tag": ["index", "noai"]', (OptOut.X_ROBOTS_TAG,)),
        ('"X-Robots-Tag": "noai", "x-robots-tag": "all"', (OptOut.X_ROBOTS_TAG,)),
        ('"x-robots-tag": "noai noindex"', (OptOut.X_ROBOTS_TAG,)),
        ('"tdm-reservation": [1]', (OptOut.TDMREP,)),
        ('"tdm-reservation": "1, 1"', (OptOut.TDMREP,)),
        ('"tdm-reservation": true', (OptOut.TDMREP,)),
        ('"tdm-reservation": 0, "x-robots-tag": ["all", null]', ()),
    ],
)
def test_headers_that_are_there_several_times_count_each(tmp_path, headers, opt_outs):
    assert found(tmp_path, headers=f'{{"url": "{URL}", {headers}}}') == opt_outs


@pytest.mark.parametrize(
    "line",
    [
        {"url": "/a.jpg", "x-robots-tag": "noai"},
        {"url": "https://example.org/a.jpg", "x-robots-tag": "noai"},
        {"url": URL, "x-robots-tag": {"googlebot": "noai"}},
        {"url": 7},
    ],
)
def test_headers_that_no_url_of_the_site_would_find_are_refused(tmp_path, line):
    with pytest.raises(DatasetError, match="line 1 is"):
        found(tmp_path, headers=json.dumps(line))


@pytest.mark.parametrize(
    "rules",
    [
        '[{"location": "a.jpg", "tdm-reservation": 1}]',
        f'[{{"location": "{URL}", "tdm-reservation": 1}}]',
        '[{"location": "/", "tdm-reservation": 2}]',
        '[{"location": "/", "tdm-reservation": 1e999}]',
        '[{"location": "/", "tdm-reservation": 1, "tdm-reservation": 0}]',
        '[{"location": 1, "tdm-reservation": 1}]',
        "{}",
    ],
)
def test_rules_that_say_something_else_than_rules_are_refused(tmp_path, rules):
    with pytest.raises(DatasetError, match=r"tdmrep\.json cannot be read"):
        found(tmp_path, tdmrep=rules)


@pytest.mark.parametrize(
    "files",
    [
        {"robots": "\n" * 1_000_000},
        {"robots": "content-usage:/" + "a" * 1_000_000},
        {"robots": "content-signal:" + "ai-train " * 100_000},
        {"tdmrep": json.dumps([{"location": "/" + "*a" * 30 + "*b", "tdm-reservation": 1}])},
    ],
)
def test_no_site_holds_an_audit_up(tmp_path, files):
    """With patterns that go back to where they were, each of these takes hours."""
    assert found(tmp_path, f"https://{DOMAIN}/{'a' * 200}", **files) == ()


pieces = st.lists(st.sampled_from(["", "a", "b", "ab", "aa"]), min_size=1, max_size=4)


def fits(pattern: str, path: str, *, ends: bool) -> bool:
    """What a location means, tried out: each `*` takes every number of characters in turn."""
    if not pattern:
        return not (ends and path)
    if pattern[0] == "*":
        return any(fits(pattern[1:], path[at:], ends=ends) for at in range(len(path) + 1))
    return path.startswith(pattern[0]) and fits(pattern[1:], path[1:], ends=ends)


@given(pieces, st.booleans(), st.text("ab", max_size=8))
def test_a_location_names_what_it_means(found, ends, path):
    text = "*".join(found)
    assert Location.of(text + "$" * ends).match(path) is fits(text, path, ends=ends)


@pytest.mark.parametrize(
    "text", ['kind,value\nid,"a\nid,b\n', "kind,value\nid," + "a" * 200_000, "kind,value\rid,a\0\r"]
)
def test_a_list_whose_lines_cannot_be_told_apart_is_refused(text):
    with pytest.raises(DatasetError, match=r"list\.csv"):
        do_not_train(text, "list.csv")
