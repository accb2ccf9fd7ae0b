"""What every test may use: a real installation in a temporary folder, and no word to anybody outside."""

import os
import warnings

os.environ.update(
    ENCYPHER_C2PA_TELEMETRY="off",
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_VERBOSITY="error",
    DIFFUSERS_VERBOSITY="error",
)

import pytest

from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.settings import Settings
from governance_adapters.wiring import initialise, open_governor


@pytest.fixture
def settings(tmp_path):
    """A fresh installation: default bundle, development keys, empty ledger."""
    made = Settings.load(home=tmp_path / "installation", principal="designer@example.org", roles=("designer",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(made)
    return made


@pytest.fixture
def governor(settings):
    """A governor of real parts over `settings`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        opened = open_governor(settings)
    yield opened
    opened.parts.ledger.close()
