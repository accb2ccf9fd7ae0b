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

from governance.canonical import Digest, canonical_digest
from governance.errors import ConfigurationError, PolicyError
from governance.files import write_atomically
from governance.types import ModelFacts, Stage
from governance_adapters.policy.builtins import check_builtins
from governance_adapters.policy.bundle_files import DATA, MANIFEST, MEND, json_of, read_files, revision, text_of
from governance_adapters.policy.data_checks import DATA_SCHEMA, check_data, check_manifest
from governance_adapters.policy.schemas import Schemas

STAGES = (Stage.ADMISSION, Stage.RELEASE, Stage.REVIEW, Stage.TRAINING)
"""The stages that every bundle decides on."""
_DECISION_SCHEMA = "decision.json"


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
            PolicyError: a file is missing, unreadable, too large or malformed; a policy calls a function that it may not;
                the data breaks its schema, or holds a rule that could never take effect. The message names the file, and
                the line or the key where it is one.
        """
        files = read_files(path)
        policies = {name: text_of(name, content) for name, content in files.items() if name.endswith(".rego")}
        if not policies:
            raise PolicyError(
                f"{path} holds no policy.", remedy="Name the root of a bundle: the folder of its .manifest."
            )
        for name in (MANIFEST, DATA, *(f"schemas/{name}" for name in (DATA_SCHEMA, _DECISION_SCHEMA))):
            if name not in files:
                raise PolicyError(f"The bundle has no {name}.", remedy=MEND)
        documents = {
            name.removeprefix("schemas/"): json_of(name, content)
            for name, content in files.items()
            if name.startswith("schemas/")
        }
        check_builtins(policies)
        schemas = Schemas(documents)
        for stage in STAGES:
            if input_schema(stage) not in schemas:
                raise PolicyError(f"The bundle has no schemas/{input_schema(stage)}.", remedy=MEND)
        manifest, data = json_of(MANIFEST, files[MANIFEST]), json_of(DATA, files[DATA])
        check_manifest(manifest, data)
        check_data(schemas, data, policies)
        return cls(path, policies, data, schemas, revision(files, manifest))


def input_schema(stage: Stage) -> str:
    """The name of the schema that the policy input of `stage` must fit."""
    return f"{stage.value}.input.json"


def allow_model(
    path: Path,
    facts: ModelFacts,
    *,
    name: str,
    licence: str = "",
    note: str = "",
    data_origin: str = "",
    expires: str = "",
) -> Digest:
    """Add the model's exact set of component digests to the bundle's allow-list; returns the new revision.

    `licence` is an SPDX expression, `data_origin` says where the training data comes from, `expires` is a time in RFC 3339,
    UTC. The file is replaced whole or not at all. A model that is already there keeps what is not given anew.

    Raises:
        PolicyError: the bundle is unsound before or after, the model has adapters loaded, or its licence is not known.
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
    given = {
        "name": name, "licence": licence, "note": note, "data_origin": data_origin, "expires": expires,
        "pipeline": facts.pipeline,
    }  # fmt: skip
    models = dict(bundle.data["models"])
    allowed = {**models.get(key, {}), **{field: text for field, text in given.items() if text}}
    if "licence" not in allowed:
        raise PolicyError(f"The licence of the model {name!r} is not known.", remedy="Name it: an SPDX expression.")
    models[key] = {**allowed, "components": dict(sorted(components.items()))}
    data = {**bundle.data, "models": dict(sorted(models.items()))}
    if data == bundle.data:
        return bundle.revision
    check_data(bundle.schemas, data, bundle.policies)
    write_atomically(path / DATA, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
    return Bundle.load(path).revision


def default_bundle_path() -> Path:
    """The bundle that ships with this package: beside it when installed, at the repository's root in a checkout.

    Raises:
        ConfigurationError: neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "policies", package.parent.parent / "policies"):
        if (candidate / MANIFEST).is_file():
            return candidate
    raise ConfigurationError(
        f"The default policy bundle is missing from {package}.",
        remedy="Install the package again, or name a bundle in the settings.",
    )
