"""Rights as texts say them: hosts, times, do-not-train lists, licences, and what sites said in their snapshots."""

from __future__ import annotations

import json
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datasets.policy_input import Collected
from governance.datasets.records import OptOut
from governance.datasets.rights import (
    URL_PATTERN,
    DoNotTrain,
    collected_at,
    do_not_train,
    domain_of,
    parents_of,
)
from governance.errors import DatasetError
from governance_adapters.datasets.rights.licences import spdx_of
from governance_adapters.datasets.rights.signals import open_signals

AS_OF = "2026-06-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.org/a.png", "www.Example.org"),
        ("http://user:word@example.org:8080?q#f", "example.org"),
        ("ftp://[2001:DB8::1]/x", "[2001:DB8::1]"),
        ("https://example.org", "example.org"),
        ("s3://bucket/key", "bucket"),
        ("https://münchen.example/ü", "münchen.example"),
    ],
)
def test_a_url_has_its_host(url, host):
    assert re.match(URL_PATTERN, url)["host"] == host


@pytest.mark.parametrize(
    "text",
    [
        "example.org/a.png",
        "https:///a",
        "https://",
        "a picture",
        "https://exa mple.org/",
        "http://example.org:x/",
        "//h/p",
        "https://listed.example.org\\@open.example.org/a.png",
        "https://listed.example.org\\.open.example.org/a.png",
    ],
)
def test_what_is_no_url_has_no_host(text):
    assert re.match(URL_PATTERN, text) is None


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("WWW.Example.org.", "www.example.org"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("Straße.example", "xn--strae-oqa.example"),
        ("ＥＸＡＭＰＬＥ。ｏｒｇ", "example.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.999", ""),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ("[2001:zz::1]", ""),
        ("[::1", ""),
        ("exa..mple", ""),
        ("a" * 64 + ".org", ""),
        ("-a.org", ""),
        ("", ""),
        ("?", ""),
        (".".join(["a" * 60] * 5), ""),
    ],
)
def test_a_host_has_one_form(host, domain):
    assert domain_of(host) == domain


@given(st.text(max_size=80))
def test_the_form_of_a_host_is_its_own_form(host):
    domain = domain_of(host)
    assert domain_of(domain) == domain
    assert domain == "" or domain.isascii()


def test_the_parents_of_a_domain():
    assert list(parents_of("a.b.example.org")) == ["a.b.example.org", "b.example.org", "example.org", "org"]
    assert list(parents_of("[2001:db8::1.2.3.4]")) == ["[2001:db8::1.2.3.4]"]


@pytest.mark.parametrize(
    ("text", "time", "state"),
    [
        ("", "", Collected.MISSING),
        ("2024-02-29", "2024-02-29T00:00:00Z", Collected.KNOWN),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z", Collected.KNOWN),
        ("2024-05-01 10:00:00.5", "2024-05-01T10:00:00.500Z", Collected.KNOWN),
        (AS_OF, "2026-06-01T12:00:00Z", Collected.KNOWN),
        ("2026-06-01T12:00:00.001Z", "2026-06-01T12:00:00.001Z", Collected.FUTURE),
        ("9999-12-31", "9999-12-31T00:00:00Z", Collected.FUTURE),
    ],
)
def test_a_time_is_written_in_utc_and_compared_with_the_audit(text, time, state):
    assert collected_at(text, AS_OF) == (time, state)


