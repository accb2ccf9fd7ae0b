"""Evidence of a file of shadow mode: it says so everywhere, holds the entry that turned it on, and refuses what does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from governance.evidence import verify
from governance.evidence.story import story
from governance.governor import Governor
from governance.shadow import APPROVALS
from governance.testing import FakePipeline, fake_parts
from governance.types import Mode, Outcome, Reason
from support.dossiers import dossier, put, report, signed_again
from support.reviewing import ReviewPolicy, request

BAD = Reason("prompt.blocked_term", "Blocked.", "/prompts/0")


@pytest.fixture
def line():
    """A line in shadow mode whose policy denies at release."""
    policy = ReviewPolicy(release=(Outcome.DENY, (BAD,), {}))
    return SimpleNamespace(parts=fake_parts(policy=policy, mode=Mode.SHADOW))


def ask(line, name="shadowed"):
    (item,) = Governor(line.parts).generate(request(id=name), FakePipeline()).items
    return item


def test_the_pack_holds_the_entry_that_turned_it_on_and_says_what_enforcement_would_have_done(line):
    ask(line, "before")
    Governor(replace(line.parts, mode=Mode.ENFORCE, policy=ReviewPolicy(release=(Outcome.ALLOW, (), {})))).generate(
        request(id="between"), FakePipeline()
    )
    made = dossier(line, ask(line))
    kinds = [each.entry.kind.value for each in made.evidence.entries]
    assert kinds == ["mode", "intent", "released"]
    assert made.evidence.entries[0].entry.body["mode"] == "shadow"
    said, files = report(line, made)
    assert (said.verdict, said.problems) == ("verified", [])
    (shadowed,) = (text for text in said.checked if "SHADOW MODE" in text)
    assert "under enforcement: denied (prompt.blocked_term)" in shadowed
    text = " ".join(story(made).texts())
    assert "Made in shadow mode" in text
    assert "enforcement would have denied it at release: prompt.blocked_term" in text
    assert "Shadow mode was turned on or off" in text
    assert "made in SHADOW MODE" in " ".join(files["README.txt"].decode().split())


def test_what_was_enforced_says_nothing_of_it(line):
    policy = ReviewPolicy(release=(Outcome.ALLOW, (), {}))
    enforcing = SimpleNamespace(parts=replace(line.parts, mode=Mode.ENFORCE, policy=policy))
    ask(line, "before")
    said, files = report(enforcing, dossier(enforcing, ask(enforcing)))
    assert said.verdict == "verified"
    assert not any("SHADOW" in text for text in (*said.checked, files["README.txt"].decode()))
    assert not [path for path in files if path.endswith("-mode.json")]


def would(*stages):
    verdict = next((verdict for _, verdict, _ in stages if verdict != "released"), "released")
    listed = [{"stage": stage, "verdict": each, "codes": codes} for stage, each, codes in stages]
    return {"verdict": verdict, "stages": listed}


PASSED = ("admission", "released", [])
RECORDS = {
    "nothing wrong": (lambda body: None, ""),
    "held by approvals": (
        lambda body: (
            body["decision"].update(outcome="allow"),
            body.update(shadow=would(PASSED, ("release", "held", [APPROVALS]))),
        ),
        "",
    ),
    "milder than its decision": (
        put("shadow", value=would(PASSED, ("release", "released", []))),
        "does not follow from its decision",
    ),
    "no word of release": (put("shadow", value=would(PASSED)), "does not follow from its decision"),
    "another verdict than its stages": (put("shadow", "verdict", value="released"), "does not follow from its stages"),
    "not said": (lambda body: body.pop("shadow"), "did not allow the release"),
    "malformed": (put("shadow", value="denied"), "it does not have the form of this version"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_contradicts_itself_is_refused_though_it_is_signed(line, name):
    change, problem = RECORDS[name]
    _, files = report(line, dossier(line, ask(line)))
    again, key = signed_again(files, change)
    found = verify.verify_pack(again, verify.LogKey.parse(key))
    assert (found.verdict == "verified") == (not problem), found.problems
    assert problem in "\n".join(found.problems)


@pytest.mark.parametrize(
    ("media_type", "problem"),
    [("image/png", "media of one kind and a file of another"), ("audio/wav", "is of another kind than its entry says")],
)
def test_a_picture_without_mark_and_label_is_no_sound_because_its_entry_says_so(line, media_type, problem):
    _, files = report(line, dossier(line, ask(line)))

    def lie(body):
        body.update(
            media="audio", watermark=None, honoured={**body["honoured"], "watermark": False, "visible_label": ""}
        )
        body["asset"]["media_type"] = media_type

    suffix = verify.SUFFIXES[media_type]
    files = {path.replace(".png", suffix): content for path, content in files.items()}
    index = json.loads(files[verify.INDEX].replace(b".png", suffix.encode()))
    index["asset"]["media_type"] = media_type
    again, key = signed_again({**files, verify.INDEX: verify.spelt(index)}, lie)
    found = verify.verify_pack(again, verify.LogKey.parse(key))
    assert found.verdict == "refused"
    assert len(found.problems) == 1
    assert problem in found.problems[0]


def test_one_without_the_entry_that_turned_it_on_is_refused(line):
    _, files = report(line, dossier(line, ask(line)))
    (mode,) = (path for path in files if path.endswith("-mode.json"))
    value = json.loads(files[mode])
    value["body"]["mode"] = "enforce"
    again, key = signed_again({**files, mode: verify.canonical_bytes(value)}, lambda body: None)
    found = verify.verify_pack(again, verify.LogKey.parse(key))
    assert "no entry says before it that this was on" in "\n".join(found.problems)
