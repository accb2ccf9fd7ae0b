from __future__ import annotations

from governance.codecs import Codecs
from governance.ports import (
    ClipEncoder,
    Encoder,
    Fingerprinter,
    Labeller,
    MetadataWriter,
    SoundEncoder,
    Watermarker,
)
from governance.testing.marking import (
    EncoderContract,
    FakeEncoder,
    FakeFingerprinter,
    FakeLabeller,
    FingerprinterContract,
    LabellerContract,
)
from governance.testing.media import ClipEncoderContract, FakeClipEncoder, FakeSoundEncoder, SoundEncoderContract
from governance.testing.metadata import FakeMetadataWriter, MetadataWriterContract
from governance.testing.watermark import FakeWatermarker, WatermarkerContract
from governance.watermark import MarkKey
from governance_adapters.marking.clips import VideoEncoder
from governance_adapters.marking.dwtdctsvd import DwtDctSvdWatermarker
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.label import TextLabeller
from governance_adapters.marking.sounds import WaveEncoder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.marking.xmp import XmpWriter


class TestFakeWatermarker(WatermarkerContract):
    def watermarker(self, key: MarkKey) -> Watermarker:
        return FakeWatermarker()


class TestFakeWatermarkerOf32Bits(WatermarkerContract):
    def watermarker(self, key: MarkKey) -> Watermarker:
        return FakeWatermarker(payload_bits=32)


class TestTiledWatermarker(WatermarkerContract):
    def watermarker(self, key: MarkKey) -> Watermarker:
        return TiledWatermarker(key)


class TestDwtDctSvdWatermarker(WatermarkerContract):
    def watermarker(self, key: MarkKey) -> Watermarker:
        return DwtDctSvdWatermarker(key)


class TestFakeEncoder(EncoderContract):
    def encoder(self) -> Encoder:
        return FakeEncoder()


class TestImageEncoder(EncoderContract):
    def encoder(self) -> Encoder:
        return ImageEncoder()


class TestFakeClipEncoder(ClipEncoderContract):
    def encoder(self) -> ClipEncoder:
        return FakeClipEncoder()


class TestVideoEncoder(ClipEncoderContract):
    def encoder(self) -> ClipEncoder:
        return VideoEncoder()


class TestFakeSoundEncoder(SoundEncoderContract):
    def encoder(self) -> SoundEncoder:
        return FakeSoundEncoder()


class TestWaveEncoder(SoundEncoderContract):
    def encoder(self) -> SoundEncoder:
        return WaveEncoder()


class TestFakeFingerprinter(FingerprinterContract):
    def fingerprinter(self) -> Fingerprinter:
        return FakeFingerprinter()


class TestPdqFingerprinter(FingerprinterContract):
    def fingerprinter(self) -> Fingerprinter:
        return PdqFingerprinter()


class TestFakeLabeller(LabellerContract):
    def labeller(self) -> Labeller:
        return FakeLabeller()


class TestTextLabeller(LabellerContract):
    def labeller(self) -> Labeller:
        return TextLabeller()


class TestFakeMetadataWriter(MetadataWriterContract):
    def writer(self) -> MetadataWriter:
        return FakeMetadataWriter()

    def codecs(self) -> Codecs:
        return Codecs(FakeEncoder(media_types=("image/png", "image/jpeg")), FakeClipEncoder(), FakeSoundEncoder())


class TestXmpWriter(MetadataWriterContract):
    def writer(self) -> MetadataWriter:
        return XmpWriter()

    def codecs(self) -> Codecs:
        return Codecs(ImageEncoder(), VideoEncoder(), WaveEncoder())
