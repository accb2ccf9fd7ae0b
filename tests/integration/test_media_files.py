"""MP4 and WAV files as real programs read them: marked, with metadata, signed, and what is broken refused.

Read by tools that are none of ours: exiftool, the standard library's `wave`, and a second C2PA implementation.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
import tracemalloc
import wave
from dataclasses import replace

import encypher_c2pa
import numpy as np
import pytest
from PIL import Image
from skimage import data

from governance.errors import MarkError, SigningError
from governance.evidence.verify import RefusedError, embedded_manifest
from governance.frames import changed
from governance.manifest import manifest_definition
from governance.media import Clip, Sound, form_of
from governance.metadata import CAVEAT
from governance.ports import ManifestState
from governance.testing import example_clip, example_picture, example_sound
from governance.testing.certificates import FakeAuthority
from governance.testing.manifest import example_statement
from governance.testing.metadata import example_metadata
from governance.watermark import MarkKey
from governance_adapters.marking import apng
from governance_adapters.marking.boxes import boxes, mp4_packets
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.clips import VideoEncoder
from governance_adapters.marking.containers import PNG_SIGNATURE, media_type_of, packets, png_chunk, png_chunks
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.riff import riff_chunks
from governance_adapters.marking.sounds import WaveEncoder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.marking.xmp import XmpWriter
from support.real import require

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

MP4, WAV = "video/mp4", "audio/wav"
CLIPS, SOUNDS, WRITER = VideoEncoder(), WaveEncoder(), XmpWriter()
FILES = {
    MP4: CLIPS.encode(example_clip(6, 64, 96, frame_rate=23_976), MP4),
    WAV: SOUNDS.encode(example_sound(2, 4001), WAV),
}
AUTHORITY = FakeAuthority()
ISSUED = AUTHORITY.issue()
SIGNER = C2paSigner(PemCredentials(ISSUED.chain, ISSUED.private_key), TrustRoots(AUTHORITY.root))
BOTH = pytest.mark.parametrize("kind", [MP4, WAV])


def written(kind, **changes):
    metadata = replace(example_metadata(), **changes)
    return WRITER.write(FILES[kind], kind, metadata.properties(kind))


def signed(kind):
    definition = manifest_definition(replace(example_statement(), media_type=kind))
    return SIGNER.sign(written(kind), kind, definition)


def exif(content, suffix, tmp_path):
    """What exiftool reads in a file."""
    tool = shutil.which("exiftool")
    require("exiftool", tool, "what we write into files is read by our own code alone")
    path = tmp_path / f"file.{suffix}"
    path.write_bytes(content)
    command = [tool, "-j", "-G1", "-a", "-n", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0]


@BOTH
def test_two_engines_trust_what_we_sign_and_notice_what_is_changed(kind):
    result = signed(kind)
    assert result.report.state is ManifestState.TRUSTED
    theirs = encypher_c2pa.verify(result.content, kind, trust_pem=AUTHORITY.root.decode(), no_default_trust=True)
    assert theirs["validation_state"] == "Trusted"
    assert theirs["validation_results"]["failure"] == []
    assert theirs["manifest_report"]["active_manifest"] == result.report.label
    place = result.content.rindex(b"mdat" if kind == MP4 else b"data") + 200
    altered = bytearray(result.content)
    altered[place] ^= 1
    assert SIGNER.read(bytes(altered)).state is ManifestState.INVALID
    with pytest.raises(SigningError, match="carries a manifest already"):
        SIGNER.sign(result.content, kind, manifest_definition(replace(example_statement(), media_type=kind)))


@BOTH
def test_what_is_seen_or_heard_is_untouched_by_metadata_and_signature(kind):
    decode = CLIPS.decode if kind == MP4 else SOUNDS.decode
    plain, after = decode(FILES[kind]), decode(signed(kind).content)
    assert form_of(after) == form_of(plain)
    values = ("frames", "samples")[kind == WAV]
    assert np.array_equal(getattr(after, values), getattr(plain, values))
    if kind == WAV:
        with wave.open(io.BytesIO(signed(kind).content)) as heard:
            assert heard.getparams()[:4] == (2, 2, 16_000, 4001)
            raw = np.frombuffer(heard.readframes(4001), "<i2").reshape(-1, 2).T
        assert np.array_equal(raw, example_sound(2, 4001).samples)


@BOTH
def test_exiftool_reads_the_metadata_that_we_write(kind, tmp_path):
    seen = exif(signed(kind).content, kind.rpartition("/")[2], tmp_path)
    assert seen["XMP-iptcExt:DigitalSourceType"].endswith("trainedAlgorithmicMedia")
    assert seen["XMP-dc:Identifier"] == example_metadata().asset_id
    assert seen["XMP-dc:Publisher"] == "Example Provider"
    assert seen["File:MIMEType"] in {"video/mp4", "audio/x-wav", "audio/wav"}
    if kind == MP4:
        assert (seen["Track1:ImageWidth"], seen["Track1:ImageHeight"]) == (96, 64)
        assert seen["Track1:VideoFrameRate"] == pytest.approx(23.976, abs=0.001)
        assert seen["Track1:CompressorID"] == "vp09"
    else:
        assert (seen["RIFF:NumChannels"], seen["RIFF:SampleRate"], seen["RIFF:BitsPerSample"]) == (2, 16_000, 16)


@BOTH
def test_the_verifier_of_a_pack_finds_the_manifest_in_the_file(kind):
    assert embedded_manifest(written(kind)) is None
    found = embedded_manifest(signed(kind).content)
    assert found[4:8] == b"jumb"
    assert int.from_bytes(found[:4]) == len(found)
    with pytest.raises(RefusedError, match="cut short"):
        embedded_manifest(signed(kind).content[:-40])


@BOTH
def test_a_caveat_is_a_property_of_its_own(kind):
    assert WRITER.read(written(kind, caveat="unchecked, unmarked"))[CAVEAT] == "unchecked, unmarked"
    assert CAVEAT not in WRITER.read(written(kind))


@BOTH
def test_a_second_packet_takes_the_place_of_the_first_and_nothing_else_moves(kind):
    first = written(kind)
    second = WRITER.write(first, kind, {"dc:identifier": "other"})
    assert len(packets(second)) == 1
    assert WRITER.read(second)["dc:identifier"] == "other"
    assert second.startswith(FILES[kind][:30]) is (kind == MP4)
    assert media_type_of(second) == kind
    if kind == MP4:
        assert [box.kind for box in boxes(second)][-2:] == [b"free", b"uuid"]
        assert mp4_packets(second)[0].startswith(b"<?xpacket")


def test_a_packet_in_a_box_with_a_length_of_64_bits_makes_way_too():
    uuid, old = written(MP4)[-200_000:].partition(b"uuid")[2][:16], b"<x/>"
    long = (1).to_bytes(4) + b"uuid" + (32 + len(old)).to_bytes(8) + uuid + old
    assert packets(FILES[MP4] + long) == [old]
    content = WRITER.write(FILES[MP4] + long, MP4, {"dc:identifier": "other"})
    assert [box.kind for box in boxes(content)][-2:] == [b"free", b"uuid"]
    assert WRITER.read(content) == {"dc:identifier": "other"}
    assert old not in content
    assert len(CLIPS.decode(content).frames) == 6


@BOTH
@pytest.mark.parametrize("cut", [1, 9, 40, 300])
def test_what_is_cut_short_is_refused(kind, cut):
    content = written(kind)[:-cut]
    for refuse in (CLIPS.decode if kind == MP4 else SOUNDS.decode, packets, WRITER.read):
        with pytest.raises(MarkError):
            refuse(content)
    assert SIGNER.read(content).state in {ManifestState.MISSING, ManifestState.INVALID}


class TestVideo:
    @pytest.mark.parametrize("strength", [1.0, 1.5])
    def test_the_watermark_survives_in_every_frame(self, strength, figure):
        """Frames of a moving photograph, of drawings, of black, at 256 px: the weakest strength will do."""
        key = MarkKey(b"k" * 32)
        marker = TiledWatermarker(key)
        payload = key.payload(5, 64, marker.algorithm)
        astronaut = data.astronaut()[:320, :320]
        photograph = np.stack(
            [astronaut[place * 4 : place * 4 + 256, place * 3 : place * 3 + 256] for place in range(8)]
        )
        drawing = np.full((8, 256, 256, 3), (200, 30, 40), np.uint8)
        for place, frame in enumerate(drawing):
            frame[60 + 4 * place : 160 + 4 * place, 80:180] = 255
        read = {}
        for name, frames in {"photograph": photograph, "drawing": drawing, "black": np.zeros_like(drawing)}.items():
            marked = changed(Clip(frames, 8000), lambda frame: marker.embed(frame, payload, strength))
            decoded = CLIPS.decode(CLIPS.encode(marked, MP4))
            read[name] = sum(payload in marker.extract(frame) for frame in decoded.frames)
        figure(f"tiled watermark at strength {strength} read back from VP9 in MP4, frames of 8: {read}")
        assert read == {"photograph": 8, "drawing": 8, "black": 8}

    def test_an_odd_side_has_no_mp4(self):
        for height, width in ((63, 64), (64, 63)):
            with pytest.raises(MarkError, match="even sides"):
                CLIPS.encode(example_clip(2, height, width), MP4)

    def test_more_than_the_limit_is_never_decoded(self):
        small = VideoEncoder(max_values=6 * 64 * 96 * 3 - 1)
        with pytest.raises(MarkError, match="limit"):
            small.decode(FILES[MP4])
        with pytest.raises(MarkError, match="limit"):
            small.decode(CLIPS.encode(example_clip(6, 64, 96), "image/apng"))

    @pytest.mark.parametrize(
        ("place", "chunk"),
        [
            (1, (b"tEXt", b"frame-rate\0" + b"9" * 5000)),
            (1, (b"tEXt", b"frame-rate\0")),
            (1, (b"tEXt", b"frame-rate\x001000001")),
            (2, (b"acTL", bytes(8))),
        ],
        ids=["5000 digits", "no digits", "too fast", "no frames"],
    )
    def test_an_animated_png_with_an_impossible_number_is_refused_in_our_words(self, place, chunk):
        chunks = list(png_chunks(CLIPS.encode(example_clip(2), "image/apng")))
        chunks[place] = chunk
        with pytest.raises(MarkError):
            CLIPS.decode(PNG_SIGNATURE + b"".join(png_chunk(*each) for each in chunks))

    @pytest.mark.parametrize("said", [2, 8, 10])
    def test_other_frames_than_an_animated_png_says_are_not_decoded(self, said):
        """A small file of many frames would else take as much memory as it likes."""

        class Counting(ImageEncoder):
            decoded = 0

            def decode(self, content):
                self.decoded += 1
                return super().decode(content)

        whole = list(png_chunks(apng.write(example_clip(9), ImageEncoder())))
        whole[2] = (b"acTL", said.to_bytes(4) + bytes(4))
        counting = Counting()
        with pytest.raises(MarkError, match="other frames"):
            apng.read(PNG_SIGNATURE + b"".join(png_chunk(*each) for each in whole), counting, 10 * 64 * 64 * 3)
        assert counting.decoded == 0

    def test_a_decoded_clip_is_in_memory_once(self):
        content = CLIPS.encode(Clip(np.zeros((60, 256, 256, 3), np.uint8), 8000), MP4)
        tracemalloc.start()
        try:
            clip = CLIPS.decode(content)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.5 * clip.frames.nbytes

    @pytest.mark.parametrize("rate", [1, 29, 1001, 7999, 8001, 999_999])
    def test_a_rate_that_would_come_back_as_another_is_refused(self, rate):
        with pytest.raises(MarkError, match="rounder rate"):
            CLIPS.encode(example_clip(2, frame_rate=rate), MP4)

    @pytest.mark.parametrize("rate", [2, 10, 998, 7992, 8003, 12_500, 29_970, 59_940, 119_880, 888_598, 1_000_000])
    def test_every_other_rate_comes_back(self, rate):
        assert CLIPS.decode(CLIPS.encode(example_clip(2, frame_rate=rate), MP4)).frame_rate == rate

    def test_a_playlist_that_claims_to_be_an_mp4_opens_nothing_else(self, tmp_path):
        secret = tmp_path / "secret.mp4"
        secret.write_bytes(FILES[MP4])
        playlist = f"#EXTM3U\n#EXTINF:1,\n{secret}\n".encode()
        for content in (
            playlist,
            b"\0\0\0\x18ftypisom" + playlist,
            b"ffconcat version 1.0\nfile " + str(secret).encode(),
        ):
            with pytest.raises(MarkError):
                CLIPS.decode(content)

    def test_nothing_of_it_stays_in_the_temporary_folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        CLIPS.decode(CLIPS.encode(example_clip(2), MP4))
        assert list(tmp_path.iterdir()) == []

    def test_a_held_clip_is_an_animated_png_that_any_program_shows(self, tmp_path):
        content = CLIPS.encode(example_clip(5, 40, 24), "image/apng")
        seen = exif(content, "png", tmp_path)
        assert seen["PNG:AnimationFrames"] == 5
        assert (seen["PNG:ImageWidth"], seen["PNG:ImageHeight"]) == (24, 40)
        assert apng.is_ours(content)

    def test_an_animated_png_of_somebody_else_is_a_picture(self):
        file = io.BytesIO()
        frames = [Image.fromarray(frame) for frame in example_clip(3).frames]
        frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
        assert not CLIPS.reads(file.getvalue())


class TestSound:
    @pytest.mark.parametrize("width", [1, 3, 4])
    def test_other_widths_than_16_bits_are_refused(self, width):
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(width)
            writer.setframerate(8000)
            writer.writeframes(bytes(width * 40))
        with pytest.raises(MarkError, match="bits"):
            SOUNDS.decode(file.getvalue())

    def test_extremes_stay(self):
        samples = np.array([[-32768, 32767, 0, -1]], np.int16)
        assert np.array_equal(SOUNDS.decode(SOUNDS.encode(Sound(samples, 8000), WAV)).samples, samples)

    def test_an_odd_packet_keeps_chunks_even(self):
        for length in (30, 31):
            content = WRITER.write(FILES[WAV], WAV, {"dc:identifier": "x" * length})
            assert [name for name, _ in riff_chunks(content)] == [b"fmt ", b"data", b"_PMX"]
            assert len(content) % 2 == 0


def test_a_picture_is_neither():
    content = example_picture().tobytes()
    assert not CLIPS.reads(content)
    assert not SOUNDS.reads(content)
