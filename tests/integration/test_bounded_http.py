"""Asking others over HTTP: servers that misbehave cost a bounded time and a bounded answer, and each is named."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager

import pytest

from governance.errors import ConfigurationError, LogSourceError, PublicationError
from governance.testing.certificates import FakeAuthority
from governance_adapters.publishing.bounded_http import Address, ExchangeError, ask
from governance_adapters.publishing.http_source import HttpLogSource
from governance_adapters.publishing.webhook import Webhook
from support.bad_server import answer, bad_server, dripping, endless, resetting, says, silent
from support.time_stamps import serving
from support.tls import tls_files

NOTE = answer(b"a note", kind="text/plain")


def asked(url, **options):
    address = Address.parse(url)
    return ask(address, "GET", address.path, most=1000, **{"seconds": 0.5, **options})


def then_silent(content):
    """Send these bytes, and keep the connection."""

    def behave(connection, ended):
        connection.sendall(content)
        ended.wait()

    return behave


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (silent, "within 0.5 seconds"),
        (dripping(NOTE, 0.05), "within 0.5 seconds"),
        (dripping(answer(b"x" * 900)[:80] + b"x" * 900, 0.05), "within 0.5 seconds"),
        (then_silent(b"HTTP/1.1 200 OK\r\n\r\nno length, so it ends when the connection does"), "within 0.5 seconds"),
        (endless, "more than 1000 bytes"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "broke its answer off"),
        (says(answer(b"x" * 1001)), "more than 1000 bytes"),
        (says(answer(b"short", length=10)), "broke its answer off"),
        (says(answer(b"", status="302 Found", headers="Location: https://elsewhere.example.org/\r\n")), "not followed"),
        (says(b""), "no HTTP|reached"),
        (says(b"SSH-2.0-OpenSSH\r\n"), "no HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx" + b"y" * 2000), "more than 1000"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"), "no HTTP"),
        (resetting, "reached"),
    ],
)
def test_a_server_that_misbehaves(behaviour, words):
    with bad_server(behaviour) as server, pytest.raises(ExchangeError, match=words):
        asked(server.url)


def test_a_server_that_never_shakes_hands():
    with bad_server(silent) as server, pytest.raises(ExchangeError, match=r"within 0\.5 seconds"):
        asked(server.url.replace("http://", "https://"))


def test_nobody_listens():
    with bad_server(silent) as server:
        pass
    with pytest.raises(ExchangeError, match="cannot be reached"):
        asked(server.url)


def test_a_host_that_is_not_found_in_time_is_not_waited_for():
    over, found = threading.Event(), threading.Event()

    def slow(host, port):
        over.wait(20)
        found.set()
        raise OSError

    with pytest.raises(ExchangeError, match=r"within 0\.5 seconds"):
        asked("https://log.example.org/", resolve=slow)
    assert not found.is_set()
    over.set()


@pytest.mark.parametrize("host", ["a" * 64 + ".example.org", "log..example.org"])
def test_a_host_that_cannot_be(host):
    with pytest.raises(ExchangeError, match="cannot be reached: no host has such a name"):
        asked(f"https://{host}/")


def test_a_host_without_an_address():
    with pytest.raises(ExchangeError, match="cannot be reached: the host has no address"):
        asked("https://log.example.org/", resolve=lambda host, port: [])


@contextmanager
def deaf():
    """The address of a listener that takes no connection, because nobody accepts those that wait already."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield socket.AF_INET, listener.getsockname()


