"""`governance documents`: what lawyers file, made from the ledger and the registers, with every gap marked."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from governance.canonical import Json
from governance.documents.answers import DocumentKind
from governance.documents.filing import Filing
from governance.documents.named import find_named
from governance.documents.story import gap_count, markdown, story
from governance.documents.writing import written
from governance.errors import DocumentError
from governance.files import write_atomically
from governance.registers.register import Registers
from governance_adapters.commands.output import JsonFlag, err, one_line, out, print_fields, print_json
from governance_adapters.documenting import open_gatherer
from governance_adapters.documents.validation import validate
from governance_adapters.evidence.pdf import render
from governance_adapters.marking.fonts import installed_fonts
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

app = typer.Typer(no_args_is_help=True, help="Documents of record about models and training data.")


class Format(StrEnum):
    """How a document is written."""

    JSON = "json"
    PDF = "pdf"
    MARKDOWN = "md"


MODEL: Final = "Name or digest of a registered model or adapter; `model:` or `adapter:` before it chooses."
DATASET: Final = "Name of an audited dataset."
ANY: Final = "Name or digest of a model, adapter or dataset; `model:`, `adapter:` or `dataset:` before it chooses."

ModelArgument = Annotated[str, typer.Argument(help=MODEL)]
DatasetArgument = Annotated[str, typer.Argument(help=DATASET)]
AnyArgument = Annotated[str, typer.Argument(help=ANY)]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="How to write it. Default: as the file's name ends, else `json`.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write. Default: standard output, but for `pdf`.")
]


@app.command("eu-summary")
def eu_summary(
    name: ModelArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False
) -> None:
    """Public summary of training content: Article 53(1)(d) of Regulation (EU) 2024/1689, on the Commission's template."""
    _write(DocumentKind.EU_SUMMARY, name, form, file, as_json=as_json)


@app.command()
def ab2013(name: ModelArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False) -> None:
    """Documentation of training data: California Civil Code, section 3111 (AB 2013)."""
    _write(DocumentKind.AB2013, name, form, file, as_json=as_json)


@app.command()
def croissant(
    name: DatasetArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False
) -> None:
    """A dataset as Croissant 1.1 with the vocabulary for responsible AI, checked by mlcroissant."""
    _write(DocumentKind.CROISSANT, name, form, file, as_json=as_json)


@app.command()
def spdx(name: AnyArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False) -> None:
    """SPDX 3.0.1 with the profiles for AI and datasets, checked by the standard's own model."""
    _write(DocumentKind.SPDX, name, form, file, as_json=as_json)


@app.command()
def cyclonedx(
    name: ModelArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False
) -> None:
    """A machine-learning bill of materials: CycloneDX 1.6, checked by the standard's own schema."""
    _write(DocumentKind.CYCLONEDX, name, form, file, as_json=as_json)


@app.command("model-card")
def model_card(
    name: ModelArgument, form: FormatOption = None, file: OutOption = None, as_json: JsonFlag = False
) -> None:
    """A model card, with the front matter of model hubs where it is Markdown."""
    _write(DocumentKind.MODEL_CARD, name, form, file, as_json=as_json)


def _write(kind: DocumentKind, name: str, form: Format | None, file: Path | None, *, as_json: bool) -> None:
    chosen = form or _by_name(file)
    if file is None and chosen is Format.PDF:
        raise DocumentError("A PDF is not written to standard output.", remedy="Name a file with --out.")
    if file is None and as_json:
        raise DocumentError("Standard output holds one thing.", remedy="With --json, name a file with --out.")
    settings = Settings.load()
    filing = filed(settings, kind, name)
    content = rendered(filing, chosen, settings)
    if file is None:
        typer.echo(content.decode(), nl=False)
        _say_gaps(filing)
        return
    write_atomically(file, content)
    _say(filing, file, as_json=as_json)


def filed(settings: Settings, kind: DocumentKind, name: str) -> Filing:
    """The document of `kind` about what is called `name`, checked against its standard.

    Raises:
        DocumentError: there is no such thing, or the document does not fit its standard.
        ConfigurationError: what checks it is not installed.
        GovernanceError: a record that it needs cannot be read.
    """
    ledger = open_ledger(settings)
    named = find_named(ledger, Registers(ledger), kind, name)
    filing = written(kind, open_gatherer(settings, ledger).gather(named))
    validate(kind, filing.content)
    return filing


def rendered(filing: Filing, form: Format, settings: Settings) -> bytes:
    """The document as bytes of this form.

    Raises:
        ConfigurationError: a PDF cannot be made here.
    """
    if form is Format.PDF:
        fonts = [*([] if settings.label_font is None else [settings.label_font]), *installed_fonts()]
        return render(story(filing), fonts)
    if form is Format.MARKDOWN:
        return markdown(filing).encode()
    return (json.dumps(_plain(filing.content), indent=2, ensure_ascii=False) + "\n").encode()


def _by_name(file: Path | None) -> Format:
    ending = "" if file is None else file.suffix.lower().removeprefix(".")
    return Format(ending) if ending in list(Format) else Format.JSON


def _plain(value: Any) -> Any:
    """The same value of dicts and lists only."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _say(filing: Filing, file: Path, *, as_json: bool) -> None:
    gaps: list[Json] = [gap.as_json() for gap in filing.gaps]
    if as_json:
        print_json(
            {
                "document": filing.kind.value,
                "file": str(file),
                "subject": filing.subject,
                "entries": [cited.id for cited in filing.entries],
                "gaps": gaps,
            }
        )
        return
    out.print(f"wrote {file}", markup=False, style="green")
    print_fields({"about": one_line(filing.subject), "stands on": f"{len(filing.entries)} entries of the ledger"})
    _say_gaps(filing)


def _say_gaps(filing: Filing) -> None:
    err.print(gap_count(filing), style="yellow", markup=False)
    for gap in filing.gaps:
        err.print(f"  {one_line(gap.field)}: {one_line(gap.why)} {one_line(gap.fill)}", markup=False)
