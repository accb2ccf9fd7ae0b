"""The third act of the demo: the reference model's training data audited, a LoRA trained on them through the gate, and recalled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

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
from governance.training.entries import trained as trained_runs
from governance.types import Outcome, Principal
from governance_adapters.audit_files import FolderAuditFiles
from governance_adapters.commands.documents import Format, filed, rendered
from governance_adapters.commands.output import err
from governance_adapters.dataset_audits import Asked, approve, audit_dataset
from governance_adapters.dataset_opening import open_dataset
from governance_adapters.policy.allowing import allow_adapter
from governance_adapters.policy.reload import SETTLE_SECONDS
from governance_adapters.settings import Settings
from governance_adapters.trainings import GovernedTraining, Registration, govern_training
from governance_adapters.wiring import open_verifier

DATASET: Final = "reference-digits"
LICENCE: Final = "CC-BY-4.0"
LORA: Final = "house-style"
TAUGHT: Final = 80
"""How many records the LoRA learns from."""
STEPS: Final = 120
SEED: Final = 3
ASKED: Final = 7
"""The digit that is asked for."""
DOCUMENTS: Final[Mapping[DocumentKind, tuple[str, Format]]] = {
    DocumentKind.EU_SUMMARY: ("adapter", Format.MARKDOWN),
    DocumentKind.AB2013: ("adapter", Format.MARKDOWN),
    DocumentKind.MODEL_CARD: ("adapter", Format.MARKDOWN),
    DocumentKind.CYCLONEDX: ("adapter", Format.JSON),
    DocumentKind.CROISSANT: ("dataset", Format.JSON),
    DocumentKind.SPDX: ("dataset", Format.JSON),
}
"""The documents that are made, each about the LoRA or the dataset."""

_COUNSEL: Final = Principal("counsel@example.org", ("counsel",), "demo")
_DESIGNER: Final = Principal("designer@example.org", ("designer",), "demo")


@dataclass(frozen=True, slots=True)
class Taught:
    """What the act leaves behind.

    `refused` are the reasons for which nothing was trained before the audit was approved; `lineage` is the tree of `picture`;
    `proofs` say of a file what was proved; `documents` each file with how many gaps it marks; `recalled` is what `verify`
    says of the picture once its licence ended.
    """

    standing: DatasetStanding
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
    """Audit the reference model's training set, train a LoRA on it, use it in `pipe`, trace its picture, recall its licence.

    `pipe` is governed, and as it was afterwards; `ask` makes one picture of a prompt with it.

    Raises:
        GovernanceError: something went otherwise than it must.
    """
    from governance_adapters.reference.house_style import house_prompt
    from governance_adapters.reference.training_set import write_training_set

    ledger, source = governor.parts.ledger, folder / DATASET
    with err.status("auditing the reference model's own training set"):
        write_training_set(source)
        asked = Asked(str(source.absolute()), DATASET, purpose="marketing")
        standing = audit_dataset(settings, asked, _COUNSEL, ledger, policy=governor.parts.policy)
        _expect(standing.outcomes[Outcome.ALLOW] == standing.records, "records of the training set are not allowed")
    with err.status("training a LoRA for a house style"):
        refused = _refused(_run(settings, governor))
        approve(ledger, DATASET, _COUNSEL)
        number = sum(1 for _ in trained_runs(ledger))  # weights that were recalled are never a result again
        with _run(settings, governor) as run:
            lora = folder / f"{LORA}-{run.id}"
            _learn(run, lora, seed=SEED + number)
            trained = run.finish(lora, Registration(LORA, LICENCE, "Pictures in the house's colours"))
        adapter = trained.result.digest
        origin = f"Governed training run {trained.run} over {DATASET}"
        allow_adapter(settings.bundle_path, adapter, name=LORA, licence=LICENCE, data_origin=origin)
        time.sleep(settings.reload_seconds + SETTLE_SECONDS)  # from then on the next decision is the new bundle's
    with err.status("a picture in the house style"):
        pipe.load_lora_weights(lora, adapter_name=LORA)
        item = ask(house_prompt(ASKED))
        pipe.unload_lora_weights()
    assert item.asset is not None  # a call that released nothing raises
    assert item.entry is not None
    picture = item.asset.save(folder / "house-style-seven.png", receipt=True)
    tree, licences = _traced(governor, item.entry, folder)
    with err.status("proofs and documents"):
        proofs = _proved(settings, governor, source, folder)
        documents = tuple(_documents(settings, adapter, folder))
    return Taught(
        standing,
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


def _run(settings: Settings, governor: Governor) -> GovernedTraining:
    return govern_training(
        DATASET,
        principal=_DESIGNER,
        purpose="marketing",
        trainer={"style": "house", "limit": TAUGHT},
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


def _learn(run: GovernedTraining, lora: Path, *, seed: int) -> None:
    """Draw each record that is handed out in the house's colours, and train on the drawings."""
    from governance_adapters.reference.house_style import house_lesson
    from governance_adapters.training.examples import Example
    from governance_adapters.training.lora import LoraSettings, train_lora
    from governance_adapters.training.saving import save_lora

    given = run.records(limit=TAUGHT)
    lessons = [Example(*house_lesson(each.content, each.caption)) for each in given]
    train_lora(run.pipeline, lessons, LoraSettings(steps=STEPS, seed=seed), name=LORA)
    save_lora(run.pipeline, LORA, lora)
    run.pipeline.delete_adapters(LORA)


def _traced(governor: Governor, released: Entry, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lineage = lineage_of(governor.parts.ledger, released)
    write_atomically(folder / "lineage.svg", svg(lineage).encode())
    write_atomically(folder / "lineage.json", json.dumps(lineage.as_json(), indent=1).encode())
    licences = tuple(map(str, lineage.licences))
    _expect(LICENCE in licences, f"the lineage does not lead to {LICENCE}")
    return tuple(tree_lines(lineage)), licences


def _proved(settings: Settings, governor: Governor, source: Path, folder: Path) -> tuple[tuple[str, str], ...]:
    """A digit of the training set proved in, and a photograph that scikit-learn ships proved out."""
    opened = open_dataset(settings, DATASET, ledger=governor.parts.ledger)
    digit = min((source / "digits").iterdir())
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


def _documents(settings: Settings, adapter: Digest, folder: Path) -> list[tuple[str, int]]:
    named = {"adapter": f"adapter:{adapter}", "dataset": f"dataset:{DATASET}"}
    written = []
    for kind, (about, form) in DOCUMENTS.items():
        filing = filed(settings, kind, named[about])
        file = folder / f"{kind.value}.{form.value}"
        write_atomically(file, rendered(filing, form, settings))
        written.append((file.name, len(filing.gaps)))
    return written


def _styled(picture: Path) -> bool:
    import numpy as np
    from PIL import Image

    from governance_adapters.reference.house_style import in_house_style

    with Image.open(picture) as file:
        return in_house_style(np.asarray(file.convert("RGB")))


def _recalled(settings: Settings, governor: Governor, picture: Path) -> str:
    """What `verify` says of the picture once the licence of its data ended."""
    ledger, cause = governor.parts.ledger, Cause(RecallBy.LICENCE, LICENCE)
    found = descendants(ledger, cause, FolderAuditFiles(settings, ledger))
    recall(ledger, Recall(cause, _COUNSEL, "The licence of the demo's data ended."), found)
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