@pytest.mark.parametrize(
    "text", ["yesterday", "2024", "2023-02-29", "1714557600", "20240501", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_none(text):
    assert collected_at(text, AS_OF) is None


LISTED = DoNotTrain(frozenset({"img-1"}), frozenset({"example.org"}), frozenset({"ab" * 32}))


def test_a_do_not_train_list_is_read_as_lines_of_json_and_as_a_table():
    rows = [("id", "img-1"), ("domain", "Example.org"), ("hash", "AB" * 32)]
    lines = "\n".join(json.dumps({"kind": kind, "value": value}) for kind, value in rows)
    table = "\ufeffvalue,kind,why\n" + "\n".join(f"{value},{kind},said so" for kind, value in rows)
    assert do_not_train(lines, "list") == do_not_train(table, "list") == LISTED
    assert do_not_train("", "list") == DoNotTrain()
    assert (DoNotTrain() | LISTED) == LISTED
    assert LISTED.digest != DoNotTrain().digest


def test_a_listed_domain_covers_those_below_it():
    assert LISTED.names_domain("a.example.org")
    assert LISTED.names_domain("example.org")
    assert not LISTED.names_domain("badexample.org")
    assert not LISTED.names_domain("org")


@pytest.mark.parametrize(
    "text",
    [
        "kind,name\nid,x\n",
        "kind,value\nurl,x\n",
        "kind,value\nid,\n",
        "kind,value\nid\n",
        "kind,value\nhash,abc\n",
        "kind,value\ndomain,not a domain\n",
        '{"kind": "id"}',
        '{"kind": "id", "value": 7}',
        '{"kind": "id", "value": "x"}\n{oops',
        '{"kind": "id", "value": "x"}\n[1]',
    ],
)
def test_a_list_that_cannot_be_read_whole_is_refused(text):
    with pytest.raises(DatasetError, match="list"):
        do_not_train(text, "list")


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("http://creativecommons.org/licenses/by/2.0/deed.en", "CC-BY-2.0"),
        ("https://creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("mit  or apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("LicenseRef-ours", "LicenseRef-ours"),
        ("MIT AND LicenseRef-x", "MIT AND LicenseRef-x"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ],
)
def test_a_licence_is_spdx_whatever_it_was_called(stated, licence):
    assert spdx_of(stated) == licence
    assert spdx_of(licence) == licence


@pytest.mark.parametrize(
    "stated",
    ["", " ", "unknown", "CC BY", "all rights reserved", "(MIT AND (BSD", "MIT MIT", "CC-BY-9.9", "MIT WITH Apache-2.0",
     "LicenseRef-é", "Other", "MIT, Apache", "x" * 500, "MIT\0"],
    ids=range(14),
)  # fmt: skip
def test_what_leaves_a_doubt_is_no_licence(stated):
    assert spdx_of(stated) == ""


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_licences(stated):
    licence = spdx_of(stated)
    assert spdx_of(licence) == licence


@pytest.fixture
def folder(tmp_path):
    """Snapshots of five sites, each of which says no in its own way, and of one that does not."""
    said = {
        "robots.example.org": {"robots.txt": "User-agent: GPTBot\nDisallow: /private\n\nUser-agent: *\nDisallow: /x\n"},
        "signal.example.org": {"robots.txt": "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"},
        "usage.example.org": {"robots.txt": "User-agent: *\nContent-Usage: /art train-ai=n\nAllow: /\n"},
        "tdm.example.org": {
            "tdmrep.json": json.dumps(
                [{"location": "/open/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]
            )
        },
        "headers.example.org": {
            "headers.jsonl": "\n".join(
                json.dumps({"url": f"https://headers.example.org/{name}", **said})
                for name, said in {
                    "a": {"X-Robots-Tag": "noindex, noai"},
                    "b": {"x-robots-tag": "otherbot: noimageai", "TDM-Reservation": 1},
                    "c": {"x-robots-tag": "noindex", "tdm-reservation": "0"},
                }.items()
            )
        },
        "open.example.org": {"robots.txt": "User-agent: *\nAllow: /\n", "tdmrep.json": "[]"},
    }
    for domain, files in said.items():
        (tmp_path / domain).mkdir()
        for name, text in files.items():
            (tmp_path / domain / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://robots.example.org/private/a.png", [OptOut.ROBOTS]),
        ("https://robots.example.org/x", [OptOut.ROBOTS]),
        ("https://robots.example.org/public", []),
        ("https://signal.example.org/any", [OptOut.ROBOTS]),
        ("https://robots.example.org/%70rivate/a.png", [OptOut.ROBOTS]),
        ("https://robots.example.org/public/../private/a.png", [OptOut.ROBOTS]),
        ("https://usage.example.org/art/1", [OptOut.ROBOTS]),
        ("https://usage.example.org/%61rt/1", [OptOut.ROBOTS]),
        ("https://usage.example.org/news/1", []),
        ("https://tdm.example.org/open/1", []),
        ("https://TDM.example.org:443/other?x=1", [OptOut.TDMREP]),
        ("https://tdm.example.org", [OptOut.TDMREP]),
        ("https://tdm.example.org/open/../other", [OptOut.TDMREP]),
        ("https://tdm.example.org/open/%2e%2e/other", [OptOut.TDMREP]),
        ("https://tdm.example.org//open/1", []),
        ("http://HEADERS.example.org:8080/%61#top", [OptOut.X_ROBOTS_TAG]),
        ("https://headers.example.org/a", [OptOut.X_ROBOTS_TAG]),
        ("https://headers.example.org/b", [OptOut.TDMREP, OptOut.X_ROBOTS_TAG]),
        ("https://headers.example.org/c", []),
        ("https://open.example.org/a", []),
        ("https://unseen.example.org/a", []),
        ("https://[broken/a", []),
        ("", []),
    ],
)
def test_a_site_says_no_for_a_url_in_each_way(folder, url, found):
    signals = pickle.loads(pickle.dumps(open_signals(folder)))
    assert list(signals.opt_outs(url)) == found


def test_what_was_seen_is_committed_to(folder):
    before = open_signals(folder)
    assert open_signals(folder) == before
    (folder / "open.example.org" / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    after = open_signals(folder)
    assert after.digest != before.digest
    assert after.opt_outs("https://open.example.org/a") == (OptOut.ROBOTS,)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tdmrep.json", "{oops"),
        ("tdmrep.json", '{"location": "/"}'),
        ("tdmrep.json", '[{"location": "/"}]'),
        ("tdmrep.json", '[{"location": "/", "tdm-reservation": "yes"}]'),
        ("headers.jsonl", '{"x-robots-tag": "noai"}'),
        ("headers.jsonl", "[1]"),
    ],
    ids=range(6),
)
def test_a_snapshot_that_cannot_be_read_is_refused(folder, name, text):
    (folder / "open.example.org" / name).write_text(text)
    with pytest.raises(DatasetError, match="cannot be read"):
        open_signals(folder)


def test_folders_of_snapshots_are_called_like_domains(folder, tmp_path):
    (folder / "Open.Example.org").mkdir()
    with pytest.raises(DatasetError, match="not called like a domain"):
        open_signals(folder)
    with pytest.raises(DatasetError, match="cannot be read"):
        open_signals(tmp_path / "nothing")
