"""`governance policy check`: does the bundle hold together?"""

from __future__ import annotations

from contextlib import closing

import typer
from rich.text import Text

from governance_adapters.commands.bundle_choice import BundleArgument, chosen_bundle
from governance_adapters.commands.output import JsonFlag, out, print_fields, print_json
from governance_adapters.policy.annotations import undocumented
from governance_adapters.policy.opa_command import OpaCommand
from governance_adapters.policy.regorus import RegorusEngine

NO_OPA = "there is no `opa` on PATH"


def check(bundle: BundleArgument = None, as_json: JsonFlag = False) -> None:
    """Load the bundle as the line would, and check it: schema, lists, builtins, METADATA, and `opa check --strict`.

    Exit code 1: it is unsound. Where there is no `opa`, its check was not made, and this says so.
    """
    loaded = chosen_bundle(bundle)
    with closing(RegorusEngine(loaded, engines=1)):
        pass  # the rules compile
    opa = OpaCommand.find()
    problems = undocumented(loaded.policies) + (opa.check(loaded.root) if opa else [])
    fields = {"bundle": str(loaded.root), "revision": loaded.revision}
    if as_json:
        print_json({**fields, "sound": not problems, "problems": problems, "opa": opa.version() if opa else None})
    else:
        print_fields(fields)
        for problem in problems:
            out.print(Text(f"  {problem}", style="red"))
        if problems:
            out.print(f"The bundle is not sound: {len(problems)} problems.", style="red")
        else:
            out.print("The bundle is sound.", style="green")
        made = f"made by opa {opa.version()}" if opa else f"NOT MADE: {NO_OPA}"
        out.print(Text(f"opa check --strict --capabilities: {made}", style="" if opa else "yellow"))
    raise typer.Exit(1 if problems else 0)
