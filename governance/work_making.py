"""From files to a work that a register can take: what they decode to, their prints, and their previews."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, digest
from governance.errors import ConfigurationError, DetectorError, MarkError, NoWorkError, WorkError
from governance.ports import Encoder
from governance.types import Pixels
from governance.work_checks import named
from governance.works import (
    MAX_IMAGES,
    MAX_LICENCE,
    PREVIEW_SIDE,
    NewWork,
    Preview,
    Printer,
    Work,
    WorkAction,
    WorkImage,
    WorkPrint,
    WorkRegister,
)

MIN_SIDE: Final = 16
"""The fewest pixels of a preview's shorter side: less cannot be compared with anything."""

_PREVIEW_TYPES: Final = ("image/jpeg", "image/png")
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_WEBP_ANIMATION: Final = 0x02
_BATCH: Final = 64


class WorkMaker:
    """Makes works of files. `make` of one file after another holds one decoded picture at a time."""

    def __init__(self, encoder: Encoder, printer: Printer) -> None:
        """Make one.

        Raises:
            ConfigurationError: the printer has no signals, so that nothing would ever be found.
        """
        if not printer.signals:
            raise ConfigurationError(
                "The printer has no signals.", remedy="Name at least one: without, nothing is found."
            )
        self._encoder, self._printer = encoder, printer

    def make(
        self, files: Iterable[tuple[str, bytes]], *, title: str, owner: str, licence: str, action: WorkAction
    ) -> NewWork:
        """A work of these files, each a name (for messages only) and its bytes.

        Raises:
            WorkError: a text is empty or cannot be printed; there is no file, or too many; one cannot be read or
                printed, or is an animation; or two are the same picture.
        """
        texts = named(title, "title"), named(owner, "owner"), named(licence, "licence", MAX_LICENCE)
        images: list[WorkImage] = []
        names: dict[Digest, str] = {}
        for name, content in files:
            if len(images) == MAX_IMAGES:
                raise WorkError(f"A work has at most {MAX_IMAGES} images.", remedy="Add the rest as another work.")
            image = self._image(name, content)
            if image.pixels_digest in names:
                raise WorkError(
                    f"{names[image.pixels_digest]} and {name} are the same picture.", remedy="Leave one of them out."
                )
            names[image.pixels_digest] = name
            images.append(image)
        if not images:
            raise WorkError("A work needs an image: none was given.", remedy="Name its files.")
        return NewWork(Work(*texts, action, tuple(image.digest for image in images)), tuple(images))

    def prints(self, pixels: Pixels) -> tuple[WorkPrint, ...]:
        """The prints of an image, at least one of each signal.

        Raises:
            DetectorError: it cannot be printed.
        """
        made = tuple(self._printer.prints(pixels))
        if {one.signal for one in made} != set(self._printer.signals):
            raise DetectorError(
                "The printer did not make prints of each of its signals.", remedy="This is a fault of the printer."
            )
        return made

    def reindex(self, register: WorkRegister, *, everything: bool = False) -> Iterator[int]:
        """Print anew, from the previews, what has no prints of the printer's signals; yields how many images are done.

        Old prints of those images go, whatever their signal. `everything`: all images.

        Raises:
            WorkError: the register cannot be read or written, or a preview cannot be printed.
        """
        done = 0
        for batch in _batches(_all_images(register) if everything else self._unprinted(register)):
            register.reprint({image: made for image in batch if (made := self._reprinted(register, image))})
            done += len(batch)
            yield done

    def _unprinted(self, register: WorkRegister) -> Iterator[Digest]:
        for signal in self._printer.signals:
            after: Digest | None = None
            while page := register.unprinted(signal, after=after, limit=_BATCH):
                after = page[-1]
                yield from page

    def _reprinted(self, register: WorkRegister, image: Digest) -> tuple[WorkPrint, ...]:
        try:
            return self.prints(self._encoder.decode(register.preview(image).content))
        except NoWorkError:
            return ()  # its work was removed meanwhile
        except (MarkError, DetectorError) as error:
            raise WorkError(
                f"The preview of image {image} cannot be printed: {error}", remedy="Remove its work and add it again."
            ) from error

    def _image(self, name: str, content: bytes) -> WorkImage:
        if is_animated(content):
            raise WorkError(
                f"{name} is an animation, of which only one frame would be protected.",
                remedy="Save the frames that matter as pictures, and name those.",
            )
        try:
            pixels = self._encoder.decode(content)
            small = shrunk(pixels)
            if min(small.shape[:2]) < MIN_SIDE:
                height, width = pixels.shape[:2]
                raise WorkError(
                    f"{name} has {width} x {height} px: too small or too narrow to compare anything with.",
                    remedy=f"Name a picture of at least {MIN_SIDE} x {MIN_SIDE} px.",
                )
            kind = next(kind for kind in (*_PREVIEW_TYPES, *self._encoder.media_types) if self._writes(kind))
            preview = Preview(self._encoder.encode(small, kind), kind)
            prints = self.prints(pixels)
        except (MarkError, DetectorError) as error:
            why = str(error).removesuffix(error.remedy).rstrip()
            raise WorkError(f"{name} cannot be added: {why}", remedy=error.remedy) from error
        return WorkImage(digest(content), pixels_digest(pixels), preview, prints)

    def _writes(self, kind: str) -> bool:
        return kind in self._encoder.media_types


