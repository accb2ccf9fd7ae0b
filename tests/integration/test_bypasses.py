"""Every known way around a governed call, tried on a real installation: what happened, and what the ledger says of it."""

import json
import warnings
from pathlib import Path

import pytest

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import DeniedError, GovernanceError, SealedError
from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support.allowed import allowed
from support.bypasses import SIDE, Attempts, AttemptsWithCallbacks, Governed, Open, attempts, target
from support.tiny import stable_diffusion

SEALING = Path(__file__).parents[2] / "docs" / "sealing.md"
EXPECTED = {
    "latents_as_output": "UnsupportedArgumentError",
    "a_pickled_lora": "ModelError",
    "a_lora_without_safetensors": "ModelError",
    "a_pickled_textual_inversion": "ModelError",
    "a_pickled_ip_adapter": "ModelError",
    "a_pickled_pipeline_folder": "ModelError",
    "remote_code": "ModelError",
    "a_part_of_remote_code": "ModelError",
    **dict.fromkeys(
        (
            "embedded_prompts",
            "latents_of_the_callers",
            "a_picture_of_the_callers",
            "a_picture_for_an_ip_adapter",
            "a_callback",
            "a_lora",
            "a_lora_fused_and_unloaded",
            "a_textual_inversion",
            "another_component",
            "a_component_that_keeps_what_it_makes",
            "a_callback_that_asks_for_latents",
        ),
        "DeniedError",
    ),
}
"""What turns an attempt down, where it is not the seal; a denial is an entry `denied`, all others are `failed`."""


def installation(folder, **opaque):
    """A governor over a fresh installation that allows the tiny model, and of what policy cannot read what `opaque` says."""
    settings = Settings.load(home=folder / "installation", principal="designer@example.org", roles=("designer",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        initialise(settings)
        allowed(settings, describe(stable_diffusion(folder, side=SIDE)), name="tiny", licence="Apache-2.0")
        path = settings.bundle_path / "data.json"
        data = json.loads(path.read_text())
        path.write_text(json.dumps({**data, "opaque": {**data["opaque"], **opaque}}))
        return open_governor(settings)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    governor = installation(tmp_path_factory.mktemp("line"))
    yield governor
    governor.parts.ledger.close()


@pytest.fixture(scope="module")
def line_with_callbacks(tmp_path_factory):
    governor = installation(tmp_path_factory.mktemp("callbacks"), callback="allow")
    yield governor
    governor.parts.ledger.close()


@pytest.fixture
def say(figure):
    """One row of the table."""

    def row(name, happened, ledger):
        figure(f"bypass  {name.replace('_', ' '):<42}{happened:<40}ledger: {ledger}")

    return row


def entries_since(governor, known):
    return [entry for _, entry in governor.parts.ledger.entries(limit=100_000) if entry.id not in known]


def tried(governor, act, tmp_path):
    """What came of an attempt: what it got, or its error; and what the ledger says since."""
    known = {entry.id for _, entry in governor.parts.ledger.entries(limit=100_000)}
    goal = target(tmp_path, governor)
    try:
        got = act(goal)
    except Exception as error:  # whatever stops an attempt is what is being looked at: nothing got out
        got = error
    return got, entries_since(governor, known)


def said(entries):
    """The outcomes among entries, in words."""
    kinds = [entry for entry in entries if entry.kind not in (EntryKind.INTENT, EntryKind.POLICY)]
    return (
        ", ".join(
            dict.fromkeys(
                f"{entry.kind.value} {entry.body['error']}" if "error" in entry.body else entry.kind.value
                for entry in kinds
            )
        )
        or "nothing"
    )


def turned_down(governor, name, act, tmp_path, say):
    error, entries = tried(governor, act, tmp_path)
    assert isinstance(error, GovernanceError), error
    expected = EXPECTED.get(name, "SealedError")
    assert type(error).__name__ == expected, error
    if isinstance(error, DeniedError):
        assert entries[-1].kind is EntryKind.DENIED
    else:
        assert expected in [entry.body["error"] for entry in entries if entry.kind is EntryKind.FAILED]
    say(name, f"turned down: {expected}", said(entries))


@pytest.mark.parametrize(("name", "act"), attempts(Attempts), ids=[name for name, _ in attempts(Attempts)])
def test_an_attempt_is_turned_down_on_record(line, name, act, tmp_path, say):
    turned_down(line, name, act, tmp_path, say)


@pytest.mark.parametrize(
    ("name", "act"), attempts(AttemptsWithCallbacks), ids=[name for name, _ in attempts(AttemptsWithCallbacks)]
)
def test_a_callback_that_policy_allows_gets_nothing_out(line_with_callbacks, name, act, tmp_path, say):
    turned_down(line_with_callbacks, name, act, tmp_path, say)


@pytest.mark.parametrize(("name", "act"), attempts(Governed), ids=[name for name, _ in attempts(Governed)])
def test_what_looks_like_one_goes_down_the_line(line_with_callbacks, name, act, tmp_path, say):
    out, entries = tried(line_with_callbacks, act, tmp_path)
    assert not isinstance(out, Exception), out
    (item,) = out.items
    assert item.verdict is Verdict.RELEASED
    assert item.entry.id in {entry.id for entry in entries if entry.kind is EntryKind.RELEASED}
    say(name, "governed", said(entries))


@pytest.mark.parametrize(("name", "act"), attempts(Open), ids=[name for name, _ in attempts(Open)])
def test_what_stays_open_is_named_in_the_docs(line, name, act, tmp_path, say):
    got, entries = tried(line, act, tmp_path)
    assert not isinstance(got, Exception), got
    assert f"**{name.replace('_', ' ').capitalize()}.**".replace("seals own", "seal's own") in SEALING.read_text()
    say(name, "OPEN, named in docs/sealing.md", said(entries))


def test_seals_that_were_taken_off_are_put_on_again_on_record(line, tmp_path):
    goal = target(tmp_path, line)
    known = {entry.id for _, entry in line.parts.ledger.entries(limit=100_000)}
    for module in goal.pipe.vae.modules():
        module.__dict__.pop("forward", None)
    goal.ask()
    first, *_ = entries_since(line, known)
    assert (first.kind, first.body["error"]) == (EntryKind.FAILED, "SealedError")
    with pytest.raises(SealedError):
        Attempts().vae_decode(goal)


def test_a_loop_of_attempts_does_not_fill_the_ledger(line, tmp_path):
    goal = target(tmp_path, line)
    known = {entry.id for _, entry in line.parts.ledger.entries(limit=100_000)}
    for _ in range(20):
        with pytest.raises(SealedError):
            Attempts().vae_decode(goal)
    assert said(entries_since(line, known)) == "failed SealedError"
    assert len(entries_since(line, known)) == 1
