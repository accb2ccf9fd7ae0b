"""A small part of the conformance corpus, where what is looked at is a command that runs it."""

from __future__ import annotations

import pytest

from governance.testing import corpus

EVERY = 10


def thin_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the corpus every tenth case, and all about missing detectors. The whole is run on every engine by test_conformance."""
    whole = corpus.cases()
    kept = [each for at, each in enumerate(whole) if at % EVERY == 0 or "detector.missing" in each.codes]
    monkeypatch.setattr(corpus, "cases", lambda: kept)
