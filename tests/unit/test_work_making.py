"""From files to works: what is refused with a clear word, what prints and previews are made, and printing anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import digest
from governance.errors import ConfigurationError, NoWorkError, WorkError
from governance.testing import FakeEncoder, example_picture
from governance.testing.works import FAKE_EMBEDDING, KEEPER, FakePrinter, FakeWorkRegister
from governance.work_checks import check_texts, named
from governance.work_making import MIN_SIDE, WorkMaker, is_animated, pixels_digest, shrunk
from governance.works import MAX_IMAGES, PDQ_SIGNAL, PREVIEW_SIDE, Work, WorkAction

ENCODER = FakeEncoder()
MAKER = WorkMaker(ENCODER, FakePrinter())
SAID = {"title": "Sunflowers", "owner": "Example house", "licence": "CC-BY-4.0", "action": WorkAction.DENY}


def picture(height=40, width=64, seed=1):
    return ENCODER.encode(example_picture(height, width, seed), "image/png")


def test_a_work_has_the_digests_prints_and_previews_of_its_files():
    files = [("one", picture(seed=1)), ("two", picture(700, 1100, seed=2))]
    new = MAKER.make(files, **SAID)
    assert new.work == replace(new.work, images=tuple(digest(content) for _, content in files), **SAID)
    for (_, content), image in zip(files, new.images, strict=True):
        pixels = ENCODER.decode(content)
        assert image.prints == tuple(FakePrinter().prints(pixels))
        assert image.pixels_digest == pixels_digest(pixels)
        assert image.preview.media_type == "image/png"
        assert np.array_equal(ENCODER.decode(image.preview.content), shrunk(pixels))
    assert ENCODER.decode(new.images[1].preview.content).shape == (326, 512, 3)


def test_previews_are_jpeg_where_that_can_be_written():
    encoder = FakeEncoder(media_types=("image/png", "image/jpeg", "image/webp"))
    assert (
        WorkMaker(encoder, FakePrinter()).make([("one", picture())], **SAID).images[0].preview.media_type
        == "image/jpeg"
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "needs an image"),
        ([("broken", b"not a picture")], "broken cannot be added"),
        ([("good", picture()), ("broken", picture()[:-1])], "broken cannot be added"),
        ([("one", picture()), ("two", picture() + b"trailer")], "one and two are the same picture"),
        ([("tiny", picture(1, 1))], "tiny has 1 x 1 px: too small or too narrow"),
        ([("strip", picture(MIN_SIDE - 1, 900))], "strip has 900 x 15 px: too small or too narrow"),
        ([("line", picture(40, 20_000))], "line has 20000 x 40 px: too small or too narrow"),
        ([(str(at), picture(seed=at)) for at in range(MAX_IMAGES + 1)], "at most 256 images"),
    ],
)
def test_files_that_are_no_work_are_refused_by_name(files, words):
    with pytest.raises(WorkError, match=words) as raised:
        MAKER.make(files, **SAID)
    assert raised.value.remedy


@pytest.mark.parametrize("name", ["title", "owner", "licence"])
@pytest.mark.parametrize("text", ["", "  ", "\x1b[2Jgone", "a\u202eb", "\ud800", "x" * 301])
def test_texts_that_cannot_be_shown_are_refused(name, text):
    with pytest.raises(WorkError, match=name):
        MAKER.make([("one", picture())], **{**SAID, name: text})


def test_markup_and_formulas_are_plain_text():
    for text in ("<script>alert(1)</script>", '=HYPERLINK("x")', "[red]@SUM(A1)", "می\u200cخواهم"):
        assert MAKER.make([("one", picture())], **{**SAID, "title": f" {text}\n"}).work.title == text


@settings(deadline=None)
@given(st.text(max_size=400))
def test_a_named_text_is_named_the_same_again_and_passes_every_register(text):
    try:
        once = named(text, "title", 200)
    except WorkError:
        return
    assert named(once, "title", 200) == once
    check_texts(Work(once, once, once, WorkAction.ALLOW, ()))


def test_a_printer_without_signals_is_refused():
    with pytest.raises(ConfigurationError):
        WorkMaker(ENCODER, FakePrinter(signals=()))


def test_a_printer_that_leaves_a_signal_out_is_refused():
    class Forgetful(FakePrinter):
        def prints(self, pixels):
            return [one for one in super().prints(pixels) if one.signal == PDQ_SIGNAL]

    with pytest.raises(WorkError, match="each of its signals"):
        WorkMaker(ENCODER, Forgetful()).make([("one", picture())], **SAID)


def test_a_picture_that_cannot_be_printed_is_refused():
    with pytest.raises(WorkError, match="no cells") as raised:
        WorkMaker(ENCODER, FakePrinter(smallest=50)).make([("one", picture())], **SAID)
    assert raised.value.remedy == "Use a larger one."
    assert str(raised.value).count(raised.value.remedy) == 1


@settings(deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(0, 255))
def test_shrinking_keeps_the_shape_and_an_even_colour(height, width, level):
    pixels = np.full((height, width, 3), level, np.uint8)
    small = shrunk(pixels, 64)
    longest = max(height, width)
    assert small.shape == (
        pixels.shape
        if longest <= 64
        else (max(1, round(height * 64 / longest)), max(1, round(width * 64 / longest)), 3)
    )
    assert small.dtype == np.uint8
    assert (small == level).all()


def test_shrinking_means_the_area():
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[1] = 90
    assert shrunk(pixels, 1).tolist() == [[[30, 30, 30]]]
    assert shrunk(pixels, 2)[:, 0, 0].tolist() == [30, 30]
    assert shrunk(pixels, 3) is pixels


def test_a_picture_of_preview_size_is_its_own_preview():
    pixels = example_picture(PREVIEW_SIDE, 100)
    assert shrunk(pixels) is pixels


def test_the_pixels_digest_sees_shape_and_values():
    pixels = example_picture(20, 30)
    assert pixels_digest(pixels) == pixels_digest(np.asfortranarray(pixels))
    assert pixels_digest(pixels) != pixels_digest(pixels.reshape(30, 20, 3))
    assert pixels_digest(pixels) != pixels_digest(pixels ^ 1)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF0000WEBPVP8X", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\nacTL"])
def test_pieces_of_files_are_no_animation(content):
    assert not is_animated(content)


def test_words_inside_a_chunk_are_no_chunks():
    def png(*chunks):
        return b"\x89PNG\r\n\x1a\n" + b"".join(len(c[4:]).to_bytes(4) + c + bytes(4) for c in chunks)

    head, frames, image = b"IHDR" + bytes(13), b"acTL" + bytes(8), b"IDAT" + bytes(9)
    assert is_animated(png(head, frames, image))
    assert is_animated(png(head, b"tEXta\0IDAT", frames, image))
    assert not is_animated(png(head, b"tEXta\0acTL", image))
    assert not is_animated(png(head, image, frames))


class TestReindex:
    def setup_method(self):
        self.register = FakeWorkRegister()
        news = [MAKER.make([(str(n), picture(seed=n)), ("", picture(seed=n + 100))], **SAID) for n in range(50)]
        self.works = [added.work for added in self.register.add_all(news, KEEPER)]
        self.images = sorted(image for work in self.works for image in work.images)

    def test_nothing_is_done_where_nothing_is_due(self):
        before = self.register.revision
        assert list(MAKER.reindex(self.register)) == []
        assert self.register.revision == before

    def test_what_has_no_prints_of_the_new_model_gets_them_and_loses_the_old(self):
        maker = WorkMaker(ENCODER, FakePrinter(("embedding:new", PDQ_SIGNAL)))
        assert list(maker.reindex(self.register))[-1] == 100
        assert self.register.unprinted("embedding:new") == self.register.unprinted(PDQ_SIGNAL) == []
        assert self.register.unprinted(FAKE_EMBEDDING, limit=1000) == self.images
        assert list(maker.reindex(self.register)) == []

    def test_an_image_that_lacks_several_signals_is_printed_once(self):
        maker = WorkMaker(ENCODER, FakePrinter(("embedding:one", "embedding:two")))
        assert list(maker.reindex(self.register))[-1] == 100

    def test_everything_can_be_printed_anew(self):
        damaged = replace(FakePrinter().prints(example_picture())[0], value=b"wrong")
        self.register.reprint({image: [damaged, replace(damaged, signal=FAKE_EMBEDDING)] for image in self.images})
        assert list(MAKER.reindex(self.register)) == []
        assert list(MAKER.reindex(self.register, everything=True))[-1] == 100
        assert not any(b"wrong" in row.values for row in self.register.prints(PDQ_SIGNAL))

    def test_a_work_that_goes_meanwhile_is_left_out(self):
        gone = self.works[0]

        class Vanishing(FakeWorkRegister):
            def preview(self, image):
                if image in gone.images and gone.id in self._works:
                    self.remove(gone.id, KEEPER)
                return super().preview(image)

        self.register.__class__ = Vanishing
        assert list(WorkMaker(ENCODER, FakePrinter(("embedding:new",))).reindex(self.register))
        assert self.register.unprinted("embedding:new") == []
        with pytest.raises(NoWorkError):
            self.register.show(gone.id)

    def test_a_preview_that_cannot_be_printed_is_an_error(self):
        with pytest.raises(WorkError, match="cannot be printed"):
            list(WorkMaker(ENCODER, FakePrinter(("embedding:new",), smallest=99)).reindex(self.register))
