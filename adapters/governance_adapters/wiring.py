"""Settings to objects: the only place where the adapters meet."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.checkpoint import LogKey
from governance.errors import ConfigurationError, GovernanceError
from governance.governor import Governor, refuse_to_open
from governance.parts import Parts
from governance.ports import Detector, PolicyEngine, Watermarker
from governance.recovery import recover
from governance.types import Principal
from governance.verification import MarkReader, Verifier
from governance.watermark import MarkKey
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.credentials import Credentials, PemCredentials, TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.keys import ROOTS, KeyFolder, create_insecure_keys
from governance_adapters.marking.label import TextLabeller
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.settings import DetectorName, Settings, WatermarkBackend
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.owners import FOLDER_SUFFIX
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.vault import FsspecVault

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

logger = logging.getLogger(__name__)
INIT_REMEDY = "Run `governance init` first."


def product_version() -> str:
    """The version of this distribution."""
    try:
        return version("diffusion-governance")
    except PackageNotFoundError:
        return "0+unknown"


def initialise(settings: Settings) -> tuple[Path, ...]:
    """Make what is missing of an installation: the default bundle, insecure development keys, the ledger.

    What exists is left alone. Returns the paths that were made.

    Raises:
        ConfigurationError: a folder cannot be written; or the keys or the ledger of an installation that was worked
            with are gone, which nothing new can replace.
        LedgerError: the ledger cannot be made.
    """
    if settings.ledger_path.exists():
        _existing_keys(settings)
    elif _worked_with(settings):
        raise _missing_ledger(settings)
    made: list[Path] = []
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not settings.bundle_path.exists():
            shutil.copytree(default_bundle_path(), settings.bundle_path)
            made.append(settings.bundle_path)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.home} cannot be written: {error.strerror or error}.",
            remedy="Set GOVERNANCE_HOME to a folder of yours.",
        ) from error
    if not settings.keys_path.exists():
        create_insecure_keys(settings.keys_path)
        made.append(settings.keys_path)
    if not settings.ledger_path.exists():
        SqliteLedger.open(settings.ledger_path, KeyFolder(settings.keys_path).log()).close()
        made.append(settings.ledger_path)
    return tuple(made)


def open_governor(
    settings: Settings | None = None,
    *,
    policy: PolicyEngine | None = None,
    credentials: Credentials | None = None,
    detectors: tuple[Detector, ...] | None = None,
) -> Governor:
    """A governor from settings, ready to work; what a vanished process left open is closed first.

    `policy`, `credentials` (a KMS callback, say) and `detectors` take the place of what the settings name.

    Raises:
        ConfigurationError: something is missing; the message says what to run.
        GovernanceError: a part refuses to start.
    """
    settings = settings or Settings.load()
    keys = _existing_keys(settings)
    ledger = SqliteLedger.open(_existing_ledger(settings), keys.log(), create=False)
    try:
        parts = _parts(settings, keys, ledger, policy, credentials, detectors)
        for entry in recover(parts.ledger, parts.vault, parts.quarantine):
            logger.warning("generation %s was left open by a process that ended; closed as abandoned", entry.subject)
    except BaseException as error:  # Ctrl-C too: whatever ends it, the ledger is let go of
        if isinstance(error, GovernanceError):
            refuse_to_open(ledger, error)
        ledger.close()
        raise
    return Governor(parts)


def _parts(
    settings: Settings,
    keys: KeyFolder,
    ledger: SqliteLedger,
    policy: PolicyEngine | None,
    credentials: Credentials | None,
    detectors: tuple[Detector, ...] | None,
) -> Parts:
    mark_key = keys.mark()
    return Parts(
        policy=policy or open_policy(settings),
        detectors=open_detectors(settings) if detectors is None else detectors,
        watermarker=open_watermarker(settings.watermark, mark_key),
        mark_key=mark_key,
        labeller=TextLabeller(),
        encoder=ImageEncoder(),
        fingerprinter=PdqFingerprinter(),
        signer=open_signer(settings, credentials),
        vault=FsspecVault(settings.vault_url),
        quarantine=FileQuarantine(settings.quarantine_path, keys.quarantine()),
        ledger=ledger,
        log_key=keys.log_public(),
        system=settings.system,
        version=product_version(),
    )


def open_signer(settings: Settings, credentials: Credentials | None = None) -> C2paSigner:
    """The C2PA signer: given credentials, or those of the settings, or those of the key folder."""
    keys = _existing_keys(settings)
    return C2paSigner(credentials or _credentials(settings, keys), _trust(settings, keys), tsa_url=settings.tsa_url)


def open_policy(settings: Settings) -> PolicyEngine:
    """The embedded policy engine over the bundle in force."""
    from governance_adapters.policy.regorus import RegorusEngine

    return RegorusEngine(Bundle.load(_existing(settings.bundle_path)))


def open_detectors(settings: Settings) -> tuple[Detector, ...]:
    """The detectors that the settings name, loaded."""
    from governance_adapters.detectors.nsfw import OpenNsfwDetector

    makers = {DetectorName.NSFW: OpenNsfwDetector}
    return tuple(makers[name](threads=settings.threads) for name in settings.detectors)


def open_watermarker(backend: WatermarkBackend, key: MarkKey) -> Watermarker:
    """The watermark backend."""
    if backend is WatermarkBackend.TILED:
        return TiledWatermarker(key)
    from governance_adapters.marking.dwtdctsvd import DwtDctSvdWatermarker

    return DwtDctSvdWatermarker(key)


def open_ledger(settings: Settings) -> SqliteLedger:
    """The ledger, for reading only."""
    return SqliteLedger.open_read_only(_existing_ledger(settings), _existing_keys(settings).log_public())


def open_verifier(settings: Settings) -> Verifier:
    """A verifier with everything this installation knows: ledger, watermark key, trust roots, log key."""
    keys = _existing_keys(settings)
    mark_key = keys.mark()
    marks = MarkReader(_readable_marks(settings, mark_key), mark_key, ImageEncoder(), PdqFingerprinter())
    return Verifier(C2paReader(_trust(settings, keys)), keys.log_public(), ledger=open_ledger(settings), marks=marks)


def outside_verifier(trust_root: Path, log_key: LogKey) -> Verifier:
    """A verifier for a stranger: a C2PA root and a log key, no database and no watermark key."""
    return Verifier(C2paReader(TrustRoots(trust_root)), log_key)


def govern(
    pipe: DiffusionPipeline,
    *,
    principal: str | Principal | None = None,
    roles: Sequence[str] | None = None,
    purpose: str | None = None,
    settings: Settings | None = None,
    governor: Governor | None = None,
) -> Any:
    """Govern a diffusers pipeline: the same object back, its call now running down the line.

    `principal`, `roles` and `purpose` are the defaults of each call; what is not given comes from the settings, but the
    roles that stand there are those of the principal that stands there, and nobody else's. Returned outputs have `items` (verdict, decisions, findings, entry, asset per image) beside what they had before.

    Raises:
        ConfigurationError: there is no installation yet, nobody asks, or `pipe` cannot be governed.
        GovernanceError: a part refuses to start.
    """
    from governance_adapters.pipelines.diffusers import wrap

    settings = settings or Settings.load()
    who = as_principal(principal, roles, settings)
    return wrap(pipe, governor or open_governor(settings), who, settings.purpose if purpose is None else purpose)


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


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist.", remedy=INIT_REMEDY)
    return path


def _existing_keys(settings: Settings) -> KeyFolder:
    if not settings.keys_path.exists() and settings.ledger_path.exists():
        raise ConfigurationError(
            f"{settings.keys_path} does not exist, but the ledger that its keys signed does.",
            remedy="Restore it from its backup: no other keys open this ledger. To begin a new log instead, "
            f"set GOVERNANCE_HOME to a new folder. {INIT_REMEDY}",
        )
    return KeyFolder(_existing(settings.keys_path))


def _existing_ledger(settings: Settings) -> Path:
    if settings.keys_path.exists() and not settings.ledger_path.exists():
        raise _missing_ledger(settings)
    return _existing(settings.ledger_path)


def _worked_with(settings: Settings) -> bool:
    """Whether a ledger was at work here once: it leaves a folder of locks beside it."""
    return settings.ledger_path.with_name(settings.ledger_path.name + FOLDER_SUFFIX).exists()


def _missing_ledger(settings: Settings) -> ConfigurationError:
    new_log = "a new one would start a new log that knows nothing of what was released"
    if _worked_with(settings):
        how = f"{new_log}; if that is meant, set GOVERNANCE_HOME to a new folder and run `governance init`"
    else:
        how = f"{new_log}. If there never was one, run `governance init`"
    return ConfigurationError(
        f"The ledger {settings.ledger_path} is missing.", remedy=f"Restore it from its backup: {how}."
    )


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
