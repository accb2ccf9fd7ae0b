"""A time-stamp authority (RFC 3161): OpenSSL behind an HTTP server on loopback."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from contextlib import contextmanager

from governance.testing.certificates import TIME_STAMPING
from support.real import require

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


@contextmanager
def serving(answer, tls=None):
    """An HTTP server on loopback whose POST replies are `answer(body)`: status and content; `tls` is its SSL context."""

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
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # a client that does not trust it hangs up
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def time_stamp_authority(folder, root):
    """The URL of an authority of the `FakeAuthority` `root` that keeps its files in `folder`."""
    openssl = shutil.which("openssl")
    require("openssl", openssl, "time-stamps were not tested")
    issued = root.issue("Example time-stamps", usages=TIME_STAMPING)
    for name, content in (("tsa.crt", issued.chain), ("tsa.key", issued.private_key), ("root.crt", root.root)):
        (folder / name).write_bytes(content)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))

    def reply(query):
        (folder / "query").write_bytes(query)
        command = [openssl, "ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", folder / "query"]
        made = subprocess.run(command, capture_output=True, check=False)
        return (200, made.stdout) if made.returncode == 0 else (500, made.stderr)

    with serving(reply) as url:
        yield url
