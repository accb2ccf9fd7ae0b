"""The eyes of an installation: what it opens for an audit, and its own watermark found in other people's files."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from governance.codecs import Codecs
from governance.errors import ConfigurationError
from governance.marks import MarkReader, found_marks
from governance_adapters.auditing import RecordedMarks, eyes_for, open_eyes
from governance_adapters.datasets.content.looking import look
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.marking.clips import VideoEncoder
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.sounds import WaveEncoder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.settings import Settings
from support.command import Shell
from support.marked import MARK_KEY, real_marks, release
from support.planted import image_file, picture

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


@pytest.fixture(scope="module")
def marked():
    """A picture that was released with our mark, as pixels, and what finds its record."""
    parts = real_marks()
    asset = release(parts, picture(3, 512))
    codecs = Codecs(ImageEncoder(), VideoEncoder(), WaveEncoder())
    reader = MarkReader((TiledWatermarker(MARK_KEY),), MARK_KEY, codecs, PdqFingerprinter())
    return ImageEncoder().decode(asset.content), RecordedMarks(reader, parts.ledger), reader


def again(pixels, quality):
    """The pixels after somebody saved them as JPEG."""
    return ImageEncoder().decode(image_file(pixels, "JPEG", quality=quality))


def test_our_mark_is_found_in_a_copy_without_its_manifest(marked):
    pixels, finder, _ = marked
    assert finder.finds(pixels)
    assert finder.finds(again(pixels, 90))


def test_nothing_is_found_where_no_mark_is(marked):
    _, finder, _ = marked
    assert not finder.finds(picture(3, 512))
    assert not finder.finds(picture(4, 64))


def test_a_mark_that_was_copied_onto_another_picture_says_nothing_of_it(marked):
    pixels, finder, reader = marked
    (watermarker,) = reader.watermarkers
    (payload,) = [
        each
        for each in watermarker.extract(pixels)
        if MARK_KEY.id_of(each, watermarker.payload_bits, watermarker.algorithm) is not None
    ]
    photograph = np.asarray(Image.effect_noise((512, 512), 60).convert("RGB"))
    forged = watermarker.embed(photograph, payload, watermarker.strengths[-1])
    assert list(found_marks(reader, forged))
    assert not finder.finds(forged)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("eyes"), tmp_path_factory.mktemp("home") / "home")
    shell("init").succeeded()
    return Settings.load(home=shell.home)


def test_eyes_travel_and_need_no_working_folder(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(settings.home.parent)
    here = settings.model_copy(update={"home": settings.home.relative_to(settings.home.parent)})
    eyes = pickle.loads(pickle.dumps(eyes_for(here, detectors=False, embedding=False)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(image_file(picture(5)))
    source = open_source(str(tmp_path))
    (part,) = source.parts()
    (found,) = look(source.read(part), eyes, source.root).to_pylist()
    assert (found["problems"], found["basis"], found["nsfw"]) == ([], "computed", -1)
    opened = eyes.open()
    assert opened.manifests is not None
    assert (opened.detectors, opened.marks, opened.embed, opened.model) == ((), None, None, "")
    assert opened.described() == []


def test_only_detectors_that_a_record_has_a_field_for_are_opened(settings):
    only = settings.model_copy(update={"detectors": ("nsfw",)})
    opened = eyes_for(only, embedding=False).open()
    assert [each.name for each in opened.detectors] == ["nsfw"]
    assert opened.described() == [{"name": "nsfw", "digest": opened.detectors[0].digest}]
    assert opened.marks is not None


def test_an_installation_that_is_none_opens_no_eyes(tmp_path):
    nowhere = json.dumps(Settings.load(home=tmp_path / "none").model_dump(mode="json"))
    with pytest.raises(ConfigurationError):
        open_eyes(nowhere, detectors=False, embedding=False)
    assert not list(tmp_path.iterdir())
