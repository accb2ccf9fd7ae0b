"""What a governor is made of. Incomplete parts are refused when it is built, not when it is used."""

from __future__ import annotations

from dataclasses import dataclass, field

from governance.checkpoint import LogKey
from governance.codecs import Codecs
from governance.errors import ConfigurationError
from governance.ports import (
    ClipEncoder,
    Detector,
    Encoder,
    Fingerprinter,
    Labeller,
    Ledger,
    ManifestSigner,
    MetadataWriter,
    PolicyEngine,
    Quarantine,
    SoundEncoder,
    Vault,
    Watermarker,
)
from governance.registers.register import Registers
from governance.types import Mode
from governance.watermark import MarkKey


@dataclass(frozen=True, slots=True)
class Parts:
    """Every port of the line, and the keys that the core itself uses.

    `log_key` verifies the ledger's receipts before anything is released; `system` and `version` name this installation
    in manifests and `provider` whoever answers for it. `detector_seconds` is how long one detector may take
    for one image or frame. `mode` is whether what policy decides is obeyed. `registers` are those of the ledger.

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
    clips: ClipEncoder
    sounds: SoundEncoder
    provider: str = ""
    detector_seconds: float = 60
    mode: Mode = Mode.ENFORCE
    registers: Registers = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "registers", Registers(self.ledger))
        if not self.detectors:
            raise ConfigurationError(
                "There is no detector, so nothing would be checked.",
                remedy="Configure at least one detector: an empty list is not a passed check.",
            )
        names = [detector.name for detector in self.detectors]
        if len(set(names)) != len(names):
            raise ConfigurationError(f"Two detectors share a name: {names}.", remedy="Give each detector its own name.")

    @property
    def codecs(self) -> Codecs:
        """What writes and reads files of every kind of media."""
        return Codecs(self.encoder, self.clips, self.sounds)
