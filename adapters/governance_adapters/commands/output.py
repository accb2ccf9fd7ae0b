"""How commands speak: tables and lines for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from governance.canonical import Json
from governance.errors import GovernanceError
from governance.ports import IngredientReport, ManifestState
from governance.profile_fields import FieldState
from governance.profiles import ProfileReport
from governance.types import Mode
from governance.verification import Status, Verification

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]

STYLES = {Status.HOLDS: "green", Status.FAILS: "red", Status.NOT_CHECKED: "dim", Status.UNCHECKED: "yellow"}

FIELD_STYLES = {FieldState.THERE: "green", FieldState.MISSING: "red", FieldState.WRONG: "red"}

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(value: Json) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def error_json(error: GovernanceError, exit_code: int) -> dict[str, Json]:
    """The document of a command that ends with `error`."""
    return {"error": type(error).__name__, "message": one_line(str(error)), "exit_code": exit_code}


def one_line(text: str) -> str:
    """`text` on one line, whatever it quotes; see `printable`."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """`text` that moves no cursor and turns no line around: a prompt may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table, one line a row however long; cells are text, never markup."""
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    for number, row in enumerate((columns, *rows)):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        out.print(Text(line, style="bold" if number == 0 else ""))
    out.print(title)


def print_fields(fields: Mapping[str, str]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        out.print(Text(f"{name:<{width}}  ", style="bold").append(Text(value, style="not bold")))


def print_profile(report: ProfileReport) -> None:
    """One line per field, with its clause."""
    verdict = "every required field is there" if report.holds else "not every required field is there"
    out.print(
        Text(f"  {report.rule}: ", style="bold").append(f"{verdict} (fields, not legal advice)", style="not bold")
    )
    for field in report.fields:
        name = field.name if field.required else f"{field.name} (optional)"
        line = Text(f"    {name:<34}", style="bold")
        line.append(f"{field.state.value:<9}", style=FIELD_STYLES[field.state])
        out.print(line.append(f"{field.clause}: {field.detail}", style="not bold"))


def print_verification(verification: Verification) -> None:
    """One line per question, and one that says what pictures it was made from, if from any."""
    for check in verification.checks:
        line = Text(f"  {check.name:<16}", style="bold")
        line.append(f"{check.status.value:<16}", style=STYLES[check.status])
        out.print(line.append(check.detail, style="not bold"))
    if verification.mode is Mode.SHADOW:
        line = Text("  shadow mode     ", style="bold yellow")
        out.print(line.append(_shadowed(verification), style="not bold"))
    if verification.made_from:
        words = "; ".join(_made_from(ingredient) for ingredient in verification.made_from)
        out.print(Text("  made from       ", style="bold").append(words, style="not bold"))


def _shadowed(verification: Verification) -> str:
    """What shadow mode means for one file, in words."""
    if verification.shadow is None:
        return (
            "made in shadow mode, its manifest says: policy may have denied it, and only its record says whether it did"
        )
    return f"made in shadow mode; {one_line(verification.shadow.in_words())}"


def _made_from(ingredient: IngredientReport) -> str:
    """One picture that a file was made from, in words. What it is called is whoever signed the manifest's choice."""
    how = "was edited" if ingredient.relationship == "parentOf" else "went in"
    manifest = {
        ManifestState.MISSING: "no manifest",
        ManifestState.INVALID: "a manifest that did not hold",
    }.get(ingredient.state, f"a manifest, {ingredient.state.value} when it was signed: {one_line(ingredient.label)}")
    return f"{one_line(ingredient.title)} {how} ({manifest})"
