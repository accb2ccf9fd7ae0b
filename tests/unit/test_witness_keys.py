"""The key of a witness: made once, for its owner alone, and never half."""

from __future__ import annotations

import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from governance.cosignature import WitnessKey
from governance.errors import ConfigurationError
from governance_adapters.marking.witness_keys import create_witness_key, load_witness_key, public_path
from support.command import Shell

NAME = "witness.example.org/1"


@pytest.fixture
def made(tmp_path):
    file = tmp_path / "witness.pem"
    create_witness_key(file, NAME)
    return file


def test_what_is_made_is_loaded_and_is_for_its_owner(tmp_path):
    file = tmp_path / "witness.pem"
    cosigner = create_witness_key(file, NAME)
    assert load_witness_key(file).key == cosigner.key == WitnessKey.parse(public_path(file).read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("missing", ["neither", "private half"])
def test_nothing_is_overwritten(made, missing):
    public = public_path(made).read_bytes()
    if missing == "private half":
        made.unlink()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_witness_key(made, NAME)
    assert public_path(made).read_bytes() == public
    assert made.exists() == (missing == "neither")


def spoilt(made, how):
    other = made.with_name("other.pem")
    create_witness_key(other, NAME)
    ways = {
        "no key": made.unlink,
        "no public half": lambda: public_path(made).unlink(),
        "garbled": lambda: made.write_bytes(b"no key"),
        "another kind": lambda: made.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
        "garbled public half": lambda: public_path(made).write_text("x"),
        "another's public half": lambda: public_path(made).write_bytes(public_path(other).read_bytes()),
        "open to others": lambda: made.chmod(0o644),
    }
    ways[how]()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no key", "cannot be read"), ("no public half", "cannot be read"), ("garbled", "no unencrypted PEM key"),
        ("another kind", "no Ed25519 key"), ("garbled public half", "not the public key of a witness"),
        ("another's public half", "not a pair"), ("open to others", "open to other users"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_used_is_named(made, how, words):
    spoilt(made, how)
    with pytest.raises(ConfigurationError, match=words):
        load_witness_key(made)


def test_a_name_that_is_none_makes_nothing(tmp_path):
    with pytest.raises(ConfigurationError):
        create_witness_key(tmp_path / "witness.pem", "two words")
    assert list(tmp_path.iterdir()) == []


def test_the_command_needs_no_installation(tmp_path):
    shell = Shell(tmp_path, tmp_path / "no home")
    said = shell("keys", "witness", NAME, "-o", "witness.pem", "--json").succeeded().json
    assert said["witness_key"] == (tmp_path / "witness.pem.pub").read_text().strip()
    shell("keys", "witness", NAME, "-o", "witness.pem").failed(1, "never overwritten")
    assert not shell.home.exists()
