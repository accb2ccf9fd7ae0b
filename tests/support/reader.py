"""Somebody who follows the README: Python and commands in a folder of their own, with no settings from around the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.markdown import ROOT


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python as a reader would run it there, with an installation of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVERNANCE_")}
    kept |= {
        "GOVERNANCE_HOME": str(folder / "home"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'adapters'}",
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=kept, capture_output=True, text=True, timeout=300, check=False
    )


def governance(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `governance` command, run there."""
    return run(folder, "-m", "governance_adapters.cli", *arguments)
