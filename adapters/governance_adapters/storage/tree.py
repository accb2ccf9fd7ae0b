"""The log's tree in SQL: tiles, the newest checkpoint, and the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select

from governance.checkpoint import Checkpoint, LogSigner, parse_checkpoint, verify_checkpoint
from governance.errors import LedgerError
from governance.merkle import EMPTY_ROOT, Tree
from governance_adapters.storage.tables import CHECKPOINT, ENTRY, TILE
from governance_adapters.storage.upserts import Upsert


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one transaction appended: the index of its first leaf, the new checkpoint, an inclusion proof per leaf."""

    first: int
    size: int
    note: str
    proofs: tuple[tuple[bytes, ...], ...]


# Built once: these run in every transaction.
_NEWEST_NOTE = select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(1)
_READ_TILE = select(TILE.c.hashes).where(
    (TILE.c.level == bindparam("of_level")) & (TILE.c.number == bindparam("of_number"))
)
_STORE_TILE = Upsert(TILE, ("level", "number"), ("hashes",))


def newest_note(connection: Connection) -> str:
    """The newest checkpoint.

    Raises:
        LedgerError: there is none.
    """
    note = connection.execute(_NEWEST_NOTE).scalar()
    if note is None:
        raise LedgerError("The ledger has no checkpoint.", remedy="Restore it from a backup.")
    return str(note)


def read_tile(connection: Connection, level: int, number: int) -> bytes:
    """The stored hashes of one tile; empty if there is none."""
    return bytes(connection.execute(_READ_TILE, {"of_level": level, "of_number": number}).scalar() or b"")


def read_tree(connection: Connection, size: int) -> Tree:
    """The tree of the first `size` leaves, over the stored tiles."""
    return Tree(size, lambda level, number: read_tile(connection, level, number))


class Log:
    """Extends the tree and signs it. Owned by one writer; what it remembers holds only while the tip stands still.

    A tip that this writer did not write itself (at start, or after another process) is verified before it is extended:
    its signature, that the tiles lead to its root, and that the entries end where it says. So no checkpoint is ever
    signed on top of something that the log's own key did not sign.
    """

    def __init__(self, signer: LogSigner) -> None:
        self._signer = signer
        self._key = signer.key
        self._note = ""
        self._tree = Tree(0, _no_tile)

    def start(self, connection: Connection) -> None:
        """Sign the empty tree of a new ledger, or verify the tip of an old one.

        Raises:
            LedgerError: the tip does not verify, or another key signed it.
        """
        if not connection.execute(select(func.count()).select_from(CHECKPOINT)).scalar_one():
            if connection.execute(select(ENTRY.c.seq).limit(1)).first():
                raise LedgerError("The ledger has entries but no checkpoint.", remedy="Restore it from a backup.")
            self._store(connection, 0, EMPTY_ROOT)
        self._follow(connection)

    def seal(self, connection: Connection, first: int, leaves: Sequence[bytes]) -> Sealed:
        """Append leaf hashes behind leaf `first` - 1, store the tiles, and sign the checkpoint that covers them.

        Raises:
            LedgerError: the tip is another; see the class.
        """
        if self._tree.size != first:
            raise LedgerError(
                "The ledger's tree is not where its entries end.", remedy="Run `governance ledger verify`."
            )
        tree = self._tree
        self.forget()  # an error below leaves nothing half-extended behind
        tree.extend(leaves)
        rows = [{"level": level, "number": number, "hashes": tile} for (level, number), tile in tree.changed.items()]
        _STORE_TILE.run(connection, rows)
        proofs = tuple(tree.inclusion_proof(index) for index in range(first, tree.size))
        note = self._store(connection, tree.size, tree.root())
        tree.settle()
        self._tree, self._note = tree, note
        return Sealed(first, tree.size, note, proofs)

    def tip(self, connection: Connection) -> int:
        """The number of entries, verified (see the class); also brings the tree up to what others appended.

        Raises:
            LedgerError: the tip does not verify.
        """
        self._follow(connection)
        return self._tree.size

    def forget(self) -> None:
        """Drop what is remembered, after a transaction that did not commit."""
        self._note = ""
        self._tree = Tree(0, _no_tile)

    def _follow(self, connection: Connection) -> None:
        note = newest_note(connection)
        if note == self._note:
            return
        checkpoint = self._verified(note)
        tree = read_tree(connection, checkpoint.size)
        held = connection.execute(select(func.max(ENTRY.c.seq))).scalar()
        if tree.root() != checkpoint.root or (-1 if held is None else held) != checkpoint.size - 1:
            raise LedgerError(
                "The ledger's entries or tiles do not match its newest checkpoint; nothing is appended to it.",
                remedy="Run `governance ledger verify`, then restore the ledger from a backup.",
            )
        tree.load_edge()
        self._tree, self._note = tree, note

    def _verified(self, note: str) -> Checkpoint:
        try:
            return verify_checkpoint(note, self._key)
        except LedgerError as error:
            signed_by = parse_checkpoint(note).origin
            raise LedgerError(
                f"The newest checkpoint, of {signed_by!r}, does not verify with this log key ({self._key}): {error}",
                remedy="Use the key that the ledger was made with; a ledger that was altered needs its backup.",
            ) from error

    def _store(self, connection: Connection, size: int, root: bytes) -> str:
        note = self._signer.sign_checkpoint(size, root)
        connection.execute(insert(CHECKPOINT), {"size": size, "root": root, "note": note})
        return note


def _no_tile(_level: int, _number: int) -> bytes:
    return b""
