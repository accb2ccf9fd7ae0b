"""A model that an installation lets generate: allowed by its bundle, and in its registers with its adapters."""

from collections.abc import Sequence
from dataclasses import replace

from governance.canonical import Digest
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.items import RegisteredAdapter, RegisteredModel
from governance.registers.register import Registers
from governance.types import AdapterFacts, ModelFacts, Principal
from governance_adapters.installation import ledger_for_appending
from governance_adapters.policy.bundle import allow_model
from governance_adapters.settings import Settings

REGISTRAR = Principal("registrar@example.org", ("counsel",))


def allowed(settings: Settings, facts: ModelFacts, *, name: str = "example", licence: str = "Apache-2.0") -> Digest:
    """Allow the model in the bundle of the installation and register it, with the adapters in force; the new revision."""
    revision = allow_model(settings.bundle_path, replace(facts, adapters=()), name=name, licence=licence)
    with ledger_for_appending(settings) as ledger:
        register(ledger, facts, name=name, licence=licence)
    return revision


def registered(settings: Settings, facts: ModelFacts, *, name: str = "example") -> None:
    """Register the model in the installation: what its bundle allows, it was told otherwise."""
    with ledger_for_appending(settings) as ledger:
        register(ledger, facts, name=name)


def register(ledger: Ledger, facts: ModelFacts, *, name: str = "example", licence: str = "Apache-2.0") -> None:
    """Register the model and the adapters in force, where they are not registered."""
    registers = Registers(ledger)
    model = RegisteredModel(name, dict(facts.components), facts.pipeline, licence)
    if registers.find(RegisterName.MODELS, model.key) is None:
        registers.add(model, REGISTRAR)
    register_adapters(ledger, facts.adapters, licence=licence)


def register_adapters(ledger: Ledger, adapters: Sequence[AdapterFacts], *, licence: str = "Apache-2.0") -> None:
    """Register these adapters, where they are not registered."""
    registers = Registers(ledger)
    for adapter in adapters:
        if registers.find(RegisterName.ADAPTERS, adapter.digest) is None:
            registers.add(RegisteredAdapter(adapter.name, adapter.digest, licence=licence), REGISTRAR)
