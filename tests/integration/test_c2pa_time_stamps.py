from __future__ import annotations

import http.server
import io
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager

import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from governance.errors import SigningError
from governance.manifest import manifest_definition
from governance.ports import ManifestState
from governance.testing.certificates import TIME_STAMPING, FakeAuthority
from governance.testing.manifest import example_statement
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from support.real import require

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

CLAIMS, STAMPS = FakeAuthority("Claim root"), FakeAuthority("Time-stamp root")
DEFINITION = manifest_definition(example_statement())
CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.crt
signer_key = {folder}/tsa.key
certs = {folder}/root.crt
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


def png():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)).save(file, "png")
    return file.getvalue()


def signer(url, stamps=STAMPS.root):
    issued = CLAIMS.issue()
    return C2paSigner(PemCredentials(issued.chain, issued.private_key), TrustRoots(CLAIMS.root, stamps), tsa_url=url)


@contextmanager
def serving(answer):
    """An HTTP server on loopback whose POST replies are `answer(body)`: status and content."""

    class Authority(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            status, content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(tmp_path):
    openssl = shutil.which("openssl")
    require("openssl", openssl, "time-stamps were not tested")
    issued = STAMPS.issue("Example time-stamps", usages=TIME_STAMPING)
    for name, content in (("tsa.crt", issued.chain), ("tsa.key", issued.private_key), ("root.crt", STAMPS.root)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(CONFIGURATION.format(folder=tmp_path))

    def reply(query):
        (tmp_path / "query").write_bytes(query)
        command = [openssl, "ts", "-reply", "-config", tmp_path / "tsa.cnf", "-queryfile", tmp_path / "query"]
        made = subprocess.run(command, capture_output=True, check=False)
        return (200, made.stdout) if made.returncode == 0 else (500, made.stderr)

    with serving(reply) as url:
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
