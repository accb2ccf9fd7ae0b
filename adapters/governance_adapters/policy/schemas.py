"""The JSON Schemas of a bundle (draft 2020-12), compiled once. Nothing is ever fetched to resolve a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from governance.errors import PolicyError

_MAX_PROBLEMS = 5


class Schemas:
    """Compiled schemas by file name, such as `decision.json`. Formats are checked, not only annotated."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """Compile every document; they may refer to each other by `$id`.

        Raises:
            PolicyError: a document is not a valid schema, has no `$id`, or refers to one that is not in the bundle.
        """
        try:
            named = [(str(document["$id"]), document) for document in documents.values()]
        except (KeyError, TypeError) as error:
            raise PolicyError("A schema of the bundle has no $id.", remedy="Give each file in schemas/ one.") from error
        try:
            registry = jsonschema_rs.Registry(named, draft=jsonschema_rs.Draft202012, retriever=_refuse)
        except (ValueError, TypeError) as error:
            raise PolicyError(
                f"The schemas of the bundle do not hold together: {_first_line(error)}.",
                remedy="Let them refer only to each other, by $id.",
            ) from error
        self._validators = {}
        for name, document in documents.items():
            try:
                self._validators[name] = jsonschema_rs.Draft202012Validator(
                    document, validate_formats=True, registry=registry
                )
            except (ValueError, TypeError) as error:
                raise PolicyError(
                    f"schemas/{name} is not a usable JSON Schema (draft 2020-12): {_first_line(error)}.",
                    remedy="Mend the schema, or restore the one that came with this version.",
                ) from error

    def __contains__(self, name: str) -> bool:
        return name in self._validators

    def problems(self, name: str, value: object) -> list[str]:
        """What is wrong with `value`, at most a few lines: the JSON pointer and the rule that it breaks.

        The values themselves are left out, because a prompt may stand there.
        """
        validator = self._validators[name]
        if validator.is_valid(value):
            return []
        found = []
        for error in validator.iter_errors(value):
            pointer = "".join(f"/{step}" for step in error.instance_path) or "/"
            rule = "/".join(str(step) for step in error.schema_path)
            found.append(f"{pointer} breaks {rule}")
            if len(found) == _MAX_PROBLEMS:
                break
        return found


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not in the bundle")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
