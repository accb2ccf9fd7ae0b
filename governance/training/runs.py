"""The values of a governed training run: what it is going to do, what it consumed, and what came of it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Digest, Json, canonical_bytes, digest, parsed_json
from governance.entries import Document
from governance.errors import ProofError, TrainingError
from governance.training.policy_input import LineageGrade
from governance.types import Principal, new_id

CONSUMED_VERSION: Final = 1
MAX_DATASETS: Final = 50
"""The most datasets of one run: all of them must fit into one ledger entry."""


class Method(StrEnum):
    """How a run changes its base: a LoRA beside its weights, a LoRA that learns one subject, or its weights themselves."""

    LORA = "lora"
    DREAMBOOTH = "dreambooth"
    FULL = "full"


class ResultKind(StrEnum):
    """What a run makes: weights that are loaded into a model, or a model."""

    ADAPTER = "adapter"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """The audit of a dataset that a run stands on: the dataset's name, the `audited` entry's id, the root that it signed."""

    name: str
    audited: str
    root: Digest

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"name": self.name, "audited": self.audited, "root": self.root}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is going to do, and who asks.

    `base` is the key of the model in the register (the canonical digest of its components). `settings` are the trainer's
    own, without floats: they are kept as a document, and nothing personal may stand in them. `texts` are those that may name
    a person, such as the prompt that a subject is learnt under: entries hold salted commitments to them.
    """

    principal: Principal
    purpose: str
    method: Method
    lineage: LineageGrade
    base: Digest
    datasets: tuple[DatasetUse, ...]
    settings: Mapping[str, Json] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        """Refuse a run on nothing.

        Raises:
            TrainingError: there is no dataset, too many, or one twice.
        """
        names = [use.name for use in self.datasets]
        if not names or len(set(names)) != len(names) or len(names) > MAX_DATASETS:
            raise TrainingError(
                f"A run stands on 1 to {MAX_DATASETS} different datasets, not on {', '.join(names[:5]) or 'none'}.",
                remedy="Name each dataset of the run once.",
            )


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a run took from one dataset: a bit for each leaf of the tree with this `root` and `size`.

    Bit `i` is `bitmap[i // 8] >> (i % 8) & 1`. A leaf is one distinct content, so `contents` counts the bits that are set,
    and `records` the records that have these contents and were handed out.
    """

    name: str
    root: Digest
    size: int
    records: int
    bitmap: bytes

    @property
    def contents(self) -> int:
        """How many distinct contents were consumed."""
        return sum(byte.bit_count() for byte in self.bitmap)

    def __contains__(self, index: int) -> bool:
        """Whether the content of leaf `index` was consumed."""
        return 0 <= index < self.size and bool(self.bitmap[index // 8] >> index % 8 & 1)

    def indices(self) -> Iterator[int]:
        """The leaves that were consumed, in their order."""
        for place, byte in enumerate(self.bitmap):
            if byte:
                yield from (8 * place + bit for bit in range(8) if byte >> bit & 1)

    def document(self) -> Document:
        """What is kept beside the entry, which commits to it by digest."""
        content = canonical_bytes(
            {
                "version": CONSUMED_VERSION,
                "dataset": self.name,
                "root": self.root,
                "size": self.size,
                "records": self.records,
                "bitmap": base64.b64encode(zlib.compress(self.bitmap, 9)).decode(),
            }
        )
        return Document(digest(content), content)

    @classmethod
    def from_document(cls, content: bytes) -> Consumed:
        """Read what `document` wrote. Nothing larger than the tree says is unpacked.

        Raises:
            ProofError: the bytes are no such document.
        """
        try:
            value: Any = parsed_json(content)
            size, records = value["size"], value["records"]
            if value["version"] != CONSUMED_VERSION or type(size) is not int or type(records) is not int or size < 0:
                raise ValueError("another version, or no sizes")
            length = (size + 7) // 8
            unpacker = zlib.decompressobj()
            bitmap = unpacker.decompress(base64.b64decode(value["bitmap"], validate=True), length + 1)
            if len(bitmap) != length or not unpacker.eof or (size % 8 and bitmap[-1] >> size % 8):
                raise ValueError("another number of leaves")
            return cls(str(value["dataset"]), Digest(value["root"]), size, records, bitmap)
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ProofError(
                f"This is no record of what a run consumed: {error}.", remedy="Run `governance ledger verify`."
            ) from error


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a run.

    Of an adapter `digest` is that of its weights, as a pipeline that has it loaded is described (`AdapterFacts.digest`), and
    `component` the part that it sits in. Of a model `digest` is its key, and `components` are the digests it is made of.
    `file` is the SHA-256 of the one file that holds an adapter, `name` what the file or folder is called.
    """

    kind: ResultKind
    digest: Digest
    name: str = ""
    file: Digest | str = ""
    component: str = ""
    components: Mapping[str, Digest] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """Its values by name; `components` and `component` only where there are any."""
        value: dict[str, Json] = {"kind": self.kind.value, "digest": self.digest, "name": self.name, "file": self.file}
        if self.component:
            value["component"] = self.component
        if self.components:
            value["components"] = dict(self.components)
        return value
