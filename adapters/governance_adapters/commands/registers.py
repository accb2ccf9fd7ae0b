"""`governance registers`: the models, adapters, vendors and contracts of an installation, each change an entry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from governance.canonical import Json
from governance.entries import Entry
from governance.errors import NoRegisteredError, RegisterError
from governance.registers.due import due as due_dates
from governance.registers.entries import ITEM_FIELD, read_entry
from governance.registers.folding import Registered
from governance.registers.item_checks import RegisterName
from governance.registers.items import Contract, Item, item_of
from governance.registers.register import Registers
from governance.types import utc_now
from governance_adapters.commands.output import JsonFlag, out, print_fields, print_json, print_table, printable
from governance_adapters.commands.register_items import (
    describe,
    of_pipeline,
    read_values,
    refuse_signature,
    verified,
)
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal, open_ledger

app = typer.Typer(no_args_is_help=True, help="The registers of models, adapters, vendors and contracts.")

EXIT_DUE = 8
"""Something comes due."""

RegisterArgument = Annotated[RegisterName, typer.Argument(help="Which register.")]
KeyArgument = Annotated[
    str,
    typer.Argument(help="The item's key: a digest of a model or adapter (its beginning will do), else a short name."),
]
FileOption = Annotated[Path | None, typer.Option("--file", help="A TOML or JSON file of the item's values.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE; wins over the file. May be repeated.")]
PipelineOption = Annotated[
    Path | None, typer.Option(help="Folder of a diffusers pipeline: the model, or the one that --lora is for.")
]
LoraOption = Annotated[Path | None, typer.Option(help="A LoRA's safetensors file: the adapter.")]
DtypeOption = Annotated[str, typer.Option(help="The dtype it will run in: weights in another dtype are others.")]
SignatureOption = Annotated[
    Path | None, typer.Option(help="The OpenSSF model signature of the folder: verified before anything is registered.")
]
PublicKeyOption = Annotated[Path | None, typer.Option("--key", help="PEM public key that must have signed.")]
RootOption = Annotated[
    list[Path] | None, typer.Option("--root", help="PEM certificate that the signer's must chain to. May be repeated.")
]
ByOption = Annotated[str | None, typer.Option("--principal", help="Who does it. Default: from the settings.")]


@app.command()
def add(
    register: RegisterArgument,
    file: FileOption = None,
    values: SetOption = None,
    pipeline: PipelineOption = None,
    lora: LoraOption = None,
    dtype: DtypeOption = "float32",
    signature: SignatureOption = None,
    key: PublicKeyOption = None,
    root: RootOption = None,
    principal: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Register an item. Everything about it is checked first; where something is wrong, nothing is registered."""
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    known = read_values(file, values or ())
    refuse_signature(known)
    if pipeline is None and (lora is not None or signature is not None or key is not None or root):
        raise RegisterError("There is no pipeline to look at.", remedy="Give --pipeline too.")
    if pipeline is not None:
        signed = signature and (pipeline if lora is None else lora.parent)
        before = verified(signed or pipeline, signature, key, root or ())
        known |= of_pipeline(describe(pipeline, lora, dtype), register, lora=lora is not None)
        if before is not None:  # once more: what was loaded is what was signed, not what came in its place
            known["signature"] = verified(signed or pipeline, signature, key, root or ())
            known["signature"] = known["signature"].as_json()
    with ledger_for_appending(settings) as ledger:
        entry = Registers(ledger).add(item_of(register, known), by)
    _done("registered", entry, as_json=as_json)


