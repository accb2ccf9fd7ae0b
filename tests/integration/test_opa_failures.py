"""The engine before a policy server that fails in every way: always an error that says what and where, never an allow."""

from __future__ import annotations

import gc
import gzip
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import PolicyError
from governance.testing.policy import admission_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.opa_transport import MAX_ANSWER_BYTES
from support.bad_server import Behaviour, allowing, answer, bad_server, dripping, endless, resetting, says, silent
from support.opa_server import free_port
from support.refused import TOKEN, refusal

TIMEOUT = 0.5
BUNDLE = Bundle.load(default_bundle_path())
ALLOWED = allowing(BUNDLE.revision)
HEAD, _, BODY = answer(ALLOWED).partition(b"\r\n\r\n")
POLICY_ERROR = b"""{"code": "internal_error", "message": "an unmistakable lighthouse", "errors": [{"code":
    "eval_builtin_error", "location": {"file": "admission/admission.rego", "row": 7}, "message": "a-token"}]}"""
BAD: dict[str, tuple[Behaviour, str]] = {
    "silence": (silent, "no whole answer within 0.5 s"),
    "a slow head": (dripping(answer(ALLOWED), 0.01), "no whole answer within"),
    "a slow body": (
        lambda connection, ended: (says(HEAD + b"\r\n\r\n")(connection, ended), dripping(BODY, 0.01)(connection, ended)),
        "no whole answer within",
    ),
    "a reset": (resetting, "broke the connection off"),
    "nothing": (says(b""), "broke the connection off"),
    "no HTTP": (says(b"220 mail.example.org ready\r\n"), "broke the connection off"),
    "an endless body": (endless, "more than 4194304 bytes"),
    "a huge body": (says(answer(ALLOWED + b" " * MAX_ANSWER_BYTES)), "more than 4194304 bytes"),
    "500": (says(answer(POLICY_ERROR, status="500 Oh")), "answered 500 (internal_error at admission/admission.rego line 7"),
    "500 in HTML": (says(answer(b"<h1>no</h1>", status="500 Oh", kind="text/html")), "answered 500"),
    "500 that allows": (says(answer(ALLOWED, status="500 Oh")), "answered 500"),
    "400": (says(answer(b'{"code": "invalid_parameter"}', status="400 No")), "answered 400"),
    "401": (says(answer(b'{"code": "unauthorized"}', status="401 No")), "answered 401"),
    "202 that allows": (says(answer(ALLOWED, status="202 Later")), "answered 202"),
    "204": (says(b"HTTP/1.1 204 Nothing\r\n\r\n"), "answered 204"),
    "304 that allows": (says(answer(ALLOWED, status="304 Same")), "answered 304"),
    "HTML": (says(answer(b"<html>Welcome</html>", kind="text/html")), "something other than JSON"),
    "an allow as text": (says(answer(ALLOWED, kind="text/plain")), "something other than JSON"),
    "HTML as JSON": (says(answer(b"<html>Welcome</html>")), "something other than JSON"),
    "half of the JSON": (says(answer(ALLOWED[:-9])), "something other than JSON"),
    "half of the bytes": (says(answer(ALLOWED, length=len(ALLOWED) + 9)), "broke its answer off"),
    "depth": (says(answer(b"[" * 200_000)), "something other than JSON"),
    "not UTF-8": (says(answer(b'"\xff\xfe\xfd"')), "something other than JSON"),
    "zipped": (
        says(answer(gzip.compress(ALLOWED), headers="Content-Encoding: gzip\r\n")),
        "something other than JSON",
    ),
    "no body": (says(answer(b"")), "something other than JSON"),
    "an array": (says(answer(b"[]")), "does not say which bundle"),
    "null": (says(answer(b"null")), "does not say which bundle"),
    "no provenance": (says(answer(b'{"result": {"outcome": "allow", "reasons": [], "obligations": {}}}')), "which bundle"),
    "undefined without provenance": (says(answer(b"{}")), "does not say which bundle"),
    "odd provenance": (says(answer(b'{"provenance": {"bundles": [1]}}')), "does not say which bundle"),
    "no bundles": (says(answer(b'{"provenance": {"bundles": {}}}')), "another bundle: none"),
    "another revision": (says(answer(allowing("0" * 64))), f"another bundle: {'0' * 64}, not {BUNDLE.revision}"),
    "our revision and more": (says(answer(allowing(BUNDLE.revision + "0"))), "another bundle"),
    "no revision": (says(answer(allowing(""))), "one without a revision"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_decision_is_an_error(name: str) -> None:
    behaviour, said = BAD[name]
    with bad_server(behaviour) as server:
        # Time enough for a body of megabytes on a busy machine, little for one that never comes.
        slow = "whole" in said
        engine = OpaEngine(BUNDLE, server.url, token=TOKEN, timeout=TIMEOUT if slow else 20)
        assert said in refusal(engine)
        assert len(server.requests) == 1
        assert f"Authorization: Bearer {TOKEN}".encode() in server.requests[0]


def test_the_same_answer_unspoilt_is_an_allow() -> None:
    with bad_server(says(answer(ALLOWED, kind="application/json; charset=utf-8"))) as server:
        engine = OpaEngine(BUNDLE, server.url)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
    asked = server.requests[0].split(b"\r\n")[0].decode()
    assert asked.startswith("POST /v1/data/governance/admission/decision?")
    assert "strict-builtin-errors=true" in asked
    assert "provenance=true" in asked


def test_undefined_with_our_provenance_is_a_denial() -> None:
    undefined = b'{"provenance": {"bundles": {"main": {"revision": "%s"}}}}' % BUNDLE.revision.encode()
    with bad_server(says(answer(undefined))) as server:
        decision = OpaEngine(BUNDLE, server.url).decide(Stage.ADMISSION, admission_facts())
    assert decision.outcome is Outcome.DENY
    assert [reason.code for reason in decision.reasons] == ["policy.undefined"]


@pytest.mark.parametrize("result", ["true", "7", '"allow"', "[]", "{}", '{"outcome": "maybe"}', "1e999", "NaN"])
def test_a_decision_of_another_shape_is_an_error(result: str) -> None:
    body = f'{{"provenance": {{"bundles": {{"main": {{"revision": "{BUNDLE.revision}"}}}}}}, "result": {result}}}'
    with bad_server(says(answer(body.encode()))) as server, pytest.raises(PolicyError, match="does not fit its schema"):
        OpaEngine(BUNDLE, server.url).decide(Stage.ADMISSION, admission_facts())


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, len(ALLOWED) - 1), noise=st.binary(max_size=20))
def test_no_piece_of_an_allow_is_an_allow(cut: int, noise: bytes) -> None:
    with bad_server(says(answer(ALLOWED[:cut] + noise))) as server, pytest.raises(PolicyError):
        OpaEngine(BUNDLE, server.url).decide(Stage.ADMISSION, admission_facts())


