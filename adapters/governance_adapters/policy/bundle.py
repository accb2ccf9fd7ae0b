"""A policy bundle: Rego, data and schemas in one folder, checked before anybody decides by it, and its revision.

The folder is an OPA bundle root (Open Policy Agent documentation, "Bundle File Format"): `.manifest`, `data.json`, `*.rego`
in any folder, JSON Schemas in `schemas/`. What OPA would load and this project would not see is refused: other data files
and links.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.canonical import Digest, Json, canonical_bytes, canonical_digest, digest
from governance.errors import CanonicalError, ConfigurationError, PolicyError
from governance.files import write_atomically
from governance.normalise import NORMALISER_VERSION, is_term, normalise
from governance.types import ModelFacts, Stage
from governance_adapters.policy.schemas import Schemas

_MANIFEST = ".manifest"
_DATA = "data.json"
_DATA_SCHEMA = "data.schema.json"
_DECISION_SCHEMA = "decision.json"
_STAGES = (Stage.ADMISSION, Stage.RELEASE)
_MEND = "Mend the file, or restore the bundle that came with this version."


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle that was read whole and holds together. `policies` maps each path in the bundle to its Rego text."""

    root: Path
    policies: Mapping[str, str]
    data: Mapping[str, Any]
    schemas: Schemas
    revision: Digest

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """Read and check the bundle at `path`.

        Raises:
            PolicyError: a file is missing, unreadable or malformed; the data breaks its schema; a blocked term could
                never match; the bundle decides nothing. The message names the file, and the key where it is one.
        """
        files = _read_files(path)
        policies = {name: _text(name, content) for name, content in files.items() if name.endswith(".rego")}
        if not policies:
            raise PolicyError(
                f"{path} holds no policy.", remedy="Name the root of a bundle: the folder of its .manifest."
            )
        for name in (_MANIFEST, _DATA, *(f"schemas/{name}" for name in (_DATA_SCHEMA, _DECISION_SCHEMA))):
            if name not in files:
                raise PolicyError(f"The bundle has no {name}.", remedy=_MEND)
        documents = {
            name.removeprefix("schemas/"): _json(name, content)
            for name, content in files.items()
            if name.startswith("schemas/")
        }
        schemas = Schemas(documents)
        for stage in _STAGES:
            if input_schema(stage) not in schemas:
                raise PolicyError(f"The bundle has no schemas/{input_schema(stage)}.", remedy=_MEND)
        manifest, data = _json(_MANIFEST, files[_MANIFEST]), _json(_DATA, files[_DATA])
        _check_manifest(manifest, data)
        _check_data(schemas, data)
        return cls(path, policies, data, schemas, _revision(files, manifest))


def input_schema(stage: Stage) -> str:
    """The name of the schema that the policy input of `stage` must fit."""
    return f"{stage.value}.input.json"


