"""The program that runs one detector in a process of its own, bounded in time.

The host starts it with its own interpreter (see `governance_adapters.child`). It speaks frames: 8 bytes of
length and 8 bytes of serial number, big-endian, then the payload. An answer carries the serial number of its question.

The first frame is the job, a JSON object: `search` (the host's module search path), `factory` (`module:name` of what
makes the detector), `arguments` (by keyword), `threads`, and `seconds` for one image. The answer describes the detector:
`name`, `digest`, `labels`. Every later frame is height and width, 4 bytes each, and the RGB bytes of one image; the
answer has `scores`, an array of `[label, score]`. An answer with `error` instead names class, message and remedy.

Time is limited by a timer of the kernel whose signal ends the process: that stops native code, and needs no host that is
still there. Between images the process waits for the host, and ends with it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

HEADER = struct.Struct(">QQ")
SIZE = struct.Struct(">II")
_CHUNK = 1 << 20
_FIRST_TO_GO = "1000"


def main(load_seconds: float) -> None:
    """Make this process harmless to the others, then serve standard input until it ends."""
    # The terminal's interrupt is meant for the host. What the host made of the alarm would be inherited.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # A core file would hold pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # Linux alone: where memory runs out, this process goes and the host stays
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    sink = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    serve(0, sink, load_seconds)


def serve(source: int, sink: int, load_seconds: float) -> None:
    """Answer each frame from the descriptor `source` at the descriptor `sink`, until `source` ends or the job fails."""
    frame = _read(source)
    if frame is None:
        return
    serial, payload = frame
    job = json.loads(payload)
    signal.setitimer(signal.ITIMER_REAL, load_seconds)
    detector, answer = _loaded(job)
    signal.setitimer(signal.ITIMER_REAL, 0)
    _write(sink, serial, answer)
    while detector is not None and (frame := _read(source)) is not None:
        serial, payload = frame
        signal.setitimer(signal.ITIMER_REAL, job["seconds"])
        answer = _scored(detector, payload)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(sink, serial, answer)


def _loaded(job: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    try:
        sys.path[:] = job["search"]
        detector = resolve_name(job["factory"])(**job["arguments"])
        if "torch" in sys.modules:  # what does without it keeps to the environment
            sys.modules["torch"].set_num_threads(job["threads"])
        return detector, {"name": detector.name, "digest": detector.digest, "labels": list(detector.labels)}
    except Exception as error:  # noqa: BLE001 - whatever it is, the host says it; without a detector, no score
        return None, _failed(error)


def _scored(detector: Any, payload: bytes) -> Mapping[str, Any]:
    import numpy as np

    try:
        height, width = SIZE.unpack_from(payload)
        pixels = np.frombuffer(payload, np.uint8, offset=SIZE.size).reshape(height, width, 3)
        (findings,) = detector.detect([pixels])
        return {"scores": [[finding.label, float(finding.score)] for finding in findings]}
    except Exception as error:  # noqa: BLE001 - whatever it is, the host says it; an image without a score is an error
        return _failed(error)


def _failed(error: Exception) -> Mapping[str, Any]:
    remedy = str(getattr(error, "remedy", ""))
    message = str(error).removesuffix(remedy).strip()
    return {"error": [type(error).__name__, message, remedy]}


def _read(source: int) -> tuple[int, bytes] | None:
    """The next frame's serial number and payload; None where the host is gone."""
    received = bytearray()
    wanted = HEADER.size
    while len(received) < wanted:
        chunk = os.read(source, min(_CHUNK, wanted - len(received)))
        if not chunk:
            return None
        received += chunk
        if len(received) == wanted == HEADER.size:
            wanted += HEADER.unpack_from(received)[0]
    return HEADER.unpack_from(received)[1], bytes(memoryview(received)[HEADER.size :])


def _write(sink: int, serial: int, answer: Mapping[str, Any]) -> None:
    content = json.dumps(answer).encode()
    frame = memoryview(HEADER.pack(len(content), serial) + content)
    while frame:
        frame = frame[os.write(sink, frame) :]


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]))
    except BrokenPipeError:
        sys.exit(1)
