"""The contract of what shows a log to outsiders, and a log in memory that can be rolled back and rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from governance.checkpoint import LogKey, LogSigner, verify_checkpoint
from governance.errors import LogSourceError
from governance.log_client import check_growth, follow, tiled_tree
from governance.merkle import HASH_BYTES, TILE_WIDTH, Tree, leaf_hash
from governance.ports import LogSource
from governance.testing.expect import expect

MORE_THAN_ONE_TILE = TILE_WIDTH + 3


class FakeLogSource:
    """A log in memory. `forked` is what its operator would show after cutting it off and going on otherwise."""

    def __init__(self, signer: LogSigner | None = None, hashes: Sequence[bytes] = ()) -> None:
        self.signer = signer or LogSigner.generate("log.example.org/fake")
        self.hashes = list(hashes)
        self._tree = Tree(0, lambda _level, _number: b"")
        self._tree.extend(self.hashes)

    @property
    def key(self) -> LogKey:
        """The log's public key."""
        return self.signer.key

    def grow(self, count: int, story: str = "") -> Self:
        """Append `count` leaves; another `story` makes other ones."""
        fresh = [leaf_hash(f"{story} {len(self.hashes) + number}".encode()) for number in range(count)]
        self.hashes += fresh
        self._tree.extend(fresh)
        return self

    def forked(self, size: int) -> FakeLogSource:
        """Another log under the same key, of the first `size` leaves of this one."""
        return FakeLogSource(self.signer, self.hashes[:size])

    def checkpoint(self, size: int | None = None) -> str:
        """See `LogSource.checkpoint`; or the one that was signed at an earlier `size`."""
        size = self._tree.size if size is None else size
        return self.signer.sign_checkpoint(size, self._tree.root(size))

    def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogSource.tile`."""
        held = self._tree.changed.get((level, number), b"")
        if len(held) < width * HASH_BYTES:
            raise LogSourceError(f"There is no tile {level}/{number} of width {width}.", remedy="Ask for less.")
        return held[: width * HASH_BYTES]


class LogSourceContract:
    """What every source does. A subclass says how to make one of an empty log, how that log grows, and its key."""

    def new_source(self) -> LogSource:
        """A source of an empty log, which shows it as it stands whenever it is asked."""
        raise NotImplementedError

    def grow(self, source: LogSource, count: int) -> Sequence[bytes]:
        """Append `count` entries to the log of `source`; returns their leaf hashes."""
        raise NotImplementedError

    def key(self, source: LogSource) -> LogKey:
        """The public key of the log."""
        raise NotImplementedError

    def test_an_empty_log_shows_its_checkpoint_and_no_tile(self) -> None:
        source = self.new_source()
        assert follow(source, self.key(source), None).checkpoint.size == 0
        with expect(LogSourceError):
            source.tile(0, 0, 1)

    def test_what_it_shows_is_what_the_log_signed(self) -> None:
        source = self.new_source()
        key, leaves, notes = self.key(source), list[bytes](), [source.checkpoint()]
        sizes = (0, 1, 7, TILE_WIDTH - 1, TILE_WIDTH, TILE_WIDTH + 1, MORE_THAN_ONE_TILE)
        for size in sizes[1:]:
            leaves += self.grow(source, size - len(leaves))
            notes.append(source.checkpoint())
        newest = verify_checkpoint(source.checkpoint(), key)
        assert newest.size == MORE_THAN_ONE_TILE
        assert tiled_tree(source, newest.size).root() == newest.root
        assert source.tile(0, 0, TILE_WIDTH) == b"".join(leaves[:TILE_WIDTH])
        for size, note in zip(sizes, notes, strict=True):
            growth = follow(source, key, note)
            assert (growth.checkpoint, growth.note) == (newest, notes[-1])
            assert growth.known is not None
            assert growth.known.size == size
            check_growth(source, key, notes[0], note)

    def test_a_tile_of_any_width_is_a_beginning_of_it_and_no_wider_one_is_there(self) -> None:
        source = self.new_source()
        hashes = self.grow(source, 5)
        for width in range(1, 6):
            tile = source.tile(0, 0, width)
            assert (tile, len(tile)) == (b"".join(hashes[:width]), width * HASH_BYTES)
        for level, number, width in (
            (0, 0, 6),
            (0, 0, TILE_WIDTH),
            (0, 1, 1),
            (1, 0, 1),
            (63, 0, 1),
            (0, 2**55 - 1, 1),
        ):
            with expect(LogSourceError):
                source.tile(level, number, width)
