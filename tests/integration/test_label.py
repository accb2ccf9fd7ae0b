"""The visible label on real pictures: it reads on any background, in any corner, in the languages of its fonts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from governance.errors import ConfigurationError, ImageTooSmallError, MarkError
from governance.obligations import LABEL_POSITIONS
from governance.testing.examples import example_picture
from governance.watermark import MarkKey
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fonts import Fonts
from governance_adapters.marking.label import SHARE, TextLabeller
from governance_adapters.marking.tiled import ALGORITHM, TiledWatermarker
from support.real import require
from tests.integration.marking_pictures import photographs

LABELLER = TextLabeller()
AA = 4.5
"""WCAG 2.2, success criterion 1.4.3: the least contrast of text."""

GREY = np.full((256, 320, 3), 128, np.uint8)
LANGUAGES = {
    "de": "KI-erzeugt: ä ö ü ß",
    "pl": "Wygenerowano przez AI: ł ś ż",
    "hu": "MI által készült: ő ű",
    "el": "Δημιουργήθηκε με ΤΝ",
    "bg": "Създадено с ИИ",
    "zh-Hans": "AI生成",
    "zh-Hant": "AI產生",
    "ja": "AIによる生成",
    "ko": "AI 생성",
}


def noise(side=320):
    return np.random.default_rng(5).integers(0, 256, (side, side, 3), np.uint8)


GROUNDS = {
    "black": np.zeros((320, 320, 3), np.uint8),
    "white": np.full((320, 320, 3), 255, np.uint8),
    "grey": np.full((320, 320, 3), 119, np.uint8),
    "the ink's colour": np.full((320, 320, 3), 255, np.uint8),
    "noise": noise(),
    "photograph": photographs(320)[0],
}


def luminance(colours):
    """WCAG 2.2: relative luminance of sRGB colours, (..., 3) to (...)."""
    share = colours.astype(float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(labelled, ground_truth):
    """The least contrast of the ink's strokes with the 3 px around them, edges that blend between the two left out."""
    ink = (ground_truth > 250).all(axis=2)
    near = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    around = near & (ground_truth < 5).all(axis=2)
    assert min(ink.sum(), around.sum()) > 50
    values = luminance(labelled)
    light, dark = np.percentile(values[ink], 5), np.percentile(values[around], 95)
    return (light + 0.05) / (dark + 0.05)


def box(labelled, plain):
    """The labelled rectangle: top, bottom, left, right."""
    rows, columns = np.nonzero((labelled != plain).any(axis=2))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def alone(text, **options):
    """The label's own pixels, drawn on a grey that neither ink nor box has."""
    grey = np.full((320, 320, 3), 128, np.uint8)
    return LABELLER.label(grey, text, **options)


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
@pytest.mark.parametrize("position", LABEL_POSITIONS)
def test_it_reads_on_any_background_in_every_corner(ground, position):
    labelled = LABELLER.label(ground, "AI-generated", position=position)
    assert contrast(labelled, alone("AI-generated", position=position)) >= AA


@pytest.mark.parametrize("kind", ImageEncoder.media_types)
@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_it_still_reads_under_the_watermark_in_every_format(ground, kind):
    key, encoder = MarkKey(b"a watermark key for these tests!"), ImageEncoder()
    marker = TiledWatermarker(key)
    labelled = LABELLER.label(ground, "AI-generated")
    marked = marker.embed(labelled, key.payload(3, 64, ALGORITHM), marker.strengths[-1])
    assert contrast(encoder.decode(encoder.encode(marked, kind)), alone("AI-generated")) >= AA


@pytest.mark.parametrize("position", LABEL_POSITIONS)
def test_it_stands_in_its_corner(position):
    top, bottom, left, right = box(LABELLER.label(GREY, "AI", position=position), GREY)
    assert (top == 0) == position.startswith("top")
    assert (bottom == GREY.shape[0]) == position.startswith("bottom")
    assert (left == 0) == position.endswith("left")
    assert (right == GREY.shape[1]) == position.endswith("right")


