"""The forms of laws and the model card: a JSON Schema (draft 2020-12) made of the form, so that no question can be missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs

from governance.documents import ab2013, eu_form, model_card
from governance.documents.answers import STATEMENT, DocumentKind, Form
from governance.documents.filing import VERSION
from governance_adapters.documents.refusal import refused

FORMS: Final[Mapping[DocumentKind, Form]] = {
    DocumentKind.EU_SUMMARY: eu_form.FORM,
    DocumentKind.AB2013: ab2013.FORM,
    DocumentKind.MODEL_CARD: model_card.FORM,
}
_HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TEXT: Final = {"type": "string", "minLength": 1}


def check(kind: DocumentKind, content: Mapping[str, Any]) -> None:
    """Refuse what does not answer the form question by question, each with a record, a gap, or both.

    Raises:
        DocumentError: it does not.
    """
    form = FORMS[kind]
    validator = _validator(kind)
    for error in validator.iter_errors(dict(content)):
        pointer = "".join(f"/{step}" for step in error.instance_path) or "/"
        raise refused(form.source, f"{pointer}: {error.message}")
    asked = [question.key for question in form.questions]
    told = [answer["key"] for section in content["sections"] for answer in section["answers"]]
    if sorted(asked) != sorted(told):
        raise refused(form.source, f"its questions are not those of the form: {sorted({*asked} ^ {*told})}.")
    marked = [
        (answer["gap"], answer["fill"]) for s in content["sections"] for answer in s["answers"] if "gap" in answer
    ]
    if marked != [(gap["gap"], gap["fill"]) for gap in content["gaps"]]:
        raise refused(form.source, "its list of gaps is not that of its answers.")
    known = {entry["id"] for entry in content["basis"]["entries"]}
    for section in content["sections"]:
        for answer in section["answers"]:
            for source in answer.get("from", ()):
                if source not in known and not source.startswith(("setting:", "document:")):
                    raise refused(
                        form.source, f"{answer['key']} names entry {source}, which the document does not cite."
                    )


def schema(kind: DocumentKind) -> dict[str, Any]:
    """The schema of one kind."""
    form = FORMS[kind]
    answer = {
        "type": "object",
        "additionalProperties": False,
        "required": ["number", "key", "question"],
        "properties": {
            "number": {"enum": sorted({question.number for question in form.questions})},
            "key": {"enum": [question.key for question in form.questions]},
            "question": {"enum": sorted({question.text for question in form.questions})},
            "answer": {"type": ["object", "array", "string", "integer"]},
            "from": {"type": "array", "minItems": 1, "uniqueItems": True, "items": _TEXT},
            "gap": _TEXT,
            "fill": _TEXT,
        },
        "dependentRequired": {"answer": ["from"], "from": ["answer"], "gap": ["fill"], "fill": ["gap"]},
        "anyOf": [{"required": ["answer"]}, {"required": ["gap"]}],
    }
    gap = {
        "type": "object",
        "required": ["field", "gap", "fill"],
        "properties": dict.fromkeys(("field", "gap", "fill"), _TEXT),
    }
    section = {
        "type": "object",
        "required": ["number", "title", "answers"],
        "properties": {"number": {"enum": list(form.sections)}, "title": {"enum": list(form.sections.values())},
                       "answers": {"type": "array", "items": answer}},
    }  # fmt: skip
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "document", "title", "form", "subject", "statement", "basis", "sections", "gaps"],
        "properties": {
            "version": {"const": VERSION},
            "document": {"const": kind.value},
            "title": {"const": form.title},
            "form": {"const": form.source},
            "subject": _TEXT,
            "statement": {"const": STATEMENT},
            "basis": _basis(),
            "sections": {"type": "array", "minItems": len(form.sections), "items": section},
            "gaps": {"type": "array", "items": gap},
        },
    }


def _basis() -> dict[str, Any]:
    entry = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "kind", "time", "leaf"],
        "properties": {"id": _TEXT, "kind": _TEXT, "time": {"type": "string", "format": "date-time"}, "leaf": _HEX},
    }
    dataset = {"type": "object", "required": ["name", "root"], "properties": {"name": _TEXT, "root": _HEX}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["log", "size", "root", "made", "maker", "datasets", "entries"],
        "properties": {
            "log": _TEXT,
            "size": {"type": "integer", "minimum": 1},
            "root": _HEX,
            "made": {"type": "string", "format": "date-time"},
            "maker": _TEXT,
            "datasets": {"type": "array", "items": dataset},
            "entries": {"type": "array", "minItems": 1, "items": entry},
        },
    }


@lru_cache(maxsize=8)
def _validator(kind: DocumentKind) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema(kind), validate_formats=True)
