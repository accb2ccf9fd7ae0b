"""A folder with the weights of a model, read once: what is hashed is what is run.

Safetensors and JSON only. A folder that holds a pickle or a program anywhere is refused, whether or not it would be
used: whoever opens it with another tool would run it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, canonical_digest, digest
from governance.errors import ConfigurationError, DetectorError

CONFIG: Final = "config.json"
PROCESSOR: Final = "preprocessor_config.json"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
RUNNABLE: Final = frozenset(
    {".bin", ".ckpt", ".dill", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".so"}
)
"""Endings of files that are programs, or that run one when they are opened."""
_REMOTE_CODE: Final = frozenset({"auto_map", "trust_remote_code", "custom_pipelines"})
_ATTENTION: Final = frozenset({"attn_implementation", "_attn_implementation"})
_BUILT_IN: Final = (None, "eager", "sdpa")
"""Attention that comes with PyTorch; transformers fetches and runs a kernel of any other name."""


@dataclass(frozen=True, slots=True)
class WeightsFolder:
    """The files of one model, as they were read: configurations as JSON, each safetensors file as bytes.

    `digest` is the SHA-256 of the RFC 8785 array of `[path, SHA-256 of the file]`, sorted by path, over these files.
    """

    path: Path
    files: Mapping[str, bytes]
    tensors: tuple[str, ...]
    digest: Digest

    @classmethod
    def read(cls, path: Path) -> WeightsFolder:
        """Read the files that a model is made of: `config.json`, `preprocessor_config.json`, the safetensors.

        Raises:
            DetectorError: one is missing or unreadable; the folder holds a pickle or a program, or asks for one.
        """
        _refuse_programs(path)
        files = {name: _content(path / name) for name in (CONFIG, PROCESSOR)}
        if (path / INDEX).exists():
            files[INDEX] = _content(path / INDEX)
            tensors = _shards(path / INDEX, files[INDEX])
        else:
            tensors = (WEIGHTS,)
        for name, content in files.items():
            _refuse_remote_code(path / name, _parsed(path / name, content))
        files |= {name: _content(path / name) for name in tensors}
        return cls(path, files, tensors, canonical_digest([[name, digest(files[name])] for name in sorted(files)]))

    def pinned(self, expected: str) -> WeightsFolder:
        """Itself, if it is the folder that was pinned.

        Raises:
            ConfigurationError: no digest was given.
            DetectorError: it has another digest.
        """
        if not expected:
            raise ConfigurationError(
                f"The model in {self.path} is not pinned: anybody who can write there could change the check.",
                remedy=f"Pin it: if these are the weights that you chose, set digest = {str(self.digest)!r}.",
            )
        if self.digest != expected:
            raise DetectorError(
                f"The model in {self.path} has the digest {self.digest}, not {expected}.",
                remedy="Put the pinned files back, or pin the new ones and calibrate their thresholds again.",
            )
        return self


def _refuse_programs(path: Path) -> None:
    if not path.is_dir():
        raise DetectorError(f"There is no folder {path}.", remedy="Name the folder that holds the model.")
    try:
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in RUNNABLE)
    except OSError as error:
        raise DetectorError(
            f"{path} cannot be looked through: {error.strerror}.", remedy="Make the folder readable."
        ) from error
    if found:
        raise DetectorError(
            f"{found[0]} is a pickle or a program: opening it could run anything.",
            remedy="Keep only safetensors and JSON in the folder; convert the weights where you trust them.",
        )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = {
            PROCESSOR: f"Put the model's {PROCESSOR} beside its weights; diffusers keeps it in `feature_extractor`.",
            WEIGHTS: "Save the model as safetensors: save_pretrained(..., safe_serialization=True).",
        }
        raise DetectorError(
            f"{path} cannot be read: {error.strerror}.", remedy=remedy.get(path.name, "Complete the folder.")
        ) from error


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DetectorError(f"{path} is not JSON: {error}.", remedy="Get the file again.") from error
    if not isinstance(value, dict):
        raise DetectorError(f"{path} is not a JSON object.", remedy="Get the file again.")
    return value


def _refuse_remote_code(path: Path, content: object) -> None:
    """Code to be fetched may be named at any depth."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            fetched = {name for name in _ATTENTION & set(value) if value[name] not in _BUILT_IN}
            if asked := sorted(fetched | _REMOTE_CODE & set(value)):
                raise DetectorError(
                    f"{path} asks for code from elsewhere (`{asked[0]}`).",
                    remedy="Use a model whose architecture comes with transformers or diffusers.",
                )
            left += value.values()
        elif isinstance(value, list):
            left += value


def _shards(path: Path, content: bytes) -> tuple[str, ...]:
    names = _parsed(path, content).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise DetectorError(f"{path} names no files.", remedy="Get the file again.")
    shards = tuple(sorted({str(name) for name in names.values()}))
    for name in shards:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise DetectorError(
                f"{path} names {name!r}, which is no safetensors file of this folder.", remedy="Get the file again."
            )
    return shards
