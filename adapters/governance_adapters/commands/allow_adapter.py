"""`governance policy allow-adapter`: an adapter that is registered is allowed by the bundle too."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.canonical import Digest
from governance.errors import NoRegisteredError
from governance.registers.register import Registers
from governance_adapters.commands.output import JsonFlag, print_fields, print_json
from governance_adapters.policy.allowing import allow_adapter
from governance_adapters.policy.bundle import Bundle
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

_THOUSAND = 1000


def allow(
    digest: Annotated[str, typer.Argument(help="The SHA-256 of its weights, as it is registered.")],
    licence: Annotated[str, typer.Option(help="Its licence, an SPDX expression. Default: as registered.")] = "",
    max_scale: Annotated[
        float | None, typer.Option(help="The largest scale that it may be used with. Default: any.", min=0.0)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a registered adapter to the bundle's allow-list, with what the register says of it: a new revision."""
    settings = Settings.load()
    with open_ledger(settings) as ledger:
        item = Registers(ledger).adapter(digest)
    if item is None:
        raise NoRegisteredError(
            f"No adapter {digest[:80]!r} is registered.",
            remedy="Register it with `governance registers add adapters`; a governed run registers its result itself.",
        )
    before = Bundle.load(settings.bundle_path).revision
    revision = allow_adapter(
        settings.bundle_path,
        Digest(item.digest),
        name=item.name,
        licence=licence or item.licence,
        data_origin=item.data_origin,
        expires=item.expires,
        max_scale_thousandths=None if max_scale is None else round(max_scale * _THOUSAND),
    )
    fields = {"adapter": item.name, "digest": str(item.digest), "before": str(before), "revision": str(revision)}
    if as_json:
        print_json(fields)
    else:
        print_fields(fields)
