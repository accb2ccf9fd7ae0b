"""The application of one installation: its parts opened, its holds settled, and everything closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from governance.review import ReviewDesk
from governance_adapters.settings import Settings
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.web.app import make_app
from governance_adapters.web.limits import Limits
from governance_adapters.web.parts import ApiParts
from governance_adapters.wiring import open_desk, open_finder, open_verifier, open_work_maker, open_works


@dataclass(frozen=True, slots=True)
class OpenedApi:
    """An application that can be served, and what settles its holds."""

    app: ASGIApp
    settle: Callable[[], object]


@contextmanager
def open_api(settings: Settings, *, desk: ReviewDesk | None = None) -> Iterator[OpenedApi]:
    """The review API of an installation, for the length of the block.

    `desk` takes the place of one over parts of its own: a program that generates may decide with the same parts.

    Raises:
        GovernanceError: a part refuses to start.
    """
    keys = ApiKeyFile(settings.api_keys_path)
    own = desk is None
    desk = desk or open_desk(settings)
    try:
        parts = desk.parts
        api = ApiParts(
            desk=desk,
            ledger=parts.ledger,
            vault=parts.vault,
            policy=parts.policy,
            verifier=open_verifier(settings, parts.ledger),
            finder=open_finder(settings, parts.ledger),
            works=open_works(settings, parts.ledger),
            maker=open_work_maker(settings),
            keys=keys,
            limits=Limits(settings.upload_limit),
            version=parts.version,
        )
        yield OpenedApi(make_app(api), desk.settle)
    finally:
        ledger = desk.parts.ledger
        if own and isinstance(ledger, SqlLedger):
            ledger.close()
