"""A tiny pipeline, a line of fakes that writes real PNG, the one governed by the other; and a real policy server."""

import pytest

from governance.governor import Governor
from governance.testing import fake_parts
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.pipelines.diffusers import wrap
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.signed import build_archive
from support.bundles import bundle_at
from support.opa_server import opa_server, real_opa
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


@pytest.fixture(scope="session")
def opa():
    """The real `opa`."""
    return real_opa()


@pytest.fixture(scope="session")
def served_bundle(tmp_path_factory):
    """The shipped bundle, allowing the example model."""
    return Bundle.load(bundle_at(tmp_path_factory.mktemp("served") / "policies"))


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory):
    """The same rules over other data, which allow the example request all the same."""
    root = bundle_at(tmp_path_factory.mktemp("other") / "policies", lambda data: data["limits"].update(steps=31))
    return Bundle.load(root)


@pytest.fixture(scope="session")
def archive(opa, served_bundle, tmp_path_factory):
    """`served_bundle` as an archive for servers."""
    output = tmp_path_factory.mktemp("archive") / "bundle.tar.gz"
    build_archive(served_bundle, output, opa=opa)
    return output


@pytest.fixture(scope="session")
def policy_server(opa, archive, tmp_path_factory):
    """A real policy server that decides by `served_bundle`."""
    with opa_server(opa, tmp_path_factory.mktemp("server"), "--bundle", archive) as started:
        yield started