@app.command()
def change(
    register: RegisterArgument,
    key: KeyArgument,
    file: FileOption = None,
    values: SetOption = None,
    principal: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what is said of an item: what is not given stays. Other weights are another item."""
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    given = read_values(file, values or ())
    refuse_signature(given)
    with ledger_for_appending(settings) as ledger:
        registers = Registers(ledger)
        found = _found(registers, register, key)
        whole = registers.vendor(found.item.key) if register is RegisterName.VENDORS else None
        before = whole or found.item
        item = item_of(register, {**before.as_json(), **given})
        if item.key != found.item.key:
            raise RegisterError(
                "The key of an item does not change.", remedy="Add another item, and withdraw this one."
            )
        entry = registers.change(item, by)
    _done("changed", entry, as_json=as_json)


@app.command()
def withdraw(
    register: RegisterArgument, key: KeyArgument, principal: ByOption = None, as_json: JsonFlag = False
) -> None:
    """Withdraw an item: from now on it is not registered, and admission denies a model or adapter. Its entries stay."""
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    with ledger_for_appending(settings) as ledger:
        registers = Registers(ledger)
        entry = registers.withdraw(register, _found(registers, register, key).item.key, by)
    _done("withdrawn", entry, as_json=as_json)


@app.command("list")
def list_items(
    register: RegisterArgument,
    withdrawn: Annotated[bool, typer.Option("--all", help="Those that were withdrawn too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the items of a register, in the order in which they were added."""
    with open_ledger(Settings.load()) as ledger:
        registers, now = Registers(ledger), utc_now()
        items = registers.list(register, withdrawn=withdrawn)
        states = [_state(registers, register, each, now) for each in items]
    if as_json:
        print_json([_as_json(each, state) for each, state in zip(items, states, strict=True)])
        return
    rows = [
        (each.item.key, state, printable(_name(each.item)), printable(getattr(each.item, "licence", "")))
        for each, state in zip(items, states, strict=True)
    ]
    print_table(f"{len(rows)} {register}", ("key", "state", "name", "licence"), rows)


@app.command()
def show(register: RegisterArgument, key: KeyArgument, as_json: JsonFlag = False) -> None:
    """Show an item: its values, where it stands, and every change that was made to it."""
    with open_ledger(Settings.load()) as ledger:
        registers = Registers(ledger)
        found = _found(registers, register, key)
        state = _state(registers, register, found, utc_now())
        personal = {} if found.withdrawn else {f.name: f.value for f in ledger.fields(found.entry.id)}
        history = registers.history(register, found.item.key)
    item = found.item.as_json() | {name: personal.get(ITEM_FIELD + name, "") for name in found.item.personal}
    changes: list[Json] = [
        {"change": read_entry(entry).change.value, "time": entry.time, "entry": entry.id} for entry in history
    ]
    if as_json:
        print_json({**_as_json(found, state), "item": item, "history": changes})
        return
    shown = {name: printable(_text(item[name])) for name in item if item[name] not in ("", None, [], 0)}
    print_fields({"key": found.item.key, "state": state, **shown})
    rows = [(entry.time, read_entry(entry).change.value, entry.id) for entry in history]
    print_table(f"{len(rows)} changes", ("time", "change", "entry"), rows)


@app.command()
def due(
    days: Annotated[
        int | None, typer.Option(min=0, max=3650, help="How many days ahead. Default: the setting `alert_days`.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List what ends soon or has ended: registrations, contracts, notice to be given, services. Exit 8 if there is any."""
    settings = Settings.load()
    within = settings.alert_days if days is None else days
    with open_ledger(settings) as ledger:
        found = due_dates(Registers(ledger), utc_now(), within)
    if as_json:
        print_json([each.as_json() for each in found])
    else:
        rows = [
            (each.time[:10], str(each.days), each.date.value, each.register.value, each.key, printable(each.name))
            for each in found
        ]
        title = f"{len(found)} dates within {within} days"
        print_table(title, ("date", "days", "what", "register", "key", "name"), rows)
    raise typer.Exit(EXIT_DUE if found else 0)


@app.command("verify-signature")
def verify(
    model: Annotated[Path, typer.Argument(help="Folder of the model, as it was signed.")],
    signature: Annotated[Path, typer.Option(help="Its OpenSSF model signature.")],
    key: PublicKeyOption = None,
    root: RootOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify the OpenSSF signature of a model's folder: every file of it, and who signed. Nothing is registered."""
    found = verified(model, signature, key, root or ())
    values = {} if found is None else found.as_json()
    if as_json:
        print_json(values)
    else:
        print_fields({name: str(value) for name, value in values.items()})


def _found(registers: Registers, register: RegisterName, key: str) -> Registered:
    """The item of this key, or the only one whose digest begins so."""
    exact = registers.find(register, key)
    digests = register in (RegisterName.MODELS, RegisterName.ADAPTERS)
    if exact is not None:
        return exact
    close = [each for each in registers.list(register, withdrawn=True) if digests and each.item.key.startswith(key)]
    if len(close) != 1 or not key:
        raise NoRegisteredError(
            f"The register of {register} has {'several' if close and key else 'no'} {printable(key)[:80]!r}.",
            remedy=f"`governance registers list {register}` shows all.",
        )
    return close[0]


def _state(registers: Registers, register: RegisterName, found: Registered, now: str) -> str:
    if register in (RegisterName.MODELS, RegisterName.ADAPTERS):
        return registers.standing(register, found.item.key, now).state.value
    if register is RegisterName.CONTRACTS and not found.withdrawn:
        return registers.contract_state(found.item.key, now).value
    return "withdrawn" if found.withdrawn else "registered"


def _as_json(found: Registered, state: str) -> dict[str, Json]:
    item = {name: value for name, value in found.item.as_json().items() if name not in found.item.personal}
    return {
        "register": found.item.register.value,
        "key": found.item.key,
        "state": state,
        "entry": found.entry.id,
        "item": item,
    }


def _name(item: Item) -> str:
    return item.title if isinstance(item, Contract) else item.name


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _done(what: str, entry: Entry, *, as_json: bool) -> None:
    said = read_entry(entry)
    if as_json:
        print_json({"register": said.register.value, "key": said.key, "change": said.change.value, "entry": entry.id})
    else:
        out.print(f"{what} {said.key} in {said.register}: entry {entry.id}", markup=False)