def pixels_digest(pixels: Pixels) -> Digest:
    """SHA-256 over height and width (8 bytes each, big-endian) and the values: the same for every lossless file of one
    picture.
    """
    state = hashlib.sha256(b"".join(side.to_bytes(8) for side in pixels.shape[:2]))
    state.update(np.ascontiguousarray(pixels).data)
    return Digest(state.hexdigest())


def shrunk(pixels: Pixels, side: int = PREVIEW_SIDE) -> Pixels:
    """`pixels` with at most `side` pixels on the longest side, each the mean of the area that it covers; never enlarged."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return pixels
    rows = _averaged(pixels, max(1, round(height * side / longest)))
    both = _averaged(rows.swapaxes(0, 1), max(1, round(width * side / longest))).swapaxes(0, 1)
    result: Pixels = np.ascontiguousarray(np.rint(both).clip(0, 255).astype(np.uint8))
    return result


def is_animated(content: bytes) -> bool:
    """Whether a PNG or WebP file says that it has several frames.

    APNG: an `acTL` chunk before the first `IDAT` (PNG, third edition, section 11.3.6.1); WebP: the animation flag of
    the `VP8X` chunk (RFC 9649, section 2.7).
    """
    if content.startswith(_PNG_SIGNATURE):
        at = len(_PNG_SIGNATURE)
        while (kind := content[at + 4 : at + 8]) not in (b"acTL", b"IDAT", b""):
            at += 12 + int.from_bytes(content[at : at + 4])
        return kind == b"acTL"
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X":
        return bool(content[20:21] and content[20] & _WEBP_ANIMATION)
    return False


def _averaged(values: NDArray[np.uint8] | NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Means along the first axis over `size` equal spans; a value cut by an edge counts for its part."""
    length = len(values)
    means = np.empty((size, *values.shape[1:]), np.float32)
    for at, (low, high) in enumerate(pairwise(np.linspace(0, length, size + 1))):
        first, last = int(low), min(int(np.ceil(high)), length)
        places = np.arange(first, last)
        weights = np.minimum(places + 1, high) - np.maximum(places, low)
        means[at] = np.tensordot((weights / weights.sum()).astype(np.float32), values[first:last], 1)
    return means


def _all_images(register: WorkRegister) -> Iterator[Digest]:
    after = ""
    while page := register.list(after=after, limit=_BATCH):
        after = page[-1].id
        for work in page:
            yield from work.images


def _batches(images: Iterator[Digest]) -> Iterator[Sequence[Digest]]:
    batch: dict[Digest, None] = {}
    for image in images:
        batch[image] = None  # an image may lack prints of several signals
        if len(batch) == _BATCH:
            yield tuple(batch)
            batch = {}
    if batch:
        yield tuple(batch)
