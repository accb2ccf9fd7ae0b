"""The second act of the demo: pictures like a registered work are held, and people decide on them through the review API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from governance.assets import receipt_path
from governance.canonical import Json
from governance.errors import GovernanceError, HeldError, StorageError
from governance.files import write_atomically
from governance.governor import Governor
from governance.review import ReviewDesk
from governance.review_facts import Act
from governance.types import Assurance, Principal
from governance.works import Work, WorkAction
from governance_adapters.settings import Settings
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.web.keys import create_key
from governance_adapters.web.opening import open_api
from governance_adapters.web.serving import running
from governance_adapters.wiring import open_work_maker, open_works

REVIEWERS = ("first-reviewer@example.org", "second-reviewer@example.org")
AUDITOR = "auditor@example.org"
_COUNSEL = Principal("counsel@example.org", ("counsel",), "demo", Assurance.ASSERTED)
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Decided:
    """What the reviewers left behind: the released file with who approved it, and what became of the rejected one."""

    work: Work
    findings: tuple[str, ...]
    approved: Path
    approvals: tuple[tuple[str, str], ...]
    rejected: str
    gone: str

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "work": self.work.id,
            "findings": list(self.findings),
            "file": str(self.approved),
            "approvals": [{"reviewer": reviewer, "commitment": shown} for reviewer, shown in self.approvals],
            "rejected": self.rejected,
            "gone": self.gone,
        }


class ReviewApi:
    """The review API as one person uses it."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON document, or the bytes, that the API answers with.

        Raises:
            GovernanceError: it answered with a problem.
        """
        request = Request(  # noqa: S310 - the demo's own server
            f"{self._url}/v1{path}",
            method=method,
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - the demo's own server
                content: bytes = answer.read()
                return json.loads(content) if answer.headers.get_content_type() == "application/json" else content
        except HTTPError as error:
            with error:
                problem = json.load(error)
            raise GovernanceError(f"{method} {path}: {error.code} {problem['detail']}") from error


def decide_on_copies(settings: Settings, governor: Governor, ask: Any, released: Path, folder: Path) -> Decided:
    """Register `released` as a protected work; have two people approve one copy of it, and one person reject another.

    `ask` generates that very picture again.

    Raises:
        GovernanceError: something went otherwise than it must.
    """
    ledger = governor.parts.ledger
    assert isinstance(ledger, SqlLedger)  # the demo's installation
    new = open_work_maker(settings).make(
        [(released.name, released.read_bytes())],
        title="The seven of the spring campaign",
        owner="Rights holder (example)",
        licence="LicenseRef-Example",
        action=WorkAction.REVIEW,
    )
    work = open_works(settings, ledger).add(new, _COUNSEL)
    holds = [_held(ask) for _ in range(2)]
    with open_api(settings, desk=ReviewDesk(governor.parts)) as api, running(api.app) as listening:
        keys = ApiKeyFile(settings.api_keys_path)
        scopes = (Act.HOLDS_READ, Act.HOLDS_VIEW, Act.HOLDS_LEASE, Act.HOLDS_DECIDE)
        first, second = (
            ReviewApi(listening.url, create_key(keys, ledger, who, ["reviewer"], scopes, 1).text) for who in REVIEWERS
        )
        reading = (Act.LEDGER_READ, Act.LEDGER_PERSONAL)
        auditor = ReviewApi(listening.url, create_key(keys, ledger, AUDITOR, ["auditor"], reading, 1).text)
        findings = first.call("GET", f"/holds/{holds[0]}")["findings"]
        for reviewer in (first, second):
            answer = _decide(reviewer, holds[0], "approve", "licence.granted")
        approved = _saved(auditor, answer["released"], folder / "approved-copy.png")
        rejected = _decide(first, holds[1], "reject", "licence.none")["hold"]["state"]
        approvals = _approvals(auditor, answer["released"]["digest"])
    return Decided(
        work,
        tuple(f"{each['label']} {each['score']:.3f}" for each in findings if each["work"] == work.id),
        approved,
        approvals,
        rejected,
        _gone(governor, holds[1]),
    )


def _held(ask: Any) -> str:
    """The id of the hold that asking leads to."""
    try:
        ask()
    except HeldError as error:
        entry = error.result.items[0].entry
        hold: Any = {} if entry is None else entry.body["hold"]
        return str(hold["id"])
    raise GovernanceError("A copy of a registered work was not held.", remedy="Look at data.works and data.thresholds.")


def _decide(reviewer: ReviewApi, hold: str, verdict: str, code: str) -> Any:
    """Lease, look, decide: as a person does."""
    reviewer.call("POST", f"/holds/{hold}/lease", {"seconds": 300})
    picture = reviewer.call("POST", f"/holds/{hold}/view")
    if not picture.startswith(b"\x89PNG"):
        raise GovernanceError("The held draft cannot be seen.", remedy="Run `governance doctor`.")
    return reviewer.call("POST", f"/holds/{hold}/{verdict}", {"codes": [code]})


def _saved(auditor: ReviewApi, released: Any, path: Path) -> Path:
    """The released bytes and their receipt, as the API hands them out."""
    write_atomically(path, auditor.call("GET", f"/assets/{released['digest']}/content"))
    entry = auditor.call("GET", f"/assets/{released['digest']}")["released"]["id"]
    receipt = auditor.call("GET", f"/entries/{entry}/receipt")
    write_atomically(receipt_path(path), json.dumps(receipt, indent=1, ensure_ascii=False).encode())
    return path


def _approvals(auditor: ReviewApi, asset: str) -> tuple[tuple[str, str], ...]:
    """Who approved, by the release's own record: each name, and the commitment by which the record holds it."""
    named = auditor.call("GET", f"/assets/{asset}")["released"]["body"]["review"]["approvals"]
    people = []
    for approval in named:
        personal = auditor.call("GET", f"/entries/{approval['entry']}?personal=true")["personal"]
        people.append((str(personal["/reviewer/id"]), str(approval["reviewer"])))
    return tuple(people)


def _gone(governor: Governor, hold: str) -> str:
    """Why the rejected draft cannot be decrypted."""
    try:
        governor.parts.quarantine.open(hold)
    except StorageError as error:
        return str(error)
    raise GovernanceError(f"The rejected draft {hold} still decrypts.", remedy="Run `governance doctor`.")