def refusing():
    """An address at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return socket.AF_INET, closed.getsockname()


def test_an_address_of_several_takes_its_share_of_the_time_and_no_more():
    with bad_server(says(NOTE)) as server, deaf() as nobody:
        there = socket.AF_INET, ("127.0.0.1", Address.parse(server.url).port)
        elsewhere = "http://log.example.org/"
        for addresses in ([there, nobody], [refusing(), there], [nobody, there], [nobody, nobody, refusing(), there]):
            answered = asked(elsewhere, seconds=5, resolve=lambda host, port, found=addresses: found)
            assert answered.content == b"a note"
        with pytest.raises(ExchangeError, match=r"within 0\.5 seconds"):
            asked(elsewhere, resolve=lambda host, port: [nobody] * 3)
        with pytest.raises(ExchangeError, match="cannot be reached"):
            asked(elsewhere, resolve=lambda host, port: [nobody, refusing()])


def test_an_answer_comes_whole_and_no_proxy_of_the_surroundings_is_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with bad_server(says(NOTE)) as server:
        found = asked(server.url + "/a?b=c")
    assert (found.status, found.media_type, found.content) == (200, "text/plain", b"a note")
    head = server.requests[0].decode()
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert f"\r\nHost: {server.url.removeprefix('http://')}\r\n" in head
    assert "Accept-Encoding: identity" in head


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_needs_a_certificate_for_this_host_from_a_root_that_is_trusted(tmp_path, monkeypatch, host):
    files = tls_files(tmp_path / "tls", FakeAuthority("TLS root"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with serving(lambda body: (200, body), context) as served:
        url = served.replace("127.0.0.1", host)
        with pytest.raises(ExchangeError, match="cannot be trusted"):
            ask(Address.parse(url), "POST", "/", most=1000, body=b"hello")
        monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
        if host == "localhost":  # the certificate is for the number alone
            with pytest.raises(ExchangeError, match="cannot be trusted"):
                ask(Address.parse(url), "POST", "/", most=1000, body=b"hello")
        else:
            assert ask(Address.parse(url), "POST", "/", most=1000, body=b"hello").content == b"hello"


@pytest.mark.parametrize(
    "url",
    [
        "", "log.example.org", "/checkpoint", "file:///etc/passwd", "ftp://log.example.org/", "https://", "http:///x",
        "https://user:secret@log.example.org/", "https://log.example.org/#x", "https://log.example.org:port/",
        "https://log.example.org/a b", "https://log.example.org/\u00e9", "https://l\u00f6g.example.org/", "https://[::1/",
        "https://log.example.org/\r\nX: y",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_asked(url):
    with pytest.raises(ConfigurationError):
        Address.parse(url)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://log.example.org/a/b?c=d", "log.example.org", "/a/b?c=d"), ("https://log.example.org", "log.example.org", "/"),
        ("https://log.example.org:443/", "log.example.org", "/"), ("http://log.example.org:443/", "log.example.org:443", "/"),
        ("http://log.example.org:80/", "log.example.org", "/"), ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443", "/"),
    ],
)  # fmt: skip
def test_what_a_request_names(url, authority, path):
    address = Address.parse(url)
    assert (address.authority, address.path) == (authority, path)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://log.example.org/", True), ("http://127.0.0.1:8080/", True), ("http://[::1]/", True),
        ("http://localhost/", True), ("http://log.example.org/", False), ("http://127.0.0.1.example.org/", False),
        ("http://192.0.2.1/", False), ("http://localhost.example.org/", False),
    ],
)  # fmt: skip
def test_what_others_on_the_network_could_read(url, private):
    assert Address.parse(url).private is private


class TestSource:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (answer(b"\xff\xfe"), "no text"), (answer(b"no", status="500 Oops"), "answered 500"),
            (answer(b"no", status="404 Not Found"), "answered 404"), (answer(b"x" * 2_000_000), "more than"),
        ],
    )  # fmt: skip
    def test_a_checkpoint_that_is_none(self, content, words):
        with bad_server(says(content)) as server, pytest.raises(LogSourceError, match=words):
            HttpLogSource(server.url).checkpoint()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (answer(b"x" * 31), "31 bytes instead of 96"), (answer(b"x" * 128), "128 bytes instead of 96"),
            (answer(b""), "0 bytes"), (answer(b"x" * 10_000), "more than"), (answer(b"", status="503 Busy"), "503"),
        ],
    )  # fmt: skip
    def test_a_tile_that_is_none(self, content, words):
        with bad_server(says(content)) as server, pytest.raises(LogSourceError, match=words):
            HttpLogSource(server.url).tile(0, 0, 3)

    def test_a_tile_that_is_kept_only_whole_by_now(self):
        whole = b"".join(bytes([number]) * 32 for number in range(256))

        def once_full(connection, _):
            request = server.requests[-1].split(b" ")[1]
            connection.sendall(answer(whole) if request.endswith(b"/000") else answer(b"", status="404 Not Found"))

        with bad_server(once_full) as server:
            assert HttpLogSource(server.url + "/prefix/").tile(0, 0, 3) == whole[:96]
        paths = [request.split(b" ")[1] for request in server.requests]
        assert paths == [b"/prefix/tile/0/000.p/3", b"/prefix/tile/0/000"]

    def test_a_prefix_has_no_query(self):
        with pytest.raises(ConfigurationError, match="query"):
            HttpLogSource("https://log.example.org/?x=y")


class TestWebhook:
    def test_the_note_is_the_body(self, tmp_path):
        (tmp_path / "token").write_text("abc.def\n")
        with bad_server(says(answer(b"", status="204 No Content"))) as server:
            Webhook(server.url + "/hook", token_file=tmp_path / "token").publish("a note \u2014\n")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert body == "a note \u2014\n".encode()
        assert b"POST /hook HTTP/1.1" in head
        assert b"Content-Type: text/plain; charset=utf-8" in head
        assert b"Authorization: Bearer abc.def" in head

    @pytest.mark.parametrize("status", ["400 Bad", "401 No", "500 Oops", "302 Found"])
    def test_what_is_not_taken_is_an_error(self, status):
        with bad_server(says(answer(b"", status=status))) as server, pytest.raises(PublicationError, match=status[:3]):
            Webhook(server.url).publish("note")

    def test_no_network_in_the_clear(self):
        with pytest.raises(ConfigurationError, match="not encrypted"):
            Webhook("http://hooks.example.org/")

    @pytest.mark.parametrize("token", [b"", b"\n", b"two words", b"a\r\nX: y", b"\xff", b"x" * 9000])
    def test_a_token_that_is_none(self, tmp_path, token):
        (tmp_path / "token").write_bytes(token)
        with pytest.raises(ConfigurationError, match="no bearer token"):
            Webhook("https://hooks.example.org/", token_file=tmp_path / "token")

    def test_no_token_file(self, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            Webhook("https://hooks.example.org/", token_file=tmp_path / "token")
