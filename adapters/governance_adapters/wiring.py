"""Settings to objects: the only place where the adapters meet."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.checkpoint import LogKey
from governance.codecs import Codecs
from governance.errors import ConfigurationError, GovernanceError
from governance.forgetting import Eraser
from governance.governor import Governor, refuse_to_open
from governance.in_force import RecordedPolicy
from governance.made import PictureFinder
from governance.marks import MarkReader
from governance.parts import Parts
from governance.ports import Detector, Ledger, PolicyEngine, Watermarker
from governance.recovery import recover
from governance.regeneration import Replayer
from governance.remarking import Remarker
from governance.review import ReviewDesk
from governance.types import Mode, Principal
from governance.verification import Verifier
from governance.watermark import MarkKey
from governance.work_making import WorkMaker
from governance_adapters.dataset_erasing import FolderAuditRecords
from governance_adapters.detection import open_detectors
from governance_adapters.engines import open_policy
from governance_adapters.installation import existing_keys, ledger_for_appending, ledger_for_reading
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.clips import VideoEncoder
from governance_adapters.marking.credentials import Credentials, PemCredentials, TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.fonts import Fonts
from governance_adapters.marking.keys import ROOTS, KeyFolder
from governance_adapters.marking.label import TextLabeller
from governance_adapters.marking.sounds import WaveEncoder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.marking.xmp import XmpWriter
from governance_adapters.settings import Settings, WatermarkBackend
from governance_adapters.storage.erasure_log import FileErasureLog
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.vault import FsspecVault
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.storage.works_reader import SqliteWorksReader

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

logger = logging.getLogger(__name__)


def product_version() -> str:
    """The version of this distribution."""
    try:
        return version("diffusion-governance")
    except PackageNotFoundError:
        return "0+unknown"


def open_governor(
    settings: Settings | None = None,
    *,
    policy: PolicyEngine | None = None,
    credentials: Credentials | None = None,
    detectors: tuple[Detector, ...] | None = None,
) -> Governor:
    """A governor from settings, ready to work; what a vanished process left open is closed first.

    No decision is used whose bundle has no entry in the ledger: see `governance.in_force`.
    `policy`, `credentials` (a KMS callback, say) and `detectors` take the place of what the settings name.

    Raises:
        ConfigurationError: something is missing; the message says what to run.
        GovernanceError: a part refuses to start.
    """
    return Governor(open_parts(settings, policy=policy, credentials=credentials, detectors=detectors))


def open_desk(settings: Settings | None = None) -> ReviewDesk:
    """The desk at which people decide what is held: over the same parts as a governor, opened the same way.

    Raises:
        GovernanceError: as `open_governor`.
    """
    return ReviewDesk(open_parts(settings))


def open_parts(
    settings: Settings | None = None,
    *,
    policy: PolicyEngine | None = None,
    credentials: Credentials | None = None,
    detectors: tuple[Detector, ...] | None = None,
) -> Parts:
    """What `open_governor` makes a governor of. Holds that ran out of time end, and what was approved is released.

    Raises:
        GovernanceError: as `open_governor`.
    """
    settings = settings or Settings.load()
    keys = existing_keys(settings)
    ledger = ledger_for_appending(settings)
    try:
        parts = _parts(settings, keys, ledger, policy, credentials, detectors)
        for entry in recover(parts.ledger, parts.vault, parts.quarantine):
            logger.warning("generation %s was left open by a process that ended; closed as abandoned", entry.subject)
        ReviewDesk(parts).settle()
    except BaseException as error:  # Ctrl-C too: whatever ends it, the ledger is let go of
        if isinstance(error, GovernanceError):
            refuse_to_open(ledger, error)
        ledger.close()
        raise
    return parts


def _parts(
    settings: Settings,
    keys: KeyFolder,
    ledger: SqlLedger,
    policy: PolicyEngine | None,
    credentials: Credentials | None,
    detectors: tuple[Detector, ...] | None,
) -> Parts:
    mark_key = keys.mark()
    named = settings.engine.value if policy is None else ""
    return Parts(
        policy=RecordedPolicy(policy or open_policy(settings), ledger, name=named),
        detectors=open_detectors(settings) if detectors is None else detectors,
        watermarker=open_watermarker(settings.watermark, mark_key),
        mark_key=mark_key,
        labeller=TextLabeller(Fonts(settings.label_font)),
        encoder=ImageEncoder(),
        clips=VideoEncoder(),
        sounds=WaveEncoder(),
        fingerprinter=PdqFingerprinter(),
        signer=open_signer(settings, credentials),
        vault=FsspecVault(settings.vault_url),
        quarantine=FileQuarantine(settings.quarantine_path, keys.quarantine()),
        ledger=ledger,
        log_key=keys.log_public(),
        system=settings.system,
        version=product_version(),
        detector_seconds=settings.detector_seconds,
        metadata=XmpWriter(),
        provider=settings.provider,
        mode=settings.mode,
    )


def open_signer(settings: Settings, credentials: Credentials | None = None) -> C2paSigner:
    """The C2PA signer: given credentials, or those of the settings, or those of the key folder."""
    keys = existing_keys(settings)
    return C2paSigner(credentials or _credentials(settings, keys), _trust(settings, keys), tsa_url=settings.tsa_url)


def open_watermarker(backend: WatermarkBackend, key: MarkKey) -> Watermarker:
    """The watermark backend."""
    if backend is WatermarkBackend.TILED:
        return TiledWatermarker(key)
    from governance_adapters.marking.dwtdctsvd import DwtDctSvdWatermarker

    return DwtDctSvdWatermarker(key)


def open_ledger(settings: Settings) -> SqlLedger:
    """The ledger, for reading only."""
    return ledger_for_reading(settings)


def open_eraser(settings: Settings, ledger: Ledger) -> Eraser:
    """What erases beside the entries of `ledger`, in vault, quarantine and audits, and logs it.

    Raises:
        ConfigurationError: the keys are missing.
        StorageError: vault or quarantine cannot be opened.
    """
    keys = existing_keys(settings)
    quarantine = FileQuarantine(settings.quarantine_path, keys.quarantine())
    log = FileErasureLog(settings.erasure_log_path)
    audits = FolderAuditRecords(settings.datasets_path)
    return Eraser(ledger, FsspecVault(settings.vault_url), quarantine, log, keys.log_public(), audits=audits)


def open_works(settings: Settings, ledger: Ledger) -> SqliteWorks:
    """The register of protected works, for changes: each gets its entry in `ledger`.

    Raises:
        WorkError: there is none, or it cannot be used.
        LedgerError: what was interrupted cannot be settled.
    """
    return SqliteWorks(settings.works_path, ledger)


def open_works_reader(settings: Settings) -> SqliteWorksReader:
    """The register of protected works, for reading.

    Raises:
        WorkError: there is none, or it cannot be used.
    """
    return SqliteWorksReader(settings.works_path)


def open_work_maker(settings: Settings) -> WorkMaker:
    """What makes works of image files: it prints them as the similarity detector will look for them.

    Raises:
        DetectorError: the embedding cannot be loaded.
    """
    from governance_adapters.detectors.similarity.opening import open_printer

    return WorkMaker(ImageEncoder(), open_printer(settings.home, settings.embedding, threads=settings.threads))


def open_verifier(settings: Settings, ledger: Ledger | None = None) -> Verifier:
    """A verifier with everything this installation knows: ledger, watermark key, trust roots, log key.

    `ledger` takes the place of one opened for reading.
    """
    keys = existing_keys(settings)
    marks = open_mark_reader(settings)
    reader, ledger = C2paReader(_trust(settings, keys)), ledger or open_ledger(settings)
    return Verifier(reader, keys.log_public(), metadata=XmpWriter(), ledger=ledger, marks=marks)


def open_finder(settings: Settings, ledger: Ledger | None = None) -> PictureFinder:
    """What says whether we have made a picture. `ledger` takes the place of one opened for reading.

    Raises:
        ConfigurationError: the keys or the ledger are missing.
    """
    return PictureFinder(ledger or open_ledger(settings), open_mark_reader(settings))


def open_replayer(settings: Settings, ledger: Ledger) -> Replayer:
    """What makes the calls of `ledger` again and compares. It writes only where `ledger` was opened for appending.

    Raises:
        ConfigurationError: the keys are missing.
        StorageError: the vault cannot be opened.
    """
    keys = existing_keys(settings)
    mark_key = keys.mark()
    marks, labeller = _readable_marks(settings, mark_key), TextLabeller(Fonts(settings.label_font))
    remarker = Remarker(marks, mark_key, labeller, _codecs())
    return Replayer(ledger, keys.log_public(), FsspecVault(settings.vault_url), remarker)


def _codecs() -> Codecs:
    return Codecs(ImageEncoder(), VideoEncoder(), WaveEncoder())


def reindex_ledger(settings: Settings) -> int:
    """Make the index of the ledger anew; returns from how many entries.

    Raises:
        ConfigurationError: the keys or the ledger are missing.
        LedgerError: it cannot be written.
    """
    with ledger_for_appending(settings) as ledger:
        return ledger.reindex()


def open_manifest_reader(settings: Settings) -> C2paReader:
    """What reads C2PA manifests, with the trust roots of this installation.

    Raises:
        ConfigurationError: the keys are missing.
        SigningError: the trust roots cannot be used.
    """
    return C2paReader(_trust(settings, existing_keys(settings)))


def open_mark_reader(settings: Settings) -> MarkReader:
    """What reads this installation's watermarks from pictures.

    Raises:
        ConfigurationError: the keys are missing.
    """
    mark_key = existing_keys(settings).mark()
    return MarkReader(_readable_marks(settings, mark_key), mark_key, _codecs(), PdqFingerprinter())


def outside_verifier(trust_root: Path, log_key: LogKey) -> Verifier:
    """A verifier for a stranger: a C2PA root and a log key, no database and no watermark key."""
    return Verifier(C2paReader(TrustRoots(trust_root)), log_key, metadata=XmpWriter(), codecs=_codecs())


def govern(
    pipe: DiffusionPipeline,
    *,
    principal: str | Principal | None = None,
    roles: Sequence[str] | None = None,
    purpose: str | None = None,
    markets: Sequence[str] | None = None,
    settings: Settings | None = None,
    governor: Governor | None = None,
) -> Any:
    """Govern a diffusers pipeline: the same object back, its call now running down the line.

    `principal`, `roles`, `purpose` and `markets` (where the images will be used; none named is everywhere) are the
    defaults of each call. What is not given comes from the settings, but the roles that stand there are those of the
    principal that stands there, and nobody else's. Returned outputs have `items` (verdict, decisions, findings, entry,
    asset per image) beside what they had before. In shadow mode (the setting `mode`) this logs a warning.

    Raises:
        ConfigurationError: there is no installation yet, nobody asks, or `pipe` cannot be governed.
        GovernanceError: a part refuses to start.
    """
    from governance_adapters.pipelines.arguments.asked import market_names
    from governance_adapters.pipelines.diffusers import wrap

    settings = settings or Settings.load()
    who = as_principal(principal, roles, settings)
    what_for = settings.purpose if purpose is None else purpose
    where = settings.markets if markets is None else market_names(markets)
    governor = governor or open_governor(settings)
    if governor.parts.mode is Mode.SHADOW:
        logger.warning(
            "shadow mode: what policy denies, holds or limits is recorded, marked, signed and RELEASED all the same; "
            "`governance shadow report` says what enforcement would have done"
        )
    return wrap(pipe, governor, who, what_for, where)


def as_principal(principal: str | Principal | None, roles: Sequence[str] | None, settings: Settings) -> Principal:
    """Who asks: what is given, else what the settings say. A plain name is asserted by the caller, not authenticated.

    The settings' roles go with the settings' principal only.

    Raises:
        ConfigurationError: nobody asks; roles are one word instead of several, or given beside a `Principal`.
    """
    if isinstance(roles, str):
        raise ConfigurationError(f"roles={roles!r} is one word, not several.", remedy=f"Pass roles=({roles!r},).")
    if isinstance(principal, Principal):
        if roles is not None:
            raise ConfigurationError("A Principal has its roles already.", remedy="Leave out roles=.")
        return principal
    name, own_roles = (settings.principal, settings.roles) if principal is None else (principal, ())
    if not name:
        raise ConfigurationError(
            "Nobody asks: there is no principal.", remedy="Pass principal=, or set GOVERNANCE_PRINCIPAL."
        )
    return Principal(name, own_roles if roles is None else tuple(roles))


def trust_root_path(settings: Settings) -> Path:
    """The file of the roots that signers must chain to."""
    return settings.trust_root or settings.keys_path / ROOTS


def _readable_marks(settings: Settings, key: MarkKey) -> tuple[Watermarker, ...]:
    """The backend in use, then every other one that is installed: files outlive a change of the setting."""
    watermarkers = [open_watermarker(settings.watermark, key)]
    for backend in WatermarkBackend:
        if backend is not settings.watermark:
            with suppress(ConfigurationError):
                watermarkers.append(open_watermarker(backend, key))
    return tuple(watermarkers)


def _credentials(settings: Settings, keys: KeyFolder) -> Credentials:
    if settings.certificate is None and settings.private_key is None:
        return keys.credentials()
    if settings.certificate is None or settings.private_key is None:
        raise ConfigurationError("Only one of `certificate` and `private_key` is set.", remedy="Set both, or neither.")
    return PemCredentials(settings.certificate, settings.private_key)


def _trust(settings: Settings, keys: KeyFolder) -> TrustRoots:
    if settings.trust_root is None and settings.tsa_root is None:
        return keys.trust()
    known = keys.trust() if settings.trust_root is None else None
    claim = settings.trust_root or (known.claim if known else b"")
    return TrustRoots(claim, settings.tsa_root)
