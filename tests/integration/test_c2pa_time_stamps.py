from __future__ import annotations

import io
import os
import socket

import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from governance.errors import SigningError
from governance.manifest import manifest_definition
from governance.ports import ManifestState
from governance.testing.certificates import FakeAuthority
from governance.testing.manifest import example_statement
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from support.time_stamps import serving, time_stamp_authority

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

CLAIMS, STAMPS = FakeAuthority("Claim root"), FakeAuthority("Time-stamp root")
DEFINITION = manifest_definition(example_statement())


def png():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)).save(file, "png")
    return file.getvalue()


def signer(url, stamps=STAMPS.root):
    issued = CLAIMS.issue()
    return C2paSigner(PemCredentials(issued.chain, issued.private_key), TrustRoots(CLAIMS.root, stamps), tsa_url=url)


@pytest.fixture
def authority(tmp_path):
    with time_stamp_authority(tmp_path, STAMPS) as url:
        yield url


def test_a_trusted_time_stamp_gives_the_time(authority):
    signed = signer(authority).sign(png(), "image/png", DEFINITION)
    assert signed.report.state is ManifestState.TRUSTED
    assert signed.report.signed_at.endswith("Z")
    assert signed.report.problems == ()
    theirs = encypher_c2pa.verify(
        signed.content,
        "image/png",
        trust_pem=CLAIMS.root.decode(),
        tsa_trust_pem=STAMPS.root.decode(),
        no_default_trust=True,
    )
    assert theirs["validation_state"] == "Trusted"
    assert "timeStamp.trusted" in [item["code"] for item in theirs["validation_results"]["success"]]


def test_a_reader_without_the_root_sees_no_time(authority):
    signed = signer(authority).sign(png(), "image/png", DEFINITION).content
    for trust in (TrustRoots(CLAIMS.root), TrustRoots(CLAIMS.root, FakeAuthority("Another root").root)):
        report = C2paReader(trust).read(signed)
        assert report.state is ManifestState.TRUSTED
        assert report.signed_at == ""
        assert report.problems == ("timeStamp.untrusted",)


def test_the_time_stamp_root_does_not_vouch_for_the_claim(authority):
    signed = signer(authority).sign(png(), "image/png", DEFINITION).content
    report = C2paReader(TrustRoots(FakeAuthority("Another root").root, STAMPS.root)).read(signed)
    assert report.state is ManifestState.UNTRUSTED


def test_an_authority_whose_root_is_unknown_is_an_error(authority):
    with pytest.raises(SigningError, match=r"time-stamp of .* is not trusted"):
        signer(authority, stamps=FakeAuthority("Another root").root).sign(png(), "image/png", DEFINITION)


def test_an_authority_out_of_reach_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(SigningError, match=f"{url} gave no time-stamp.*nothing was signed"):
        signer(url).sign(png(), "image/png", DEFINITION)


@pytest.mark.parametrize("answer", [(500, b"no"), (200, b""), (200, b"junk"), (200, bytes.fromhex("30053003020102"))])
def test_an_authority_that_does_not_stamp_is_an_error(answer):
    with serving(lambda query: answer) as url, pytest.raises(SigningError, match="gave no time-stamp"):
        signer(url).sign(png(), "image/png", DEFINITION)


def test_time_stamps_that_nobody_could_check_are_refused():
    with pytest.raises(SigningError, match="none of its roots"):
        signer("http://tsa.example.org/", stamps=None)
    with pytest.raises(SigningError, match="not the address"):
        signer("tsa.example.org")
