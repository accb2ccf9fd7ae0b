"""A tiny pipeline, a line of fakes that writes real PNG, and the one governed by the other."""

import pytest

from governance.governor import Governor
from governance.testing import fake_parts
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from support.tiny import (
    stable_diffusion,
)
from support.wrapped import (
    PRINCIPAL,
)


@pytest.fixture
def pipe(tmp_path):
    return stable_diffusion(tmp_path)


@pytest.fixture
def line():
    """A governor of fakes that encodes real PNG."""
    return Governor(fake_parts(encoder=ImageEncoder()))


@pytest.fixture
def governed(pipe, line):
    return wrap(pipe, line, PRINCIPAL, "marketing")
