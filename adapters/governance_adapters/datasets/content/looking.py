"""Looks at the images of one part of a dataset, and says what it found in columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.datasets.records import NOT_LOOKED, Basis, OptOut, Problem, Synthetic
from governance.errors import MarkError
from governance.ports import ManifestState
from governance.types import Pixels
from governance_adapters.datasets.content.decoding import Opened, opened, quiet
from governance_adapters.datasets.content.eyes import Eyes, OpenEyes
from governance_adapters.datasets.content.manifests import MARK, model_made, reserves_training
from governance_adapters.datasets.content.scores import BATCH, BATCH_PIXELS, MIN_SIDE, scored
from governance_adapters.datasets.content.texts import personal_in
from governance_adapters.datasets.sources.locations import Contents

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class _Seen:
    """What is known of one record's content; the names are those of the columns."""

    content: str
    basis: str
    media_type: str
    synthetic: str
    personal: set[str]
    problems: set[str]
    width: int = 0
    height: int = 0
    size: int = 0
    pdq: bytes | None = None
    pdq_quality: int | None = None
    opt_outs: set[str] = field(default_factory=set)
    nsfw: int = NOT_LOOKED
    similar: int = NOT_LOOKED
    work: str = ""
    work_action: str = ""
    embedding: NDArray[np.float32] | None = None


CONTENT_COLUMNS: Final = (
    "content",
    "basis",
    "media_type",
    "width",
    "height",
    "size",
    "pdq",
    "pdq_quality",
    "synthetic",
    "opt_outs",
    "nsfw",
    "similar",
    "work",
    "work_action",
    "personal",
    "embedding",
    "problems",
)

_STATED: Final = {"yes": Synthetic.STATED, "no": Synthetic.NO}


def content_schema() -> pa.Schema:
    """The Arrow schema of `CONTENT_COLUMNS`.

    Texts are empty and sizes 0 where nothing is known; `pdq` (32 bytes), `pdq_quality` (0..100) and `embedding` are null
    without a decoded image; `nsfw` and `similar` are hundredths, or `governance.datasets.records.NOT_LOOKED`.
    """
    import pyarrow as pa

    text, texts, number = pa.string(), pa.list_(pa.string()), pa.int32()
    kinds = dict.fromkeys(("width", "height", "pdq_quality", "nsfw", "similar"), number)
    kinds |= dict.fromkeys(("opt_outs", "personal", "problems"), texts)
    kinds |= {"size": pa.int64(), "pdq": pa.binary(32), "embedding": pa.list_(pa.float32())}
    return pa.schema([pa.field(name, kinds.get(name, text)) for name in CONTENT_COLUMNS])


def look(rows: pa.Table, eyes: Eyes, root: str) -> pa.Table:
    """What is found in the content of raw `rows` (see `sources.source`), a row for each, with `content_schema()`.

    `problems` are those of the raw rows and those that were found here, sorted. An image that is missing, corrupt or too
    large is a problem of its record, never an error.

    Raises:
        DetectorError: a detector does not work.
        SigningError: the trust roots cannot be used.
    """
    open_eyes, contents = eyes.open(), Contents(root)
    seen, stated = _stated(rows), rows["content_stated"].to_pylist()
    waiting: list[tuple[_Seen, Pixels]] = []
    with quiet():
        for record, digest, location in zip(seen, stated, rows["location"].to_pylist(), strict=True):
            found = contents.read(location) if location else None
            if isinstance(found, Problem):
                record.problems.add(found.value)
            elif found is not None and (pixels := _looked(record, found, digest, open_eyes)) is not None:
                waiting.append((record, pixels))
            if len(waiting) >= BATCH or sum(pixels.size for _, pixels in waiting) >= 3 * BATCH_PIXELS:
                _score(waiting, open_eyes)
        _score(waiting, open_eyes)
    return _columns(seen)


