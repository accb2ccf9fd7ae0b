"""`governance detectors`: what checks the images, how it is pinned, and at which thresholds it would stop good ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from governance.canonical import Json
from governance.errors import ConfigurationError, DetectorError, GovernanceError, MarkError
from governance.inspection import inspect
from governance.ports import Detector
from governance.types import Finding, Pixels
from governance_adapters.commands.calibration import LabelScores, scores_by_label
from governance_adapters.commands.output import JsonFlag, err, one_line, out, print_json, print_table, printable
from governance_adapters.commands.plots import ruler, shades, svg
from governance_adapters.commands.verify import CANNOT_CHECK
from governance_adapters.detection import close_detectors, configured, known_labels, open_detector, open_named
from governance_adapters.detectors.weights import WeightsFolder
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="What scores the images.")

MAX_FILE_BYTES: Final = 256 * 2**20
GOOD, BAD = "good", "bad"


@app.command("list")
def list_detectors(as_json: JsonFlag = False) -> None:
    """Load every detector of the settings and list name, digest and labels, or what is wrong with it.

    Classifiers that are set and not in use are listed too.
    """
    settings = Settings.load()
    rows = [_row(settings, name) for name in configured(settings)]
    if as_json:
        print_json([dict(row) for row in rows])
    else:
        cells = [
            (str(r["name"]), "yes" if r["in_use"] else "no", str(r["digest"]), printable(one_line(str(r["detail"]))))
            for r in rows
        ]
        print_table(f"{len(rows)} detectors", ("name", "in use", "digest", "labels, or what is wrong"), cells)
    raise typer.Exit(0 if all(row["sound"] for row in rows) else 1)


@app.command()
def digest(
    path: Annotated[Path, typer.Argument(help="Folder of a model: safetensors and its JSON files.")],
    as_json: JsonFlag = False,
) -> None:
    """Print the digest that pins the model in PATH, for `digest` in the settings of a classifier.

    Pickles and remote code are refused here already.
    """
    folder = WeightsFolder.read(path)
    if as_json:
        print_json({"path": str(path), "digest": folder.digest, "files": sorted(folder.files)})
    else:
        out.print(folder.digest)


@app.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(help="Folder of images; those in `good` and `bad`, where it has these.")],
    false_positives: Annotated[
        int, typer.Option(min=0, help="How many good images the threshold for review may stop.")
    ] = 0,
    plot: Annotated[Path | None, typer.Option(help="Write the scores of every label as an SVG picture.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Score every image in FOLDER and print, label by label, what each threshold would stop.

    Without `good` and `bad` inside, every image counts as good. The last lines are for `thresholds` in the policy data.
    """
    settings = Settings.load()
    pictures = _Folder.of(folder)
    with _opened(settings) as detectors:
        scored = _scored(detectors, pictures, settings.detector_seconds)
    if not scored.findings[GOOD]:
        raise ConfigurationError(
            f"No good image in {folder} could be scored{_first(scored.unreadable)}.",
            remedy="Name a folder of PNG, JPEG or WebP files, or one with `good` and `bad` inside.",
        )
    labels = scores_by_label(scored.findings[GOOD], scored.findings[BAD])
    if plot is not None:
        chosen = {label.label: row for label in labels if (row := label.thresholds(false_positives))}
        _write(plot, svg(labels, chosen))
    if as_json:
        print_json(_document(detectors, scored, labels, false_positives))
    else:
        _print(scored, labels, false_positives)
    raise typer.Exit(CANNOT_CHECK if scored.unreadable else 0)


@dataclass(frozen=True, slots=True)
class _Folder:
    """The files to score, and those that are in neither of two folders that say what they are."""

    files: dict[str, list[Path]]
    strays: list[Path]

    @classmethod
    def of(cls, folder: Path) -> _Folder:
        if not folder.is_dir():
            raise ConfigurationError(f"There is no folder {folder}.", remedy="Name a folder of images.")
        every = sorted(path for path in folder.rglob("*") if not path.is_dir())
        if not any((folder / kind).is_dir() for kind in (GOOD, BAD)):
            return cls({GOOD: every, BAD: []}, [])
        kinds = {kind: [path for path in every if path.is_relative_to(folder / kind)] for kind in (GOOD, BAD)}
        strays = [path for path in every if path not in {*kinds[GOOD], *kinds[BAD]}]
        return cls(kinds, strays)


