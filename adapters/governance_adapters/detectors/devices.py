"""Where detectors compute: on the accelerator where there is one and the libraries know it, else on the processor."""

from __future__ import annotations

from typing import Any

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


def onnx_providers() -> list[str]:
    """The providers of ONNX Runtime to ask, the quicker first: CUDA's comes with the package `onnxruntime-gpu`.

    One that is installed and finds no device is passed over by ONNX Runtime itself.
    """
    import onnxruntime

    available = set(onnxruntime.get_available_providers())
    return [provider for provider in _PROVIDERS if provider in available]


def torch_device() -> Any:
    """The `torch.device` for a detector's model."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
