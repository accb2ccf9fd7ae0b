"""What the README shows of `governance policy explain` is what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from governance.errors import ModelError
from governance_adapters.reference import model_path
from support.command import Shell
from support.markdown import ROOT, blocks
from support.real import missing

README = (ROOT / "README.md").read_text()

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


def test_the_explanation_of_the_denied_prompt_is_pasted_as_printed(tmp_path: Path) -> None:
    try:
        model_path()
    except ModelError as error:
        missing("weights", f"the README's explanation was not compared: {error}")
    (block,) = (block for block in blocks(README, "text") if block.startswith("$ governance policy explain"))
    command, _, shown = block.partition("\n")
    shell = Shell(tmp_path, tmp_path / "home")
    shell("init").succeeded()
    printed = shell(*shlex.split(command)[2:]).succeeded().out
    # Every edit of the bundle makes another revision: the one line with `...`.
    pattern = re.escape(shown).replace(re.escape("..."), "[0-9a-f]{64}")
    assert shown.count("...") == 1
    assert re.fullmatch(pattern, printed), f"the README should show:\n{command}\n{printed}"
