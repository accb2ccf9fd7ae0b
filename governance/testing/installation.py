"""A whole line of fakes, and a part that fails where a test wants it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from governance.parts import Parts
from governance.testing.detector import FakeDetector
from governance.testing.fake_ledger import FakeLedger
from governance.testing.manifest import FakeManifestSigner
from governance.testing.marking import FakeEncoder, FakeFingerprinter, FakeLabeller
from governance.testing.media import FakeClipEncoder, FakeSoundEncoder
from governance.testing.metadata import FakeMetadataWriter
from governance.testing.policy import FakePolicyEngine
from governance.testing.storage import FakeQuarantine, FakeVault
from governance.testing.watermark import FakeWatermarker
from governance.watermark import MarkKey

FAKE_MARK_KEY = MarkKey(b"the watermark key of a fake line.")


def fake_parts(**changes: Any) -> Parts:
    """Parts in which everything is a fake that works; `changes` replace parts by name."""
    ledger = FakeLedger()
    parts = Parts(
        policy=FakePolicyEngine(),
        detectors=(FakeDetector(),),
        watermarker=FakeWatermarker(),
        mark_key=FAKE_MARK_KEY,
        labeller=FakeLabeller(),
        encoder=FakeEncoder(),
        fingerprinter=FakeFingerprinter(),
        signer=FakeManifestSigner(),
        vault=FakeVault(),
        quarantine=FakeQuarantine(),
        ledger=ledger,
        log_key=ledger.key,
        system="Fake system",
        version="1",
        metadata=FakeMetadataWriter(),
        clips=FakeClipEncoder(),
        sounds=FakeSoundEncoder(),
        provider="Fake provider",
    )
    return replace(parts, **changes)


class FailingAt:
    """A part whose `method` goes wrong at its `nth` call (from 1); everything else is the part's own.

    `after`: the call does its work first and then raises, as an interrupt does that comes a moment too late.
    """

    def __init__(self, part: Any, method: str, error: BaseException, *, nth: int = 1, after: bool = False) -> None:
        self._part, self._method, self._error, self._nth, self._after = part, method, error, nth, after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._failing(found) if name == self._method else found

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls != self._nth:
                return call(*args, **kwargs)
            if self._after:
                call(*args, **kwargs)
            raise self._error

        return failing