def test_a_redirect_is_not_followed() -> None:
    with bad_server(says(answer(ALLOWED))) as elsewhere:
        away = answer(b"", status="307 There", headers=f"Location: {elsewhere.url}/v1/data\r\n")
        with bad_server(says(away)) as server:
            assert "answered 307" in refusal(OpaEngine(BUNDLE, server.url, token=TOKEN))
    assert elsewhere.requests == []


def test_a_server_that_is_down_is_an_error() -> None:
    assert "refuses connections" in refusal(OpaEngine(BUNDLE, f"http://127.0.0.1:{free_port()}"))
    assert "refuses connections" in refusal(OpaEngine(BUNDLE, f"http://[::1]:{free_port()}"), "[::1]:")


def test_a_server_that_accepts_nothing_is_an_error() -> None:
    """A full queue of connections: this one is never made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with contextmanager(_waiting)(listener.getsockname()):
            engine = OpaEngine(BUNDLE, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=TIMEOUT)
            assert "no whole answer within" in refusal(engine)


def _waiting(address: tuple[str, int]) -> Iterator[None]:
    connections = [socket.socket() for _ in range(4)]
    for connection in connections:
        connection.setblocking(False)
        connection.connect_ex(address)
    yield
    for connection in connections:
        connection.close()


def test_a_name_that_does_not_resolve_is_an_error() -> None:
    engine = OpaEngine(BUNDLE, "https://policy.invalid:8181", token=TOKEN)
    assert "does not resolve" in refusal(engine, "policy.invalid:8181")


def test_after_a_failure_the_next_decision_has_a_new_connection() -> None:
    spoilt = iter([silent, resetting, says(answer(ALLOWED[:-9])), says(answer(b"x", status="500 Oh"))])

    def spoil(connection: socket.socket, ended: threading.Event) -> None:
        next(spoilt, says(answer(ALLOWED)))(connection, ended)

    with bad_server(spoil) as server:
        engine = OpaEngine(BUNDLE, server.url, connections=1, timeout=2)
        for _ in range(4):
            refusal(engine)
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_connections_are_kept_and_no_more_than_allowed() -> None:
    with bad_server(says(answer(ALLOWED)), keeps=True) as server:
        engine = OpaEngine(BUNDLE, server.url, connections=2, timeout=20)
        with ThreadPoolExecutor(8) as pool:
            decided = list(pool.map(lambda _: engine.decide(Stage.ADMISSION, admission_facts()), range(40)))
        engine.close()
    assert [decision.outcome for decision in decided] == [Outcome.ALLOW] * 40
    assert len(server.requests) == 40
    assert server.connections <= 2


def test_an_engine_that_is_dropped_closes_its_connections() -> None:
    with bad_server(says(answer(ALLOWED)), keeps=True) as server, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        engine = OpaEngine(BUNDLE, server.url)
        engine.decide(Stage.ADMISSION, admission_facts())
        del engine
        gc.collect()
        assert server.closed.wait(10)
    assert [str(one.message) for one in warned] == []


def test_waiting_for_a_connection_ends_too() -> None:
    with bad_server(silent) as server:
        engine = OpaEngine(BUNDLE, server.url, connections=1, timeout=TIMEOUT)
        with ThreadPoolExecutor(6) as pool:
            said = list(pool.map(lambda _: refusal(engine), range(6)))
        assert all("no whole answer" in one or "connections in use" in one for one in said)
        engine._free.get()
        assert "has all its 1 connections in use" in refusal(engine)


def test_nothing_of_the_surroundings_takes_part(tmp_path: Path) -> None:
    """No proxy and no `.netrc` of the environment."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    with bad_server(says(answer(ALLOWED))) as proxy, bad_server(says(answer(ALLOWED))) as server:
        names = {"http_proxy": proxy.url, "all_proxy": proxy.url, "no_proxy": "", "NETRC": str(tmp_path / ".netrc")}
        with environment(names):
            OpaEngine(BUNDLE, server.url).decide(Stage.ADMISSION, admission_facts())
    assert proxy.requests == []
    assert b"authorization" not in server.requests[0].lower()


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