def allow_model(path: Path, facts: ModelFacts, *, name: str, licence: str = "", note: str = "") -> Digest:
    """Add the model's exact set of component digests to the bundle's allow-list; returns the new revision.

    The file is replaced whole or not at all. A model that is already there keeps what is not given anew.

    Raises:
        PolicyError: the bundle is unsound before or after, or the model has adapters loaded.
        StorageError: the bundle cannot be written.
    """
    if facts.adapters:
        raise PolicyError(
            f"The model has adapters loaded: {', '.join(adapter.name for adapter in facts.adapters)}.",
            remedy="Unload them first; each is allowed by its own digest, in data.adapters.",
        )
    bundle = Bundle.load(path)
    components = dict(facts.components)
    key = canonical_digest(components)
    given = {"name": name, "licence": licence, "note": note, "pipeline": facts.pipeline}
    models = dict(bundle.data["models"])
    models[key] = {
        **models.get(key, {}),
        **{field: text for field, text in given.items() if text},
        "components": dict(sorted(components.items())),
    }
    data = {**bundle.data, "models": dict(sorted(models.items()))}
    if data == bundle.data:
        return bundle.revision
    _check_data(bundle.schemas, data)
    write_atomically(path / _DATA, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
    return Bundle.load(path).revision


def default_bundle_path() -> Path:
    """The bundle that ships with this package: beside it when installed, at the repository's root in a checkout.

    Raises:
        ConfigurationError: neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "policies", package.parent.parent / "policies"):
        if (candidate / _MANIFEST).is_file():
            return candidate
    raise ConfigurationError(
        f"The default policy bundle is missing from {package}.",
        remedy="Install the package again, or name a bundle in the settings.",
    )


def _read_files(root: Path) -> dict[str, bytes]:
    """Every file that the revision covers, by its path in the bundle, sorted by the UTF-8 bytes of the path."""
    if not root.is_dir():
        raise PolicyError(f"There is no policy bundle at {root}.", remedy="Name the folder that holds its .manifest.")
    files = {}
    try:
        for path in root.rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                raise PolicyError(f"{name} in the policy bundle is a link.", remedy="Put the file itself there.")
            if not path.is_file() or name.endswith("_test.rego"):
                continue
            if name != _DATA and path.name in (_DATA, "data.yaml", "data.yml"):
                raise PolicyError(f"The bundle has data in {name}.", remedy=f"Keep all data in {_DATA} at the root.")
            if name in (_MANIFEST, _DATA) or path.suffix == ".rego" or name.startswith("schemas/"):
                files[name] = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"The policy bundle at {root} cannot be read: {error.strerror}.", remedy=_MEND) from error
    return dict(sorted(files.items(), key=lambda item: item[0].encode()))


def _revision(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Digest:
    """SHA-256 of the RFC 8785 array of [path, SHA-256], the manifest in canonical form and without its own revision."""
    unrevised = canonical_bytes({key: value for key, value in manifest.items() if key != "revision"})
    listed: list[Json] = [
        [name, digest(unrevised if name == _MANIFEST else content)] for name, content in files.items()
    ]
    return canonical_digest(listed)


def _check_manifest(manifest: Any, data: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("rego_version") != 1:
        raise PolicyError("The bundle's .manifest does not say rego_version 1.", remedy='Add "rego_version": 1 to it.')
    roots = manifest.get("roots")
    outside = (
        [] if not isinstance(data, dict) else [key for key in data if not isinstance(roots, list) or key not in roots]
    )
    if outside:
        raise PolicyError(
            f"data.json has {', '.join(sorted(outside))}, which the roots of the .manifest leave out.",
            remedy="OPA refuses such a bundle: list each key of data.json in the roots, or correct its name.",
        )


def _check_data(schemas: Schemas, data: Any) -> None:
    problems = schemas.problems(_DATA_SCHEMA, data)
    if problems:
        raise PolicyError(f"The bundle's data.json breaks its schema: {'; '.join(problems)}.", remedy=_MEND)
    _check_terms(data)
    _check_models(data)
    _check_references(data)


def _check_terms(data: Mapping[str, Any]) -> None:
    if data["normaliser"] != NORMALISER_VERSION:
        raise PolicyError(
            f"The blocked terms are written for normaliser {data['normaliser']}; this is {NORMALISER_VERSION}.",
            remedy="Check the terms against this version, then set data.normaliser.",
        )
    for term in data["blocked_terms"]:
        if not is_term(term):
            raise PolicyError(
                f"The blocked term {term!r} could never match: prompts are looked up in the form {normalise(term)!r}.",
                remedy="Write it in that form: letters, and at most three words.",
            )


def _check_models(data: Mapping[str, Any]) -> None:
    for key, model in data["models"].items():
        if canonical_digest(model["components"]) != key:
            raise PolicyError(
                f"The model {model['name']!r} stands under {key}, which is not the digest of its components.",
                remedy="Remove it, and add the model with `governance policy allow-model PATH`.",
            )


def _check_references(data: Mapping[str, Any]) -> None:
    for label, threshold in data["thresholds"].items():
        if threshold["review"] > threshold["deny"]:
            raise PolicyError(f"thresholds.{label}: review lies above deny.", remedy="Lower it, or raise deny.")
    for purpose, rule in data["purposes"].items():
        unknown = sorted(set(rule["roles"]) - set(data["roles"]))
        if unknown:
            raise PolicyError(
                f"The purpose {purpose!r} names unknown roles: {', '.join(unknown)}.", remedy="Add them to data.roles."
            )


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name} in the policy bundle is not UTF-8 text.", remedy=_MEND) from error


def _json(name: str, content: bytes) -> Any:
    """The JSON in `content`, without floats and without a key that stands twice in one object."""
    try:
        value = json.loads(_text(name, content), object_pairs_hook=_once)
        canonical_bytes(value)
    except (ValueError, RecursionError, CanonicalError) as error:
        raise PolicyError(f"{name} in the policy bundle is not usable JSON: {error}", remedy=_MEND) from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return value
