"""Cases about what is made: videos, sounds, and both at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.canonical import digest
from governance.testing.corpus import release
from governance.testing.corpus.cases import Case, Change, both, case_maker, put
from governance.testing.policy import admission_facts
from governance.types import Stage

_admission = case_maker(Stage.ADMISSION, admission_facts)
_release = release.case

_UNLABELLED: Mapping[str, Any] = {"allow_audio": True, "markets": {"EU": {}}}
_SOUND: Mapping[str, Any] = {"index": 0, "media": "audio", "width": 0, "height": 0, "frames": 0, "milliseconds": 900}
_UNCHECKED: Mapping[str, Any] = {
    "detector": "none",
    "detector_digest": digest(b""),
    "label": "unchecked",
    "score_millionths": 1_000_000,
}


def rule_cases() -> list[Case]:
    """Requests and drafts that are no pictures, and what is malformed about some."""
    return [*_request_cases(), *_draft_cases()]


def _request_cases() -> list[Case]:
    return [
        _admission("a video", _asking("video", frames=16), "allow"),
        _admission("the longest video", _asking("video", frames=129), "allow"),
        _admission("too long a video", _asking("video", frames=130), "deny", "limit.frames"),
        _admission(
            "too much compute by frames", _asking("video", frames=17), "deny", "limit.step_pixels",
            data={"limits": {"frames": 99, "images": 8, "pixels": 2**22, "prompt_characters": 2000, "steps": 100,
                             "step_pixels": 30 * 65_536 * 16}},
        ),
        _admission("pixels of the day spent by frames", _asking("video", frames=11), "deny", "budget.pixels",
                   data={"budgets": {"pixels": 655_360}}),
        _admission("two items of the day", _asking("video", "audio"), "deny", "budget.images",
                   data={"budgets": {"images": 1}, "allow_audio": True, "markets": {}}),
        _admission("a sound", _asking("audio"), "deny", "audio.not_allowed"),
        _admission("a video with sound", _asking("video", "audio"), "deny", "audio.not_allowed"),
        _admission("a sound, allowed", _asking("audio"), "allow", data=_UNLABELLED),
        _admission("a sound, allowed where a label is obliged", _asking("audio"), "deny", "audio.label",
                   data={"allow_audio": True}),
        _admission("a sound, where the general rules oblige a label", _asking("audio"), "deny", "audio.label",
                   data={**_UNLABELLED, "obligations": {"visible_label": "AI"}}),
        _admission("a video with sound where a label is obliged", _asking("video", "audio"), "allow",
                   data={"allow_audio": True}),
        _admission("nothing is made", _asking(), "deny", "input.malformed"),
        _admission("a hologram", _asking("image", "hologram"), "deny", "input.malformed"),
        _admission("no frames", _asking("video", frames=0), "deny", "input.malformed"),
        _admission("sounds answered in a word", _asking("audio"), "deny", "data.malformed", data={"allow_audio": "yes"}),
    ]  # fmt: skip


def _draft_cases() -> list[Case]:
    clip = both(_asking("video", frames=16), put("/draft/media", "video"), put("/draft/frames", 16))
    return [
        _release("a video", clip, "allow"),
        _release("a video that scores", both(clip, release.with_score(800_000)), "deny", "finding.denied"),
        _release("a video without frames", both(clip, put("/draft/frames", 0)), "deny", "input.malformed"),
        _release("a picture without width", put("/draft/width", 0), "deny", "input.malformed"),
        _release("another media", put("/draft/media", "hologram"), "deny", "input.malformed"),
        _release("a sound", _sounding(), "deny", "audio.not_allowed"),
        _release("a sound, allowed", _sounding(), "allow", data=_UNLABELLED),
        _release("a sound, allowed where a label is obliged", _sounding(), "deny", "audio.label",
                 data={"allow_audio": True}),
        _release("a sound of negative length", both(_sounding(), put("/draft/milliseconds", -1)), "deny",
                 "input.malformed", data=_UNLABELLED),
        _release("a picture that nobody checked", put("/findings", [_UNCHECKED]), "deny", "detector.missing"),
    ]  # fmt: skip


def _asking(*kinds: str, frames: int = 1) -> Change:
    return both(put("/request/media", list(kinds)), put("/parameters/frames", frames))


def _sounding(kinds: Sequence[str] = ("audio",)) -> Change:
    draft = {**_SOUND, "markable": False}
    return both(_asking(*kinds), put("/draft", draft), put("/findings", [dict(_UNCHECKED)]))
