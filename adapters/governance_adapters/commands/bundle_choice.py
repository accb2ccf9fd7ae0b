"""Which bundle a command of `governance policy` is about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.errors import ConfigurationError
from governance_adapters.installation import INIT_REMEDY
from governance_adapters.policy.bundle import Bundle
from governance_adapters.settings import Settings

BundleArgument = Annotated[Path | None, typer.Argument(help="Folder of a bundle. Default: the one in force.")]


def chosen_bundle(path: Path | None) -> Bundle:
    """The bundle at `path`, or the one in force.

    Raises:
        ConfigurationError: there is nothing there.
        PolicyError: the bundle is unsound.
    """
    root = Settings.load().bundle_path if path is None else path
    if not root.exists():
        remedy = INIT_REMEDY if path is None else "Name the folder of a bundle."
        raise ConfigurationError(f"{root} does not exist.", remedy=remedy)
    return Bundle.load(root)
