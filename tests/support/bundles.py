"""Policy bundles for tests: the shipped one, with the example model allowed and its data changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from governance.testing.corpus import example_data
from governance_adapters.policy.bundle import default_bundle_path


def bundle_at(path: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """The shipped bundle, copied to `path`; it allows the example model, and `change` has been at its data."""
    shutil.copytree(default_bundle_path(), path)
    path.joinpath("data.json").write_text(data_text(path, change))
    return path


def data_text(path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """The text of the `data.json` at `path` after `change` has been at it."""
    data = example_data(json.loads(path.joinpath("data.json").read_text()))
    change(data)
    return json.dumps(data, indent=2)


def unlimited(data: dict[str, Any]) -> None:
    """A change of data: no budget of a day comes to its end while a test works."""
    data["budgets"] = {"images": 10**9, "step_pixels": 10**15}
