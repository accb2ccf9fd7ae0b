"""What a request may cost: bodies declared or sent too large, long addresses, big headers, too many at once."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from governance_adapters.web.app import make_api, make_app
from governance_adapters.web.limits import JSON_LIMIT, MULTIPART_SLACK, URL_LIMIT, Gate, Limits
from support.api import UPLOAD_LIMIT, Office, client

TWO_GB = 2 * 1024**3
CHUNK = bytes(64 * 1024)


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


@pytest.fixture(scope="module")
def key(office):
    return office.key("counsel").text


class Upload:
    """A body of 2 GB in chunks, and how much of it was taken."""

    def __init__(self, head: bytes = b"") -> None:
        self.head, self.taken = head, 0

    async def receive(self):
        self.taken += len(CHUNK)
        head, self.head = self.head, b""
        return {"type": "http.request", "body": head + CHUNK, "more_body": self.taken < TWO_GB}


def asked(app, method, path, headers, receive):
    """The messages with which an ASGI application answers."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": headers, "scheme": "http", "root_path": "",
        "server": ("testserver", 80), "client": ("testclient", 1),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent


FORM = [(b"content-type", b"multipart/form-data; boundary=cut")]
PART = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


def test_two_gigabytes_in_chunks_are_cut_at_the_limit(office, key):
    upload = Upload(PART)
    headers = [*FORM, (b"authorization", f"Bearer {key}".encode())]
    start, *_ = asked(make_app(office.api), "POST", "/v1/verify", headers, upload.receive)
    assert start["status"] == 413
    assert upload.taken <= UPLOAD_LIMIT + MULTIPART_SLACK + len(CHUNK)


@pytest.mark.parametrize("authorization", [[], [(b"authorization", b"Bearer dgk_no_key")]])
def test_without_a_key_nothing_of_a_body_is_read(office, authorization):
    upload = Upload(PART)
    start, *_ = asked(make_app(office.api), "POST", "/v1/verify", [*FORM, *authorization], upload.receive)
    assert start["status"] == 401
    assert upload.taken == 0


def test_the_first_media_type_counts_for_the_limit_too(office):
    upload = Upload()
    headers = [(b"content-type", b"application/json"), *FORM]
    headers.append((b"authorization", f"Bearer {office.key('reviewer').text}".encode()))
    start, *_ = asked(make_app(office.api), "POST", "/v1/holds/1/comments", headers, upload.receive)
    assert start["status"] == 413
    assert upload.taken <= JSON_LIMIT + len(CHUNK)


def test_a_body_that_does_not_come_is_not_waited_for(office, key):
    async def never():
        await asyncio.Event().wait()

    app = Gate(make_api(office.api), Limits(UPLOAD_LIMIT, body_seconds=0.01))
    headers = [*FORM, (b"authorization", f"Bearer {key}".encode())]
    start, content = asked(app, "POST", "/v1/verify", headers, never)
    assert start["status"] == 408
    assert json.loads(content["body"])["type"].endswith(":slow")


def test_two_gigabytes_declared_are_refused_before_they_are_sent(url, key):
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    connection.putrequest("POST", "/v1/verify")
    headers = {"Content-Type": "multipart/form-data; boundary=cut", "Content-Length": str(TWO_GB)}
    for name, value in {**headers, "Authorization": f"Bearer {key}"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-type")) == (413, "application/problem+json")
    connection.close()


def test_two_gigabytes_in_chunks_over_a_real_connection(url, key):
    taken = 0

    def body():
        nonlocal taken
        yield PART
        while taken < TWO_GB:
            taken += len(CHUNK)
            yield CHUNK

    with client(url, key) as opened:
        headers = {"Content-Type": "multipart/form-data; boundary=cut"}
        with suppress(httpx.WriteError, httpx.ReadError):  # the server hung up while the client was still sending
            assert opened.post("/verify", content=body(), headers=headers).status_code == 413
    assert taken < 64 * 1024 * 1024


def test_a_file_just_over_the_limit(url, key):
    with client(url, key) as opened:
        over = opened.post("/verify", files={"file": bytes(UPLOAD_LIMIT + 1)})
        assert (over.status_code, over.json()["type"].rpartition(":")[2]) == (413, "too-large")
        assert opened.post("/verify", files={"file": bytes(UPLOAD_LIMIT)}).status_code == 200


def test_a_large_json_body(url, key):
    with client(url, key) as opened:
        over = opened.post("/holds/1/comments", json={"text": "x" * JSON_LIMIT})
    assert over.status_code == 413


def test_a_long_address(url, key):
    with client(url, key) as opened:
        assert opened.get("/entries", params={"subject": "x" * URL_LIMIT}).status_code == 414


def test_large_headers(url, key):
    with client(url, key) as opened:
        assert opened.get("/health", headers={"X-Large": "x" * 17_000}).status_code in (400, 431)


def test_too_many_requests_at_once():
    entered, go_on = threading.Barrier(3), threading.Event()
    answers = []

    async def slow(scope, receive, send):
        await asyncio.get_running_loop().run_in_executor(None, wait)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def wait():
        entered.wait(10)
        go_on.wait(10)

    gate = Gate(slow, Limits(UPLOAD_LIMIT, concurrent=2))

    async def ask():
        async def send(message):
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        scope = {"type": "http", "headers": [], "query_string": b"", "raw_path": b"/"}
        await gate(scope, None, send)

    async def all_of_them():
        running = [asyncio.create_task(ask()) for _ in range(2)]
        await asyncio.get_running_loop().run_in_executor(None, entered.wait, 10)
        await ask()
        go_on.set()
        await asyncio.gather(*running)
        entered.reset()

    asyncio.run(all_of_them())
    assert answers == [503, 200, 200]


def test_every_answer_says_how_it_may_be_shown(url, key):
    with client(url, key) as opened:
        for path in ("/health", "/entries", "/nothing", "/openapi.json"):
            headers = opened.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "set-cookie" not in headers
            assert "access-control-allow-origin" not in headers
            assert headers["content-type"].startswith(("application/json", "application/problem+json"))
