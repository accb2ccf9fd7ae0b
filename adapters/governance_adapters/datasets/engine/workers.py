"""Reads the parts of a source side by side, on whichever engine Daft runs on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from governance import errors
from governance.errors import DatasetError, GovernanceError
from governance_adapters.datasets.engine.reading import Reading
from governance_adapters.datasets.engine.runner import Engine
from governance_adapters.datasets.sources.source import SourcePart

_PLACE: Final = "place"


class PartReader:
    """Reads parts in a worker. What fails is handed back as a value: an engine would wrap an error, and lose what it says."""

    def __init__(self, reading: Reading, parts: Sequence[SourcePart]) -> None:
        self._reading, self._parts = reading, parts

    def read(self, place: int) -> str:
        """JSON of how many records the part at `place` has, or of why it could not be read."""
        if self._reading.stopped.exists():
            return json.dumps({"rows": 0})
        try:
            return json.dumps({"rows": self._reading.read(self._parts[place])})
        except GovernanceError as error:
            message = str(error).removesuffix(error.remedy).rstrip()
            return json.dumps({"error": type(error).__name__, "message": message, "remedy": error.remedy})


def read_parts(daft: Any, engine: Engine, workers: int, reading: Reading, parts: Sequence[SourcePart]) -> Iterator[int]:
    """Read `parts`; yields the number of records of each, as they are done.

    Raises:
        GovernanceError: a part cannot be read; the files of those that were stay.
    """
    if not parts:
        return
    method = daft.method.batch(return_dtype=daft.DataType.string(), batch_size=1)(_read_batch)
    reader = type("Reader", (PartReader,), {"read_batch": method, "__module__": __name__})
    apart: dict[str, Any] = {"max_concurrency": workers, "use_process": True} if workers > 1 else {}
    worker = daft.cls(reader, **apart)(reading, tuple(parts))
    places = daft.from_pydict({_PLACE: list(range(len(parts)))})
    if engine is Engine.RAY:
        places = places.into_partitions(min(len(parts), 4 * workers))
    done = places.select(worker.read_batch(daft.col(_PLACE)).alias("said"))
    reading.stopped.unlink(missing_ok=True)
    try:
        yield from _until_stopped(done.iter_rows(), reading)
    except RuntimeError as error:
        raise DatasetError(
            f"A worker of the audit failed: {error}.", remedy="Run the audit again: it goes on where it stopped."
        ) from error


def _until_stopped(rows: Iterator[dict[str, Any]], reading: Reading) -> Iterator[int]:
    """What workers say; whoever stops listening stops them, for Daft cannot leave a query that runs."""
    try:
        for row in rows:
            yield _rows(json.loads(row["said"]))
    except BaseException:  # Ctrl-C too; raised again
        reading.stopped.touch()
        for _ in rows:
            pass
        raise
    finally:
        reading.stopped.unlink(missing_ok=True)


def _read_batch(self: PartReader, places: Any) -> list[str]:
    return [self.read(place) for place in places.to_pylist()]


def _rows(said: dict[str, Any]) -> int:
    if "error" in said:
        kind = getattr(errors, said["error"], DatasetError)
        raise kind(said["message"], remedy=said["remedy"])
    return int(said["rows"])
