"""`governance demo`: images released, denied, held, approved and rejected; every file verified, the ledger checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from governance.assets import GovernedItem
from governance.canonical import Json
from governance.errors import DeniedError, GovernanceError
from governance_adapters.commands.generate import open_model
from governance_adapters.commands.output import JsonFlag, err, out, print_json, print_verification
from governance_adapters.commands.setup import INSECURE_NOTICE
from governance_adapters.installation import initialise
from governance_adapters.settings import Settings
from governance_adapters.wiring import govern, open_governor, open_ledger, open_verifier

if TYPE_CHECKING:
    from governance_adapters.commands.demo_review import Decided
    from governance_adapters.commands.demo_training import Taught

PROMPTS = (
    "a red seven on a blue background",
    "a white three on a black background",
    "a green zero on a yellow background",
    "a purple five on a white background",
)
SEED = 7
RELOAD_S = 0.5
"""How soon the demo decides by a bundle that it changed itself."""
HIDDEN = "a red seven on a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"


def demo(
    folder: Annotated[Path, typer.Option("--folder", "-o", help="Where the released files go.")] = Path("demo-output"),
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    training: Annotated[
        bool, typer.Option(help="Audit the reference model's training data, train a LoRA, and recall it.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole line with the reference model: four images released, a prompt denied, two copies held and decided on.

    Then training data: the model's own audited; a LoRA trained through the gate, its picture traced, its licence recalled.

    Everything is real: the decisions of the reviewers go through the review API, on this machine's loopback address.
    """
    from governance_adapters.commands.demo_review import decide_on_copies  # needs the extra `web`

    settings = Settings.load(home=folder.absolute() / "installation", provider="example.org", reload_seconds=RELOAD_S)
    initialise(settings)
    err.print(INSECURE_NOTICE, style="yellow", markup=False)
    with err.status("loading the reference model"):
        governor = open_governor(settings)
        pipe = govern(
            open_model(None, "float32"),
            principal="designer@example.org",
            roles=("designer",),
            purpose="marketing",
            markets=("EU", "UK", "US"),
            settings=settings,
            governor=governor,
        )

    def ask(prompt: str) -> GovernedItem:
        from torch import Generator

        call = pipe(prompt, num_inference_steps=steps, generator=Generator().manual_seed(SEED))
        return cast("GovernedItem", call.items[0])

    files = []
    for prompt in PROMPTS:
        with err.status(prompt):
            files.append((prompt, _saved(ask(prompt), folder / f"{prompt.replace(' ', '-')}.png")))
    denied = _denied(pipe, steps)
    with err.status("two copies of a registered work"):
        decided = decide_on_copies(settings, governor, lambda: ask(PROMPTS[0]), files[0][1], folder)
    files.append((f"{PROMPTS[0]}, again", decided.approved))
    taught = None
    if training:
        from governance_adapters.commands.demo_training import teach_house_style  # needs the extra `training`

        taught = teach_house_style(settings, governor, pipe, ask, folder)
    verifications = [(prompt, file, open_verifier(settings).verify(file.read_bytes())) for prompt, file in files]
    problems = list(open_ledger(settings).verify())
    entries = len(open_ledger(settings).entries(limit=1000))

    if as_json:
        released = [{"prompt": p, "file": str(f), **v.as_json()} for p, f, v in verifications]
        reviewed = decided.as_json()
        told: dict[str, Json] = {"released": released, "denied": denied, "reviewed": reviewed, "entries": entries}
        told["problems"] = problems
        if taught is not None:
            told["training"] = taught.as_json()
        print_json(told)
    else:
        for prompt, file, verification in verifications:
            out.print(f'\n[bold green]released[/] "{prompt}" -> {file}')
            print_verification(verification)
        out.print(f'\n[bold red]denied[/] "{HIDDEN}"')
        for reason in denied:
            out.print(f"  {reason}", markup=False)
        _print_reviewed(decided)
        if taught is not None:
            _print_taught(taught)
        state = f"{len(problems)} problems: {problems}" if problems else "verified"
        out.print(f"\n[bold]ledger[/] {entries} entries, {state}")
        out.print(f"\nThe installation of this demo is in {settings.home}. To look at its ledger:", markup=False)
        out.print(f"  GOVERNANCE_HOME={settings.home} governance ledger list", markup=False)
    if problems or any(verification.exit_code for _, _, verification in verifications):
        raise typer.Exit(1)


def _saved(item: GovernedItem, file: Path) -> Path:
    assert item.asset is not None  # a call that released nothing raises
    return item.asset.save(file, receipt=True)


def _print_reviewed(decided: Decided) -> None:
    out.print(f'\n[bold yellow]held[/] "{PROMPTS[0]}", again, twice: like the registered work {decided.work.id}')
    for finding in decided.findings:
        out.print(f"  {finding}", markup=False)
    out.print(f"[bold green]approved[/] by two people, through the review API -> {decided.approved}")
    for reviewer, commitment in decided.approvals:
        out.print(f"  {reviewer}, in the record as {commitment}", markup=False)
    out.print(f"[bold red]{decided.rejected}[/] by one")
    out.print(f"  {decided.gone}", markup=False)


def _print_taught(taught: Taught) -> None:
    out.print()
    for standing in (taught.standing, taught.house):
        counts = ", ".join(f"{outcome.value} {count}" for outcome, count in standing.outcomes.items())
        out.print(f"[bold]audited[/] {standing.records} records of {standing.name}: {counts}; root {standing.root}")
    for reason in taught.refused:
        out.print(f"  before its approval: {reason}", markup=False)
    part = taught.trained.consumed[0]
    grade = taught.trained.lineage.value
    out.print(f"[bold]trained[/] a LoRA, {grade}: {part.contents} contents -> {taught.trained.result.digest}")
    out.print(f"[bold]in the house style[/] {'yes' if taught.styled else 'no'} -> {taught.picture}")
    for line in taught.lineage:
        out.print(f"  {line}", markup=False)
    for name, statement in taught.proofs:
        out.print(f"  {name}: {statement}", markup=False)
    for name, gaps in taught.documents:
        out.print(f"  {name}: {gaps} gaps marked", markup=False)
    out.print(f"[bold red]recalled[/] {taught.recalled}")


def _denied(pipe: Any, steps: int) -> list[str]:
    """The reasons for which the prompt that hides a blocked term is denied."""
    try:
        pipe(HIDDEN, num_inference_steps=steps)
    except DeniedError as error:
        return [f"{r.code}: {r.message}" for decision in error.result.items[0].decisions for r in decision.reasons]
    raise GovernanceError(f"The prompt {HIDDEN!r} was not denied.", remedy="The bundle lost its blocked terms.")
