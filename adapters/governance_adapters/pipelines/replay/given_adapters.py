"""LoRA files that somebody says were in force: put on a loaded pipeline under the names and scales of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from governance.errors import ConfigurationError, ModelError
from governance_adapters.pipelines.description.describe import components_of

_SAFE: Final = ".safetensors"
_IP_ADAPTER: Final = "ip_adapter."
_THOUSAND: Final = 1000


@dataclass(frozen=True, slots=True)
class GivenAdapter:
    """A LoRA file, and its scale; None for the recorded one."""

    path: Path
    scale: float | None = None

    @classmethod
    def parse(cls, text: str) -> GivenAdapter:
        """`FILE`, or `FILE=SCALE`.

        Raises:
            ConfigurationError: no safetensors file, or a scale that is no number.
        """
        name, equals, scale = text.rpartition("=")
        path = Path(name if equals else text)
        if path.suffix != _SAFE or not path.is_file():
            raise ConfigurationError(
                f"{path} is no safetensors file.",
                remedy="Give --lora FILE, or --lora FILE=SCALE; pickled ones run code.",
            )
        try:
            return cls(path, float(scale) if equals else None)
        except ValueError as error:
            raise ConfigurationError(f"{scale!r} is no scale.", remedy="Give a number, such as 0.8.") from error


@dataclass(slots=True)
class GivenAdapters:
    """The `given` files on one loaded pipeline: their tensors are put on once, their scales are those of each record.

    A file without a scale of its own has that of the record's adapter in its place; where the record has none, it is 0.
    """

    pipe: Any
    given: Sequence[GivenAdapter]
    _names: tuple[str, ...] = ()

    def as_recorded(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        """Have the files on as the `recorded` adapters of a model's document are: by their names, in their order.

        Raises:
            ModelError: a file does not fit the pipeline.
        """
        if not self.given:
            return
        present = [_Recorded.of(each) for each in recorded]
        known = list(dict.fromkeys(each.name for each in present if not each.name.startswith(_IP_ADAPTER)))
        names = [*known, *self._names[len(known) :]]
        names += [f"given_{number}" for number in range(len(names), len(self.given))]
        put = dict(zip(names, self.given, strict=False))
        self._load(put)
        scales = [float(name in known) if each.scale is None else each.scale for name, each in put.items()]
        self.pipe.set_adapters(list(put), scales)
        for each in present:
            if each.name in put and put[each.name].scale is None:
                _rescale(components_of(self.pipe).get(each.component), each)

    def _load(self, put: Mapping[str, GivenAdapter]) -> None:
        """Have exactly these files loaded, each by its name. Names are part of the layers: others are loaded anew."""
        if self._names == tuple(put):
            return
        if self._names:
            self.pipe.unload_lora_weights()
        self._names = ()
        for name, adapter in put.items():
            try:
                self.pipe.load_lora_weights(
                    str(adapter.path.parent), weight_name=adapter.path.name, adapter_name=name, local_files_only=True
                )
            except Exception as error:  # diffusers and peft raise what they like: it is no adapter of this pipeline
                raise ModelError(
                    f"{adapter.path} cannot be put on this {type(self.pipe).__name__}: {type(error).__name__}: {error}.",
                    remedy="Give the LoRA file that was in force.",
                ) from error
            self._names = (*self._names, name)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An adapter of a model's document; `scales` by layer, None in documents of version 1, which have the largest only."""

    component: str
    name: str
    largest: float
    scales: Mapping[str, str] | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> _Recorded:
        component, _, name = str(document["name"]).partition("/")
        return cls(component, name, document["scale_thousandths"] / _THOUSAND, document.get("scales"))


def _rescale(component: Any, recorded: _Recorded) -> None:
    """Give the layers of one adapter in `component` the scales of the record, of which rank and alpha are a part already."""
    name = recorded.name
    layers = {
        path: layer
        for path, layer in (component.named_modules() if isinstance(component, torch.nn.Module) else ())
        if isinstance(getattr(layer, "scaling", None), dict) and name in layer.scaling
    }
    if recorded.scales is not None:
        for path in layers.keys() & recorded.scales.keys():
            layers[path].scaling[name] = float(recorded.scales[path])
        return
    own = max((abs(layer.scaling[name]) for layer in layers.values()), default=0.0)
    for layer in layers.values():
        layer.set_scale(name, recorded.largest / own if own else 0.0)
