"""An operator cuts off the log's tail and signs another one: no check inside finds it, and each thing kept outside does."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing

import pytest

from governance.checkpoint import LogKey, verify_checkpoint, verify_receipt
from governance.merkle import verify_consistency
from governance_adapters.cli import EXIT_CONTRADICTED
from support.outside import operator_at
from support.served_log import served_log

# What was kept outside covers the reference model's registration and 3 + 4 entries. Of what follows them after the cut:
# fewer, as many, more.
MORE = [(0, "RollbackError"), (2, "RollbackError"), (4, "SplitViewError"), (9, "SplitViewError")]


@pytest.fixture
def operator(settings, tmp_path):
    made = operator_at(settings, tmp_path / "operator")
    made.append(3)
    return made


def failed_with(ran, error):
    """The command named the contradiction, in its exit code too."""
    ran.failed(EXIT_CONTRADICTED)
    words = {"RollbackError": "was rolled back", "SplitViewError": "tells two stories"}[error]
    assert words in ran.complaints[0]
    return ran


@pytest.mark.parametrize(("more", "error"), MORE)
def test_each_thing_that_was_kept_outside_finds_it(operator, tmp_path, more, error):
    shell, folder = operator.shell, operator.shell.folder
    watch = ("ledger", "witness", "here", "--key", operator.key, "--state", "state.json")
    publish = ("ledger", "checkpoint", "--publish", "newest", "--publish", "all.jsonl")
    shell(*publish).succeeded()
    with operator.rolled_back(more):
        receipt = operator.append(4)[-1]
        (folder / "seven.png.receipt.json").write_text(receipt.to_json())
        shell(*watch).succeeded()
        shell(*publish).succeeded()
        for kept in ("newest", "all.jsonl", "seven.png.receipt.json"):
            shell("ledger", "verify", "--since", kept).succeeded()
    published = {name: (folder / name).read_bytes() for name in ("newest", "all.jsonl", "state.json")}

    # By itself the ledger is whole: every hash, tile and signature is right.
    assert shell("ledger", "verify", "--json").succeeded().json["sound"]

    for kept in ("newest", "all.jsonl", "seven.png.receipt.json"):
        failed_with(shell("ledger", "verify", "--since", kept), error)
        assert shell("ledger", "verify", "--since", kept, "--json").json["error"] == error
    failed_with(shell(*watch), error)
    # Nor is the other story published over the first one.
    failed_with(shell(*publish), error)
    assert published == {name: (folder / name).read_bytes() for name in published}

    # A witness elsewhere, over HTTP, sees the same; and what it wrote down convinces whoever has the log's key.
    with operator.ledger() as opened, served_log(tmp_path, opened) as url:
        said = failed_with(shell(*watch[:2], url, *watch[3:]), error)
    (evidence,) = folder.glob("state.json.evidence-*.json")
    assert str(evidence.name) in said.err
    document = json.loads(evidence.read_text())
    key = LogKey.parse(document["log"])
    assert key == operator.key
    known, found = (verify_checkpoint(document[name], key) for name in ("known", "found"))
    assert (known.size, found.size) == (1 + 3 + 4, 1 + 3 + more)
    if found.size == known.size:
        assert found.root != known.root
    elif found.size > known.size:
        proof = [base64.b64decode(node) for node in document["proof"]]
        prefix_root = base64.b64decode(document["prefix_root"])
        verify_consistency(known.size, found.size, proof, prefix_root, found.root)
        assert prefix_root != known.root


def test_evidence_that_cannot_be_written_is_said(operator):
    state = "s" * 225  # a name that leaves room for the state file, and none for that of the evidence
    watch = ("ledger", "witness", "here", "--key", operator.key, "--state", state)
    with operator.rolled_back(9):
        operator.append(4)
        operator.shell(*watch).succeeded()
    said = operator.shell(*watch).failed(EXIT_CONTRADICTED, "two stories")
    assert "could not be written" in said.err
    assert "prefix_root" in said.err


def test_the_entry_of_a_receipt_that_was_cut_off_is_not_proved_by_the_rest(operator):
    """A receipt goes on verifying for whoever has it: it is the log's word, and cannot be taken back."""
    with operator.rolled_back(9):
        receipt = operator.append(4)[-1]
    assert verify_receipt(receipt, operator.key).id == receipt.entry.id
    operator.shell("ledger", "prove", receipt.entry.id).failed(1, "no entry")


def test_what_was_kept_before_the_cut_still_holds(operator):
    """Nothing can be said about entries that nobody outside has seen a checkpoint of."""
    operator.shell("ledger", "checkpoint", "--publish", "newest").succeeded()
    with operator.rolled_back(9):
        operator.append(4)
    operator.shell("ledger", "verify", "--since", "newest").succeeded()


def test_a_receipt_that_was_altered_is_no_word_of_the_log(operator):
    receipt = operator.append(1)[0]
    file = operator.shell.folder / "receipt.json"
    document = json.loads(receipt.to_json())
    for change in (
        {"index": 0},
        {"tree_size": receipt.tree_size + 1},
        {"proof": []},
        {"checkpoint": "x"},
        {"leaf": "AA=="},
    ):
        file.write_text(json.dumps({**document, **change}))
        operator.shell("ledger", "verify", "--since", "receipt.json").failed(1)


def test_tiles_that_were_altered_are_named_before_anything_is_said_of_the_log(operator, tmp_path):
    operator.append(300)
    operator.shell("ledger", "checkpoint", "--publish", "newest").succeeded()
    operator.append(2)
    with closing(sqlite3.connect(operator.settings.ledger_path)) as database, database:
        database.execute("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND number = 1")
    operator.shell("ledger", "verify", "--since", "newest").failed(1, "do not lead to the root")
    watch = ("ledger", "witness", "here", "--key", operator.key, "--state", "state.json")
    operator.shell(*watch).failed(1, "do not lead to the root")
    assert not (operator.shell.folder / "state.json").exists()
