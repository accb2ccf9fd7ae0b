"""`governance generate`: one governed image from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from governance.assets import GovernedResult
from governance.errors import ConfigurationError, GovernanceError
from governance_adapters.commands.output import JsonFlag, err, out, print_json
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.wiring import govern, open_governor


def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What the image should show.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the signed file goes.")],
    model: Annotated[Path | None, typer.Option(help="Folder of a pipeline. Default: the reference model.")] = None,
    dtype: Annotated[str, typer.Option(help="The dtype to load that model in.")] = "float32",
    negative_prompt: Annotated[str | None, typer.Option(help="What the image should not show.")] = None,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    seed: Annotated[int | None, typer.Option(help="A seed, to get the same image again.")] = None,
    principal: Annotated[str | None, typer.Option(help="Who asks. Default: from the settings.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the principal; may be repeated.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What the image is for. Default: from the settings.")] = None,
    market: Annotated[
        list[str] | None,
        typer.Option(help="Where the image will be used; may be repeated. Default: from the settings."),
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Your id of this request: the same id never runs twice.")
    ] = None,
    receipt: Annotated[bool, typer.Option(help="Write the receipt beside the file.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Generate one image from PROMPT, governed, and save its signed bytes."""
    if not output.absolute().parent.is_dir():
        raise ConfigurationError(f"The folder {output.absolute().parent} does not exist.", remedy="Make it first.")
    settings = Settings.load()
    governor = open_governor(settings)
    if isinstance(governor.parts.ledger, SqlLedger):
        context.call_on_close(governor.parts.ledger.close)
    try:
        with err.status("loading the model"):
            pipe = govern(
                open_model(model, dtype),
                principal=principal,
                roles=tuple(role) if role else None,
                purpose=purpose,
                markets=tuple(market) if market else None,
                settings=settings,
                governor=governor,
            )
        arguments: dict[str, Any] = {"num_inference_steps": steps, "request_id": request_id}
        if negative_prompt is not None:
            arguments["negative_prompt"] = negative_prompt
        if seed is not None:
            arguments["generator"] = _generator(seed)
    except GovernanceError as error:
        governor.refuse(error)  # it never became a request, and is on record all the same
        raise
    with err.status("generating"):
        result: GovernedResult = pipe(prompt, **arguments).governance
    item = result.items[0]
    assert item.asset is not None  # a call that released nothing raises
    item.asset.save(output, receipt=receipt)
    if as_json:
        receipt_index = item.asset.receipt.index
        print_json(
            {
                "file": str(output),
                "asset": item.asset.id,
                "digest": item.asset.digest,
                "generation": result.generation_id,
                "entry": item.asset.receipt.entry.id,
                "index": receipt_index,
                "shadow": None if item.shadow is None else item.shadow.as_json(),
            }
        )
    else:
        out.print(f"released {output}: asset {item.asset.id}, generation {result.generation_id}", markup=False)
        if item.shadow is not None:
            out.print(f"SHADOW MODE: {item.shadow.in_words()}", markup=False, style="yellow")


def open_model(path: Path | None, dtype: str) -> Any:
    """The pipeline in `path`, or the reference model."""
    from governance_adapters.pipelines.loading import load_pipeline, quiet_libraries
    from governance_adapters.reference import load_reference_pipeline

    quiet_libraries()
    return load_reference_pipeline() if path is None else load_pipeline(path, dtype)


def _generator(seed: int) -> Any:
    import torch

    from governance.facts import MAX_SEED

    if not 0 <= seed < MAX_SEED:
        raise ConfigurationError(f"{seed} is not a seed.", remedy="Use an integer from 0 to 2^64-1.")
    return torch.Generator("cpu").manual_seed(seed)
