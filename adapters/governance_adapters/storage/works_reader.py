"""`SqliteWorksReader`: the port `WorkReader` on one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from governance.canonical import Digest
from governance.errors import WorkError
from governance.works import ImagePrints, Preview, Work
from governance_adapters.storage import works_rows as rows
from governance_adapters.storage.works_file import WorksFile


class SqliteWorksReader:
    """The port `WorkReader`: the register as detectors and consoles see it. Any thread and any process may read."""

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float = 10.0) -> None:
        """Open the register.

        Raises:
            WorkError: there is none, it is something else, or a newer program's.
        """
        self._file = WorksFile(Path(path).absolute(), busy_timeout_s)
        self._file.check()

    @property
    def path(self) -> Path:
        """The register's file."""
        return self._file.path

    @property
    def revision(self) -> str:
        """See `WorkReader.revision`: the id of the last change, never used again, and the number of changes."""
        with self._file.reading() as connection:
            change, number = connection.execute("SELECT register, revision FROM state").fetchone()
        return f"{change}:{number}"

    def prints(self, signal: str) -> Iterator[ImagePrints]:
        """See `WorkReader.prints`."""
        with self._file.reading() as connection:
            yield from rows.read_prints(connection, signal)

    def unprinted(self, signal: str, *, after: Digest | None = None, limit: int = 100) -> Sequence[Digest]:
        """See `WorkReader.unprinted`."""
        with self._file.reading() as connection:
            return rows.read_unprinted(connection, signal, after, limit)

    def count(self) -> int:
        """See `WorkReader.count`."""
        with self._file.reading() as connection:
            return rows.count_works(connection)

    def show(self, work_id: str) -> Work:
        """See `WorkReader.show`."""
        with self._file.reading() as connection:
            return rows.read_work(connection, work_id)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Work]:
        """See `WorkReader.list`.

        Raises:
            WorkError: `limit` is below 1, or the register cannot be read.
        """
        if limit < 1:
            raise WorkError(f"A page of {limit} works is no page.", remedy="Ask for at least one.")
        with self._file.reading() as connection:
            return rows.read_works(connection, after, limit)

    def unsettled(self) -> Sequence[str]:
        """See `WorkReader.unsettled`."""
        with self._file.reading() as connection:
            return [work_id for (work_id,) in connection.execute("SELECT work_id FROM pending ORDER BY work_id")]

    def preview(self, image: Digest) -> Preview:
        """See `WorkReader.preview`."""
        with self._file.reading() as connection:
            return rows.read_preview(connection, image)