def test_without_a_position_it_stands_in_the_first():
    assert np.array_equal(LABELLER.label(GREY, "AI"), LABELLER.label(GREY, "AI", position=LABEL_POSITIONS[0]))
    with pytest.raises(MarkError, match="position"):
        LABELLER.label(GREY, "AI", position="middle")


@pytest.mark.parametrize("shape", [(256, 256), (512, 768), (1024, 1024), (1080, 1920)])
@pytest.mark.parametrize("text", ["AI-generated", "AI", "AI生成"])
def test_the_text_is_a_20th_of_the_shorter_side_tall(shape, text):
    require_fonts(text)
    labelled = LABELLER.label(np.full((*shape, 3), 128, np.uint8), text, language="zh-Hans")
    rows = np.flatnonzero((labelled > 200).all(axis=2).any(axis=1))
    tall = rows[-1] - rows[0] + 1
    assert min(shape) / SHARE <= tall <= 1.3 * min(shape) / SHARE


def require_fonts(text):
    if not text.isascii():
        from importlib.util import find_spec

        found = all(find_spec(name) for name in ("fontpkg_noto_sans", "justmytype_intl_cjk"))
        require("labels", found, "labels beyond ASCII were not drawn")


@pytest.mark.parametrize(("language", "text"), LANGUAGES.items())
def test_the_languages_of_the_extra_are_drawn(language, text):
    require_fonts(text)
    assert contrast(LABELLER.label(noise(), text, language=language), alone(text, language=language)) >= AA


def test_shared_characters_take_the_forms_of_the_language():
    text = "令直骨"
    require_fonts(text)
    drawn = {name: alone(text, language=name).tobytes() for name in ("zh-Hans", "zh-Hant", "ja", "ko")}
    assert len({drawn["zh-Hans"], drawn["zh-Hant"], drawn["ja"]}) == 3
    assert drawn["ko"] != drawn["zh-Hans"]
    assert alone(text, language="zh-TW").tobytes() == drawn["zh-Hant"]
    assert alone(text).tobytes() == drawn["zh-Hans"]


def test_characters_that_no_font_has_are_refused_not_drawn_as_boxes():
    for text in ("בינה", "\U00012000", "AI \U0001f916"):
        with pytest.raises(MarkError, match="no font has"):
            LABELLER.label(GREY, text)


def test_a_text_that_draws_nothing_is_refused_not_drawn_as_an_empty_box():
    with pytest.raises(MarkError, match="draws nothing"):
        LABELLER.label(GREY, "\u3164")


@pytest.mark.parametrize("language", ["-", "e", "en_GB", "english-" + "x" * 9, "de;rm"])
def test_a_language_that_is_none_is_refused(language):
    with pytest.raises(MarkError, match="language"):
        LABELLER.label(GREY, "AI", language=language)


class TestANamedFont:
    def font(self, tmp_path):
        path = tmp_path / "named.ttf"
        path.write_bytes(ImageFont.load_default(10).font_bytes)
        return path

    def test_it_is_the_only_one(self, tmp_path):
        labeller = TextLabeller(Fonts(self.font(tmp_path)))
        assert (labeller.label(GREY, "AI") != GREY).any()
        with pytest.raises(MarkError, match="生"):
            labeller.label(GREY, "AI生成")

    def test_one_that_is_no_font_is_refused_at_once(self, tmp_path):
        (tmp_path / "no.ttf").write_text("no font")
        for path in (tmp_path / "no.ttf", Path("missing.ttf")):
            with pytest.raises(ConfigurationError, match="label_font"):
                Fonts(path)


def test_long_labels_shrink_and_too_long_ones_are_refused():
    height = {
        length: np.ptp(
            box(
                LABELLER.label(np.full((512, 512, 3), 128, np.uint8), "AI-generated " * length),
                np.full((512, 512, 3), 128, np.uint8),
            )[:2]
        )
        for length in (1, 5)
    }
    assert height[5] < height[1]
    with pytest.raises(ImageTooSmallError):
        LABELLER.label(example_picture(256, 256), "AI-generated " * 9)
    with pytest.raises(MarkError):
        LABELLER.label(example_picture(256, 256), "two\nlines")
