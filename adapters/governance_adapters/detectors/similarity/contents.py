"""What the register says, laid out for comparison: one row a print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import canonical_bytes
from governance.errors import DetectorError
from governance.works import ImagePrints

_REINDEX: Final = "Run `governance works reindex`, or restore the register from its backup."


@dataclass(frozen=True, slots=True)
class Rows:
    """All prints of one signal.

    `values` has the shape (n, width) in bytes; `works`, `variants` and `qualities` have one number a row: the places of
    its work in `work_ids` and of its variant in `names`, and its quality 0..100. `actions` are the works'.
    """

    work_ids: tuple[str, ...]
    actions: tuple[str, ...]
    names: tuple[str, ...]
    works: NDArray[np.int32]
    variants: NDArray[np.int32]
    qualities: NDArray[np.uint8]
    values: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.works)

    def begin_with(self, earlier: Rows, count: int) -> bool:
        """Whether the first `count` values are those of `earlier`, one for one."""
        return min(len(self), len(earlier)) >= count and np.array_equal(self.values[:count], earlier.values[:count])

    def to_sections(self) -> dict[str, bytes]:
        """Everything as named bytes."""
        words = {"work_ids": self.work_ids, "actions": self.actions, "names": self.names}
        arrays: dict[str, NDArray[Any]] = {
            "works": self.works,
            "variants": self.variants,
            "qualities": self.qualities,
            "values": self.values,
        }
        return {"words": canonical_bytes(words), **{name: array.tobytes() for name, array in arrays.items()}}

    @classmethod
    def from_sections(cls, sections: Mapping[str, NDArray[np.uint8]], width: int) -> Rows:
        """What `to_sections` gave, from bytes whose digests were checked."""
        words = json.loads(sections["words"].tobytes())
        return cls(
            tuple(words["work_ids"]),
            tuple(words["actions"]),
            tuple(words["names"]),
            sections["works"].view(np.int32),
            sections["variants"].view(np.int32),
            sections["qualities"],
            sections["values"].reshape(-1, width),
        )


def read_rows(prints: Iterable[ImagePrints], width: int) -> Rows:
    """Lay out the prints of a signal, each `width` bytes.

    Raises:
        DetectorError: one has another length.
        WorkError: the register cannot be read.
    """
    places: dict[str, int] = {}
    names: dict[str, int] = {}
    actions: list[str] = []
    works: list[int] = []
    variants: list[int] = []
    qualities, values = bytearray(), bytearray()
    for image in prints:
        if len(image.values) != width * len(image.variants) or len(image.qualities) != len(image.variants):
            raise DetectorError(
                f"A print of work {image.work_id} does not have {width} bytes: it cannot be compared.", remedy=_REINDEX
            )
        place = places.setdefault(image.work_id, len(places))
        if place == len(actions):
            actions.append(image.action.value)
        works += [place] * len(image.variants)
        variants += [names.setdefault(name, len(names)) for name in image.variants]
        qualities += image.qualities
        values += image.values
    return Rows(
        tuple(places),
        tuple(actions),
        tuple(names),
        np.array(works, np.int32),
        np.array(variants, np.int32),
        np.frombuffer(bytes(qualities), np.uint8),
        np.frombuffer(bytes(values), np.uint8).reshape(-1, width),
    )
