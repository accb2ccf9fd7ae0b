"""What a parameter of a pipeline's call takes, by its name, its annotation and its default."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, get_args

from governance.types import OpaqueKind, PromptKind

_TEXT: Final = re.compile(r"\bstr\b|\bAny\b")
_LITERAL: Final = re.compile(r"Literal\[([^\]]*)\]")
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_PICTURE: Final = re.compile(r"PIL\.Image|\bImage\.Image\b")
_SHOWN: Final = re.compile("image|mask|video|frames|pose|control|picture")
"""Names of what is looked at: pictures, masks and the frames of videos."""
_COMPUTED: Final = re.compile("embed|latent|attention|timestep|audio|sound|waveform")
"""Names of what a model computed, and of sounds: no pictures, whatever else the name says."""
_HEARD: Final = re.compile("audio|sound|waveform")
_FILE: Final = re.compile("image|mask|video|audio|waveform|font|file|path|url")
"""Names of what a text could only name: a pipeline would read a file that policy has not seen."""
_UNWANTED: Final = re.compile("negative|^neg_")
_CALLBACK: Final = "callback"
_TENSORS_OF_CALLBACK: Final = "_tensor_inputs"


@dataclass(frozen=True, slots=True)
class Takes:
    """What one parameter takes.

    `text`: whether a text may be given. `options` are the texts that an annotation lists, and the default: they are
    settings, no prompts; `listed` where every text is one. `pictures`: whether arrays of it are pictures. `kind` is that of
    its prompts, `opaque` that of its tensors, `callback` whether it may be called. `default` is `inspect.Parameter.empty`
    where there is none.
    """

    name: str
    text: bool
    options: frozenset[str]
    listed: bool
    pictures: bool
    kind: PromptKind
    opaque: OpaqueKind
    callback: bool
    default: Any

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> Takes:
        """What `parameter` takes; without an annotation, whatever is given."""
        name, default, annotation = parameter.name, parameter.default, written(parameter.annotation)
        prompt = "prompt" in name and _COMPUTED.search(name) is None  # whatever its annotation says of it
        admits = prompt or not annotation or bool(_TEXT.search(annotation)) or isinstance(default, (str, Enum))
        return cls(
            name=name,
            text=admits and ("prompt" in name or _FILE.search(name) is None),
            options=_options(annotation, default),
            listed=name.endswith(_TENSORS_OF_CALLBACK),
            pictures=shows(name) or (_COMPUTED.search(name) is None and _PICTURE.search(annotation) is not None),
            kind=PromptKind.NEGATIVE if _UNWANTED.search(name) else PromptKind.PROMPT,
            opaque=opaque_kind(name),
            callback=_CALLBACK in name,
            default=default,
        )


def shows(name: str) -> bool:
    """Whether arrays that are given under this name are pictures."""
    return _SHOWN.search(name) is not None and _COMPUTED.search(name) is None


def opaque_kind(name: str) -> OpaqueKind:
    """What a tensor is, by the name it is given under."""
    if "latents" in name:
        return OpaqueKind.LATENTS
    if "embed" in name:
        return OpaqueKind.EMBEDDING
    return OpaqueKind.AUDIO if _HEARD.search(name) else OpaqueKind.OTHER


def taken_by(signature: inspect.Signature) -> Mapping[str, Takes]:
    """What each named parameter of a method takes, the first (self) left out."""
    parameters = list(signature.parameters.values())[1:]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {each.name: Takes.of(each) for each in parameters if each.kind not in variadic}


def written(annotation: Any) -> str:
    """An annotation as text; empty where there is none."""
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation.__qualname__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def _options(annotation: str, default: Any) -> frozenset[str]:
    listed = {one or other for found in _LITERAL.findall(annotation) for one, other in _QUOTED.findall(found)}
    return frozenset(listed | ({default} if isinstance(default, str) else set()))
