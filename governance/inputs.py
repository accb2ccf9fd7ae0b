"""Input images on their way into a manifest: what their files say of themselves, and how the released file names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from governance.canonical import Digest, Json
from governance.entries import Entry
from governance.errors import MarkError, RequestError, SigningError
from governance.facts import InputManifest, pixels_digest
from governance.ingredients import InputIngredient
from governance.ports import Encoder, IngredientFile, ManifestReader, ManifestState
from governance.records import field_commitments
from governance.types import InputImage

_EDITED: Final = "image"
_CONTROL: Final = "control_image"
_CONDITIONING: Final = "conditioning_scale"
_STATES: Final = {
    ManifestState.TRUSTED: InputManifest.TRUSTED,
    ManifestState.UNTRUSTED: InputManifest.UNTRUSTED,
    ManifestState.MISSING: InputManifest.NONE,
}


def checked_manifest(encoder: Encoder, reader: ManifestReader, image: InputImage) -> InputManifest:
    """What the manifest of an input's file is worth; NONE for bare pixels.

    A trusted manifest that vouches for a broken one itself is worth no more than an untrusted one.

    Raises:
        RequestError: the pixels are not those of the file, the file cannot be decoded, or its manifest is invalid.
        SigningError: the trust root cannot be used.
    """
    if not image.content:
        return InputManifest.NONE
    _check_pixels(encoder, image)
    report = reader.read(image.content)
    if report.state is ManifestState.INVALID:
        raise RequestError(
            f"The manifest of the file given as {image.parameter!r} does not hold: "
            f"{', '.join(report.problems) or 'no reason given'}. The file was changed after it was signed.",
            remedy="Get the file again from where it was published, and pass it unchanged.",
        )
    if any(each.state is ManifestState.INVALID for each in report.ingredients):
        return InputManifest.UNTRUSTED
    return _STATES[report.state]


def input_ingredients(
    admitted: Mapping[str, Json], inputs: Sequence[InputImage], intent: Entry
) -> tuple[tuple[InputIngredient, ...], tuple[IngredientFile, ...]]:
    """How a manifest names the inputs of a call, and the files among them that `ManifestSigner.sign` adds.

    `admitted` is the policy input of the admission, `intent` the entry that commits to each of them. The one picture given as `image` was opened and edited. Where
    several were given, no pipeline says which of them went into which draft, so all are inputs of the model; and what
    only steers another picture, as the `image` of a ControlNet does, was not edited.

    Raises:
        SigningError: `inputs` are not the input images that were admitted.
    """
    facts: Any = admitted["inputs"]
    parameters: Any = admitted["parameters"]
    same = len(facts) == len(inputs) and all(
        (fact["parameter"], fact["digest"]) == (image.parameter, pixels_digest(image))
        for fact, image in zip(facts, inputs, strict=True)
    )
    commitments = field_commitments(intent)
    if not same or any(f"/inputs/{position}" not in commitments for position in range(len(inputs))):
        raise SigningError(
            "The input images are not those that were admitted, so the manifest would say something else.",
            remedy="Do not change input images while a governed call runs.",
        )
    names = [image.parameter for image in inputs]
    steers = any(_CONDITIONING in name for name in parameters) and _CONTROL not in names
    edited = _EDITED if names.count(_EDITED) == 1 and not steers else None
    ingredients = tuple(
        InputIngredient(
            position=position,
            parameter=image.parameter,
            commitment=Digest(str(commitments[f"/inputs/{position}"])),
            media_type=image.media_type,
            opened=image.parameter == edited,
        )
        for position, image in enumerate(inputs)
    )
    files = tuple(
        IngredientFile(image.content, image.media_type, ingredient.definition())
        for ingredient, image in zip(ingredients, inputs, strict=True)
        if image.content
    )
    return ingredients, files


def _check_pixels(encoder: Encoder, image: InputImage) -> None:
    if not image.media_type:
        raise RequestError(
            f"The file given as {image.parameter!r} has no media type.", remedy="Say what it is, such as image/png."
        )
    try:
        decoded = encoder.decode(image.content)
    except MarkError as error:
        raise RequestError(
            f"The file given as {image.parameter!r} cannot be read as a picture.", remedy=error.remedy
        ) from error
    if not np.array_equal(decoded, image.pixels):
        raise RequestError(
            f"The pixels given as {image.parameter!r} are not those of the file that they come with.",
            remedy="Pass the file unchanged; or pass the changed picture alone, without the file.",
        )
