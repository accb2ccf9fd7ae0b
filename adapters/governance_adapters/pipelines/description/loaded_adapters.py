"""The adapters that sit inside a module: LoRA and its kin (peft), and IP-Adapters; their tensors, and their scales."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from governance.errors import ModelError

_IP_PROJECTIONS = ("encoder_hid_proj.image_projection_layers.", "image_proj")
"""Where a network keeps what turns an image's embedding into tokens: one layer for each IP-Adapter, or one alone."""
_THOUSAND = 1000


@dataclass(slots=True)
class LoadedAdapter:
    """An adapter by its name inside one module.

    `prefixes` are what the keys of its tensors begin with, each with what it is called whatever the adapter's name;
    `scales` are the scale in each layer that it sits in, 0 where it is not active.
    """

    name: str
    prefixes: dict[str, str] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)

    @property
    def exact_scales(self) -> dict[str, str]:
        """The scales as the shortest decimal texts that read back as the same float64."""
        return {layer: repr(scale) for layer, scale in sorted(self.scales.items())}

    @property
    def scale_thousandths(self) -> int:
        """The scale of the largest magnitude, its sign kept."""
        return max((round(scale * _THOUSAND) for scale in self.scales.values()), key=lambda each: (abs(each), each))


def loaded_adapters(component: str, module: torch.nn.Module) -> Mapping[str, LoadedAdapter]:
    """The adapters in `module`, which is the component `component`, by their names.

    Raises:
        ModelError: an adapter is merged into the weights, or a scale is no finite number.
    """
    found: dict[str, LoadedAdapter] = {}
    for name, layer in module.named_modules():
        if hasattr(type(layer), "adapter_layer_names"):
            _read_peft(found, component, name, layer)
        elif "to_k_ip" in vars(layer)["_modules"] and hasattr(layer, "scale"):
            _read_ip_adapter(found, name, layer)
    for adapter in found.values():
        if not all(math.isfinite(scale) for scale in adapter.scales.values()):
            raise ModelError(
                f"The adapter {adapter.name!r} in {component} has a scale that is no finite number.",
                remedy="Set a scale between -1000 and 1000.",
            )
    return dict(sorted(found.items()))


def owners_of(adapters: Mapping[str, LoadedAdapter]) -> dict[str, tuple[str, str]]:
    """By each prefix of a key: the adapter whose tensors begin so, and what the prefix is called without its name."""
    return {
        prefix: (adapter.name, called) for adapter in adapters.values() for prefix, called in adapter.prefixes.items()
    }


def owner_of(key: str, owners: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The adapter that the tensor `key` belongs to, and the key without the adapter's name; None of the base's."""
    end = len(key)
    while end > 0:
        if (owned := owners.get(key[:end])) is not None:
            return owned[0], owned[1] + key[end:]
        end = key.rfind(".", 0, end)
    return None


def _read_peft(found: dict[str, LoadedAdapter], component: str, name: str, layer: Any) -> None:
    if merged := getattr(layer, "merged_adapters", ()):
        raise ModelError(
            f"The adapter {merged[0]!r} is merged into {component}.{name}.",
            remedy="Fuse and unload it, and have the fused weights allowed, or unmerge it.",
        )
    active = () if getattr(layer, "disable_adapters", False) else getattr(layer, "active_adapters", ())
    scaling = getattr(layer, "scaling", None)
    scaling = scaling if isinstance(scaling, Mapping) else {}
    for attribute in layer.adapter_layer_names:
        held = getattr(layer, attribute, None)
        for adapter in held if isinstance(held, (torch.nn.ModuleDict, torch.nn.ParameterDict)) else _held_names(held):
            one = found.setdefault(adapter, LoadedAdapter(adapter))
            one.prefixes[f"{name}.{attribute}.{adapter}"] = f"{name}.{attribute}"
            one.scales[name] = float(scaling.get(adapter, 1.0)) if adapter in active else 0.0


def _held_names(held: Any) -> Iterator[str]:
    """The names in peft's own dictionary of buffers, which is no class of torch's."""
    return iter(held.keys()) if hasattr(held, "keys") else iter(())


def _read_ip_adapter(found: dict[str, LoadedAdapter], name: str, layer: Any) -> None:
    several = isinstance(layer.to_k_ip, torch.nn.ModuleList)
    scales = layer.scale if isinstance(layer.scale, (list, tuple)) else [layer.scale]
    for index, scale in enumerate(scales):
        one = found.setdefault(f"ip_adapter.{index}", LoadedAdapter(f"ip_adapter.{index}"))
        for attribute in ("to_k_ip", "to_v_ip"):
            own = f"{name}.{attribute}"
            one.prefixes[f"{own}.{index}" if several else own] = own
        if not several:
            one.prefixes[name] = name
        for projection in _IP_PROJECTIONS:
            one.prefixes[f"{projection}{index}" if projection.endswith(".") else projection] = "projection"
        if isinstance(scale, (list, tuple)):  # one for each of the masks that the images are given with
            one.scales.update({f"{name}.{mask}": float(value) for mask, value in enumerate(scale)})
        else:
            one.scales[name] = float(scale)