@dataclass(slots=True)
class _Scored:
    """The findings of every image that was scored, and why the others were not."""

    findings: dict[str, list[Sequence[Finding]]] = field(default_factory=lambda: {GOOD: [], BAD: []})
    unreadable: dict[str, str] = field(default_factory=dict)


def _scored(detectors: Sequence[Detector], folder: _Folder, seconds: float) -> _Scored:
    scored = _Scored(unreadable={str(path): f"It is neither in `{GOOD}` nor in `{BAD}`." for path in folder.strays})
    encoder = ImageEncoder()
    with err.status("scoring"):
        for kind, files in folder.files.items():
            for path in files:
                try:
                    scored.findings[kind] += inspect(detectors, [_pixels(encoder, path)], seconds)
                except (DetectorError, MarkError, OSError) as error:
                    scored.unreadable[str(path)] = one_line(str(error))
    return scored


def _pixels(encoder: ImageEncoder, path: Path) -> Pixels:
    if not path.is_file():
        raise MarkError("This is no file.", remedy="Put images alone into the folder.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MarkError(f"The file is larger than {MAX_FILE_BYTES} bytes.", remedy="Scale the picture down.")
    return encoder.decode(path.read_bytes())


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Detector, ...]]:
    detectors = open_named(settings, configured(settings))
    try:
        yield detectors
    finally:
        close_detectors(detectors)


def _row(settings: Settings, name: str) -> dict[str, Json]:
    row: dict[str, Json] = {"name": name, "in_use": name in settings.detectors}
    try:
        detector = open_detector(settings, name)
    except GovernanceError as error:
        return {**row, "digest": "", "sound": False, "detail": one_line(str(error))}
    close_detectors([detector])
    detail = ", ".join(known_labels(detector) or (name,))
    return {**row, "digest": detector.digest, "sound": True, "detail": detail}


def _document(
    detectors: Sequence[Detector], scored: _Scored, labels: Sequence[LabelScores], budget: int
) -> dict[str, Json]:
    thresholds, unattainable = _chosen(labels, budget)
    return {
        "detectors": [{"name": detector.name, "digest": detector.digest} for detector in detectors],
        "images": {kind: len(found) for kind, found in scored.findings.items()},
        "unreadable": [{"file": file, "why": why} for file, why in scored.unreadable.items()],
        "labels": [label.as_json(budget) for label in labels],
        "false_positives": budget,
        "thresholds": thresholds,
        "unattainable": unattainable,
    }


def _print(scored: _Scored, labels: Sequence[LabelScores], budget: int) -> None:
    bad = len(scored.findings[BAD])
    for label in labels:
        chosen = label.thresholds(budget) or {}
        columns = ("threshold", "false positives", "caught", "recall")[: 4 if bad else 2]
        rows = [
            (str(row.threshold), str(row.false_positives), f"{row.caught} of {bad}", f"{row.caught / (bad or 1):.1%}")
            for row in label.table(budget)
        ]
        print_table(
            f"{label.label}, {len(label.good)} good and {bad} bad images", columns, [r[: len(columns)] for r in rows]
        )
        for kind in (GOOD, BAD)[: 2 if bad else 1]:
            out.print(f"  {kind:<5}|{shades(getattr(label, kind))}|", markup=False)
        out.print(f"       0{ruler(chosen)}1\n", markup=False)
    for file, why in scored.unreadable.items():
        err.print(f"not scored: {printable(file)}: {printable(why)}", markup=False, style="yellow")
    thresholds, unattainable = _chosen(labels, budget)
    for name in unattainable:
        err.print(f"{name}: no threshold stops so few good images; it is left out", markup=False, style="yellow")
    out.print(
        f"for `thresholds` in the policy data, with at most {budget} of {len(scored.findings[GOOD])} good images held:"
    )
    print_json(thresholds)


def _chosen(labels: Sequence[LabelScores], budget: int) -> tuple[dict[str, Json], list[Json]]:
    """The rows of `data.thresholds`, and the labels for which there is none."""
    rows: dict[str, Json] = {label.label: dict(row) for label in labels if (row := label.thresholds(budget))}
    return rows, [label.label for label in labels if label.label not in rows]


def _first(unreadable: dict[str, str]) -> str:
    return f"; {len(unreadable)} files are none, the first: {next(iter(unreadable))}" if unreadable else ""


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}.", remedy="Name a file in a folder that exists."
        ) from error
