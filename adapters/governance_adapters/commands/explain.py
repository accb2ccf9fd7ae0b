"""`governance policy explain`: which rule, which datum and which part of the input decided."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.canonical import Json
from governance.entries import ALL_ENTRIES
from governance.errors import ConfigurationError
from governance.facts import admission_input, day_of, request_facts
from governance.ports import Ledger
from governance.registers.register import Registers, unregistered_facts
from governance.types import Principal, Stage, Usage, new_id, utc_now
from governance_adapters.commands.bundle_choice import chosen_bundle
from governance_adapters.commands.explained import print_told, told_json
from governance_adapters.commands.generate import open_model
from governance_adapters.commands.output import JsonFlag, err, out, print_json
from governance_adapters.policy.bundle import STAGES
from governance_adapters.policy.explainer import Explainer, Told
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal, open_ledger


def explain(
    entry: Annotated[
        str | None, typer.Option(help="Explain what was recorded: an entry's id, or a generation's.")
    ] = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="Explain a policy input: a file of JSON that names its stage.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Explain whether this prompt would be admitted now.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="With --prompt: what the image should not show.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="With --prompt: folder of a pipeline. Default: the reference model.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="The dtype to load that model in.")] = "float32",
    steps: Annotated[int, typer.Option(help="With --prompt: denoising steps.")] = 20,
    principal: Annotated[str | None, typer.Option(help="With --prompt: who asks. Default: from the settings.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the principal; may be repeated.")] = None,
    purpose: Annotated[str | None, typer.Option(help="With --prompt: what for. Default: from the settings.")] = None,
    market: Annotated[
        list[str] | None,
        typer.Option(help="A market where the image will be used; may be repeated. Default: from the settings."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say in words which rule, which datum and which part of the input decide. Nothing is generated or recorded."""
    if sum(given is not None for given in (entry, input_file, prompt)) != 1:
        raise typer.BadParameter("give one of --entry, --input and --prompt")
    settings = Settings.load()
    bundle = chosen_bundle(None)
    tell: Callable[[Explainer], list[Told]]
    if entry is not None:
        tell = partial(_recorded, ledger=open_ledger(settings), wanted=entry)
    elif input_file is not None:
        tell = partial(_asked, facts=_read(input_file))
    else:
        who = as_principal(principal, tuple(role) if role else None, settings)
        what_for = settings.purpose if purpose is None else purpose
        where = tuple(market) if market else settings.markets
        arguments = {"prompt": prompt, "negative_prompt": negative_prompt, "num_inference_steps": steps}
        given = {name: value for name, value in arguments.items() if value is not None}
        with err.status("loading the model"):
            pipe = open_model(model, dtype)
        tell = partial(_asked, facts=_admission_facts(settings, pipe, given, who, what_for, where))
    with closing(RegorusEngine(bundle, engines=1)) as engine:
        told = tell(Explainer(bundle, engine))
    if as_json:
        print_json({"bundle_revision": bundle.revision, "explained": [told_json(each) for each in told]})
        return
    for number, each in enumerate(told):
        if number:
            out.print()
        print_told(each, bundle.revision)


def _asked(explainer: Explainer, facts: Mapping[str, Json]) -> list[Told]:
    return [explainer.input(Stage(str(facts["stage"])), facts)]


def _recorded(explainer: Explainer, ledger: Ledger, wanted: str) -> list[Told]:
    """Every decision of an entry or a generation, in the order in which they were recorded."""
    found = [entry for _, entry in ledger.entries(subject=wanted, limit=ALL_ENTRIES)]
    decided = [entry for entry in found if entry.body.get("decision") is not None]
    return [explainer.entry(ledger, entry) for entry in decided or found[:1] or [ledger.entry(wanted)]]


def _read(file: Path) -> Mapping[str, Json]:
    """The policy input in `file`, which names a stage.

    Raises:
        ConfigurationError: the file cannot be read, is not JSON, or names no stage.
    """
    remedy = "Give a JSON object with a `stage`, as `governance ledger show --json` has under policy_input."
    try:
        facts: Json = json.loads(file.read_bytes(), parse_constant=_refuse_constant, parse_float=_finite)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}.", remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is no policy input: {error}.", remedy=remedy) from error
    if not isinstance(facts, dict):
        raise ConfigurationError(f"{file} is no policy input: it holds no object.", remedy=remedy)
    stages = [stage.value for stage in STAGES]
    if facts.get("stage") not in stages:
        raise ConfigurationError(
            f"{file} is no policy input: its `stage` is none of {', '.join(stages)}.", remedy=remedy
        )
    return facts


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is larger than any number of JSON that programs agree on")
    return number


def _admission_facts(
    settings: Settings,
    pipe: Any,
    arguments: Mapping[str, Any],
    principal: Principal,
    purpose: str,
    markets: Sequence[str],
) -> dict[str, Json]:
    """The policy input of a call of `pipe` with `arguments`, as the line would make it now."""
    from governance_adapters.pipelines.arguments.binding import bind
    from governance_adapters.pipelines.description.describe import describe

    kind = type(pipe)
    request = bind(pipe, kind.__call__, (), arguments).request(new_id(), principal, purpose, kind.__name__, markets)
    time = utc_now()
    model = describe(pipe)
    spent, registers = Usage(), unregistered_facts(model)
    if settings.database_url is not None or settings.ledger_path.exists():
        ledger = open_ledger(settings)
        spent, registers = ledger.usage(principal.id, day_of(time)), Registers(ledger).facts(model, time)
    # Without an installation's ledger nothing was spent, and nothing is registered.
    facts = request_facts(request, model, ())
    return admission_input(facts, time=time, attempt=1, usage=spent, registers=registers)
