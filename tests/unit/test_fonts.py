"""Which fonts are tried for a label, without drawing one."""

from __future__ import annotations

import pytest

from governance.errors import MarkError
from governance_adapters.marking.fonts import Fonts


def test_pillows_own_font_is_enough_for_ascii():
    assert Fonts().font_for("AI-generated", "en") == ""


def test_what_is_no_language_is_refused_before_any_font():
    with pytest.raises(MarkError, match="BCP 47"):
        Fonts().font_for("AI", "not a language")


def test_a_character_of_no_font_is_named():
    with pytest.raises(MarkError, match="\U00012000"):
        Fonts().font_for("AI \U00012000", "")
