"""The register of protected works: whose pictures must not be imitated, and what they look like.

A register holds, for each work, who owns it, under which licence, what to do where a picture resembles it, and the
prints of its images: perceptual hashes and embeddings, which detectors compare pictures with. Prints and previews stay
in the register; the ledger's entries hold digests only (see `governance.work_records`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from governance.canonical import Digest, Json
from governance.errors import LedgerError, WorkError
from governance.types import Pixels, Principal, new_id, utc_now

PDQ_SIGNAL: Final = "pdq"
EMBEDDING_SIGNAL: Final = "embedding:"
"""What the signal of an embedding begins with; the digest of its model follows."""

PREVIEW_SIDE: Final = 512
"""The longest side of a preview in pixels."""

MAX_IMAGES: Final = 256
"""The most images of one work: their digests must fit into one ledger entry."""

MAX_NAME: Final = 300
"""The most characters of a title and of an owner."""

MAX_LICENCE: Final = 200
"""The most characters of a licence."""


class WorkAction(StrEnum):
    """What policy is to do with a picture that resembles a work, where the bundle does not list the work itself."""

    DENY = "deny"
    REVIEW = "review"
    ALLOW = "allow"

    @classmethod
    def strictest(cls, *actions: WorkAction) -> WorkAction:
        """The one that withholds most."""
        return min(actions, key=list(cls).index)


@dataclass(frozen=True, slots=True)
class Work:
    """One protected work. `images` are the SHA-256 digests of its files; `added` is RFC 3339 in UTC."""

    title: str
    owner: str
    licence: str
    action: WorkAction
    images: tuple[Digest, ...]
    id: str = field(default_factory=new_id)
    added: str = field(default_factory=utc_now)

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "id": self.id,
            "title": self.title,
            "owner": self.owner,
            "licence": self.licence,
            "action": self.action.value,
            "images": list(self.images),
            "added": self.added,
        }


@dataclass(frozen=True, slots=True)
class WorkPrint:
    """What one variant of an image looks like to one signal.

    `signal` is `pdq` or `embedding:<digest of the model>`; `variant` names what was done to the image first (`as_is`,
    `mirror`, ...); `value` has the same length for every print of a signal; `quality` is 0..100, as PDQ grades itself.
    """

    signal: str
    variant: str
    value: bytes
    quality: int = 100


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of an image, at most 512 px on its longest side, as a file."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class WorkImage:
    """One image of a work that is to be added.

    `digest` is of the file and `pixels_digest` of what it decodes to (see `governance.work_making.pixels_digest`).
    """

    digest: Digest
    pixels_digest: Digest
    preview: Preview
    prints: tuple[WorkPrint, ...]


@dataclass(frozen=True, slots=True)
class NewWork:
    """A work that is to be added, with its images in the order of `work.images`."""

    work: Work
    images: tuple[WorkImage, ...]


@dataclass(frozen=True, slots=True)
class ImagePrints:
    """All prints of one signal of one image, as an index reads them.

    `values` are the prints' values one behind the other, each `len(values) // len(variants)` bytes; `qualities` has
    one byte (0..100) a variant. `action` is the work's; while the action is being changed, the stricter of the two.
    """

    work_id: str
    action: WorkAction
    variants: tuple[str, ...]
    qualities: bytes
    values: bytes


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one work of a batch: `error` is None where it was added."""

    work: Work
    error: WorkError | LedgerError | None = None


class Printer(Protocol):
    """Makes the prints of images."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that every image gets prints of; at least one."""

    def prints(self, pixels: Pixels) -> Sequence[WorkPrint]:
        """The prints of an image and of its variants (flips, crops, rotations), at least one of each signal.

        Raises:
            DetectorError: the image cannot be printed, for instance because it is too small.
        """


class WorkReader(Protocol):
    """Reads a register of works; what detectors need."""

    @property
    def revision(self) -> str:
        """Another text whenever what the register says has changed, by any process. Cheap: ask before each use.

        Raises:
            WorkError: the register cannot be read. So do all others.
        """

    def prints(self, signal: str) -> Iterator[ImagePrints]:
        """All prints of a signal, one image after the other, of one moment. A work that is being added or removed is there.

        Raises:
            WorkError: stored prints are damaged.
        """

    def unprinted(self, signal: str, *, after: Digest | None = None, limit: int = 100) -> Sequence[Digest]:
        """The images without prints of a signal, by digest, those beyond `after`. Where there is one, nobody may say that
        pictures were compared with the whole register: `governance works reindex` is due.
        """

    def count(self) -> int:
        """How many works there are."""

    def show(self, work_id: str) -> Work:
        """The work.

        Raises:
            NoWorkError: there is none.
        """

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Work]:
        """Works in the order of their ids, which is the order of their time: those beyond `after`, a keyset page."""

    def unsettled(self) -> Sequence[str]:
        """The ids of works that are being changed now, or whose change was interrupted: the next change settles them."""

    def preview(self, image: Digest) -> Preview:
        """The preview of an image.

        Raises:
            NoWorkError: no work has this image.
        """


class WorkRegister(WorkReader, Protocol):
    """Keeps the register. There is no change without an entry in the ledger, and no entry without its change.

    A work protects from before its entry is written until after the entry of its removal is.
    """

    def add(self, new: NewWork, by: Principal) -> Work:
        """Add one work.

        Raises:
            WorkExistsError: an image is there already, the same file or the same pixels.
            WorkError: it cannot be added; nothing of it is in the register.
            LedgerError: the ledger cannot be written; nothing was added.
        """

    def add_all(self, news: Iterable[NewWork], by: Principal) -> Iterator[Added]:
        """Add works in batches, each whole or not at all; yields what became of each, in order.

        Raises:
            WorkError: the register cannot be written; what was yielded without an error stays added.
            LedgerError: the ledger cannot be written; raised once all works of the batch were yielded.
        """

    def change(self, work: Work, by: Principal) -> Work:
        """Give the work of this id the title, owner, licence and action of `work`.

        Raises:
            NoWorkError: there is none.
            WorkError: the images differ, or nothing does.
            LedgerError: the ledger cannot be written; nothing was changed.
        """

    def remove(self, work_id: str, by: Principal) -> Work:
        """Take a work out of the register, with its prints and previews.

        Raises:
            NoWorkError: there is none.
            LedgerError: the ledger cannot be written; nothing was removed.
        """

    def reprint(self, prints: Mapping[Digest, Sequence[WorkPrint]]) -> None:
        """Put these prints in the place of all prints that the images have. An image that is gone is left out."""
