"""The program that evaluates one bundle in a process of its own, bounded in time and memory.

The host starts it by path with its own interpreter (see `governance_adapters.child`). It needs the standard
library and regorus, and nothing else of this project. It speaks frames: 8 bytes of length and 8 bytes of serial number,
big-endian, then the payload. An answer carries the serial number of its question.

The first frame is the job: a JSON object with `regorus` (the folder that holds the package), `policies` (path to Rego
text), `queries` (rules that must be there), `seconds` (for each evaluation) and `answer_bytes` (the most an answer may
have); then a zero byte, and the data as JSON text. Every later frame is a query, a zero byte, and the policy input as JSON
text. The first byte of an answer says what follows it: `ANSWER` JSON text; `FAILED` the query, a zero byte and the
engine's message; `TOO_LONG` and `NO_MEMORY` nothing.

Time is limited by a timer of the kernel whose signal ends the process: that stops native code which holds Python's lock,
and needs no host that is still there. Memory is limited by RLIMIT_AS, which macOS does not enforce.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

HEADER = struct.Struct(">QQ")
ANSWER, FAILED, TOO_LONG, NO_MEMORY = b"A", b"F", b"L", b"M"
_CHUNK = 1 << 20
_MESSAGE_CHARACTERS = 20_000


def main(memory: int, load_seconds: float) -> None:
    """Limit this process to `memory` bytes of addresses, then serve standard input until it ends."""
    # The terminal's interrupt is meant for the host. What the host made of the alarm would be inherited.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # A core file would hold prompts.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Before regorus is imported: its allocator would reserve a gibibyte of addresses, which then count as spent.
    _limit_memory(memory)
    serve(0, 1, load_seconds)


def serve(source: int, sink: int, load_seconds: float) -> None:
    """Answer each frame from the descriptor `source` at the descriptor `sink`, until `source` ends or the job fails."""
    frame = _read(source)
    if frame is None:
        return
    serial, payload = frame
    with _Limit(load_seconds):
        head, _, data = payload.partition(b"\0")
        del frame, payload
        job = json.loads(head)
        pristine, answer = _loaded(job, data)
        del data
    _write(sink, serial, answer)
    if pristine is None:
        return
    engine = pristine.clone()
    while (frame := _read(source)) is not None:
        serial, payload = frame
        with _Limit(job["seconds"]):
            answer = _evaluated(engine, payload)
        _write(sink, serial, answer if len(answer) <= job["answer_bytes"] else TOO_LONG)
        if answer[:1] != ANSWER:
            engine = pristine.clone()


class _Limit:
    """Ends the process if what runs inside takes longer than `seconds`, which must be positive."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(memory: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    except (ValueError, OSError):
        if sys.platform == "linux":
            raise


def _loaded(job: Mapping[str, Any], data: bytes) -> tuple[Any, bytes]:
    """An engine that answered every query of the job once, and an empty answer; or None, and what failed."""
    query = "data"
    try:
        sys.path.append(job["regorus"])
        import regorus

        engine = regorus.Engine()
        engine.set_rego_v0(False)
        for path, text in job["policies"].items():
            engine.add_policy(path, text)
        engine.add_data_json(data.decode())
        # Regorus resolves names where it evaluates, and a decision on `{}` stops early: evaluate every rule once, then
        # each query, so that a bad rule fails here.
        engine.set_input_json("{}")
        engine.eval_query_as_json("data.governance")
        for query in job["queries"]:
            engine.eval_rule_as_json(query)
    except MemoryError:
        return None, NO_MEMORY
    except BaseException as error:  # noqa: BLE001  a panic of the vendor's is no Exception; without an engine, no answer
        return None, _failed(query, error)
    return engine, ANSWER


def _evaluated(engine: Any, payload: bytes) -> bytes:
    name, _, content = payload.partition(b"\0")
    query = name.decode()
    try:
        engine.set_input_json(content.decode())
        answer: str = engine.eval_rule_as_json(query)
    except MemoryError:
        return NO_MEMORY
    except BaseException as error:  # noqa: BLE001  a panic of the vendor's is no Exception; the host makes it an error
        return _failed(query, error)
    return ANSWER + answer.encode()


def _failed(query: str, error: BaseException) -> bytes:
    message = str(error)[:_MESSAGE_CHARACTERS]
    return FAILED + f"{query}\0{message}".encode(errors="replace")


def _read(source: int) -> tuple[int, bytes] | None:
    """The next frame's serial number and payload; None where the host is gone."""
    received = bytearray()
    wanted = HEADER.size
    while len(received) < wanted:
        chunk = os.read(source, _CHUNK)
        if not chunk:
            return None
        received += chunk
        if wanted == HEADER.size <= len(received):
            wanted += HEADER.unpack_from(received)[0]
    return HEADER.unpack_from(received)[1], bytes(memoryview(received)[HEADER.size :])


def _write(sink: int, serial: int, answer: bytes) -> None:
    frame = memoryview(HEADER.pack(len(answer), serial) + answer)
    while frame:
        frame = frame[os.write(sink, frame) :]


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), float(sys.argv[2]))
    except BrokenPipeError:
        sys.exit(1)
