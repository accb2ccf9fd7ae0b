"""Searching over HTTP: filters, pages, a picture at hand, and counts by day."""

from __future__ import annotations

import pytest

from governance.entries import EntryKind
from governance.review_facts import Act
from governance.types import utc_now
from support.api import Office, client, new_seed, picture

EVER = {"since": "2026-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        opened.hold()
        for _ in range(3):
            opened.released()
        yield opened


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


@pytest.fixture(scope="module")
def auditor(office, url):
    with client(url, office.key("auditor").text) as opened:
        yield opened


def searched(opened, **filters):
    """The elements of every page of two."""
    found, cursor = [], None
    while True:
        page = opened.get("/search", params={**filters, "limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        if (cursor := page["next"]) is None:
            return found


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "holds"),
        [
            ({}, lambda _: True),
            ({"kind": "released"}, lambda entry: entry["kind"] == "released"),
            ({"stage": "release", "outcome": "review"}, lambda entry: entry["kind"] == "held"),
            ({"principal": "designer@example.org"}, lambda entry: "decision" in entry["body"]),
            ({"principal": "nobody@example.org"}, lambda _: False),
            ({"words": "Blue SEVEN"}, lambda entry: "decision" in entry["body"]),
            ({"model": "StableDiffusionPipeline", **EVER}, lambda entry: "decision" in entry["body"]),
            ({"score": "nsfw/nsfw:0.5..0.5"}, lambda entry: entry["kind"] == "held"),
            ({"score": "nsfw/nsfw:..0.4,similarity/copy:0..0"}, lambda entry: entry["kind"] == "released"),
            ({"until": "2026-01-01T00:00:00Z"}, lambda _: False),
        ],
    )  # fmt: skip
    def test_what_holds_is_found_page_by_page(self, office, auditor, filters, holds):
        entries = [{"id": e.id, "kind": e.kind.value, "body": e.body} for _, e in office.api.ledger.entries(limit=1000)]
        found = searched(auditor, **filters)
        assert [each["id"] for each in found] == [each["id"] for each in entries if holds(each)]
        assert [each["index"] for each in found] == sorted(each["index"] for each in found)

    @pytest.mark.parametrize(
        "filters",
        [
            {"since": "yesterday"},
            {"since": "2026-02-30T00:00:00Z"},
            {"score": "nsfw:1..2"},
            {"words": "..."},
            {"algorithm": "alone"},
            {"kind": "made"},
            {"principle": "designer@example.org"},
            {"subject": ""},
        ],
    )
    def test_what_cannot_be_asked(self, auditor, filters):
        refused = auditor.get("/search", params=filters)
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "invalid")
        assert refused.json()["detail"]

    def test_a_cursor_is_good_for_its_filters_only(self, auditor):
        cursor = auditor.get("/search", params={"kind": "released", "limit": 1}).json()["next"]
        assert auditor.get("/search", params={"kind": "released", "limit": 1, "cursor": cursor}).status_code == 200
        assert auditor.get("/search", params={"kind": "held", "limit": 1, "cursor": cursor}).status_code == 422

    def test_a_filter_without_people_needs_no_more_than_reading(self, office, url):
        with client(url, office.key("auditor", (Act.LEDGER_READ,)).text) as opened:
            assert opened.get("/search", params={"kind": "released"}).status_code == 200
            assert opened.get("/search", params={"words": "red"}).status_code == 403


class TestPictures:
    def test_a_released_file_is_found_by_its_bytes_its_mark_and_its_looks(self, office, auditor):
        entry = office.released().entry
        digest = entry.body["asset"]["digest"]
        content = office.api.vault.get(digest)
        (match,) = auditor.post("/search/picture", files={"file": content}).json()["items"]
        assert (match["by"], match["entry"], match["asset_digest"]) == ("same bytes", entry.id, digest)
        assert match["pdq_distance"] is None
        again = office.line.encoder.encode(office.line.encoder.decode(content), "image/png")
        assert again != content
        best = auditor.post("/search/picture", files={"file": again}).json()["items"][0]
        assert (best["by"], best["entry"], best["grade"]) == ("watermark", entry.id, "attributed")
        assert best["pdq_distance"] == 0

    def test_what_is_like_nothing_finds_nothing(self, auditor):
        assert auditor.post("/search/picture", files={"file": picture(new_seed())}).json() == {"items": []}

    def test_what_is_no_picture_is_refused(self, auditor):
        assert auditor.post("/search/picture", files={"file": b"no picture"}).status_code == 422


class TestRollups:
    def test_days_are_counted(self, office, auditor):
        day, kinds = utc_now()[:10], [entry.kind for _, entry in office.api.ledger.entries(limit=1000)]
        found = auditor.get("/rollups", params={"since": "2026-01-01", "until": "2026-12-31"}).json()["items"]
        counts = {(each["day"], each["name"], each["value"]): each["entries"] for each in found}
        assert counts[day, "kind", "released"] == kinds.count(EntryKind.RELEASED)
        assert counts[day, "outcome", "release:review"] == kinds.count(EntryKind.HELD)
        assert "example.org" not in str(found)

    @pytest.mark.parametrize(
        "span", [("2026-01-02", "2026-01-01"), ("2026-02-30", "2026-03-01"), ("2020-01-01", "2026-01-01"), ("", "2026-01-01")]
    )  # fmt: skip
    def test_what_is_no_span(self, auditor, span):
        assert auditor.get("/rollups", params=dict(zip(("since", "until"), span, strict=True))).status_code == 422
