"""`governance doctor`: every part of the installation tried, and how to mend what does not work."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import typer
from rich.text import Text

from governance import vault_accounts
from governance.canonical import Digest
from governance.checkpoint import parse_checkpoint
from governance.clocks import TOLERANCE
from governance.errors import GovernanceError, LedgerError, PolicyError, StorageError, WorkError
from governance.in_force import last_recorded, revision_of
from governance.inspection import inspect
from governance.mode_record import mode_of, newest_mode
from governance.types import Mode, Stage
from governance.work_records import disagreements
from governance_adapters.commands.generate import open_model
from governance_adapters.commands.output import JsonFlag, out, print_json
from governance_adapters.commands.register_dates import register_dates
from governance_adapters.detection import close_detectors, open_detectors
from governance_adapters.engines import engine_maker
from governance_adapters.installation import INIT_REMEDY, existing
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.settings import Settings
from governance_adapters.storage.vault import FsspecVault
from governance_adapters.wiring import (
    open_eraser,
    open_ledger,
    open_signer,
    open_watermarker,
    open_works_reader,
)

SAMPLE_SIDE = 512
NO_TIME_STAMPS = "without a time-stamp authority (`tsa_url`) files turn INVALID when it expires"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one part said when it was tried."""

    part: str
    sound: bool
    detail: str


def doctor(as_json: JsonFlag = False) -> None:
    """Try every part - settings, keys, policy, mode, detectors, watermark, signer, ledger, works, registers, vault, model - and say how to mend it."""
    findings = examine()
    if as_json:
        print_json([{"part": f.part, "sound": f.sound, "detail": f.detail} for f in findings])
    for finding in () if as_json else findings:
        mark = Text("  ok    " if finding.sound else "  FAILS ", style="green" if finding.sound else "red")
        out.print(mark.append(f"{finding.part:<12}", style="bold").append(finding.detail, style="not bold"))
    raise typer.Exit(0 if all(finding.sound for finding in findings) else 1)


def examine() -> list[Finding]:
    """Every part, tried one by one; a broken one does not keep the others from being tried."""
    try:
        settings = Settings.load()
    except GovernanceError as error:
        return [Finding("settings", sound=False, detail=str(error))]
    parts: dict[str, Callable[[Settings], str]] = {
        "settings": lambda s: f"home is {s.home}",
        "keys": _keys,
        "policy": _policy,
        "mode": _mode,
        "detectors": _detectors,
        "watermark": _watermark,
        "signer": _signer,
        "ledger": _ledger,
        "works": _works,
        "registers": register_dates,
        "vault": _vault,
        "model": _model,
    }
    return [_tried(name, part, settings) for name, part in parts.items()]


def _tried(name: str, part: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Finding(name, sound=True, detail=part(settings))
    except GovernanceError as error:
        return Finding(name, sound=False, detail=str(error))
    except ImportError as error:
        return Finding(name, sound=False, detail=f"{error}. Install the extra that brings it, or `all`.")


def _keys(settings: Settings) -> str:
    keys = KeyFolder(settings.keys_path).load()
    authority = "INSECURE development authority: replace it before anything matters" if keys.insecure else "your own"
    return f"log {keys.log.key.name}, watermark key {keys.mark.key_id}, authority: {authority}"


def _policy(settings: Settings) -> str:
    """Which engine decides by which bundle, since when, and what is on trial. A server is asked once."""
    recorded = _recorded_bundle(settings)
    try:
        bundle = Bundle.load(existing(settings.bundle_path))
        with closing(engine_maker(settings)(bundle)) as engine:
            engine.evaluate_unvalidated(Stage.ADMISSION, "{}")
    except PolicyError as error:
        if settings.reload_seconds and recorded is not None:
            # What a running process keeps as its engine's `problem`, found here anew.
            raise PolicyError(f"{error} What runs already still decides by {recorded[0]}.") from error
        raise
    said = [f"{settings.engine.value}, bundle revision {bundle.revision}"]
    if recorded is not None:
        revision, time = recorded
        said.append(
            f"{'in force' if revision == bundle.revision else f'not in force yet, but {revision}'} since {time}"
        )
    if settings.candidate is not None:
        candidate = Bundle.load(settings.candidate)
        with closing(RegorusEngine(candidate, engines=1)):
            said.append(f"candidate {candidate.revision}, recorded and never obeyed")
    if settings.reload_seconds:
        said.append(f"looked at again every {settings.reload_seconds:g} s")
    return "; ".join(said)


def _mode(settings: Settings) -> str:
    """Whether policy is obeyed by what is started with these settings, and what the ledger says of that."""
    said = "the ledger does not say"
    with suppress(GovernanceError):  # a ledger that cannot be read is a finding of its own
        with open_ledger(settings) as ledger:
            newest = newest_mode(ledger)
        if newest is None:
            said = "no entry says that it was ever anything but enforcement"
        else:
            recorded = mode_of(newest)
            said = f"{'so' if recorded is settings.mode else recorded.value} since {newest.time}, entry {newest.id}"
    if settings.mode is Mode.SHADOW:
        return f"SHADOW: policy is recorded and not obeyed; {said}. `governance shadow report` says what it would have done"
    return f"enforced; {said}"


def _recorded_bundle(settings: Settings) -> tuple[Digest, str] | None:
    """The revision that the ledger says is in force, and since when; None where it says nothing."""
    with suppress(GovernanceError):  # a ledger that cannot be read is a finding of its own
        with open_ledger(settings) as ledger:
            entry = last_recorded(ledger)
        return None if entry is None else (revision_of(entry), entry.time)
    return None


def _detectors(settings: Settings) -> str:
    if not settings.detectors:
        raise GovernanceError("No detector is configured.", remedy="Set `detectors`, for instance to ['nsfw'].")
    grey = np.full((SAMPLE_SIDE, SAMPLE_SIDE, 3), 128, np.uint8)
    opened = open_detectors(settings)
    try:
        (findings,) = inspect(opened, [grey], settings.detector_seconds)
    finally:
        close_detectors(opened)
    labels = Counter(finding.detector for finding in findings)
    return ", ".join(f"{d.name} scored {labels[d.name]} labels (digest {d.digest})" for d in opened)


def _watermark(settings: Settings) -> str:
    key = KeyFolder(settings.keys_path).mark()
    marker, encoder = open_watermarker(settings.watermark, key), ImageEncoder()
    ramp = np.linspace(40, 215, SAMPLE_SIDE, dtype=np.uint8)
    sample = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(128)), axis=2)
    payload = key.payload(1, marker.payload_bits, marker.algorithm)
    for strength in marker.strengths:
        marked = encoder.decode(encoder.encode(marker.embed(sample, payload, strength), encoder.media_types[0]))
        if payload in marker.extract(marked):
            return f"{marker.algorithm} read back at strength {strength}"
    raise GovernanceError(f"{marker.algorithm} does not read back.", remedy="Reinstall numpy and OpenCV.")


