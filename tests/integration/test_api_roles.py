"""Who may do what: every shipped role and every kind of wrong key at every operation, expected against seen.

The operations are those that the application has: one without a row here fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import pytest
from fastapi.routing import APIRoute

from governance.review_facts import Act
from governance_adapters.policy.bundle import default_bundle_path
from governance_adapters.web.app import make_api
from governance_adapters.web.keys import revoke_key
from governance_adapters.web.routes import ACT
from support.api import EVERYTHING, Office, client, new_seed, picture

SHIPPED = tuple(sorted(json.loads((default_bundle_path() / "data.json").read_text())["roles"]))
WRONG = ("no key", "a wrong key", "expired", "revoked", "without the scope")
CODES = {"codes": ["work.licensed"]}

REVIEWER = {"reviewer"}
COUNSEL = {"counsel"}
READERS = {"reviewer", "counsel", "auditor"}
ANYBODY = {"reviewer", "counsel", "auditor", "designer", "editor", "evaluator", "researcher"}


@dataclass(frozen=True)
class Row:
    """One operation: how it is asked for, which roles may, and what they get. `{hold}` and the like are made anew.

    `root`: it stands at the server's root and not below `/v1`.
    """

    method: str
    path: str
    roles: set[str]
    status: int = 200
    body: Any = None
    leased: bool = False
    public: bool = False
    root: bool = False

    def send(self, opened, office, role):
        path = self.path
        if "{hold}" in path:
            hold = office.hold()
            if self.leased and role in self.roles:
                office.lease(role, hold)
            path = path.replace("{hold}", hold)
        if "{work}" in path:
            path = path.replace("{work}", office.work().id)
        path = path.replace("{entry}", released(office).entry.id).replace("{asset}", released(office).asset.digest)
        body = self.body() if callable(self.body) else self.body
        url = opened.base_url.join(path) if self.root else path
        return opened.request(self.method, url, **(body or {}))


@cache
def released(office):
    return office.released()


ROWS = {
    "readHealth": Row("GET", "/health", ANYBODY, public=True),
    "listEntries": Row("GET", "/entries", READERS),
    "readEntry": Row("GET", "/entries/{entry}", READERS),
    "readReceipt": Row("GET", "/entries/{entry}/receipt", READERS),
    "readCheckpoint": Row("GET", "/checkpoint", READERS),
    "readMode": Row("GET", "/mode", READERS),
    "searchEntries": Row("GET", "/search?outcome=allow", READERS),
    "findPicture": Row("POST", "/search/picture", READERS, body={"files": {"file": picture()}}),
    "readRollups": Row("GET", "/rollups?since=2026-01-01&until=2026-12-31", READERS),
    "readAsset": Row("GET", "/assets/{asset}", READERS),
    "readAssetContent": Row("GET", "/assets/{asset}/content", READERS),
    "listHolds": Row("GET", "/holds", REVIEWER | COUNSEL),
    # New holds stand in the queue `general`, which is not counsel's.
    "readHold": Row("GET", "/holds/{hold}", REVIEWER),
    "viewHold": Row("POST", "/holds/{hold}/view", REVIEWER),
    "leaseHold": Row("POST", "/holds/{hold}/lease", REVIEWER, body={"json": {}}),
    "giveBackHold": Row("DELETE", "/holds/{hold}/lease", REVIEWER),
    "commentOnHold": Row("POST", "/holds/{hold}/comments", REVIEWER, 201, {"json": {"text": "Ours."}}),
    "approveHold": Row("POST", "/holds/{hold}/approve", REVIEWER, body={"json": CODES}, leased=True),
    "rejectHold": Row("POST", "/holds/{hold}/reject", REVIEWER, body={"json": CODES}, leased=True),
    "escalateHold": Row(
        "POST", "/holds/{hold}/escalate", REVIEWER, body={"json": {**CODES, "queue": "legal"}}, leased=True
    ),
    "listWorks": Row("GET", "/works", READERS),
    "readWork": Row("GET", "/works/{work}", READERS),
    "readWorkImage": Row("GET", "/works/{work}/images/0", READERS),
    "addWork": Row(
        "POST",
        "/works",
        COUNSEL,
        201,
        lambda: {
            "data": {"title": "A tower", "owner": "Example Press", "licence": "CC0-1.0", "action": "review"},
            "files": {"images": picture(new_seed())},
        },
    ),
    "removeWork": Row("DELETE", "/works/{work}", COUNSEL),
    "readLogCheckpoint": Row("GET", "/checkpoint", ANYBODY, public=True, root=True),
    "readTile": Row("GET", "/tile/0/000.p/1", ANYBODY, public=True, root=True),
    "readEntryBundle": Row("GET", "/tile/entries/000.p/1", READERS, root=True),
    "verifyFile": Row("POST", "/verify", ANYBODY, body={"files": {"file": picture()}}),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def operations(office):
    """The operations of the application: id to its act."""
    routes = make_api(office.api).routes
    assert all(isinstance(route, APIRoute) for route in routes)
    hidden = {route.path for route in routes if not route.include_in_schema}
    assert hidden == {"/v1/openapi.json"}
    return {route.operation_id: (route.openapi_extra or {}).get(ACT) for route in routes if route.include_in_schema}


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


class Keys:
    """One key for each column of the table."""

    FIXED: ClassVar = {"no key": None, "a wrong key": f"dgk_{'0' * 16}_{'A' * 43}"}

    def __init__(self, office):
        self.office = office
        revoked = office.key("reviewer")
        revoke_key(office.api.keys, office.api.ledger, revoked.key.id)
        self.known = {
            **self.FIXED,
            "expired": office.expired_key("reviewer"),
            "revoked": revoked.text,
            **{role: office.key(role).text for role in SHIPPED},
        }

    def of(self, column, act):
        if column == "without the scope":
            others = [scope for scope in EVERYTHING if scope != act]
            return self.office.key("reviewer", others).text
        return self.known[column]


def expected(row, column):
    if row.public:
        return row.status
    if column in ("no key", "a wrong key", "expired", "revoked"):
        return 401
    return row.status if column in row.roles else 403


def test_every_role_at_every_operation(office, operations, url):
    assert set(ROWS) == set(operations), "each operation needs a row"
    keys, columns = Keys(office), (*SHIPPED, *WRONG)
    print("\n" + " ".join(f"{name[:12]:>12}" for name in ("", *columns)))
    wrong = []
    for name, row in ROWS.items():
        cells = []
        for column in columns:
            with client(url, keys.of(column, operations[name])) as opened:
                answer = row.send(opened, office, column)
            wished = expected(row, column)
            cells.append(f"{wished}/{answer.status_code}")
            if answer.status_code != wished:
                wrong.append((name, column, wished, answer.status_code, answer.text[:200]))
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
            assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
        print(f"{name[:12]:>12} " + " ".join(f"{cell:>12}" for cell in cells))
    assert not wrong, wrong


def test_personal_fields_need_their_own_scope_and_role(office, url):
    path = f"/entries/{released(office).entry.id}"
    seen = {}
    for role in ("auditor", "reviewer"):
        for scopes in ((Act.LEDGER_READ,), (Act.LEDGER_READ, Act.LEDGER_PERSONAL)):
            with client(url, office.key(role, scopes).text) as opened:
                seen[role, len(scopes)] = opened.get(path, params={"personal": "true"}).status_code
                assert opened.get(path).json()["personal"] is None
    assert seen == {("auditor", 1): 403, ("auditor", 2): 200, ("reviewer", 1): 403, ("reviewer", 2): 403}


@pytest.mark.parametrize("name", ["principal", "reviewer", "words"])
def test_filters_that_name_people_or_what_they_wrote_need_the_same(office, url, name):
    seen = {}
    for role in ("auditor", "reviewer"):
        for scopes in ((Act.LEDGER_READ,), (Act.LEDGER_READ, Act.LEDGER_PERSONAL)):
            with client(url, office.key(role, scopes).text) as opened:
                seen[role, len(scopes)] = opened.get("/search", params={name: "red"}).status_code
                assert opened.get("/search", params={"purpose": "marketing"}).status_code == 200
    assert seen == {("auditor", 1): 403, ("auditor", 2): 200, ("reviewer", 1): 403, ("reviewer", 2): 403}


def test_a_refusal_of_policy_names_its_codes(office, url):
    with client(url, office.key("designer").text) as opened:
        assert opened.get("/entries").json()["reasons"] == ["review.act"]
        assert opened.get("/holds").json()["reasons"] == ["review.act"]


def test_a_key_that_is_revoked_opens_nothing_from_then_on(office, url):
    made = office.key("auditor")
    with client(url, made.text) as opened:
        assert opened.get("/checkpoint").status_code == 200
        revoke_key(office.api.keys, office.api.ledger, made.key.id)
        assert opened.get("/checkpoint").status_code == 401
