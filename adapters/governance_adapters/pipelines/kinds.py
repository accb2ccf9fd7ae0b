"""What a pipeline class makes, read from its code without running it; and why some make nothing that can be governed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from diffusers import DiffusionPipeline
from diffusers.utils.outputs import BaseOutput

from governance.types import MediaKind

FIELDS: Final[Mapping[str, MediaKind]] = {
    "images": MediaKind.IMAGE,
    "image": MediaKind.IMAGE,
    "frames": MediaKind.VIDEO,
    "video": MediaKind.VIDEO,
    "audios": MediaKind.AUDIO,
    "audio": MediaKind.AUDIO,
    "sound": MediaKind.AUDIO,
}
"""The fields of diffusers' outputs that hold what a detector or a listener can judge, the likeliest of each kind first."""
_ORDER: Final = tuple(MediaKind)
_LENGTH_OF_IMAGES: Final = "video_length"
"""A pipeline that takes it fills `images` with the frames of one video."""
_OTHER_OUTPUTS: Final[Mapping[str, str]] = {
    "depth": "it makes depth maps beside the pictures, and nothing checks those",
    "prediction": "it makes predictions about a picture, no pictures",
    "image_embeds": "it makes embeddings for another pipeline, no pictures",
    "image_embeddings": "it makes embeddings for another pipeline, no pictures",
    "prompt_embeds": "it makes embeddings for another pipeline, no pictures",
    "texts": "it makes texts, no pictures",
    "coords_nm": "it makes proteins, no pictures",
}
_COMPONENTS: Final[Mapping[str, str]] = {
    "shap_e_renderer": "it makes three-dimensional objects, and the pictures it returns are views of them",
    "hdr_transform": "its frames have more than 8 bits a channel, which no detector has seen",
}
_LAYERS: Final = "layers"
"""An argument of a pipeline that takes a picture apart, into layers that lie on one another."""
_INVERTED: Final = "inversion_steps"
"""An attribute that a class sets in a step of its own before the call, and reads in the call."""


@dataclass(frozen=True, slots=True)
class OutputKind:
    """What a pipeline's call makes: its output class, and for each kind of media the field that holds it.

    `media` and `fields` are in the same order: images, videos, sounds.
    """

    output: type[Any]
    media: tuple[MediaKind, ...]
    fields: tuple[str, ...]


def output_kind(pipeline: type) -> OutputKind | None:
    """What the pipeline class makes; None if nothing that can be governed.

    The nearest `__call__` in the class's line of inheritance that names an output class with media decides. A pipeline
    that only passes on what others make, which it builds itself, makes what the last of those does.
    """
    output = output_class(pipeline)
    return None if output is None else _kind(pipeline, output)


def refusal(pipeline: type) -> str | None:
    """Why a class of pipelines cannot be governed, as the rest of a sentence that names it; None if it can.

    It looks at the class alone: its output, its signature and its code. Whether a given pipeline can be described and its
    call be bound is seen when it is called.
    """
    if not any("__call__" in vars(owner) for owner in pipeline.__mro__):
        return "it has no call of its own"
    named = list(_outputs(pipeline))
    fields = [field for output in named for field in _field_names(output)]
    if why := next((why for field, why in _OTHER_OUTPUTS.items() if field in fields), None):
        return why
    if why := _out_of_reach(pipeline):
        return why
    if sum(map(makes_media, named)) > 1:
        return "it makes outputs of two classes at once"
    return "nothing says what it makes" if output_kind(pipeline) is None else None


def output_class(pipeline: type) -> type[Any] | None:
    """The class of a pipeline's outputs that has media in it; see `output_kind`."""
    return next((output for output in _outputs(pipeline) if _kind(pipeline, output) is not None), None)


def makes_media(output: object) -> bool:
    """Whether `output` is a class of diffusers' outputs with a field that holds media."""
    return (
        isinstance(output, type)
        and issubclass(output, BaseOutput)
        and not FIELDS.keys().isdisjoint(_field_names(output))
    )


def _kind(pipeline: type, output: type[Any]) -> OutputKind | None:
    found = {FIELDS[name]: name for name in reversed(_field_names(output)) if name in FIELDS}
    if not found:
        return None
    if MediaKind.IMAGE in found and any(_LENGTH_OF_IMAGES in code.co_varnames for code in _calls(pipeline)):
        found[MediaKind.VIDEO] = found.pop(MediaKind.IMAGE)
    media = tuple(kind for kind in _ORDER if kind in found)
    return OutputKind(output, media, tuple(found[kind] for kind in media))


def _out_of_reach(pipeline: type[Any]) -> str | None:
    """What a class would take or draw without policy, record or detectors."""
    components = inspect.signature(pipeline).parameters
    why = next((why for name, why in _COMPONENTS.items() if name in components), None)
    if why is not None:
        return why
    if any("OnnxRuntimeModel" in str(each.annotation) for each in components.values()):
        return "it runs ONNX sessions, whose weights cannot be read back and described"
    if any(_INVERTED in _names(code) for code in _calls(pipeline)):
        return "it edits a picture that it was given before the call, which policy has not seen"
    if _LAYERS in inspect.signature(pipeline.__call__).parameters:
        return "it makes layers, and what is transparent no detector sees"
    if "generator" not in inspect.signature(pipeline.__call__).parameters:
        return "it takes no generator, so what it draws cannot be recorded"
    return None


def _outputs(pipeline: type) -> Iterator[type[Any]]:
    """Every output class that the nearest call names, then those of the pipelines that the class builds for itself."""
    for owner in pipeline.__mro__:
        named = [kind for kind in _named(vars(owner).get("__call__")) if issubclass(kind, BaseOutput)]
        if named:
            yield from named
            return
    built = [kind for kind in _named(vars(pipeline).get("__init__")) if issubclass(kind, DiffusionPipeline)]
    for kind in built:
        if kind is not pipeline and output_kind(kind) is not None:
            yield from _outputs(kind)


def _calls(pipeline: type) -> Iterator[CodeType]:
    for owner in pipeline.__mro__:
        call = inspect.unwrap(vars(owner).get("__call__", _no_call))
        if isinstance(call, FunctionType):
            yield call.__code__


def _named(method: Any) -> Iterator[type[Any]]:
    """The classes that a method's code names."""
    function = None if method is None else inspect.unwrap(method)
    if isinstance(function, FunctionType):
        for name in _names(function.__code__):
            if isinstance(kind := function.__globals__.get(name), type):
                yield kind


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _field_names(output: type[Any]) -> tuple[str, ...]:
    return tuple(getattr(output, "__dataclass_fields__", ()))


def _no_call() -> None:
    """Stands for a class without a call of its own."""
