"""`governance replay`: could this prompt, seed and model have made this file?"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from governance.entries import Entry
from governance.errors import ConfigurationError, GovernanceError
from governance.evidence.asked import asked_by_name, asked_with_file
from governance.ports import Encoder, Ledger
from governance.recorded_calls import GivenPicture
from governance.regeneration import Regenerator, Replayer
from governance.replay_sample import sampled_releases
from governance.replays import Replay, ReplayVerdict, Sampled
from governance.tolerance import MILLION, Tolerance, tolerance_of
from governance.types import MediaKind
from governance_adapters.commands.compared import entry_time
from governance_adapters.commands.generate import open_model
from governance_adapters.commands.output import JsonFlag, err, print_json
from governance_adapters.commands.regenerated import Answer, print_answer, print_audit
from governance_adapters.commands.verify import read_file
from governance_adapters.installation import ledger_for_appending
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger, open_replayer, open_verifier

EXIT_MISMATCH: Final = 6
EXIT_NOT_REPLAYABLE: Final = 7
_CHOICES: Final = {"scheduler": ("loaded", "recorded"), "threads": ("present", "recorded")}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The files that are replayed, by generation, and what was given to do it."""

    releases: tuple[tuple[Entry, ...], ...]
    sampled: Sampled | None = None
    content: bytes | None = None


def replay(
    asset_or_file: Annotated[
        str | None,
        typer.Argument(help="A released file's path, its asset's id or digest, or the id of its `released` entry."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of the pipeline that made it. Default: the reference model, if it was that one."),
    ] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(help="FILE or FILE=SCALE of a LoRA in force then, in the record's order; may be repeated."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--input", help="PARAMETER=FILE of a picture that the call was given; may be repeated."),
    ] = None,
    scheduler: Annotated[str, typer.Option(help="Which scheduler runs: loaded or recorded.")] = "loaded",
    threads: Annotated[str, typer.Option(help="On how many threads torch runs: present or recorded.")] = "present",
    levels: Annotated[
        int | None,
        typer.Option(
            min=0, max=255, help="By how many levels a value may differ within tolerance. Default: 4; a clip, 12."
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Which share of the values may differ within it. Default: 0.05; a clip, 0.1."
        ),
    ] = None,
    audit: Annotated[int | None, typer.Option(min=1, help="Replay so many released files, drawn by chance.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --audit: the same seed draws the same files. Default: drawn too.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="With --audit: only files released from this time on (RFC 3339).")
    ] = None,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Write each verdict into the ledger.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Make a recorded call again, and say whether it makes the released file: exact, within tolerance, or mismatch.

    What is made is compared and forgotten; nothing of it is kept or released. Exit code 0: exact or within tolerance. 6:
    mismatch. 7: not replayable, and the output says why. Of an audit the code is that of its worst file, mismatch first.
    """
    if (asset_or_file is None) == (audit is None):
        raise typer.BadParameter("give a released file, or --audit")
    if audit is None and (seed is not None or since is not None):
        raise typer.BadParameter("--seed and --since go with --audit")
    if audit is not None and given:
        raise typer.BadParameter("--input goes with one released file: an audit draws calls that had other pictures")
    for name, value in (("scheduler", scheduler), ("threads", threads)):
        if value not in _CHOICES[name]:
            raise typer.BadParameter(f"--{name} is {' or '.join(_CHOICES[name])}")
    settings = Settings.load()
    tolerance = partial(tolerance_of, levels=levels, share_millionths=None if share is None else round(share * MILLION))
    sampled = (
        None if audit is None else Sampled(audit, secrets.randbits(32) if seed is None else seed, entry_time(since))
    )
    pictures = _pictures(given or (), ImageEncoder())
    ledger = ledger_for_appending(settings) if record else open_ledger(settings)
    with ledger:
        asked = _asked(settings, ledger, asset_or_file, sampled)
        replayer = open_replayer(settings, ledger)
        regenerator = _regenerator(model, lora or (), scheduler=scheduler, threads=threads)
        answers: list[Answer] = []
        try:
            for found in _replayed(replayer, regenerator, asked, pictures, tolerance):
                answers.append(Answer(found))
                if record:
                    answers[-1] = Answer(found, replayer.recorded(found, sampled))
        except GovernanceError:
            if answers:
                _show(answers, sampled, as_json=as_json)  # an audit takes hours: what it found is not lost
            raise
    _show(answers, sampled, as_json=as_json)
    raise typer.Exit(_exit_code(answer.replay for answer in answers))


def _show(answers: Sequence[Answer], sampled: Sampled | None, *, as_json: bool) -> None:
    if as_json:
        audited = {} if sampled is None else {"sample": sampled.as_json()}
        print_json({**audited, "replays": [answer.as_json() for answer in answers]})
    elif sampled is None:
        print_answer(answers[0])
    else:
        print_audit(answers, sampled)


def _asked(settings: Settings, ledger: Ledger, asset_or_file: str | None, sampled: Sampled | None) -> _Asked:
    if sampled is not None:
        return _Asked(sampled_releases(ledger, sampled), sampled)
    name = str(asset_or_file)
    if not Path(name).is_file():
        return _Asked(((asked_by_name(ledger, name).entry,),))
    content = read_file(Path(name))
    return _Asked(((asked_with_file(ledger, open_verifier(settings, ledger), content).entry,),), content=content)


def _replayed(
    replayer: Replayer,
    regenerator: Regenerator,
    asked: _Asked,
    pictures: Sequence[GivenPicture],
    tolerance: Callable[[MediaKind], Tolerance],
) -> Iterable[Replay]:
    for number, entries in enumerate(asked.releases, 1):
        with err.status(f"replaying call {number} of {len(asked.releases)}"):
            if asked.sampled is not None:
                answers = replayer.audited(entries, regenerator, tolerance=tolerance)
            else:
                answers = replayer.replay(
                    entries, regenerator, given=pictures, tolerance=tolerance, content=asked.content
                )
        yield from answers


def _regenerator(model: Path | None, lora: Sequence[str], *, scheduler: str, threads: str) -> Regenerator:
    from governance_adapters.pipelines.replay.given_adapters import GivenAdapter
    from governance_adapters.pipelines.replay.regenerate import DiffusersRegenerator

    def load(dtype: str) -> Any:
        return open_model(model, dtype)

    return DiffusersRegenerator(
        load,
        only_recorded=model is None,
        adapters=[GivenAdapter.parse(text) for text in lora],
        recorded_scheduler=scheduler == "recorded",
        recorded_threads=threads == "recorded",
    )


def _pictures(given: Sequence[str], encoder: Encoder) -> list[GivenPicture]:
    """The pictures of `PARAMETER=FILE`, decoded.

    Raises:
        ConfigurationError: it is written otherwise.
        StorageError: a file cannot be read.
        MarkError: it is no picture.
    """
    found = []
    for text in given:
        parameter, equals, file = text.partition("=")
        if not parameter or not equals or not file:
            raise ConfigurationError(f"{text!r} names no parameter and file.", remedy="Write --input image=photo.png.")
        found.append(GivenPicture(parameter, encoder.decode(read_file(Path(file)))))
    return found


def _exit_code(replays: Iterable[Replay]) -> int:
    verdicts = {each.verdict for each in replays}
    if ReplayVerdict.MISMATCH in verdicts:
        return EXIT_MISMATCH
    return EXIT_NOT_REPLAYABLE if ReplayVerdict.NOT_REPLAYABLE in verdicts else 0
