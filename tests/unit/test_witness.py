"""A witness: what it remembers, what it refuses to vouch for, and what is left when it fails half-way."""

from __future__ import annotations

import json
import multiprocessing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.checkpoint import LogSigner, verify_checkpoint
from governance.cosignature import MAX_TIME, Cosigner, verify_cosignature
from governance.errors import (
    ConfigurationError,
    LogSourceError,
    ProofError,
    RollbackError,
    SplitViewError,
    StorageError,
)
from governance.testing import FakeLogSource
from governance.witness import Seen, observe, witness_memory
from governance_adapters.commands.witness import moment

COSIGNER = Cosigner.generate("witness.example.org/1")
NOW = 1_800_000_000


@pytest.fixture
def log():
    return FakeLogSource(LogSigner.generate("log.example.org/test")).grow(300)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "log.witness.json"


def look(log, state, now=NOW, cosigner=COSIGNER):
    with witness_memory(state) as memory:
        return observe(log, log.key, memory, cosigner, now)


def test_a_witness_cosigns_what_extends_what_it_saw(log, state):
    first = look(log, state)
    assert (first.growth.known, verify_cosignature(first.note, COSIGNER.key)) == (None, NOW)
    second = look(log.grow(5), state, NOW + 1)
    assert (second.growth.known.size, second.growth.checkpoint.size) == (300, 305)
    assert verify_cosignature(second.note, COSIGNER.key) == NOW + 1
    assert verify_checkpoint(second.note, log.key).size == 305
    # The same size again is no news, and is vouched for at the new time.
    assert verify_cosignature(look(log, state, NOW + 2).note, COSIGNER.key) == NOW + 2


def test_it_remembers_the_log_s_own_note(log, state):
    look(log, state)
    assert Seen.from_json(state.read_bytes()) == Seen(log.checkpoint(), NOW)


@pytest.mark.parametrize(
    ("cut", "more", "kind"), [(299, 0, RollbackError), (299, 1, SplitViewError), (9, 999, SplitViewError)]
)
def test_a_log_that_was_rewritten_is_neither_cosigned_nor_remembered(log, state, cut, more, kind):
    look(log, state)
    before = state.read_bytes()
    for _ in range(2):
        with pytest.raises(kind):
            look(log.forked(cut).grow(more, "another story"), state, NOW + 1)
        assert state.read_bytes() == before
    assert look(log.grow(1), state, NOW + 2).growth.known.size == 300


def test_a_clock_that_jumps_back_cosigns_nothing(log, state):
    look(log, state)
    before = state.read_bytes()
    log.grow(1)
    for now in (NOW - 1, 0):
        with pytest.raises(ProofError, match="jumped back"):
            look(log, state, now)
    assert state.read_bytes() == before
    # Without a key nothing is dated: the log can be followed, and the last time stays.
    assert look(log, state, 0, None).note == log.checkpoint()
    assert Seen.from_json(state.read_bytes()).time == NOW
    with pytest.raises(ProofError, match="jumped back"):
        look(log, state, NOW - 1)
    assert verify_cosignature(look(log, state, NOW).note, COSIGNER.key) == NOW


def test_what_was_rewritten_is_found_also_when_the_clock_is_wrong(log, state):
    look(log, state)
    with pytest.raises(SplitViewError):
        look(log.forked(3).grow(400, "x"), state, 0)


def test_nothing_is_cosigned_that_could_not_be_remembered(log, tmp_path):
    state = tmp_path / ("s" * 250)  # a name that leaves no room for that of the file which would take its place
    state.write_bytes(Seen(log.checkpoint(), NOW).to_json())
    before = state.read_bytes()
    with pytest.raises(StorageError):
        look(log.grow(1), state, NOW + 1)
    assert state.read_bytes() == before


def test_no_state_file_in_no_folder(log, tmp_path):
    with pytest.raises(StorageError):
        look(log, tmp_path / "missing" / "state.json")


def test_a_state_file_that_is_a_folder(log, state):
    state.mkdir()
    with pytest.raises(StorageError):
        look(log, state)


def _hold(path, ready, end):
    with witness_memory(path):
        ready.set()
        end.wait(30)


def test_two_witnesses_never_use_one_state_file(log, state):
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(state, ready, end))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ConfigurationError, match="Another witness"):
            look(log, state)
        end.set()
        process.join(30)
        look(log, state)
    finally:
        end.set()
        process.join(30)


def test_two_in_one_process_neither(log, state):
    with witness_memory(state), pytest.raises(ConfigurationError, match="Another witness"):
        look(log, state)


def test_another_log_needs_another_state_file(log, state):
    look(log, state)
    before = state.read_bytes()
    with pytest.raises(ProofError, match="not of"):
        look(FakeLogSource().grow(400), state)
    assert state.read_bytes() == before


@settings(deadline=None)
@given(st.text(), st.integers(0, MAX_TIME))
def test_what_is_remembered_is_recalled(note, time):
    if note.isprintable():
        assert Seen.from_json(Seen(note, time).to_json()) == Seen(note, time)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"version": 1}', b"[" * 100_000,
        *(
            json.dumps({"version": 1, "checkpoint": "x", "time": 5, **change}).encode()
            for change in (
                {"version": 2}, {"checkpoint": 3}, {"time": -1}, {"time": True}, {"time": 1.5}, {"time": "1"},
                {"time": 2**63}, {"more": 1},
            )
        ),
    ],
)  # fmt: skip
def test_a_state_file_that_is_garbled_is_named_and_stays(log, state, content):
    state.write_bytes(content)
    with pytest.raises(ProofError, match="state file"):
        look(log, state)
    assert state.read_bytes() == content


def test_a_log_that_cannot_be_asked_changes_nothing(log, state):
    look(log, state)
    before = state.read_bytes()

    class Silent:
        key = log.key

        def checkpoint(self):
            raise LogSourceError("It is away.", remedy="Ask later.")

    with pytest.raises(LogSourceError):
        look(Silent(), state, NOW + 1)
    assert state.read_bytes() == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (NOW, "2027-01-15T08:00:00Z"), (MAX_TIME, f"{MAX_TIME} seconds after 1970")],
)
def test_times_that_no_calendar_has_are_shown_as_numbers(seconds, text):
    assert moment(seconds) == text
