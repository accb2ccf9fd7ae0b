"""`governance ledger search`, `find`, `rollups` and `reindex`, on a real installation with files that it released."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from governance.testing import EXAMPLE_MODEL, FakePipeline, example_request
from governance.types import Principal, utc_now
from governance_adapters.commands.plots import bar
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support.allowed import allowed
from support.command import Shell

ASKED = (
    {"id": "one"},
    {"id": "two", "purpose": "research", "principal": Principal("bob@example.org", ("researcher",)), "seeds": (7,)},
)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A folder with the home of an installation and two files that it released: `one.png` and `two.png`."""
    folder = tmp_path_factory.mktemp("searched")
    settings = Settings.load(home=folder / "home")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
        allowed(settings, EXAMPLE_MODEL, name="painted", licence="CC0-1.0")
        governor = open_governor(settings)
    for asked in ASKED:
        (item,) = governor.generate(example_request(**asked), FakePipeline()).items
        item.asset.save(folder / f"{asked['id']}.png")
    governor.parts.ledger.close()
    return Shell(folder, folder / "home")


def search(shell, *filters):
    found = shell("ledger", "search", *filters, "--json").succeeded().json
    assert found["next"] is None
    return [(each["index"], each["kind"]) for each in found["items"]]


class TestSearch:
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ((), [0, 1, 2, 3, 4, 5, 6]),
            (("--kind", "released"), [4, 6]),
            (("--principal", "bob@example.org"), [5, 6]),
            (("--purpose", "research", "--outcome", "allow", "--stage", "release"), [6]),
            (("--words", "BLUE seven"), [3, 4, 5, 6]),
            (("--words", "green"), []),
            (("--model", "StableDiffusionPipeline", "--since", "2026-01-01"), [3, 4, 5, 6]),
            (("--until", "2026-01-01T00:00:00Z"), []),
            (("--score", "nsfw/nsfw:0..1", "--score", "similarity/copy:..1"), [4, 6]),
            (("--score", "nsfw/nsfw:1..1"), []),
            (("--lora", "watercolour"), []),
        ],
    )
    def test_filters(self, shell, filters, expected):
        assert [index for index, _ in search(shell, *filters)] == expected

    def test_everything_that_names_one_release_finds_it(self, shell):
        (release,) = (
            shell("ledger", "search", "--kind", "released", "--purpose", "research", "--json").succeeded().json["items"]
        )
        body = release["body"]
        for filters in (
            ("--asset", body["asset"]["digest"]),
            ("--asset", body["asset"]["id"]),
            ("--watermark", body["watermark"]["id"], "--algorithm", body["watermark"]["algorithm"]),
            ("--subject", release["subject"], "--kind", "released"),
            ("--bundle", body["decision"]["bundle_revision"], "--purpose", "research", "--kind", "released"),
        ):
            assert search(shell, *filters) == [(6, "released")]

    def test_pages(self, shell):
        first = shell("ledger", "search", "--words", "seven", "--limit", 3, "--json").succeeded().json
        assert ([each["index"] for each in first["items"]], first["next"]) == ([3, 4, 5], 5)
        table = shell("ledger", "search", "--words", "seven", "--limit", 3).succeeded().out
        assert "3 entries; more with --after 5" in table
        assert search(shell, "--words", "seven", "--after", 5) == [(6, "released")]

    def test_what_cannot_be_asked(self, shell):
        shell("ledger", "search", "--words", "!!!").failed(1, "words")
        shell("ledger", "search", "--score", "nsfw:high").failed(1, "nsfw/nsfw:0.2..0.9")
        shell("ledger", "search", "--since", "yesterday").failed(1, "RFC 3339")
        shell("ledger", "search", "--algorithm", "x").failed(1, "watermark")


