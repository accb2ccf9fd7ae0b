"""Lists, records and files over HTTP: cursors, personal fields, text that means harm, and what each failure reads as."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.checkpoint import verify_receipt
from governance.entries import EntryKind, Receipt
from governance.erasure import Basis, ErasureOrder
from governance.errors import LedgerError, StorageError
from governance.forgetting import Eraser
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.profiles import PROFILES
from governance.testing import FakeErasureLog
from governance.types import Principal
from governance_adapters.web.cursors import Cursors
from governance_adapters.web.models import Profile
from governance_adapters.web.problems import ApiError
from support.api import Office, client, new_seed, picture

HARMFUL = '<script>alert(1)</script> =HYPERLINK("http://example.org") @SUM(A1) {{7*7}}'


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


@pytest.fixture(scope="module")
def auditor(office, url):
    with client(url, office.key("auditor").text) as opened:
        yield opened


@pytest.fixture(scope="module")
def counsel(office, url):
    with client(url, office.key("counsel").text) as opened:
        yield opened


@pytest.fixture(scope="module")
def reviewer(office, url):
    with client(url, office.key("reviewer").text) as opened:
        yield opened


def pages(opened, path, between=lambda: None, **filters):
    """The elements of every page, with something happening between two of them."""
    found, cursor = [], None
    while True:
        page = opened.get(path, params={**filters, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found
        between()


class TestCursors:
    def test_no_entry_is_missed_or_comes_twice_while_others_are_written(self, office, auditor):
        for _ in range(3):
            office.released()
        before = [entry.id for _, entry in office.api.ledger.entries(limit=1000)]
        more = iter(range(3))
        seen = [
            each["id"]
            for each in pages(auditor, "/entries", lambda: next(more, None) is None or office.hold(), limit=2)
        ]
        assert seen[: len(before)] == before
        assert len(set(seen)) == len(seen) > len(before)

    def test_holds_and_works_have_pages_too(self, office, reviewer):
        holds = {office.hold() for _ in range(3)}
        works = {office.work().id for _ in range(3)}
        assert holds <= {each["id"] for each in pages(reviewer, "/holds", limit=1)}
        assert works <= {each["id"] for each in pages(reviewer, "/works", limit=1)}

    def test_filters(self, office, auditor):
        released = office.released().entry
        assert {each["kind"] for each in pages(auditor, "/entries", kind="released")} == {"released"}
        assert {each["subject"] for each in pages(auditor, "/entries", subject=released.subject)} == {released.subject}

    @pytest.mark.parametrize(
        "change",
        [
            lambda cursor: {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")},
            lambda cursor: {"cursor": "A" * len(cursor)},
            lambda cursor: {"cursor": cursor, "kind": "intent"},
            lambda cursor: {"cursor": cursor, "subject": "x"},
            lambda _: {"cursor": "NDI"},
            lambda _: {"cursor": "0", "limit": "0"},
            lambda _: {"limit": "201"},
            lambda _: {"kynd": "released"},
        ],
    )
    def test_a_cursor_that_was_not_made_for_this(self, office, auditor, change):
        office.released()
        cursor = auditor.get("/entries", params={"limit": 1}).json()["next"]
        refused = auditor.get("/entries", params={"limit": 1, **change(cursor)})
        assert (refused.status_code, refused.json()["status"]) == (422, 422)

    def test_a_cursor_of_another_list(self, office, auditor, reviewer):
        office.hold(), office.hold()
        cursor = reviewer.get("/holds", params={"limit": 1}).json()["next"]
        assert auditor.get("/entries", params={"cursor": cursor}).status_code == 422

    @given(st.integers(-1, 2**53 - 1) | st.text(st.characters(codec="utf-8"), max_size=64), st.text("abc"))
    def test_what_was_made_is_read_and_with_no_other_key(self, after, listed):
        cursor = Cursors(bytes(32)).make(after, listed, {"kind": None})
        assert Cursors(bytes(32)).read(cursor, listed, {"kind": None}) == after
        with pytest.raises(ApiError):
            Cursors(bytes(31) + b"\1").read(cursor, listed, {"kind": None})


class TestRecords:
    def test_the_receipt_of_a_record_verifies(self, office, auditor):
        entry = office.released().entry
        record = auditor.get(f"/entries/{entry.id}").json()
        text = auditor.get(f"/entries/{entry.id}/receipt").text
        assert json.loads(text) == record["receipt"]
        assert verify_receipt(Receipt.from_json(text), office.line.log_key) == entry
        assert record["decision"]["outcome"] == "allow"
        assert [finding["label"] for finding in record["findings"]] == ["nsfw", "copy"]

    def test_personal_fields_come_where_they_are_asked_for(self, office, auditor):
        path = f"/entries/{office.released().entry.id}"
        assert "designer@example.org" not in auditor.get(path, params={"documents": "true"}).text
        record = auditor.get(path, params={"personal": "true", "documents": "true"}).json()
        assert record["personal"]["/principal/id"] == "designer@example.org"
        assert record["documents"]["model"]["pipeline"] == "StableDiffusionPipeline"

    def test_the_view_of_a_hold_has_no_words_of_reasons(self, office, auditor, reviewer):
        shown = reviewer.get(f"/holds/{office.hold()}").json()
        path = f"/entries/{shown['held']['id']}"
        known = auditor.get(path, params={"personal": "true"}).json()["decision"]["reasons"]
        assert [each["code"] for each in shown["decision"]["reasons"]] == [each["code"] for each in known]
        assert all(each["message"] for each in known)
        assert not any(each["message"] for each in shown["decision"]["reasons"])

    @pytest.mark.parametrize("name", ["0" * 64, "nothing", "01933b5c-8a1e-7c3d-9e4f-0123456789ab"])
    def test_what_there_is_not(self, auditor, reviewer, name):
        paths = (f"/entries/{name}", f"/entries/{name}/receipt", f"/assets/{name}", f"/assets/{name}/content")
        for path in (*paths, f"/works/{name}"):
            missing = auditor.get(path)
            assert (missing.status_code, missing.json()["type"].rpartition(":")[2]) == (404, "not-found")
            assert missing.json()["detail"]
        assert reviewer.get(f"/holds/{name}").status_code == 404

    def test_an_entry_that_released_nothing_is_no_asset(self, office, auditor):
        office.hold()
        (_, held) = office.api.ledger.entries(kind=EntryKind.HELD)[0]
        assert auditor.get(f"/assets/{held.id}").status_code == 404

    def test_content_is_the_released_bytes_to_be_saved(self, office, auditor):
        asset = office.released().asset
        answer = auditor.get(f"/assets/{asset.digest}/content")
        assert answer.content == asset.content
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"] == f'attachment; filename="{asset.digest[:16]}.png"'

    def test_what_was_erased_is_said_to_be(self, office, auditor):
        asset, line = office.released().asset, office.line
        entry = asset.receipt.entry
        eraser = Eraser(line.ledger, line.vault, line.quarantine, FakeErasureLog(), line.log_key)
        (erased,) = eraser.subject(entry.subject, ErasureOrder(Basis.ORDER), files=True).entries
        record = auditor.get(f"/entries/{entry.id}", params={"personal": "true"}).json()
        assert record["erased"] == dict.fromkeys([*record["personal"], "asset", "watermark"], erased)
        assert set(record["personal"].values()) == {None}
        answer = auditor.get(f"/assets/{asset.digest}/content")
        assert answer.status_code == 404
        assert erased in answer.json()["detail"]
        assert auditor.get(f"/assets/{asset.digest}").json()["released"]["id"] == entry.id

    def test_a_file_that_was_recalled_keeps_its_record_and_is_not_handed_out_again(self, office, auditor):
        asset = office.released().asset
        entry = office.api.ledger.find_asset(asset.digest)
        cause = Cause(RecallBy.LICENCE, "CC-BY-4.0")
        record = Recall(cause, Principal("counsel@example.org")).records(Targets(assets=(entry.id,)))[0]
        office.api.ledger.append(record)
        answer = auditor.get(f"/assets/{asset.digest}/content")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (410, "recalled")
        assert record.entry.id in answer.json()["detail"]
        assert auditor.get(f"/assets/{asset.digest}").json()["released"]["id"] == entry.id
        assert [each["id"] for each in pages(auditor, "/search", recalled=entry.id)] == [record.entry.id]
        checks = auditor.post("/verify", files={"file": asset.content}).json()["checks"]
        assert [each["status"] for each in checks if each["name"] == "recall"] == ["fails"]


class TestVerification:
    def test_a_released_file_and_another(self, office, auditor):
        asset = office.released().asset
        for content, name in ((asset.content, True), (picture(), False)):
            found = auditor.post("/verify", files={"file": content}).json()
            entry = next(check for check in found["checks"] if check["name"] == "entry")
            assert (entry["status"] == "holds", found["profile"]) == (name, None)

    @pytest.mark.parametrize("profile", PROFILES)
    def test_a_rule_lists_its_fields(self, office, auditor, profile):
        content = office.released().asset.content
        found = auditor.post("/verify", files={"file": content}, params={"profile": profile}).json()["profile"]
        assert found["profile"] == profile
        assert found["fields"]

    def test_the_rules_are_those_that_there_are(self, auditor):
        assert set(get_args(Profile)) == set(PROFILES)
        assert auditor.post("/verify", files={"file": b"x"}, params={"profile": "mars"}).status_code == 422


class TestTextThatMeansHarm:
    def test_names_come_back_as_they_were_in_json(self, counsel):
        form = {"title": HARMFUL, "owner": HARMFUL, "licence": "CC0-1.0", "action": "deny"}
        added = counsel.post("/works", data=form, files={"images": (HARMFUL, picture(new_seed()))})
        assert added.status_code == 201, added.text
        shown = counsel.get(f"/works/{added.json()['id']}")
        assert (shown.json()["title"], shown.json()["owner"]) == (HARMFUL, HARMFUL)
        assert shown.headers["content-type"] == "application/json"
        assert shown.headers["x-content-type-options"] == "nosniff"

    def test_comments_too(self, office, reviewer):
        hold = office.hold()
        entry = reviewer.post(f"/holds/{hold}/comments", json={"text": HARMFUL}).json()
        assert reviewer.get(f"/holds/{hold}").json()["comments"][entry["id"]] == HARMFUL
        assert HARMFUL not in json.dumps(entry)

    @pytest.mark.parametrize("path", ["/<script>", "/entries/<script>alert(1)</script>", "/entries/%00", "/holds/../x"])
    def test_addresses_too(self, auditor, path):
        answer = auditor.get(path)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"


class TestBadWorks:
    @pytest.mark.parametrize("content", [b"", b"no picture", picture()[:200], b"<svg/>"])
    def test_files_that_are_no_pictures(self, counsel, content):
        form = {"title": "A", "owner": "B", "licence": "CC0-1.0", "action": "deny"}
        refused = counsel.post("/works", data=form, files={"images": ("a.png", content)})
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "invalid")
        assert "0x" not in refused.text  # an address in this program's memory

    def test_a_work_twice(self, counsel):
        form = {"title": "A", "owner": "B", "licence": "CC0-1.0", "action": "deny"}
        content = picture(new_seed())
        answers = [counsel.post("/works", data=form, files={"images": ("a.png", content)}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 409]

    @pytest.mark.parametrize("seconds", ["true", '"5"', "0", "3601", "1.5", "null"])
    def test_a_lease_of_no_time(self, counsel, seconds):
        content, headers = f'{{"seconds":{seconds}}}', {"Content-Type": "application/json"}
        assert counsel.post("/holds/1/lease", content=content, headers=headers).status_code == 422

    def test_another_media_type(self, counsel):
        assert counsel.post("/works", json={}).status_code == 415
        assert counsel.post("/holds/1/comments", content=b"{}").status_code == 415
        assert counsel.put("/works").status_code == 405


class TestPartsThatFail:
    """A part that is down is 503, and what its error says of this machine stays in the log."""

    @pytest.fixture
    def broken(self, tmp_path, served_bundle):
        with Office.at(tmp_path, served_bundle) as office:
            item, key = office.released(), office.key("auditor").text
            with office.served() as url, client(url, key) as opened:
                yield office, item, opened

    def test_the_ledger(self, broken):
        office, item, opened = broken
        failing = LedgerError("The ledger /var/lib/ledger.sqlite3 cannot be read.", remedy="Look at the disk.")
        office.line.ledger.errors.update(receipt=failing, checkpoint=failing, entries=failing)
        for path in (f"/entries/{item.entry.id}", "/entries", "/health"):
            answer = opened.get(path)
            assert (answer.status_code, answer.json()["title"]) == (503, "A part that this needs does not work now")
            assert "/var/lib" not in answer.text

    def test_the_vault(self, broken):
        office, item, opened = broken
        office.line.vault.errors["get"] = StorageError("It is gone.", remedy="Restore it.")
        assert opened.get(f"/assets/{item.asset.digest}/content").status_code == 503

    def test_what_nobody_expected(self, broken):
        office, item, opened = broken
        office.line.ledger.errors["receipt"] = RuntimeError("a fault of this program")
        answer = opened.get(f"/entries/{item.entry.id}")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (500, "internal")
        assert "fault" not in answer.text
