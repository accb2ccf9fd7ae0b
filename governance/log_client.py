"""A log as somebody outside sees it: signed checkpoints and tiles, no database, nothing taken on trust but the log's key.

Whoever keeps one checkpoint can find out whether everything that came later extends it. Two checkpoints of one log of which
neither extends the other, both signed, are the operator's own word against the operator: the errors carry them, so that
they can be shown to anybody.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from governance.checkpoint import Checkpoint, LogKey, verify_checkpoint
from governance.errors import LogSourceError, ProofError, RollbackError, SplitViewError
from governance.merkle import EMPTY_ROOT, HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Tree, verify_consistency
from governance.ports import Ledger, LogSource


@dataclass(frozen=True, slots=True)
class Growth:
    """A log as it stands: its newest checkpoint, verified, and the proof that it extends an earlier one.

    `known` is that earlier checkpoint; None, with an empty proof, where there was nothing to compare with.
    """

    note: str
    checkpoint: Checkpoint
    known: Checkpoint | None = None
    proof: tuple[bytes, ...] = ()


class LedgerSource:
    """A ledger as a log: what it shows is what the same ledger serves over HTTP."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def checkpoint(self) -> str:
        """See `LogSource.checkpoint`."""
        return self._ledger.checkpoint()

    def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogSource.tile`."""
        held = self._ledger.tile(level, number)
        if len(held) < width * HASH_BYTES:
            raise LogSourceError(
                f"The ledger holds {len(held) // HASH_BYTES} hashes of tile {level}/{number} instead of {width}.",
                remedy="Run `governance ledger verify`.",
            )
        return held[: width * HASH_BYTES]


def follow(source: LogSource, key: LogKey, known: str | None) -> Growth:
    """Ask a log for its newest checkpoint, and check it against `known`, an earlier one.

    Both must bear the log's signature. The tiles must lead to the newest root; with nothing known, that is all there is
    to check.

    Raises:
        RollbackError: the newest checkpoint has fewer entries than the known one.
        SplitViewError: the newest does not extend the known one.
        ProofError: a checkpoint does not verify, or the tiles lead elsewhere.
        LogSourceError: the log cannot be asked.
    """
    return check_growth(source, key, known, source.checkpoint())


def check_growth(source: LogSource, key: LogKey, known: str | None, note: str) -> Growth:
    """Check one checkpoint of a log against an earlier one, by the log's tiles.

    Raises:
        GovernanceError: as `follow`.
    """
    newest = verify_checkpoint(note, key)
    if known is None:
        _lead_to(tiled_tree(source, newest.size), newest)
        return Growth(note, newest)
    before = verify_checkpoint(known, key)
    _refuse_without_tiles(before, newest, known, note)
    tree = tiled_tree(source, newest.size)
    _lead_to(tree, newest)
    if before.size == 0:
        # The empty tree is the beginning of every tree; that its root is right was all there is to check.
        return Growth(note, newest, before)
    proof, prefix_root = tree.consistency_proof(before.size), tree.root(before.size)
    # The signed larger tree begins with this root, whatever it is: proved first, for tiles alone must accuse nobody.
    # Where it is the root that was signed before, that is the consistency proof.
    verify_consistency(before.size, newest.size, proof, prefix_root, newest.root)
    if prefix_root != before.root:
        raise _split(before, newest, known, note, prefix_root, proof)
    return Growth(note, newest, before, proof)


def tiled_tree(source: LogSource, size: int) -> Tree:
    """The tree of a log's first `size` entries, over its tiles: exactly as wide as a tree of that size has them.

    Reading from it raises what the source raises; nothing that is read was checked against a root yet.
    """

    def read(level: int, number: int) -> bytes:
        hashes = size >> (TILE_HEIGHT * level)
        width = min(TILE_WIDTH, hashes - TILE_WIDTH * number)
        tile = source.tile(level, number, width)
        if len(tile) != width * HASH_BYTES:
            raise LogSourceError(
                f"Tile {level}/{number} of width {width} came with {len(tile)} bytes.",
                remedy="This source does not serve the tiles of a log; ask another one.",
            )
        return tile

    return Tree(size, read)


def evidence_of(error: RollbackError | SplitViewError, key: LogKey) -> bytes:
    """A JSON document that shows the two checkpoints to anybody who knows the log's key, and how they contradict.

    A split view is proved by it. A rollback is not by itself - an old checkpoint can come from a stale copy - but whoever
    shows it asks the operator for the entries in between.
    """
    found: dict[str, object] = {"version": 1, "log": str(key), "known": error.known, "found": error.found}
    if isinstance(error, SplitViewError):
        found |= {
            "contradiction": "split view",
            "prefix_root": base64.b64encode(error.prefix_root).decode() or None,
            "proof": [base64.b64encode(node).decode() for node in error.proof],
        }
    else:
        found["contradiction"] = "rollback"
    return (json.dumps(found, indent=2, ensure_ascii=False) + "\n").encode()


def _lead_to(tree: Tree, checkpoint: Checkpoint) -> None:
    """Refuse tiles that are not those of the tree that was signed."""
    if tree.root() != checkpoint.root:
        raise ProofError(
            f"The tiles of {checkpoint.origin} do not lead to the root of its checkpoint of {checkpoint.size} entries.",
            remedy="The source is damaged or lies about its tiles: ask it again, or ask another one.",
        )


def _refuse_without_tiles(before: Checkpoint, newest: Checkpoint, known: str, note: str) -> None:
    """Refuse what needs no tile to be refused: fewer entries, or as many with another root."""
    for each in (before, newest):
        if each.size == 0 and each.root != EMPTY_ROOT:
            raise ProofError(
                f"A checkpoint of {each.origin} says that a tree without entries has a root of its own.",
                remedy="No log of ours signs that; keep the checkpoint and ask the operator.",
            )
    if newest.size < before.size:
        raise RollbackError(
            f"{newest.origin} was rolled back: it shows {newest.size} entries now, and signed {before.size} before.",
            known,
            note,
            remedy="A copy that is behind shows this too: ask again. If it stays, entries are lost; both checkpoints show it.",
        )
    if newest.size == before.size and newest.root != before.root:
        raise _split(before, newest, known, note)


def _split(
    before: Checkpoint,
    newest: Checkpoint,
    known: str,
    note: str,
    prefix_root: bytes = b"",
    proof: tuple[bytes, ...] = (),
) -> SplitViewError:
    return SplitViewError(
        f"{newest.origin} tells two stories: its checkpoint of {newest.size} entries does not extend the one of {before.size} "
        "that it signed before.",
        known,
        note,
        prefix_root=prefix_root,
        proof=proof,
        remedy="Keep both checkpoints and show them: together they prove that the log was rewritten or forked.",
    )
