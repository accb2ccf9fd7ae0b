"""Works, images and prints as rows: how they are written, and how they are read."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from governance.canonical import Digest
from governance.errors import NoWorkError, WorkError, WorkExistsError
from governance.work_checks import check_prints
from governance.works import ImagePrints, NewWork, Preview, Work, WorkAction, WorkImage, WorkPrint

_SIGNAL_SHIFT: Final = 40
_WORKS: Final = "SELECT id, title, owner, licence, action, added FROM work WHERE "


def insert_work(connection: sqlite3.Connection, new: NewWork) -> None:
    """Write a work, its images, previews and prints.

    Raises:
        WorkExistsError: an image is there already.
        WorkError: prints of another length than those of their signal.
    """
    work = new.work
    for image in new.images:
        _refuse_known(connection, image)
    values = work.id, work.title, work.owner, work.licence, work.action.value, work.added
    connection.execute("INSERT INTO work VALUES (?, ?, ?, ?, ?, ?)", values)
    for position, image in enumerate(new.images):
        connection.execute(
            "INSERT INTO image (work_id, position, digest, pixels_digest) VALUES (?, ?, ?, ?)",
            (work.id, position, image.digest, image.pixels_digest),
        )
        (image_id,) = connection.execute("SELECT last_insert_rowid()").fetchone()
        preview = image_id, image.preview.content, image.preview.media_type
        connection.execute("INSERT INTO preview VALUES (?, ?, ?)", preview)
        _insert_prints(connection, image_id, image.prints)


def delete_work(connection: sqlite3.Connection, work_id: str) -> None:
    """Delete a work with everything that it has."""
    images = [image for (image,) in connection.execute("SELECT id FROM image WHERE work_id = ?", (work_id,))]
    for image in images:
        _delete_prints(connection, image)
        connection.execute("DELETE FROM preview WHERE image = ?", (image,))
    for statement in (
        "DELETE FROM image WHERE work_id = ?",
        "DELETE FROM pending WHERE work_id = ?",
        "DELETE FROM work WHERE id = ?",
    ):
        connection.execute(statement, (work_id,))


def replace_prints(connection: sqlite3.Connection, prints: Mapping[Digest, Sequence[WorkPrint]]) -> None:
    """Put prints in the place of those that images have; an image that is gone is left out.

    Raises:
        WorkError: prints that an index could not use, or of another length than those of their signal.
    """
    for image, made in prints.items():
        check_prints(made)
        row = connection.execute("SELECT id FROM image WHERE digest = ?", (image,)).fetchone()
        if row is not None:
            _delete_prints(connection, row[0])
            _insert_prints(connection, row[0], made)
    connection.execute(
        "DELETE FROM signal WHERE NOT EXISTS (SELECT 1 FROM print WHERE print.id BETWEEN signal.id << 40 "
        "AND (signal.id << 40 | ((1 << 40) - 1)))"
    )


def read_work(connection: sqlite3.Connection, work_id: str) -> Work:
    """The work.

    Raises:
        NoWorkError: there is none.
    """
    row = connection.execute(_WORKS + "id = ?", (work_id,)).fetchone()
    if row is None:
        raise NoWorkError(f"There is no work {work_id!r}.", remedy="See `governance works list`.")
    return next(_works(connection, [row]))


def read_works(connection: sqlite3.Connection, after: str, limit: int) -> Sequence[Work]:
    """A keyset page."""
    query = _WORKS + "id > ? ORDER BY id LIMIT ?"
    return list(_works(connection, connection.execute(query, (after, limit)).fetchall()))


def read_preview(connection: sqlite3.Connection, image: Digest) -> Preview:
    """The preview of an image.

    Raises:
        NoWorkError: no work has it.
    """
    query = "SELECT content, type FROM preview JOIN image ON image.id = preview.image WHERE image.digest = ?"
    row = connection.execute(query, (image,)).fetchone()
    if row is None:
        raise NoWorkError(f"No work has an image {image!r}.", remedy="See `governance works list`.")
    return Preview(*row)


def read_prints(connection: sqlite3.Connection, signal: str) -> Iterator[ImagePrints]:
    """All prints of a signal.

    Raises:
        WorkError: what is stored is damaged.
    """
    known = connection.execute("SELECT id, size FROM signal WHERE name = ?", (signal,)).fetchone()
    if known is None:
        return
    signal_id, size = known
    first = signal_id << _SIGNAL_SHIFT
    actions = dict(_actions(connection))
    owners: dict[int, str] = dict(connection.execute("SELECT id, work_id FROM image"))
    names: dict[str, tuple[str, ...]] = {}
    query = "SELECT id, variants, qualities, vals, crc FROM print WHERE id >= ? AND id < ? ORDER BY id"
    for row_id, variants, qualities, values, crc in connection.execute(
        query, (first, (signal_id + 1) << _SIGNAL_SHIFT)
    ):
        work_id = owners.get(row_id - first)
        if work_id not in actions or crc != _crc(variants, qualities, values):
            raise _damaged()
        named = names.setdefault(variants, tuple(variants.split("\n")))
        if len(values) != len(named) * size or len(qualities) != len(named):
            raise _damaged()
        yield ImagePrints(work_id, actions[work_id], named, qualities, values)


def read_unprinted(connection: sqlite3.Connection, signal: str, after: Digest | None, limit: int) -> Sequence[Digest]:
    """The images without prints of a signal: a keyset page by digest."""
    known = connection.execute("SELECT id FROM signal WHERE name = ?", (signal,)).fetchone()
    query = (
        "SELECT digest FROM image WHERE digest > ? "
        "AND NOT EXISTS (SELECT 1 FROM print WHERE print.id = (? | image.id)) ORDER BY digest LIMIT ?"
    )
    first = -1 if known is None else known[0] << _SIGNAL_SHIFT
    return [Digest(found) for (found,) in connection.execute(query, (after or "", first, limit))]


def count_works(connection: sqlite3.Connection) -> int:
    """How many there are."""
    (count,) = connection.execute("SELECT count(*) FROM work").fetchone()
    return int(count)


def _works(connection: sqlite3.Connection, rows: Sequence[tuple[str, ...]]) -> Iterator[Work]:
    if not rows:
        return
    images: dict[str, list[Digest]] = {row[0]: [] for row in rows}
    query = "SELECT work_id, digest FROM image WHERE work_id BETWEEN ? AND ? ORDER BY work_id, position"
    for work_id, found in connection.execute(query, (rows[0][0], rows[-1][0])):
        images[work_id].append(Digest(found))
    for work_id, title, owner, licence, action, added in rows:
        yield Work(title, owner, licence, _action(action), tuple(images[work_id]), work_id, added)


def _actions(connection: sqlite3.Connection) -> Iterator[tuple[str, WorkAction]]:
    """Each work's action; while it is being changed, the stricter of the two."""
    query = "SELECT work.id, work.action, pending.action FROM work LEFT JOIN pending ON pending.work_id = work.id"
    for work_id, action, coming in connection.execute(query):
        yield work_id, WorkAction.strictest(_action(action), _action(coming or action))


