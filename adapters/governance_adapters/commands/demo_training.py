"""The third act of the demo: the reference model's training data audited, a LoRA trained through the gate, and recalled.

The reference model was made with handwritten digits; the LoRA learns from pictures of a house style, which are a dataset of their
own, under a licence of their own. So when that licence ends, what the LoRA made is recalled, and nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.assets import GovernedItem
from governance.canonical import Digest, Json, digest
from governance.datasets.membership import verify_proof
from governance.datasets.standing import DatasetStanding
from governance.documents.answers import DocumentKind
from governance.entries import Entry
from governance.errors import GovernanceError, TrainingDeniedError
from governance.files import write_atomically
from governance.governor import Governor
from governance.lineage.descent import descendants
from governance.lineage.drawn import svg, tree_lines
from governance.lineage.recall_entries import Cause, Recall, RecallBy
from governance.lineage.recalling import recall
from governance.lineage.tracing import lineage_of
from governance.training.entries import Trained
from governance.types import Outcome, Principal
from governance_adapters.audit_files import FolderAuditFiles
from governance_adapters.commands.documents import Format, filed, rendered
from governance_adapters.commands.output import err
from governance_adapters.dataset_audits import Asked, approve, audit_dataset
from governance_adapters.dataset_opening import open_dataset
from governance_adapters.policy.allowing import allow_adapter, allow_licence
from governance_adapters.policy.reload import SETTLE_SECONDS
from governance_adapters.registrations import REFERENCE_DATASET, shipped_models
from governance_adapters.settings import Settings
from governance_adapters.trainings import GovernedTraining, Registration, govern_training
from governance_adapters.wiring import open_verifier

if TYPE_CHECKING:
    from governance_adapters.training.lora import LoraSettings

HOUSE: Final = "house-style-pictures"
LORA: Final = "house-style"
STEPS: Final = 120
SEED: Final = 3
ASKED: Final = 7
"""The digit that is asked for."""
_ABOUT_MODELS: Final = (
    (DocumentKind.MODEL_CARD, Format.MARKDOWN),
    (DocumentKind.EU_SUMMARY, Format.PDF),
    (DocumentKind.AB2013, Format.MARKDOWN),
    (DocumentKind.CYCLONEDX, Format.JSON),
    (DocumentKind.SPDX, Format.JSON),
)
_ABOUT_DATASETS: Final = ((DocumentKind.CROISSANT, Format.JSON), (DocumentKind.SPDX, Format.JSON))

_COUNSEL: Final = Principal("counsel@example.org", ("counsel",), "demo")
_DESIGNER: Final = Principal("designer@example.org", ("designer",), "demo")


@dataclass(frozen=True, slots=True)
class Taught:
    """What the act leaves behind.

    `standing` is of the reference model's own dataset, `house` of that of the LoRA. `refused` are the reasons for which nothing
    was trained before the audit was approved; `lineage` is the tree of `picture`; `proofs` say of a file what was proved;
    `documents` each file with how many gaps it marks; `recalled` is what `verify` says of the picture once its licence ended.
    """

    standing: DatasetStanding
    house: DatasetStanding
    refused: tuple[str, ...]
    trained: Trained
    picture: Path
    styled: bool
    lineage: tuple[str, ...]
    licences: tuple[str, ...]
    proofs: tuple[tuple[str, str], ...]
    documents: tuple[tuple[str, int], ...]
    recalled: str

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "dataset": self.standing.as_json(),
            "house": self.house.as_json(),
            "refused": list(self.refused),
            "run": self.trained.run,
            "lineage": self.trained.lineage.value,
            "adapter": self.trained.result.digest,
            "consumed": sum(part.contents for part in self.trained.consumed),
            "picture": str(self.picture),
            "in_house_style": self.styled,
            "tree": list(self.lineage),
            "licences": list(self.licences),
            "proofs": [{"file": name, "statement": statement} for name, statement in self.proofs],
            "documents": [{"file": name, "gaps": gaps} for name, gaps in self.documents],
            "recalled": self.recalled,
        }


def teach_house_style(
    settings: Settings, governor: Governor, pipe: Any, ask: Callable[[str], GovernedItem], folder: Path
) -> Taught:
    """Audit the reference model's training set, train a LoRA on another, use it in `pipe`, trace its picture, recall its licence.

    `pipe` is governed, and as it was afterwards; `ask` makes one picture of a prompt with it.

    Raises:
        GovernanceError: something went otherwise than it must.
    """
    from governance_adapters.reference.house_style import LICENCE, house_prompt, write_house_style
    from governance_adapters.reference.training_set import write_training_set

    allow_licence(settings.bundle_path, LICENCE, note="The house's own pictures. The demo lets it end.")
    _wait_for_bundle(settings)
    with err.status("auditing the reference model's own training set"):
        standing = _audited(settings, governor, REFERENCE_DATASET, write_training_set, folder)
    with err.status("auditing the pictures of a house style"):
        house = _audited(settings, governor, HOUSE, write_house_style, folder)
    with err.status("training a LoRA for the house style"):
        lora, refused, trained = _trained(settings, governor, folder)
    with err.status("a picture in the house style"):
        pipe.load_lora_weights(lora, adapter_name=LORA)
        item = ask(house_prompt(ASKED))
        pipe.unload_lora_weights()
    assert item.asset is not None  # a call that released nothing raises
    assert item.entry is not None
    picture = item.asset.save(folder / "house-style-seven.png", receipt=True)
    tree, licences = _traced(governor, item.entry, folder)
    with err.status("proofs and documents"):
        proofs = _proved(settings, governor, folder)
        documents = tuple(_documents(settings, trained.result.digest, folder))
    return Taught(
        standing,
        house,
        refused,
        trained,
        picture,
        _styled(picture),
        tree,
        licences,
        proofs,
        documents,
        _recalled(settings, governor, picture),
    )


def _audited(
    settings: Settings, governor: Governor, name: str, write: Callable[[Path], int], folder: Path
) -> DatasetStanding:
    """The dataset that `write` writes, audited; policy must allow all of it."""
    source = folder / name
    written = write(source)
    asked = Asked(str(source.absolute()), name, purpose="marketing")
    standing = audit_dataset(settings, asked, _COUNSEL, governor.parts.ledger, policy=governor.parts.policy)
    _expect(standing.outcomes[Outcome.ALLOW] == standing.records == written, f"records of {name} are not allowed")
    return standing


def _trained(settings: Settings, governor: Governor, folder: Path) -> tuple[Path, tuple[str, ...], Trained]:
    """A LoRA, trained once the audit is approved, and allowed: its folder, why it was refused before, and its run."""
    from governance_adapters.reference.house_style import LICENCE
    from governance_adapters.training.lora import LoraSettings

    ledger = governor.parts.ledger
    lesson = LoraSettings(steps=STEPS, seed=SEED)
    refused = _refused(_run(settings, governor, lesson))
    for name in (REFERENCE_DATASET, HOUSE):
        approve(ledger, name, _COUNSEL)
    with _run(settings, governor, lesson) as run:
        lora = folder / f"{LORA}-{run.id}"
        _learn(run, lora, lesson)
        trained = run.finish(lora, Registration(LORA, LICENCE, "Pictures in the house's colours"))
    origin = f"Governed training run {trained.run} over {HOUSE}"
    allow_adapter(settings.bundle_path, trained.result.digest, name=LORA, licence=LICENCE, data_origin=origin)
    _wait_for_bundle(settings)
    return lora, refused, trained


def _wait_for_bundle(settings: Settings) -> None:
    """From then on the next decision is by the bundle as it was changed."""
    time.sleep(settings.reload_seconds + SETTLE_SECONDS)


def _run(settings: Settings, governor: Governor, lesson: LoraSettings) -> GovernedTraining:
    return govern_training(
        HOUSE,
        principal=_DESIGNER,
        purpose="marketing",
        trainer=lesson.as_json(),
        settings=settings,
        ledger=governor.parts.ledger,
        policy=governor.parts.policy,
    )


def _refused(run: GovernedTraining) -> tuple[str, ...]:
    """Why a run on an audit that nobody approved does not begin."""
    try:
        with run:
            pass
    except TrainingDeniedError as error:
        return (str(error),)
    raise GovernanceError("A run on data that nobody approved was not refused.", remedy="Look at data.training.")


def _learn(run: GovernedTraining, lora: Path, lesson: LoraSettings) -> None:
    """Train on each record that is handed out."""
    from governance_adapters.training.examples import examples
    from governance_adapters.training.latents import side_of
    from governance_adapters.training.lora import train_lora
    from governance_adapters.training.saving import save_lora

    train_lora(run.pipeline, list(examples(run.records(), side_of(run.pipeline))), lesson, name=LORA)
    save_lora(run.pipeline, LORA, lora)
    run.pipeline.delete_adapters(LORA)


def _traced(governor: Governor, released: Entry, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from governance_adapters.reference.house_style import LICENCE

    lineage = lineage_of(governor.parts.ledger, released)
    write_atomically(folder / "lineage.svg", svg(lineage).encode())
    write_atomically(folder / "lineage.json", json.dumps(lineage.as_json(), indent=1).encode())
    licences = tuple(map(str, lineage.licences))
    _expect(LICENCE in licences, f"the lineage does not lead to {LICENCE}")
    _expect(REFERENCE_DATASET in " ".join(tree_lines(lineage)), f"the lineage does not lead to {REFERENCE_DATASET}")
    return tuple(tree_lines(lineage)), licences


def _proved(settings: Settings, governor: Governor, folder: Path) -> tuple[tuple[str, str], ...]:
    """A digit of the training set proved in, and a photograph that scikit-learn ships proved out."""
    opened = open_dataset(settings, REFERENCE_DATASET, ledger=governor.parts.ledger)
    digit = min((folder / REFERENCE_DATASET / "digits").iterdir())
    photograph = files("sklearn.datasets.images") / "china.jpg"
    found = []
    for name, content, there in (
        (digit.name, digit.read_bytes(), True),
        (photograph.name, photograph.read_bytes(), False),
    ):
        proof = opened.prove(digest(content))
        answer = verify_proof(proof, governor.parts.log_key, content=content)
        _expect(answer.present is there, f"{name} is proved the wrong way")
        write_atomically(folder / f"{name}.proof.json", proof.to_json().encode())
        found.append((name, answer.statement))
    return tuple(found)


def _documents(settings: Settings, adapter: Digest, folder: Path) -> Iterator[tuple[str, int]]:
    """What is filed about the reference model, about the LoRA, and about the data of each: the files, with their gaps."""
    (model,) = shipped_models()
    for subject, about, forms in (
        ("reference-model", f"model:{model.key}", _ABOUT_MODELS),
        (LORA, f"adapter:{adapter}", _ABOUT_MODELS),
        (REFERENCE_DATASET, f"dataset:{REFERENCE_DATASET}", _ABOUT_DATASETS),
        (HOUSE, f"dataset:{HOUSE}", _ABOUT_DATASETS),
    ):
        place = folder / "documents" / subject
        place.mkdir(parents=True, exist_ok=True)
        for kind, form in forms:
            filing = filed(settings, kind, about)
            file = place / f"{kind.value}.{form.value}"
            write_atomically(file, rendered(filing, form, settings))
            yield str(file.relative_to(folder)), len(filing.gaps)


def _styled(picture: Path) -> bool:
    import numpy as np
    from PIL import Image

    from governance_adapters.reference.house_style import in_house_style

    with Image.open(picture) as file:
        return in_house_style(np.asarray(file.convert("RGB")))


def _recalled(settings: Settings, governor: Governor, picture: Path) -> str:
    """What `verify` says of the picture once the licence of its data ended."""
    from governance_adapters.reference.house_style import LICENCE

    ledger, cause = governor.parts.ledger, Cause(RecallBy.LICENCE, LICENCE)
    found = descendants(ledger, cause, FolderAuditFiles(settings, ledger))
    recall(ledger, Recall(cause, _COUNSEL, "The licence of the house's pictures ended."), found)
    checks = open_verifier(settings).verify(picture.read_bytes()).checks
    said = next((check for check in checks if check.name == "recall"), None)
    if said is None or "recalled" not in said.detail:
        raise GovernanceError(
            "A recalled picture does not verify as recalled.", remedy="Run `governance ledger verify`."
        )
    return said.detail


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise GovernanceError(f"Something went otherwise than it must: {otherwise}.", remedy="Run `governance doctor`.")
