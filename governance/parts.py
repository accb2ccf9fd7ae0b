"""What a governor is made of. Incomplete parts are refused when it is built, not when it is used."""

from __future__ import annotations

from dataclasses import dataclass

from governance.checkpoint import LogKey
from governance.errors import ConfigurationError
from governance.ports import (
    Detector,
    Encoder,
    Fingerprinter,
    Labeller,
    Ledger,
    ManifestSigner,
    MetadataWriter,
    PolicyEngine,
    Quarantine,
    Vault,
    Watermarker,
)
from governance.watermark import MarkKey


@dataclass(frozen=True, slots=True)
class Parts:
    """Every port of the line, and the keys that the core itself uses.

    `log_key` verifies the ledger's receipts before anything is released; `system` and `version` name this installation
    in manifests and `provider` whoever answers for it. `detector_seconds` is how long one detector may take
    for one draft.

    Raises:
        ConfigurationError: there is no detector, or two detectors share a name.
    """

    policy: PolicyEngine
    detectors: tuple[Detector, ...]
    watermarker: Watermarker
    mark_key: MarkKey
    labeller: Labeller
    encoder: Encoder
    fingerprinter: Fingerprinter
    signer: ManifestSigner
    vault: Vault
    quarantine: Quarantine
    ledger: Ledger
    log_key: LogKey
    system: str
    version: str
    metadata: MetadataWriter
    provider: str = ""
    detector_seconds: float = 60

    def __post_init__(self) -> None:
        if not self.detectors:
            raise ConfigurationError(
                "There is no detector, so nothing would be checked.",
                remedy="Configure at least one detector: an empty list is not a passed check.",
            )
        names = [detector.name for detector in self.detectors]
        if len(set(names)) != len(names):
            raise ConfigurationError(f"Two detectors share a name: {names}.", remedy="Give each detector its own name.")