class TestFind:
    def matches(self, shell, name):
        return shell("ledger", "find", name, "--json").succeeded().json["matches"]

    def test_the_released_file_itself(self, shell):
        (match,) = self.matches(shell, "one.png")
        assert (match["by"], match["grade"]) == ("same bytes", "these exact bytes were released")
        assert (
            match["entry"]
            == shell("ledger", "search", "--asset", match["asset_digest"], "--json").json["items"][0]["id"]
        )

    def test_a_copy_that_keeps_its_mark(self, shell):
        with Image.open(shell.folder / "one.png") as opened:
            opened.convert("RGB").save(shell.folder / "copy.jpg", quality=90)
        (match,) = self.matches(shell, "copy.jpg")
        assert (match["by"], match["grade"]) == ("watermark", "attributed")
        assert match["pdq_distance"] <= 31
        assert "watermark" in shell("ledger", "find", "copy.jpg").succeeded().out

    def test_a_copy_that_lost_its_mark_but_looks_the_same(self, shell):
        with Image.open(shell.folder / "one.png") as opened:
            opened.convert("RGB").resize((64, 64), Image.Resampling.LANCZOS).save(shell.folder / "small.png")
        match = self.matches(shell, "small.png")[0]
        assert match["by"] == "looks alike"
        assert match["grade"] == "shapes and colours match"
        assert match["pdq_distance"] <= 31
        (same,) = self.matches(shell, "one.png")
        assert match["asset_digest"] == same["asset_digest"]

    def test_what_is_like_nothing(self, shell):
        noise = np.random.default_rng(5).integers(0, 255, (128, 128, 3), dtype=np.uint8)
        Image.fromarray(noise).save(shell.folder / "noise.png")
        assert self.matches(shell, "noise.png") == []
        said = shell("ledger", "find", "noise.png").succeeded().out
        assert "nothing alike among what is kept" in said
        assert "says nothing about where it was made" in said

    def test_what_is_no_picture(self, shell):
        (shell.folder / "text.png").write_text("no picture")
        shell("ledger", "find", "text.png").failed(1, "error")
        shell("ledger", "find", "missing.png").failed(1, "missing.png")


class TestRollups:
    def test_today_is_counted(self, shell):
        counts = shell("ledger", "rollups", "--json").succeeded().json
        today = {(each["name"], each["value"]): each["entries"] for each in counts if each["day"] == utc_now()[:10]}
        assert (today["kind", "released"], today["outcome", "admission:allow"]) == (2, 2)
        assert "example.org" not in str(counts)
        only = shell("ledger", "rollups", "--name", "kind", "--json").succeeded().json
        assert {each["name"] for each in only} == {"kind"}
        table = shell("ledger", "rollups", "--name", "kind").succeeded().out
        assert "released" in table
        assert "#" * 30 in table
        assert (
            shell("ledger", "rollups", "--since", "2020-01-01", "--until", "2020-02-01", "--json").succeeded().json
            == []
        )
        shell("ledger", "rollups", "--since", "2026-01-02", "--until", "2026-01-01").failed(1, "span")

    def test_bars(self):
        assert [bar(count, 100, 10) for count in (0, 1, 50, 100)] == ["", "#", "#" * 5, "#" * 10]
        assert bar(0, 0) == ""


class TestReindex:
    def test_what_verify_names_is_made_anew(self, shell):
        shell("ledger", "verify").succeeded()
        with closing(sqlite3.connect(shell.home / "ledger.sqlite3")) as connection, connection:
            connection.execute("DELETE FROM posting WHERE seq = 6")
            connection.execute("UPDATE rollup SET entries = 9 WHERE value = 'released'")
        assert search(shell, "--kind", "released") == [(4, "released")]
        problems = shell("ledger", "verify", "--json")
        assert problems.code == 1
        assert any("the index lacks" in each and "Entry 6" in each for each in problems.json["problems"])
        assert any("is 9, the entries come to 2" in each for each in problems.json["problems"])
        assert shell("ledger", "reindex", "--json").succeeded().json == {"entries": 7}
        shell("ledger", "verify").succeeded()
        assert search(shell, "--kind", "released") == [(4, "released"), (6, "released")]
        assert "made anew from 7 entries" in shell("ledger", "reindex").succeeded().out