def _action(text: str) -> WorkAction:
    try:
        return WorkAction(text)
    except ValueError as error:
        raise _damaged() from error


def _refuse_known(connection: sqlite3.Connection, image: WorkImage) -> None:
    query = (
        "SELECT work.id, work.title, image.digest FROM image JOIN work ON work.id = image.work_id "
        "WHERE image.digest = ? OR image.pixels_digest = ?"
    )
    row = connection.execute(query, (image.digest, image.pixels_digest)).fetchone()
    if row is not None:
        work_id, title, known = row
        same = "This very file" if known == image.digest else "Another file of this picture"
        raise WorkExistsError(
            f"{same} is in the register already: work {work_id} ({title}).",
            work_id,
            remedy="Remove that work first, or leave this image out.",
        )


def _insert_prints(connection: sqlite3.Connection, image_id: int, prints: Sequence[WorkPrint]) -> None:
    for signal in dict.fromkeys(one.signal for one in prints):
        own = [one for one in prints if one.signal == signal]
        values = b"".join(one.value for one in own)
        variants, qualities = "\n".join(one.variant for one in own), bytes(one.quality for one in own)
        row_id = _signal_id(connection, signal, len(own[0].value)) << _SIGNAL_SHIFT | image_id
        row = row_id, variants, qualities, values, _crc(variants, qualities, values)
        connection.execute("INSERT INTO print VALUES (?, ?, ?, ?, ?)", row)


def _signal_id(connection: sqlite3.Connection, signal: str, size: int) -> int:
    connection.execute("INSERT INTO signal (name, size) VALUES (?, ?) ON CONFLICT DO NOTHING", (signal, size))
    signal_id, known = connection.execute("SELECT id, size FROM signal WHERE name = ?", (signal,)).fetchone()
    if known != size:
        raise WorkError(
            f"The prints of {signal} have {known} bytes in the register, not {size}.",
            remedy="Give the new prints a signal of their own.",
        )
    return int(signal_id)


def _delete_prints(connection: sqlite3.Connection, image_id: int) -> None:
    connection.execute(
        "DELETE FROM print WHERE id IN (SELECT signal.id << 40 | ? FROM signal)",
        (image_id,),
    )


def _crc(variants: str, qualities: bytes, values: bytes) -> int:
    """CRC-32, against accidents of the disk: a flipped bit in a hash would hide a copy."""
    return zlib.crc32(values, zlib.crc32(qualities, zlib.crc32(variants.encode())))


def _damaged() -> WorkError:
    return WorkError(
        "The register of works is damaged: stored prints do not fit together.",
        remedy="Run `governance works reindex --all`, or restore the register from a backup.",
    )
