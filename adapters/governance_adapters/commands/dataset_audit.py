"""`governance dataset audit`: what a dataset holds and under which rights, and a signed root over it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.progress import Progress as Bars
from rich.progress import TaskID

from governance.canonical import Json
from governance.datasets.report import dataset_report
from governance.datasets.standing import DatasetStanding
from governance.errors import DatasetError
from governance.ports import Ledger
from governance_adapters.commands.output import JsonFlag, err, out, print_json, print_table, printable
from governance_adapters.dataset_audits import Asked, audit_dataset
from governance_adapters.datasets.engine.runner import Engine
from governance_adapters.datasets.sources.source import SourceForm
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal

_MOST = 20


def audit(
    source: Annotated[
        str, typer.Argument(help="A folder, a file, a pattern of files (`train-*.tar`), or a Croissant document.")
    ],
    name: Annotated[str, typer.Option(help="What the dataset is called from now on.")],
    form: Annotated[SourceForm, typer.Option(help="How it lies there.")] = SourceForm.AUTO,
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=COLUMN: where a field of a record stands, such as `licence=license`."),
    ] = None,
    default: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE: what holds for records that state nothing.")
    ] = None,
    opt_outs: Annotated[
        list[Path] | None, typer.Option(help="A do-not-train list: JSON lines or CSV of `kind` and `value`.")
    ] = None,
    signals: Annotated[
        Path | None,
        typer.Option(help="Folder of snapshots of sites: `<domain>/robots.txt`, `tdmrep.json`, `headers.jsonl`."),
    ] = None,
    purpose: Annotated[str, typer.Option(help="What would be trained for. Default: from the settings.")] = "",
    engine: Annotated[Engine, typer.Option(help="What Daft runs on: this machine, or Ray.")] = Engine.NATIVE,
    workers: Annotated[int, typer.Option(min=1, max=256, help="How many parts are read side by side.")] = 1,
    look: Annotated[bool, typer.Option("--look/--no-look", help="Read the images, or only what is stated.")] = True,
    detectors: Annotated[
        bool, typer.Option("--detectors/--no-detectors", help="Score the images and look for watermarks.")
    ] = True,
    as_of: Annotated[str, typer.Option(help="The time to judge at, RFC 3339. Default: now.")] = "",
    afresh: Annotated[bool, typer.Option("--afresh", help="Throw away what an interrupted audit has done.")] = False,
    principal: Annotated[str | None, typer.Option(help="Who audits. Default: from the settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Audit a dataset and record what was found. Run again after an interruption, it goes on where it stopped.

    What policy denies or sends to people is a finding, not a failure: the exit code is 0 once the audit is recorded.
    """
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    asked = Asked(
        location=source,
        name=name,
        form=form,
        columns=_pairs(column, "--column"),
        defaults=_pairs(default, "--default"),
        opt_outs=tuple(opt_outs or ()),
        signals=signals,
        purpose=purpose,
        look=look,
        detectors=detectors,
        as_of=as_of,
        engine=engine,
        workers=workers,
        afresh=afresh,
    )
    with ledger_for_appending(settings) as ledger, _Shown() as shown:
        standing = audit_dataset(settings, asked, by, ledger, progress=shown)
        shown.stop()
        show_standing(ledger, standing, as_json=as_json)


def show_standing(ledger: Ledger, standing: DatasetStanding, *, as_json: bool) -> None:
    """What an audit found, and where the dataset stands."""
    report = dataset_report(ledger, standing)
    if as_json:
        print_json({**standing.as_json(), "report": report})
        return
    lines = {
        "dataset": standing.name,
        "state": standing.state.value,
        "audit": standing.audit,
        "entry": standing.audited.id,
        "time": standing.audited.time,
        "root": standing.root,
        "records": f"{standing.records}, of which {report['without_content']} without content",
        "contents": f"{standing.contents}, {report['bytes']} bytes",
    }
    for field, value in lines.items():
        out.print(f"{field:<10}{value}", markup=False)
    for title in ("outcomes", "reasons", "licences", "opt_outs", "problems", "personal"):
        _print_counts(title, report[title])


class _Shown:
    """Shows how far an audit is, on standard error, where somebody looks."""

    def __init__(self) -> None:
        self._bars = Bars(console=err, transient=True, disable=not sys.stderr.isatty())
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done, total=total)

    def stop(self) -> None:
        """Take the bars away."""
        self._bars.stop()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()


def _print_counts(title: str, counted: Any) -> None:
    rows = [(printable(str(value)) or "(none)", _number(count)) for value, count in counted.items()]
    rows.sort(key=lambda row: -row[1])
    if rows:
        shown = [(value, str(count)) for value, count in rows[:_MOST]]
        print_table(f"{len(rows)} {title.replace('_', ' ')}", (title.replace("_", " "), "records"), shown)


def _number(count: Json) -> int:
    found = count["records"] if isinstance(count, dict) else count
    return int(str(found))


def _pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given or ():
        field, equals, value = text.partition("=")
        if not equals or field in pairs:
            raise DatasetError(
                f"{option} {text!r} names no field, or one that is named already.",
                remedy=f"Write {option} FIELD=VALUE.",
            )
        pairs[field] = value
    return pairs
