"""For tests of this project and of adapters to it: one contract class per port, and fakes that work.

A contract class is subclassed by the tests of each adapter; the fakes pass the same contracts.
"""

from governance.testing.detector import DetectorContract, FakeDetector
from governance.testing.erasure_log import ErasureLogContract, FakeErasureLog
from governance.testing.examples import EXAMPLE_MODEL, example_picture, example_request
from governance.testing.fake_ledger import FakeLedger
from governance.testing.installation import FailingAt, fake_parts
from governance.testing.ledger import LedgerContract
from governance.testing.log_source import FakeLogSource, LogSourceContract
from governance.testing.manifest import FakeManifestSigner, ManifestSignerContract
from governance.testing.marking import (
    EncoderContract,
    FakeEncoder,
    FakeFingerprinter,
    FakeLabeller,
    FingerprinterContract,
    LabellerContract,
)
from governance.testing.media import (
    ClipEncoderContract,
    FakeClipEncoder,
    FakeSoundEncoder,
    SoundEncoderContract,
    example_clip,
    example_sound,
)
from governance.testing.metadata import FakeMetadataWriter, MetadataWriterContract
from governance.testing.pipeline import FakePipeline, PipelineContract
from governance.testing.policy import FakePolicyEngine, PolicyEngineContract
from governance.testing.storage import FakeQuarantine, FakeVault, QuarantineContract, VaultContract
from governance.testing.watermark import FakeWatermarker, WatermarkerContract
from governance.testing.works import FakePrinter, FakeWorkRegister
from governance.testing.works_contract import WorkRegisterContract

__all__ = [
    "EXAMPLE_MODEL",
    "ClipEncoderContract",
    "DetectorContract",
    "EncoderContract",
    "ErasureLogContract",
    "FailingAt",
    "FakeClipEncoder",
    "FakeDetector",
    "FakeEncoder",
    "FakeErasureLog",
    "FakeFingerprinter",
    "FakeLabeller",
    "FakeLedger",
    "FakeLogSource",
    "FakeManifestSigner",
    "FakeMetadataWriter",
    "FakePipeline",
    "FakePolicyEngine",
    "FakePrinter",
    "FakeQuarantine",
    "FakeSoundEncoder",
    "FakeVault",
    "FakeWatermarker",
    "FakeWorkRegister",
    "FingerprinterContract",
    "LabellerContract",
    "LedgerContract",
    "LogSourceContract",
    "ManifestSignerContract",
    "MetadataWriterContract",
    "PipelineContract",
    "PolicyEngineContract",
    "QuarantineContract",
    "SoundEncoderContract",
    "VaultContract",
    "WatermarkerContract",
    "WorkRegisterContract",
    "example_clip",
    "example_picture",
    "example_request",
    "example_sound",
    "fake_parts",
]
