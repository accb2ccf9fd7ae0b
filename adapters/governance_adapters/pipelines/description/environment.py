"""What a pipeline's numbers depend on beside its weights, scheduler and arguments: libraries, threads, switches, machine."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin

from governance.canonical import Json
from governance_adapters.pipelines.description.components import config_of
from governance_adapters.pipelines.description.computation import computation_of
from governance_adapters.pipelines.description.plain_state import class_of, plain_state

_LIBRARIES = (
    "accelerate", "bitsandbytes", "flash-attn", "gguf", "kernels", "numpy", "optimum-quanto", "peft", "pillow", "safetensors",
    "scipy", "sentencepiece", "tokenizers", "torchao", "torchaudio", "torchsde", "torchvision", "triton", "xformers",
)  # fmt: skip
"""Libraries that take part in a generation where they are installed, beside those of `ModelFacts.versions`."""

_VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "DIFFUSERS_ATTN_BACKEND", "KMP_AFFINITY", "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS", "NVIDIA_TF32_OVERRIDE", "OMP_SCHEDULE", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
"""Environment variables that choose between ways to compute the same thing."""


def environment_of(pipe: Any, modules: dict[str, torch.nn.Module], device: torch.device) -> dict[str, Json]:
    """The environment of `pipe`, whose torch modules are `modules`, on `device`: what `ModelFacts.environment` holds.

    Nothing in it is personal, and no path of the machine stands in it.
    """
    return {
        "threads": {"intra": torch.get_num_threads(), "inter": torch.get_num_interop_threads()},
        "switches": _switches(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "machine": {**_machine(), **_accelerator(_executing(pipe, modules, device))},
        "libraries": dict(_libraries()),
        "pipeline": _pipeline(pipe, modules),
        "computation": {name: computation_of(module) for name, module in sorted(modules.items())},
    }


def _switches() -> dict[str, Json]:
    """How torch is told to compute."""
    backends = torch.backends
    switches: dict[str, Json] = {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": backends.mkldnn.is_available() and bool(backends.mkldnn.enabled),  # type: ignore[no-untyped-call]
        "cudnn": bool(backends.cudnn.enabled),
        "cudnn_benchmark": bool(backends.cudnn.benchmark),
        "cudnn_deterministic": bool(backends.cudnn.deterministic),
    }
    for name in ("flash", "mem_efficient", "math", "cudnn"):
        switches[f"sdp_{name}"] = bool(getattr(backends.cuda, f"{name}_sdp_enabled")())
    for name, holder in (("cudnn_conv", "conv"), ("cudnn_rnn", "rnn")):
        precision = getattr(getattr(backends.cudnn, holder, None), "fp32_precision", None)
        if precision is not None:
            switches[f"{name}_precision"] = str(precision)
    return switches


def _executing(pipe: Any, modules: dict[str, torch.nn.Module], device: torch.device) -> torch.device:
    """Where the pipeline computes: elsewhere than its weights lie where accelerate brings them there and back."""
    offloaded = any("_hf_hook" in vars(module) for module in modules.values())
    return torch.device(getattr(pipe, "_execution_device", device)) if offloaded else device


def _accelerator(device: torch.device) -> dict[str, Json]:
    """What computes, where it is no processor."""
    if device.type != "cuda":
        return {"execution_device": str(device)}
    cudnn: Any = torch.backends.cudnn
    return {
        "execution_device": str(device),
        "accelerator": torch.cuda.get_device_name(device),
        "capability": ".".join(str(part) for part in torch.cuda.get_device_capability(device)),
        "cuda": str(torch.version.cuda or torch.version.hip),
        "cudnn": str(cudnn.version() or ""),
    }


def _pipeline(pipe: Any, modules: dict[str, torch.nn.Module]) -> dict[str, Json]:
    """The pipeline's own settings, and its processors, which are no components of it."""
    settings: dict[str, Json] = {
        name: plain_state(name, value)
        for name, value in pipe.config.items()
        if not name.startswith("_") and name not in modules and isinstance(value, (bool, int, float, str))
    }
    processors: dict[str, Json] = {
        name: {"class": class_of(value), "config": config_of(value)}
        for name, value in sorted(vars(pipe).items())
        if isinstance(value, ConfigMixin) and not isinstance(value, torch.nn.Module) and name not in pipe.config
    }
    return {"settings": settings, "processors": processors}


@cache
def _machine() -> dict[str, Json]:
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The model of the processor: libraries choose their kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


@cache
def _libraries() -> dict[str, str]:
    return dict(_installed())


def _installed() -> Any:
    for name in _LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
