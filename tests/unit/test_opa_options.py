"""What the engine that asks a policy server refuses to be made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import ConfigurationError
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.opa import InsecurePolicyServerWarning, OpaEngine

BUNDLE = Bundle.load(default_bundle_path())
TOKEN = "a-token-that-nobody-may-read"


@pytest.mark.parametrize(
    "url",
    [
        "", "policy.example.org", "policy.example.org:8181", "ftp://policy.example.org", "https://", "https://:8181",
        "https://somebody:a-token-that-nobody-may-read@policy.example.org", "https://policy.example.org:port",
        "https://policy.example.org:0", "https://policy.example.org:70000", "https://policy.example.org/v1/data",
        "https://policy.example.org?pretty", "https://policy.example.org#top", "https://[::1", "unix:///run/opa",
    ],
)  # fmt: skip
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not of the form") as caught:
        OpaEngine(BUNDLE, url)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", ["", " ", "two words", "line\n", "line\r\nX: y", "é", "bearer:x"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="not a bearer token") as caught:
        OpaEngine(BUNDLE, "https://policy.example.org", token=token)
    assert not token.strip() or token not in str(caught.value)


def test_a_token_never_travels_unencrypted() -> None:
    for url in ("http://policy.example.org:8181", "http://192.0.2.1", "http://localhost.example.org"):
        with pytest.raises(ConfigurationError, match="unencrypted"):
            OpaEngine(BUNDLE, url, token=TOKEN)
    for url in ("http://localhost:8181", "http://127.0.0.2", "http://[::1]:8181", "https://policy.example.org"):
        OpaEngine(BUNDLE, url, token=TOKEN)


def test_decisions_that_travel_unencrypted_are_warned_of() -> None:
    with pytest.warns(InsecurePolicyServerWarning, match=r"policy\.example\.org"):
        OpaEngine(BUNDLE, "http://policy.example.org:8181")


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    file, url = tmp_path / "file.pem", "https://policy.example.org"
    file.write_text("")
    with pytest.raises(ConfigurationError, match="both a certificate and its key"):
        OpaEngine(BUNDLE, url, certificate=file)
    with pytest.raises(ConfigurationError, match="no certificates"):
        OpaEngine(BUNDLE, "http://localhost", ca=file)
    with pytest.raises(ConfigurationError, match="does not exist"):
        OpaEngine(BUNDLE, url, ca=tmp_path / "missing.pem")
    for limits in ({"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"connections": 0}):
        with pytest.raises(ConfigurationError, match="cannot decide"):
            OpaEngine(BUNDLE, url, **limits)
