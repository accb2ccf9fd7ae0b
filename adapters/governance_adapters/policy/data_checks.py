"""What must hold of a bundle's data beyond its schema: that every rule written there can take effect.

A term that no prompt can match, a role that does not exist or a market that nobody can name would switch a rule off without
a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from governance.canonical import canonical_digest
from governance.errors import CanonicalError, PolicyError
from governance.normalise import NORMALISER_VERSION, is_term, normalise
from governance_adapters.policy.bundle_files import DATA, MEND
from governance_adapters.policy.schemas import Schemas

DATA_SCHEMA = "data.schema.json"


def check_manifest(manifest: Any, data: Any) -> None:
    """Whether OPA would take the bundle: Rego version 1, and every key of the data among the roots.

    Raises:
        PolicyError: it would not.
    """
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


def check_data(schemas: Schemas, data: Any, policies: Mapping[str, str]) -> None:
    """Check the data against its schema, against itself and against the policies (path to Rego text).

    Raises:
        PolicyError: naming the key.
    """
    problems = schemas.problems(DATA_SCHEMA, data)
    if problems:
        raise PolicyError(f"The bundle's {DATA} breaks its schema: {'; '.join(problems)}.", remedy=MEND)
    try:
        _check_terms(data)
        _check_models(data)
        _check_references(data)
        _check_thresholds(data)
        _check_hours(data["review"])
        _check_codes(data, policies)
    except (KeyError, TypeError, AttributeError, ValueError, CanonicalError) as error:
        raise PolicyError(
            f"The bundle's {DATA} fits its schema, but the schema asks for too little: {error!r}.",
            remedy=f"Restore the {DATA_SCHEMA} that came with this version, and mend the data by it.",
        ) from error


def _check_terms(data: Mapping[str, Any]) -> None:
    if data["normaliser"] != NORMALISER_VERSION:
        raise PolicyError(
            f"The blocked terms are written for normaliser {data['normaliser']}; this is {NORMALISER_VERSION}.",
            remedy="Check the terms against this version, then set data.normaliser.",
        )
    for table, what in (("blocked_terms", "blocked term"), ("protected_names", "protected name")):
        for term in data[table]:
            if not is_term(term):
                raise PolicyError(
                    f"The {what} {term!r} could never match: prompts are looked up in the form {normalise(term)!r}.",
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
    for place, table, names in _references(data):
        known = data["review"]["queues"] if table == "review.queues" else data[table]
        unknown = sorted({name for name in names if name not in known})
        if unknown:
            raise PolicyError(
                f"{place} names unknown {table}: {', '.join(unknown)}.",
                remedy=f"Add them to data.{table}, or correct them.",
            )


def _references(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Where names of other keys stand: the place, the table that must hold them, and the names."""
    for purpose, rule in data["purposes"].items():
        yield f"purposes.{purpose}", "roles", rule["roles"]
    review = data["review"]
    yield "review", "roles", review["roles"]
    for act, roles in review["acts"].items():
        yield f"review.acts.{act}", "roles", roles
    yield "training.approvers", "roles", data["training"]["approvers"]
    yield "training.trainers", "roles", data["training"]["trainers"]
    for queue, rule in review["queues"].items():
        yield f"review.queues.{queue}", "roles", rule["roles"]
    for table in ("licences", "works"):
        for name, entry in data[table].items():
            yield f"{table}.{name}", "purposes", entry.get("purposes", ())
    for table in ("blocked_terms", "protected_names"):
        for term, entry in data[table].items():
            if "markets" in entry:
                yield f"{table}.{term}", "markets", entry["markets"]
    yield "review", "review.queues", [review["queue"], *review.get("queue_by_code", {}).values()]
    for market, rule in data["markets"].items():
        yield f"markets.{market}.thresholds", "thresholds", rule.get("thresholds", ())


def _check_thresholds(data: Mapping[str, Any]) -> None:
    tables = {"thresholds": data["thresholds"]}
    tables |= {f"markets.{name}.thresholds": rule.get("thresholds", {}) for name, rule in data["markets"].items()}
    tables["training.thresholds"] = data["training"]["thresholds"]
    for place, table in tables.items():
        for label, threshold in table.items():
            if threshold["review"] > threshold["deny"]:
                raise PolicyError(f"{place}.{label}: review lies above deny.", remedy="Lower it, or raise deny.")


def _check_hours(review: Mapping[str, Any]) -> None:
    due, expire = review["due_hours"], review["expire_hours"]
    if 0 < expire < due:
        raise PolicyError(
            f"review: an answer is due after {due} hours, when the hold has expired after {expire}.",
            remedy="Lower due_hours, or raise expire_hours.",
        )


def _check_codes(data: Mapping[str, Any], policies: Mapping[str, str]) -> None:
    """What is said of a reason code that no rule gives would never count."""
    for table in ("approvals_by_code", "queue_by_code"):
        for code in data["review"].get(table, ()):
            if not any(f'"{code}"' in text for text in policies.values()):
                raise PolicyError(
                    f"review.{table} names {code!r}, which no rule of the bundle gives as its reason.",
                    remedy="Correct the code, or remove it.",
                )
