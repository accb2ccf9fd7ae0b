"""`governance policy reasons`: every reason code, in the words of the policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.text import Text

from governance_adapters.commands.bundle_choice import BundleArgument, chosen_bundle
from governance_adapters.commands.output import JsonFlag, out, print_json
from governance_adapters.policy.annotations import ReasonCode, read_annotations, reason_codes

_HEAD = ("code", "title", "what failed", "how to fix it")


def reasons(
    bundle: BundleArgument = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table for a page in Markdown.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List every reason code: its title, what failed, how to fix it, and the file and line of the rule."""
    codes = reason_codes(read_annotations(chosen_bundle(bundle).policies))
    if as_json:
        print_json(
            [
                {
                    "code": each.code,
                    "title": each.title,
                    "description": each.description,
                    "fix": each.fix,
                    "places": list(each.places),
                }
                for each in codes
            ]
        )
    elif markdown:
        typer.echo(markdown_table(codes), nl=False)
    else:
        for each in codes:
            place = ", ".join(each.places) or "every engine, where no rule says anything"
            out.print(Text(each.code, style="bold").append(f"  {each.title} ({place})", style="not bold"))
            out.print(Text(f"  {each.description}"))
            out.print(Text(f"  {each.fix}"))


def markdown_table(codes: Iterable[ReasonCode]) -> str:
    """A row for each code, without the places: lines move whenever a file is edited."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    rows += [(f"`{each.code}`", each.title, each.description, each.fix) for each in codes]
    lines = ["|" + "|".join(_cells(row)) + "|\n" for row in rows]
    return "".join(lines)


def _cells(row: Iterable[str]) -> list[str]:
    return [cell if cell == "---" else f" {cell.replace('|', chr(92) + '|')} " for cell in row]
