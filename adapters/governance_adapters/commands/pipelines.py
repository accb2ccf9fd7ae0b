"""`governance pipelines`: every pipeline class of diffusers, and whether it can be governed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from governance_adapters.commands.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from governance_adapters.pipelines.catalogue import CataloguedPipeline

_HEAD: Final = ("class", "makes", "standing", "texts", "pictures", "what policy cannot read")
_INTRODUCTION: Final = """# Pipelines

Every pipeline class that diffusers {version} defines, and whether `govern` takes it. `governance pipelines --markdown` prints
this page.

- *governed, run in the tests*: a tiny instance is governed and called, and each released file verifies: one class of each
  family by `make test`, every one by `make proof`.
- *governed, by its signature*: `govern` takes it; what its call can be given was read from its signature, and it was not run.
- *refused*: `govern` raises, and says why.

Texts are prompts wherever they stand, pictures are inputs, and of tensors and callbacks policy is told that they are there; see
[inputs.md](inputs.md). Modular pipelines (`ModularPipeline`) are no pipelines of this kind: `govern` refuses them. A class of
your own is taken like those *by its signature*; code that was downloaded with a model is refused
([sealing.md](sealing.md#edits)).

What stands under "what policy cannot read" the shipped bundle denies, see `opaque` in the
[policy data](reference.md#policy-data); pictures need `allow_inputs`, sounds `allow_audio`. Steps that a pipeline takes beside
its call, as DiffEdit's `invert`, do not run when it is governed. For another version of diffusers run `governance pipelines`.
"""


def pipelines(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/pipelines.md.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List every pipeline class of diffusers: what it makes, and whether it can be governed or why not."""
    from governance_adapters.pipelines.catalogue import catalogue

    rows = catalogue()
    if as_json:
        print_json([_object(row) for row in rows])
    elif markdown:
        typer.echo(markdown_page(rows), nl=False)
    else:
        print_table(_counted(rows), _HEAD[:3], [(row.name, ", ".join(row.media), _standing(row)) for row in rows])


def markdown_page(rows: Sequence[CataloguedPipeline]) -> str:
    """The page: an introduction, the counts, a row for each class."""
    import diffusers

    from governance_adapters.pipelines.catalogue import counts

    numbers = [("standing", "classes"), *((str(name), str(count)) for name, count in counts(rows).items())]
    numbers.append(("all", str(len(rows))))
    cells = [_HEAD, *(_cells(row) for row in rows)]
    version = ".".join(diffusers.__version__.split(".")[:2])
    return "\n".join((_INTRODUCTION.format(version=version), _table(numbers), "", _table(cells), ""))


def _cells(row: CataloguedPipeline) -> tuple[str, ...]:
    names = (row.prompts, row.inputs, row.opaque)
    return f"`{row.name}`", ", ".join(row.media), _standing(row), *(" ".join(f"`{n}`" for n in each) for each in names)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(_line(row) for row in (head, ("---",) * len(head), *body))


def _line(cells: Iterable[str]) -> str:
    return "".join(f"| {cell} " if cell else "|  " for cell in cells) + "|"


def _standing(row: CataloguedPipeline) -> str:
    return f"{row.standing}: {row.why}" if row.why else str(row.standing)


def _counted(rows: Sequence[CataloguedPipeline]) -> str:
    from governance_adapters.pipelines.catalogue import counts

    return f"{len(rows)} classes; " + "; ".join(f"{count} {standing}" for standing, count in counts(rows).items())


def _object(row: CataloguedPipeline) -> dict[str, str | list[str]]:
    return {
        "class": row.name,
        "module": row.module,
        "makes": [str(kind) for kind in row.media],
        "standing": str(row.standing),
        "why": row.why,
        "texts": list(row.prompts),
        "pictures": list(row.inputs),
        "opaque": list(row.opaque),
    }
