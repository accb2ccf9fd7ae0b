"""`governance api-keys`: who may use the review API, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from governance.canonical import Json
from governance.review_facts import Act
from governance.types import utc_now
from governance_adapters.commands.output import JsonFlag, err, out, print_json, print_table, printable
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.storage.api_keys import ApiKey, ApiKeyFile
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.web.keys import create_key, revoke_key

app = typer.Typer(no_args_is_help=True, help="The keys of the review API.")


@app.command()
def create(
    principal: Annotated[str, typer.Option(help="Whose key it is: the id that records and leases will have.")],
    role: Annotated[list[str], typer.Option(help="A role of that principal, as the policy knows it; may be repeated.")],
    scope: Annotated[list[Act], typer.Option(help="What the key may be used for; may be repeated.")],
    days: Annotated[int, typer.Option(help="How long it lasts: 1 to 366 days.")] = 90,
    as_json: JsonFlag = False,
) -> None:
    """Make an API key and show it, this once.

    The ledger records that it was made, with its roles and scopes. Who has it is a personal field.
    """
    with _opened() as (keys, ledger):
        created = create_key(keys, ledger, principal, role, scope, days)
    if as_json:
        print_json({**_shown(created.key), "key": created.text})
        return
    out.print(created.text, markup=False)
    err.print(f"key {created.key.id}, until {created.key.expires}. It is not shown again.", markup=False)


@app.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """List the API keys: whose they are, what for, until when."""
    keys = ApiKeyFile(Settings.load().api_keys_path).list()
    if as_json:
        print_json([_shown(key) for key in keys])
        return
    rows = [
        [
            key.id,
            printable(key.principal),
            printable(" ".join(key.roles)),
            " ".join(key.scopes),
            key.expires,
            _state(key),
        ]
        for key in keys
    ]
    print_table("API keys", ["id", "principal", "roles", "scopes", "expires", "state"], rows)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key.")],
    as_json: JsonFlag = False,
) -> None:
    """Revoke an API key: it opens nothing from now on."""
    with _opened() as (keys, ledger):
        key = revoke_key(keys, ledger, key_id)
    if as_json:
        print_json(_shown(key))
    else:
        out.print(f"key {key.id} is revoked since {key.revoked}", markup=False)


@contextmanager
def _opened() -> Iterator[tuple[ApiKeyFile, SqlLedger]]:
    settings = Settings.load()
    with ledger_for_appending(settings) as ledger:
        yield ApiKeyFile(settings.api_keys_path), ledger


def _shown(key: ApiKey) -> dict[str, Json]:
    return {
        "id": key.id,
        "principal": key.principal,
        "roles": list(key.roles),
        "scopes": [scope.value for scope in key.scopes],
        "created": key.created,
        "expires": key.expires,
        "state": _state(key),
    }


def _state(key: ApiKey) -> str:
    if key.revoked:
        return "revoked"
    return "valid" if key.valid(utc_now()) else "expired"