def not_looked(rows: pa.Table) -> pa.Table:
    """The same columns for rows whose content is not read: what is stated, and nothing else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count, content = rows.num_rows, rows["content_stated"]
    stated = pc.not_equal(content, "")
    synthetic = rows["synthetic_stated"]
    columns: dict[str, Any] = {
        "content": content,
        "basis": pc.if_else(stated, Basis.STATED.value, Basis.NONE.value),
        "media_type": rows["media_type"],
        "synthetic": pc.case_when(
            pc.make_struct(*(pc.equal(synthetic, each) for each in _STATED)),
            *(each.value for each in _STATED.values()),
            Synthetic.UNKNOWN.value,
        ),
        "personal": _lists(personal_in(rows["caption"]), count),
        "problems": rows["problems"],
    }
    empty = {
        "nsfw": NOT_LOOKED,
        "similar": NOT_LOOKED,
        "width": 0,
        "height": 0,
        "size": 0,
        "work": "",
        "work_action": "",
    }
    for each in content_schema():
        if each.name in empty:
            columns[each.name] = pa.repeat(pa.scalar(empty[each.name], each.type), count)
        elif each.name == "opt_outs":
            columns[each.name] = _lists({}, count)
        elif each.name not in columns:
            columns[each.name] = pa.nulls(count, each.type)
    return pa.table([columns[each.name] for each in content_schema()], content_schema())


def _stated(rows: pa.Table) -> list[_Seen]:
    """What is stated of each row's content, before anything is looked at."""
    names = ("content_stated", "media_type", "synthetic_stated", "problems")
    columns = zip(*(rows[name].to_pylist() for name in names), strict=True)
    personal = personal_in(rows["caption"])
    return [
        _Seen(
            content,
            (Basis.STATED if content else Basis.NONE).value,
            media_type,
            _STATED.get(synthetic, Synthetic.UNKNOWN).value,
            set(personal.get(row, ())),
            set(problems),
        )
        for row, (content, media_type, synthetic, problems) in enumerate(columns)
    ]


def _looked(seen: _Seen, content: bytes, stated: str, eyes: OpenEyes) -> Pixels | None:
    """Look at one content, but for what detectors do in batches; returns the pixels that they have to look at."""
    seen.content, seen.basis, seen.size = hashlib.sha256(content).hexdigest(), Basis.COMPUTED.value, len(content)
    if stated and stated != seen.content:
        seen.problems.add(Problem.HASH_DIFFERS.value)
    image = opened(content)
    if image.problem is not None:
        seen.problems.add(image.problem.value)
    seen.media_type = image.media_type or seen.media_type
    seen.width, seen.height = image.width, image.height
    _say(seen, content, image, eyes)
    if image.pixels is None:
        return None
    try:
        print_ = eyes.fingerprinter.fingerprint(image.pixels)
        seen.pdq, seen.pdq_quality = print_.pdq, print_.quality
    except MarkError:
        pass  # a few pixels look like nothing
    return image.pixels if min(image.pixels.shape[:2]) >= MIN_SIDE else None


def _say(seen: _Seen, content: bytes, image: Opened, eyes: OpenEyes) -> None:
    """What the file says of itself: in its metadata, and in its manifests where they are looked at."""
    said = image.said
    seen.personal |= said.personal
    seen.opt_outs |= {each.value for each in said.opt_outs}
    if said.broken:
        seen.problems.add(Problem.BAD_VALUE.value)
    if said.model_made and seen.synthetic != Synthetic.YES:
        seen.synthetic = Synthetic.STATED.value
    if eyes.manifests is None or MARK not in content:
        return
    report, store = eyes.manifests.read_store(content)
    invalid = report.state is ManifestState.INVALID
    if invalid:
        seen.problems.add(Problem.MANIFEST_INVALID.value)
    if reserves_training(store):
        seen.opt_outs.add(OptOut.C2PA.value)
    if model_made(store):
        # A signature that does not hold proves nothing, but nobody calls a photograph made by a model for nothing.
        seen.synthetic = (Synthetic.STATED if invalid else Synthetic.YES).value


def _score(waiting: list[tuple[_Seen, Pixels]], eyes: OpenEyes) -> None:
    """Let everything look that takes several images at once, and forget their pixels."""
    if not waiting:
        return
    pictures = [pixels for _, pixels in waiting]
    for (seen, pixels), scores in zip(waiting, scored(pictures, eyes.detectors), strict=True):
        seen.nsfw, seen.similar = scores.nsfw, scores.similar
        seen.work, seen.work_action = scores.work, scores.work_action
        if eyes.marks is not None and eyes.marks.finds(pixels):
            seen.synthetic = Synthetic.YES.value
        if eyes.embed is not None:
            seen.embedding = eyes.embed(pixels)
    waiting.clear()


def _columns(seen: Sequence[_Seen]) -> pa.Table:
    import pyarrow as pa

    columns: Mapping[str, list[Any]] = {each.name: [] for each in fields(_Seen)}
    for record in seen:
        for name, values in columns.items():
            value = getattr(record, name)
            values.append(sorted(value) if isinstance(value, set) else value)
    return pa.table([pa.array(columns[each.name], each.type) for each in content_schema()], content_schema())


def _lists(filled: Mapping[int, list[str]], rows: int) -> pa.Array:
    """A column of lists of texts, most of them empty."""
    import pyarrow as pa

    sizes = np.zeros(rows + 1, np.int32)
    for row, texts in filled.items():
        sizes[row + 1] = len(texts)
    values = [text for _, texts in sorted(filled.items()) for text in texts]
    return pa.ListArray.from_arrays(pa.array(np.cumsum(sizes, dtype=np.int32)), pa.array(values, pa.string()))
