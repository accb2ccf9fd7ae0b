"""`governance policy`: its commands, and the one that allows a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.errors import ConfigurationError
from governance.types import ModelFacts
from governance_adapters.commands.allow_adapter import allow as allow_adapter
from governance_adapters.commands.bundle_check import check
from governance_adapters.commands.bundle_tests import run_tests
from governance_adapters.commands.bundles import build, diff, overlay
from governance_adapters.commands.explain import explain
from governance_adapters.commands.output import JsonFlag, err, print_fields, print_json
from governance_adapters.commands.reasons import reasons
from governance_adapters.commands.replay import run_replay
from governance_adapters.installation import ledger_for_appending
from governance_adapters.policy.bundle import Bundle, allow_model
from governance_adapters.registrations import allow_registered
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal

app = typer.Typer(no_args_is_help=True, help="The policy bundle.")
app.command()(check)
app.command("test")(run_tests)
app.command()(reasons)
app.command()(explain)
app.command()(diff)
app.command("replay")(run_replay)
app.command()(overlay)
app.command()(build)
app.command("allow-adapter")(allow_adapter)


@app.command("allow-model")
def allow(
    path: Annotated[Path, typer.Argument(help="Folder of a diffusers pipeline (safetensors).")],
    name: Annotated[str | None, typer.Option(help="A name for people. Default: the folder's name.")] = None,
    licence: Annotated[str, typer.Option(help="The model's licence, as an SPDX expression.")] = "NOASSERTION",
    data_origin: Annotated[str, typer.Option(help="Where its training data comes from. Default: not disclosed.")] = "",
    expires: Annotated[
        str, typer.Option(help="A time (RFC 3339, UTC) up to which it is allowed. Default: without end.")
    ] = "",
    dtype: Annotated[
        str, typer.Option(help="The dtype it will run in: weights in another dtype are others.")
    ] = "float32",
    principal: Annotated[str | None, typer.Option(help="Who registers it. Default: from the settings.")] = None,
    register: Annotated[
        bool, typer.Option(help="Register it too, where it is not registered. Without, only the bundle is changed.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Add the component digests of the pipeline in PATH to the bundle's data: a new revision; and register the model."""
    settings = Settings.load()
    facts = describe_folder(path, dtype)
    before = Bundle.load(settings.bundle_path).revision
    known = {"name": name or path.name, "licence": licence, "data_origin": data_origin, "expires": expires}
    entry = None
    if register:
        by = as_principal(principal, None, settings)
        with ledger_for_appending(settings) as ledger:
            revision, entry = allow_registered(ledger, settings.bundle_path, facts, by, **known)
    else:
        revision = allow_model(settings.bundle_path, facts, **known)
    if licence not in Bundle.load(settings.bundle_path).data.get("licences", {}):
        err.print(
            f"warning: the licence {licence} does not stand in data.licences, so admission denies this model",
            style="yellow",
            markup=False,
        )
    registered = "" if entry is None else entry.id
    fields = {"model": name or path.name, **dict(facts.components), "revision before": before, "revision": revision}
    if as_json:
        print_json(
            {
                "model": name or path.name,
                "components": dict(facts.components),
                "before": before,
                "revision": revision,
                "registered": registered,
            }
        )
    else:
        print_fields({**fields, "registered by entry": registered or ("as before" if register else "not at all")})


def describe_folder(path: Path, dtype: str) -> ModelFacts:
    """The facts of the pipeline in a local folder, loaded from safetensors only.

    Raises:
        ConfigurationError: the folder holds no such pipeline.
    """
    from governance_adapters.pipelines.description.describe import describe
    from governance_adapters.pipelines.loading import load_pipeline

    if not (path / "model_index.json").is_file():
        raise ConfigurationError(
            f"{path} holds no diffusers pipeline.", remedy="Give a folder with a model_index.json."
        )
    return describe(load_pipeline(path, dtype))
