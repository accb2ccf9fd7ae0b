"""How a key is sent and kept: header forms, a key file that is replaced or damaged, TLS, and the thread that expires holds."""

from __future__ import annotations

import asyncio
import http.client
import socket
import sqlite3
import ssl
import threading
from urllib.parse import urlsplit

import httpx
import pytest

from governance.errors import ConfigurationError, StorageError
from governance.testing.certificates import FakeAuthority
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.web.app import make_app
from governance_adapters.web.serving import Tls, running, settling
from support.api import Office, client
from support.tls import tls_files


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
    return office.key("auditor").text


def status_of(url, headers, path="/v1/checkpoint"):
    """The status of a request with exactly these header lines."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 200 or answer.getheader("content-type") == "application/problem+json"
    connection.close()
    return answer.status


class TestHeaders:
    @pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {} "])
    def test_the_scheme_is_read_in_any_case(self, url, key, form):
        assert status_of(url, [("AUTHORIZATION", form.format(key))]) == 200

    @pytest.mark.parametrize(
        "form",
        [
            "{}",
            "Bearer",
            "Bearer ",
            "Basic {}",
            "Bearer {} x",
            "Bearer {}x",
            "Bearer,{}",
            "Bearer {0} {0}",
            "Bearer\xa0{}",
        ],
    )
    def test_any_other_form_is_refused(self, url, key, form):
        assert status_of(url, [("Authorization", form.format(key))]) == 401

    def test_a_key_in_upper_case_is_another_key(self, url, key):
        assert status_of(url, [("Authorization", f"Bearer {key.upper()}")]) == 401

    def test_a_key_is_sent_once(self, url, key):
        right, wrong = ("Authorization", f"Bearer {key}"), ("Authorization", "Bearer nobody")
        for both in ((right, wrong), (wrong, right), (right, right)):
            assert status_of(url, both) == 401

    @pytest.mark.parametrize("name", ["access_token", "key", "authorization"])
    def test_no_key_is_taken_from_an_address(self, url, key, name):
        assert status_of(url, [], f"/v1/checkpoint?{name}={key}") == 401


class TestParameters:
    def test_one_that_is_given_twice_is_refused(self, url, key):
        with client(url, key) as opened:
            for address in ("/entries?kind=intent&kind=released", "/entries?limit=1&limit=1"):
                assert opened.get(address).status_code == 422

    def test_what_needs_no_key_refuses_unknown_ones_as_described(self, url):
        with client(url) as opened:
            assert opened.get("/health?x=1").status_code == 422
            assert "422" in opened.get("/openapi.json").json()["paths"]["/v1/health"]["get"]["responses"]


class TestKeyFile:
    def test_a_file_in_the_place_of_the_old_one_is_the_one_that_counts(self, tmp_path, served_bundle):
        with Office.at(tmp_path, served_bundle) as office, office.served() as url:
            made = office.key("auditor")
            with client(url, made.text) as opened:
                assert opened.get("/checkpoint").status_code == 200
                other = ApiKeyFile(tmp_path / "other.sqlite3")
                other.path.replace(office.api.keys.path)
                assert opened.get("/checkpoint").status_code == 401
                office.api.keys.path.unlink()
                assert opened.get("/checkpoint").status_code == 503

    @pytest.mark.parametrize("change", ["scopes = '[\"everything\"]'", "roles = 'x'"])
    def test_a_row_that_cannot_be_read_opens_nothing(self, tmp_path, served_bundle, change):
        with Office.at(tmp_path, served_bundle) as office, office.served() as url:
            made = office.key("auditor")
            with sqlite3.connect(office.api.keys.path) as connection:
                connection.execute(f"UPDATE api_key SET {change}")
            with client(url, made.text) as opened:
                refused = opened.get("/checkpoint")
            assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (503, "unavailable")
            with pytest.raises(StorageError, match="cannot be used"):
                office.api.keys.revoke(made.key.id, "2026-01-01T00:00:00.000Z")

    def test_its_files_are_for_their_owner_only(self, office):
        found = list(office.folder.glob("api-keys.sqlite3*"))
        assert found
        assert {path.stat().st_mode & 0o777 for path in found} == {0o600}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tls_files(tmp_path_factory.mktemp("tls") / "server", FakeAuthority("Example authority"))


@pytest.fixture(scope="module")
def encrypted(office, files):
    """The URL where it is served over TLS."""
    with running(make_app(office.api), tls=Tls(files.certificate, files.key)) as listening:
        yield listening.url


class TestTls:
    def test_a_client_that_knows_the_authority_is_answered(self, encrypted, files, key):
        assert encrypted.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(files.root))
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(verify=trusted, headers=headers, trust_env=False, timeout=10) as opened:
            assert opened.get(f"{encrypted}/v1/checkpoint").status_code == 200

    def test_nobody_is_answered_in_the_clear(self, encrypted):
        with pytest.raises(httpx.TransportError), client(encrypted.replace("https", "http")) as opened:
            opened.get("/health")

    def test_a_key_of_another_certificate_is_refused(self, office, files, tmp_path):
        other = tls_files(tmp_path / "other", FakeAuthority("Example authority"))
        with (
            pytest.raises(ConfigurationError, match="belong together"),
            running(make_app(office.api), tls=Tls(files.certificate, other.key)),
        ):
            pass


class TestWaiting:
    @pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    @pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost"])
    def test_a_connection_without_a_whole_request_is_closed(self, before, sent):
        with running(answer, idle_seconds=1) as listening, connected(listening.url) as connection:
            connection.sendall(before + sent)
            answers = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answers.count(b"200 OK") == bool(before)

    def test_an_answer_that_takes_long_is_waited_for(self):
        with running(late, idle_seconds=1) as listening, connected(listening.url) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in connection.recv(4096)


def connected(url):
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=30)


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def late(scope, receive, send):
    await asyncio.sleep(2.5)  # longer than two looks
    await answer(scope, receive, send)


def test_holds_are_settled_again_after_any_failure():
    calls, again = [], threading.Event()

    def settle():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("a fault of this program")
        if len(calls) == 3:
            again.set()

    with settling(settle, seconds=0.01):
        assert again.wait(30)
