"""What `governance registers` makes an item of: a file, values on the command line, a pipeline, a LoRA, a signature."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from governance.errors import ConfigurationError, RegisterError
from governance.registers.item_checks import RegisterName
from governance.registers.items import ModelSignature, model_key
from governance.types import ModelFacts

_MAX_BYTES: Final = 1024 * 1024
_INTEGERS: Final = frozenset({"moderation_sla_hours", "notice_days"})


def read_values(file: Path | None, given: Sequence[str]) -> dict[str, Any]:
    """The values of an item by name: those of a TOML or JSON file, then those of `NAME=VALUE`, which win.

    Raises:
        RegisterError: the file cannot be read, or one of `given` has no `=`.
    """
    values = {} if file is None else _document(file)
    for each in given:
        name, sign, text = each.partition("=")
        if not sign:
            raise RegisterError(f"{each[:64]!r} sets nothing.", remedy="Write NAME=VALUE, such as licence=MIT.")
        if name == "datasets":
            values[name] = [part.strip() for part in text.split(",") if part.strip()]
        elif name in _INTEGERS:
            values[name] = _integer(name, text)
        else:
            values[name] = text
    return values


def refuse_signature(values: Mapping[str, Any]) -> None:
    """Refuse values that say a signature was verified: only verifying it says so.

    Raises:
        RegisterError: they do.
    """
    if values.get("signature"):
        raise RegisterError(
            "A signature is not stated, it is verified.", remedy="Give --pipeline, --signature and --key or --root."
        )


def of_pipeline(facts: ModelFacts, register: RegisterName, *, lora: bool) -> dict[str, Any]:
    """What a loaded pipeline says of the model, or of the one adapter that was loaded into it.

    Raises:
        RegisterError: the register takes nothing of a pipeline, or there is not exactly one adapter.
    """
    if register is RegisterName.MODELS and not lora:
        return {"components": dict(facts.components), "pipeline": facts.pipeline}
    if register is not RegisterName.ADAPTERS or not lora:
        raise RegisterError(
            f"The register of {register} takes nothing of this.",
            remedy="--pipeline goes with models; --pipeline and --lora together with adapters.",
        )
    if len(facts.adapters) != 1:
        raise RegisterError(f"{len(facts.adapters)} adapters were loaded, not one.", remedy="Give a file of one LoRA.")
    return {"digest": facts.adapters[0].digest, "base": model_key(facts.components)}


def describe(pipeline: Path, lora: Path | None, dtype: str) -> ModelFacts:
    """The facts of the pipeline in a local folder, with a LoRA in force where one is named; safetensors only.

    Raises:
        ConfigurationError: there is no such pipeline or no such file.
        RegisterError: the LoRA does not load.
        GovernanceError: the pipeline does not load.
    """
    from governance_adapters.pipelines.description.describe import describe as facts_of
    from governance_adapters.pipelines.loading import load_pipeline, quiet_libraries

    if not (pipeline / "model_index.json").is_file():
        raise ConfigurationError(
            f"{pipeline} holds no diffusers pipeline.", remedy="Give a folder with a model_index.json."
        )
    quiet_libraries()
    pipe = load_pipeline(pipeline, dtype)
    if lora is None:
        return facts_of(pipe)
    if lora.suffix != ".safetensors" or not lora.is_file():
        raise ConfigurationError(f"{lora} is no safetensors file.", remedy="Name the file of the LoRA's weights.")
    try:
        pipe.load_lora_weights(
            str(lora.parent), weight_name=lora.name, adapter_name="registered", local_files_only=True
        )
    except Exception as error:  # diffusers and peft raise what they like; whatever it is, there is no adapter
        raise RegisterError(
            f"{lora.name} does not load into {pipeline.name}: {str(error).splitlines()[0][:200]}.",
            remedy="Give the pipeline that the LoRA was made for.",
        ) from error
    return facts_of(pipe)


def verified(model: Path, signature: Path | None, key: Path | None, roots: Sequence[Path]) -> ModelSignature | None:
    """The verified signature of a folder, None where none is given.

    Raises:
        RegisterError: it does not hold, or a key is given and no signature.
    """
    if signature is None:
        if key is not None or roots:
            raise RegisterError("There is no signature to verify.", remedy="Give --signature too.")
        return None
    from governance_adapters.registers.signatures import verify_signature

    return verify_signature(model, signature, key=key, roots=roots)


def _document(file: Path) -> dict[str, Any]:
    try:
        content = file.read_bytes()
        if len(content) > _MAX_BYTES:
            raise ValueError("it is too large")
        text = content.decode()
        found: Any = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        if not isinstance(found, dict):
            raise TypeError("it holds no object")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RegisterError(
            f"{file} cannot be read: {error}.", remedy="Give a TOML or JSON file of one item."
        ) from error
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()}


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise RegisterError(f"{name}={text[:32]!r} is no number.", remedy="Give an integer.") from error
