"""`governance train`: a LoRA from audited data, through the gate: asked for, witnessed, digested, signed, registered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from governance.errors import ConfigurationError, TrainingError
from governance.training.entries import Trained
from governance.training.runs import Method
from governance_adapters.commands.output import JsonFlag, err, out, print_json
from governance_adapters.settings import Settings
from governance_adapters.trainings import GovernedTraining, Registration, govern_training


def train(
    dataset: Annotated[list[str], typer.Argument(help="Names of audited and approved datasets.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that the LoRA goes into: a new or empty one.")],
    name: Annotated[str, typer.Option(help="What the LoRA is called, here and in the register.")],
    base: Annotated[Path | None, typer.Option(help="Folder of a pipeline. Default: the reference model.")] = None,
    method: Annotated[str, typer.Option(help="`lora` or `dreambooth`.")] = Method.LORA.value,
    steps: Annotated[int, typer.Option(help="Steps of training.")] = 160,
    batch: Annotated[int, typer.Option(help="Pictures of each step.")] = 8,
    rank: Annotated[int, typer.Option(help="Rank of the LoRA's matrices.")] = 8,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 4e-3,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    limit: Annotated[int, typer.Option(help="The most records taken of each dataset; 0 takes all.")] = 0,
    caption: Annotated[str, typer.Option(help="Text for every picture, in the place of the records' own.")] = "",
    instance: Annotated[str, typer.Option(help="DreamBooth: the text that the subject is learnt under.")] = "",
    kind: Annotated[str, typer.Option("--class", help="DreamBooth: the text for the subject's class.")] = "",
    pictures: Annotated[int, typer.Option(help="DreamBooth: pictures of the class that the base draws first.")] = 0,
    licence: Annotated[str, typer.Option(help="Licence of the LoRA, an SPDX expression, for the register.")] = "",
    intended_use: Annotated[str, typer.Option(help="What the LoRA is for, for the register.")] = "",
    expires: Annotated[str, typer.Option(help="When its registration ends, RFC 3339.")] = "",
    principal: Annotated[str | None, typer.Option(help="Who trains. Default: from the settings.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the principal; may be repeated.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What the LoRA is for. Default: from the settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a LoRA on DATASET: only on what its audit allows, and only while the audit's approval holds."""
    from governance_adapters.training.dreambooth import Subject
    from governance_adapters.training.lora import LoraSettings

    trainer = LoraSettings(steps=steps, batch=batch, rank=rank, rate=rate, seed=seed)
    wanted, about = _method(method), Registration(name, licence, intended_use, expires)
    subject = Subject(instance, kind, pictures) if wanted is Method.DREAMBOOTH else None
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigurationError(
            f"{output} is not an empty folder.", remedy="Results are never overwritten: name another."
        )
    with err.status("loading the base"):
        run = govern_training(
            dataset,
            base,
            purpose=purpose,
            method=wanted,
            principal=principal,
            roles=tuple(role) if role else None,
            trainer={**trainer.as_json(), "limit": limit, **({} if subject is None else {"pictures": pictures})},
            texts={
                name: text for name, text in (("caption", caption), ("instance", instance), ("class", kind)) if text
            },
            settings=Settings.load(),
        )
    with run:
        _learn(run, trainer, subject, name, caption, limit, output)
        trained = run.finish(output, about)
    _print(trained, output, as_json=as_json)


def _learn(
    run: GovernedTraining, trainer: Any, subject: Any, name: str, caption: str, limit: int, output: Path
) -> None:
    """Take the records, train, and save what was trained; it is taken out of the base again."""
    from governance_adapters.training.dreambooth import drawn_prior
    from governance_adapters.training.examples import examples
    from governance_adapters.training.latents import check_trainable, side_of
    from governance_adapters.training.lora import train_lora
    from governance_adapters.training.saving import save_lora

    pipe = run.pipeline
    check_trainable(pipe)
    said = caption if subject is None else subject.instance
    with err.status("reading the records"):
        given = list(examples(run.records(limit=limit), side_of(pipe), caption=said))
    with err.status("training") as status:
        prior = () if subject is None else drawn_prior(pipe, subject, seed=trainer.seed)
        train_lora(
            pipe,
            given,
            trainer,
            name=name,
            prior=prior,
            progress=lambda step, steps: status.update(f"training: step {step} of {steps}"),
        )
        save_lora(pipe, name, output)
    pipe.delete_adapters(name)


def _method(text: str) -> Method:
    if text not in (Method.LORA.value, Method.DREAMBOOTH.value):
        raise TrainingError(
            f"{text!r} is no method of this command.",
            remedy="Use `lora` or `dreambooth`; for any other write the loop yourself: see docs/training.md.",
        )
    return Method(text)


def _print(trained: Trained, output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "run": trained.run,
                "entry": trained.entry.id,
                "lineage": trained.lineage.value,
                "folder": str(output),
                "adapter": trained.result.digest,
                "file": trained.result.file,
                "consumed": [
                    {"name": part.name, "root": part.root, "contents": part.contents, "records": part.records}
                    for part in trained.consumed
                ],
                "signature": trained.signature,
            }
        )
        return
    out.print(f"trained {output}: adapter {trained.result.digest}, run {trained.run}", markup=False)
    for part in trained.consumed:
        out.print(f"  {trained.lineage.value}: {part.contents} contents of {part.name}, root {part.root}", markup=False)
