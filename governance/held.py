"""What waits in quarantine: a draft, and the input images that it was made from, packed into one object.

The draft is a lossless file: a picture as PNG, a clip as animated PNG, a sound as WAV.

A zip archive (APPNOTE 6.3, members stored): `index.json`, `draft`, `inputs/0`, `inputs/1`, ... Whoever decrypts one can
open it with anything; we read only archives of exactly these members.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from governance.canonical import Json, canonical_bytes
from governance.codecs import Codecs
from governance.errors import CanonicalError, StorageError
from governance.media import Media
from governance.ports import Encoder
from governance.types import InputImage

MAX_HELD_BYTES = 1 << 30
"""All files of one hold together: more is refused when it is packed and when it is opened."""
MAX_INPUTS = 1000
DRAFT_MEDIA_TYPE = "image/png"
_PICTURE_VERSION, _VERSION = 1, 2
_INDEX, _DRAFT, _INPUT = "index.json", "draft", "inputs/{}"


@dataclass(frozen=True, slots=True)
class HeldInput:
    """One input image: its parameter, its file, and that file's media type; `bare` where the caller gave only pixels."""

    parameter: str
    content: bytes
    media_type: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class HeldDraft:
    """A draft as a lossless file of `media_type`, and the files of its inputs."""

    content: bytes
    inputs: tuple[HeldInput, ...] = ()
    media_type: str = DRAFT_MEDIA_TYPE

    @classmethod
    def of(cls, codecs: Codecs, draft: Media, inputs: Sequence[InputImage]) -> HeldDraft:
        """The draft and its inputs; inputs that were bare pixels are encoded losslessly.

        Raises:
            MarkError: it cannot be encoded.
        """
        files = tuple(
            HeldInput(image.parameter, image.content, image.media_type)
            if image.content
            else HeldInput(image.parameter, codecs.encode(image.pixels, DRAFT_MEDIA_TYPE), DRAFT_MEDIA_TYPE, bare=True)
            for image in inputs
        )
        media_type = codecs.lossless(draft)
        return cls(codecs.encode(draft, media_type), files, media_type)

    def images(self, encoder: Encoder) -> tuple[InputImage, ...]:
        """The inputs as they were given.

        Raises:
            MarkError: a file cannot be decoded.
        """
        return tuple(
            InputImage(file.parameter, encoder.decode(file.content))
            if file.bare
            else InputImage(file.parameter, encoder.decode(file.content), file.content, file.media_type)
            for file in self.inputs
        )

    def pack(self) -> bytes:
        """One object: the same draft gives the same bytes.

        Raises:
            StorageError: it is larger than 1 GiB, or has more than 1,000 inputs, or a name that is no text.
        """
        contents = [self.content, *(file.content for file in self.inputs)]
        if sum(map(len, contents)) > MAX_HELD_BYTES or len(self.inputs) > MAX_INPUTS:
            raise StorageError(
                f"A draft and its {len(self.inputs)} inputs are too large to hold.",
                remedy=f"Give at most {MAX_INPUTS} inputs and {MAX_HELD_BYTES} bytes in all.",
            )
        try:
            index = canonical_bytes(self._index())
        except CanonicalError as error:
            raise StorageError(f"The inputs cannot be held: {error}", remedy=error.remedy) from error
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for name, content in zip(_names(len(self.inputs)), [index, *contents], strict=True):
                archive.writestr(zipfile.ZipInfo(name), content)
        return packed.getvalue()

    def _index(self) -> dict[str, Json]:
        """What `index.json` says; of a picture no more than in the first version."""
        inputs: list[Json] = [_described(file) for file in self.inputs]
        if self.media_type == DRAFT_MEDIA_TYPE:
            return {"version": _PICTURE_VERSION, "inputs": inputs}
        return {"version": _VERSION, "inputs": inputs, "media_type": self.media_type}

    @classmethod
    def unpack(cls, sealed: bytes) -> HeldDraft:
        """What `pack` made. Bytes that are no archive are a draft alone: so the first version sealed them.

        Raises:
            StorageError: the bytes are an archive, but not one of ours.
        """
        if not sealed.startswith(b"PK"):
            return cls(sealed)
        try:
            with zipfile.ZipFile(io.BytesIO(sealed)) as archive:
                members = archive.infolist()
                if any(each.compress_type != zipfile.ZIP_STORED or each.file_size > len(sealed) for each in members):
                    raise ValueError("a member is compressed")  # so that opening never takes more than was sealed
                if sum(each.file_size for each in members) > len(sealed):
                    raise ValueError("members overlap")
                files = {member.filename: archive.read(member) for member in members}
            index = json.loads(files[_INDEX])
            inputs = _inputs(index, files)
            if sorted(each.filename for each in members) != sorted(_names(len(inputs))):
                raise ValueError("its members are not those that its index names")
            return cls(files[_DRAFT], inputs, _media_type(index))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise _unsound(error) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unsound(error) from error


def _names(inputs: int) -> list[str]:
    return [_INDEX, _DRAFT, *(_INPUT.format(number) for number in range(inputs))]


def _described(file: HeldInput) -> Json:
    return {"parameter": file.parameter, "media_type": file.media_type, "bare": file.bare}


def _inputs(index: Any, files: dict[str, bytes]) -> tuple[HeldInput, ...]:
    if index["version"] not in (_PICTURE_VERSION, _VERSION):
        raise ValueError(f"it has version {index['version']!r}")
    return tuple(
        HeldInput(each["parameter"], files[_INPUT.format(number)], each["media_type"], each["bare"])
        for number, each in enumerate(index["inputs"])
    )


def _media_type(index: Any) -> str:
    """What the draft is a file of; the first version held pictures only."""
    media_type = DRAFT_MEDIA_TYPE if index["version"] == _PICTURE_VERSION else index["media_type"]
    if not isinstance(media_type, str):
        raise TypeError("its media type is no text")
    return media_type


def _unsound(error: Exception) -> StorageError:
    return StorageError(
        f"What was held cannot be read: {error}.", remedy="Reject the hold, or restore the quarantine from a backup."
    )
