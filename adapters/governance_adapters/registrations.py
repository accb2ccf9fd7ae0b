"""Which models an installation registers by itself: the one that ships with the package, and those that are allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from governance.canonical import Digest
from governance.entries import Entry
from governance.errors import ConfigurationError, RegisterError
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName, moment
from governance.registers.items import RegisteredModel
from governance.registers.references import check_licence
from governance.registers.register import Registers
from governance.registers.standing import State
from governance.types import ModelFacts, Principal, utc_now
from governance_adapters.policy.bundle import allow_model, default_bundle_path

INSTALLER: Final = Principal("governance init", issuer="diffusion-governance")
"""Who registers what ships with the package."""
REFERENCE_DATASET: Final = "reference-digits"
"""The dataset that the registration of the reference model names: its training set, once it is audited under this name."""

_UNSTATED: Final = frozenset({"NOASSERTION", "NONE"})
"""What SPDX writes in the place of a licence that nobody stated."""
_INTENDED: Final = (
    "Demonstrations and tests of whatever handles such pipelines: it is real, offline, and quick on a processor."
)
_OUT_OF_SCOPE: Final = "Anything else. It knows ten digits, nine colours and a dozen forms of a sentence."


def register_shipped(ledger: Ledger) -> tuple[Entry, ...]:
    """Register the models that the shipped bundle allows, each once per ledger: what was withdrawn since stays withdrawn.

    Raises:
        ConfigurationError: the shipped bundle is missing.
        LedgerError: the ledger cannot be read or written.
    """
    registers = Registers(ledger)
    added: list[Entry] = []
    for model in unregistered_shipped(ledger):
        try:
            added.append(registers.add(model, INSTALLER))
        except RegisterError:
            if registers.find(RegisterName.MODELS, model.key) is None:
                raise  # else another process registered it at this moment
    return tuple(added)


def unregistered_shipped(ledger: Ledger) -> Iterator[RegisteredModel]:
    """The models that the shipped bundle allows and that this ledger never registered.

    Raises:
        ConfigurationError: the shipped bundle is missing.
        LedgerError: the ledger cannot be read.
    """
    registers = Registers(ledger)
    return (model for model in shipped_models() if registers.find(RegisterName.MODELS, model.key) is None)


def shipped_models() -> Iterator[RegisteredModel]:
    """The models that the shipped bundle allows, as they are registered.

    Raises:
        ConfigurationError: the shipped bundle is missing, or is no bundle.
    """
    path = default_bundle_path() / "data.json"
    try:
        models = json.loads(path.read_bytes())["models"]
        for model in models.values():
            yield RegisteredModel(
                name=model["name"],
                components=model["components"],
                pipeline=model["pipeline"],
                licence=model["licence"],
                data_origin=model["data_origin"],
                intended_use=_INTENDED,
                out_of_scope=_OUT_OF_SCOPE,
                datasets=(REFERENCE_DATASET,),
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"The shipped policy bundle cannot be read: {path}: {error!r}.", remedy="Install the package again."
        ) from error


def to_register(
    registers: Registers, facts: ModelFacts, *, name: str, licence: str = "", data_origin: str = "", expires: str = ""
) -> RegisteredModel | None:
    """What is to be registered of a model that is about to be allowed; None where it is registered, which stays as it is.

    Raises:
        RegisterError: it was withdrawn or recalled, and allowing it must not bring it back; or a value is not of its kind.
        LedgerError: the ledger cannot be read.
    """
    standing = registers.standing_of_model(facts.components, utc_now())
    if standing.state in (State.WITHDRAWN, State.RECALLED):
        raise RegisterError(
            f"The model {name!r} was {standing.state} by entry {standing.entry}.",
            remedy="Use another model. One that was withdrawn and reviewed again: `governance registers add models`.",
        )
    if standing.state is not State.UNREGISTERED:
        return None
    known = "" if licence in _UNSTATED else licence
    check_licence(known)
    return RegisteredModel(
        name=name,
        components=dict(facts.components),
        pipeline=facts.pipeline,
        licence=known,
        data_origin=data_origin,
        expires=moment(expires) if expires else "",
    )


def allow_registered(
    ledger: Ledger, bundle: Path, facts: ModelFacts, by: Principal, **said: str
) -> tuple[Digest, Entry | None]:
    """Allow a model in the bundle at `bundle` and register it, where it is not registered: the new revision, and the entry.

    `said` are the name, and what `to_register` takes beside it.

    Raises:
        RegisterError: as `to_register`; nothing was allowed.
        PolicyError: as `allow_model`; nothing was registered.
        LedgerError: the ledger cannot be read or written.
    """
    registers = Registers(ledger)
    model = to_register(registers, facts, **said)
    revision = allow_model(bundle, facts, **said)
    return revision, None if model is None else registers.add(model, by)
