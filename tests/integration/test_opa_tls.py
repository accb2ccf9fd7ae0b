"""The engine and a policy server that guards itself: certificates of both sides, and a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.testing.certificates import FakeAuthority
from governance.testing.policy import admission_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from support.bad_server import bad_server, silent
from support.opa_server import AUTHORISATION, OpaServer, opa_server
from support.refused import TOKEN, refusal
from support.tls import Files, tls_files


@pytest.fixture(scope="module")
def authority() -> FakeAuthority:
    return FakeAuthority()


@pytest.fixture(scope="module")
def files(authority: FakeAuthority, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls_files(tmp_path_factory.mktemp("tls") / "server", authority)


@pytest.fixture(scope="module")
def server(opa: str, archive: Path, files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpaServer]:
    """Speaks TLS, and wants a certificate of the client and a token."""
    folder = tmp_path_factory.mktemp("guarded")
    rules = folder / "authorisation"
    rules.mkdir()
    (rules / ".manifest").write_text('{"roots": ["system"], "rego_version": 1}')
    (rules / "authz.rego").write_text(AUTHORISATION.format(token=TOKEN))
    guards = ["--authentication", "token", "--authorization", "basic"]
    with opa_server(opa, folder, *guards, "--bundle", archive, rules, tls=files) as started:
        yield started


def test_the_right_certificates_and_token_decide(server: OpaServer, served_bundle: Bundle, files: Files) -> None:
    engine = OpaEngine(
        served_bundle, server.url, token=TOKEN, ca=files.root, certificate=files.certificate, key=files.key
    )
    decided = [engine.decide(Stage.ADMISSION, admission_facts()).outcome for _ in range(3)]
    assert decided == [Outcome.ALLOW] * 3


def test_another_token_or_none_is_an_error(server: OpaServer, served_bundle: Bundle, files: Files) -> None:
    for token in (None, TOKEN + "s"):
        said = refusal(OpaEngine(served_bundle, server.url, token=token, ca=files.root))
        assert "answered 401" in said
        assert "token" in said


def test_another_authority_is_an_error(server: OpaServer, served_bundle: Bundle, tmp_path: Path) -> None:
    stranger = tls_files(tmp_path / "stranger", FakeAuthority("Another root"))
    for ca in (stranger.root, None):
        said = refusal(OpaEngine(served_bundle, server.url, token=TOKEN, ca=ca))
        assert "certificate that is not trusted" in said


def test_another_host_name_is_an_error(
    opa: str, archive: Path, served_bundle: Bundle, authority: FakeAuthority, tmp_path: Path
) -> None:
    other = tls_files(tmp_path / "other", authority, "policy.example.org")
    with opa_server(opa, tmp_path, "--bundle", archive, tls=other) as started:
        said = refusal(OpaEngine(served_bundle, started.url, ca=other.root))
    assert "certificate that is not trusted" in said


def test_a_client_without_its_certificate_is_an_error(
    opa: str, archive: Path, served_bundle: Bundle, files: Files, tmp_path: Path
) -> None:
    with opa_server(opa, tmp_path, "--authentication", "tls", "--bundle", archive, tls=files) as started:
        refusal(OpaEngine(served_bundle, started.url, ca=files.root))
        known = OpaEngine(served_bundle, started.url, ca=files.root, certificate=files.certificate, key=files.key)
        assert known.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_a_server_of_the_other_scheme_is_an_error(
    server: OpaServer, policy_server: OpaServer, served_bundle: Bundle, files: Files
) -> None:
    refusal(OpaEngine(served_bundle, server.url.replace("https", "http")))
    said = refusal(OpaEngine(served_bundle, policy_server.url.replace("http", "https"), ca=files.root))
    assert "could not agree on TLS" in said


def test_a_handshake_that_never_comes_is_an_error(served_bundle: Bundle, files: Files) -> None:
    with bad_server(silent) as server:
        engine = OpaEngine(served_bundle, server.url.replace("http", "https"), ca=files.root, timeout=0.5)
        assert "no whole answer within" in refusal(engine)


def test_certificate_files_that_are_none_are_errors(
    server: OpaServer, served_bundle: Bundle, files: Files, tmp_path: Path
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    refusal(OpaEngine(served_bundle, server.url, ca=tmp_path / "text.pem"))
    refusal(OpaEngine(served_bundle, server.url, ca=files.root, certificate=files.certificate, key=files.root))
    vanishing = tmp_path / "root.pem"
    vanishing.write_bytes(files.root.read_bytes())
    engine = OpaEngine(served_bundle, server.url, ca=vanishing)
    vanishing.unlink()
    refusal(engine)