def _signer(settings: Settings) -> str:
    signer: C2paSigner = open_signer(settings)
    days = (signer.not_valid_after - datetime.now(UTC)).days
    if days < 0:
        raise GovernanceError(
            "The signing certificate has expired.",
            remedy="Have it renewed; for the development authority `governance keys renew` does that.",
        )
    then = "files are time-stamped and stay valid" if settings.tsa_url else NO_TIME_STAMPS
    return f"certificate valid for {days} more days{': renew it soon' if days < 30 else ''}; {then}"


def _ledger(settings: Settings) -> str:
    with open_ledger(settings) as ledger:
        problems = list(ledger.verify())
        if problems:
            raise GovernanceError(
                f"{len(problems)} problems, first: {problems[0]}.", remedy="Run `governance ledger verify`."
            )
        size = parse_checkpoint(ledger.checkpoint()).size
        for _, newest in ledger.entries(after=size - 2, limit=1) if size else ():
            ahead = datetime.fromisoformat(newest.time) - datetime.now(UTC)
            if ahead > TOLERANCE:
                raise GovernanceError(
                    f"The newest entry is from the future: its time {newest.time} is {ahead} ahead of this machine's clock.",
                    remedy="Set the clock of this machine, or of the one that wrote it: what is kept how long goes by it.",
                )
    return "verified"


def _works(settings: Settings) -> str:
    """Whether the register of works says what the ledger's entries say."""
    register = open_works_reader(settings)
    try:
        with open_ledger(settings) as ledger:
            count, problems = register.count(), list(disagreements(register, ledger))
    except LedgerError as error:
        raise WorkError(
            "The register of works cannot be compared with the ledger, which cannot be read.",
            remedy="Mend the ledger, or restore it from a backup.",
        ) from error
    if problems:
        raise WorkError(
            f"The register of works and the ledger disagree on {len(problems)} works: {problems[0]}.",
            remedy="Restore the register from its backup, or find out who changed it behind the ledger's back.",
        )
    waiting = len(register.unsettled())
    said = f", {waiting} being changed: the next change settles what was interrupted" if waiting else ""
    return f"{count} works, as the ledger says{said}"


def _vault(settings: Settings) -> str:
    _require_home(settings)
    vault = FsspecVault(settings.vault_url)
    try:
        with open_ledger(settings) as ledger:
            problems = list(vault_accounts.disagreements(ledger, vault))
            unfinished = open_eraser(settings, ledger).unfinished()
    except LedgerError as error:
        raise StorageError(
            "The vault cannot be compared with the ledger, which cannot be read.",
            remedy="Mend the ledger, or restore it from a backup.",
        ) from error
    if unfinished:
        raise StorageError(
            f"{len(unfinished)} erasures were interrupted, first that of entry {unfinished[0].id}.",
            remedy="Run `governance ledger retain`: it completes them.",
        )
    if problems:
        raise StorageError(
            f"Vault and ledger disagree about {len(problems)} files: {problems[0]}",
            remedy="Restore what is missing from a backup; find out who put there what no entry released.",
        )
    files, staged = len(vault.contents()), len(vault.staged())
    said = f"{settings.vault_url} has {files} files, each released by an entry, and each released file"
    return said + (f"; {staged} files staged and not released" if staged else "")


def _model(settings: Settings) -> str:
    from governance_adapters.reference import model_path

    _require_home(settings)
    pipe = open_model(None, "float32")
    return f"{type(pipe).__name__} of {sum(f.stat().st_size for f in model_path().rglob('*.safetensors')):,} bytes"


def _require_home(settings: Settings) -> None:
    """Looking for an installation must not begin to make one."""
    if not settings.home.exists():
        raise GovernanceError("There is no installation.", remedy=INIT_REMEDY)
