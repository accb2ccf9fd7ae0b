"""Settings, datasets and a base to a governed training run: where pipelines, datasets, registers, policy and the ledger meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from governance.canonical import Digest, Json
from governance.datasets.standing import DatasetStanding
from governance.errors import RegisterError, TrainingError
from governance.in_force import RecordedPolicy
from governance.ports import Ledger, PolicyEngine
from governance.registers.item_checks import check_field, moment
from governance.registers.items import ModelSignature, RegisteredAdapter, RegisteredModel, model_key
from governance.registers.references import check_licence
from governance.registers.register import Registers
from governance.training.data import TrainingRecord
from governance.training.entries import Trained
from governance.training.policy_input import LineageGrade
from governance.training.run import TrainingRun
from governance.training.runs import DatasetUse, Method, ResultKind, RunPlan, TrainingResult
from governance.types import Principal
from governance_adapters.dataset_opening import open_dataset
from governance_adapters.engines import open_policy
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.wiring import as_principal

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PROBE: Final = "governed_result"
"""What a finished adapter is called while it is loaded to be digested."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What the register is told of a result beside its digest; empty is what nobody stated. `expires` may be a date.

    Raises:
        RegisterError: the register would not take it: better known before anything is trained.
    """

    name: str
    licence: str = ""
    intended_use: str = ""
    expires: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "expires", moment(self.expires) if self.expires else "")
        for each in fields(self):
            check_field(each.name, getattr(self, each.name))
        check_licence(self.licence)


def govern_training(
    dataset: str | Sequence[str],
    base: DiffusionPipeline | Path | str | None = None,
    *,
    purpose: str | None = None,
    method: Method | str = Method.LORA,
    lineage: LineageGrade | str = LineageGrade.WITNESSED,
    principal: str | Principal | None = None,
    roles: Sequence[str] | None = None,
    trainer: Mapping[str, Json] | None = None,
    texts: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    ledger: Ledger | None = None,
    policy: PolicyEngine | None = None,
) -> GovernedTraining:
    """A training run that answers for its data: use it in a `with` block, train with `run.records()`, and `run.finish(...)`.

    `dataset` names one audited dataset or several. `base` is what is trained further: a pipeline that is not governed, the
    folder of one, the key of a registered model where the loop runs elsewhere, or None for the reference model. `method` is
    `lora`, `dreambooth` or `full`. With the lineage `declared` nothing is handed out, and the run is told with `declare()`
    what a loop elsewhere consumes. `trainer` are the trainer's settings, recorded in the clear; `texts` are those that may
    name a person, recorded by commitment. Who asks and what for come from the settings where they are not given.
    `ledger` and `policy` take the place of those that the settings name. Policy is always obeyed, in shadow mode too.

    Raises:
        NoDatasetError: there is no audit of a dataset.
        DatasetChangedError: its files are not those that were audited.
        TrainingError: method, lineage or base is none that is known.
        ConfigurationError: there is no installation yet, or nobody asks.
        GovernanceError: a part refuses to start.
    """
    settings = settings or Settings.load()
    names = (dataset,) if isinstance(dataset, str) else tuple(dataset)
    who = as_principal(principal, roles, settings)
    kind, grade = _named(Method, method, "method"), _named(LineageGrade, lineage, "lineage")
    with ExitStack() as opened:
        if ledger is None:
            ledger = opened.enter_context(closing(ledger_for_appending(settings)))
        data = [open_dataset(settings, name, ledger=ledger) for name in names]
        found = _Base.of(base)
        plan = RunPlan(
            principal=who,
            purpose=settings.purpose if purpose is None else purpose,
            method=kind,
            lineage=grade,
            base=found.key,
            datasets=tuple(_use(each.standing) for each in data),
            settings=dict(trainer or {}),
            texts=dict(texts or {}),
        )
        registers = Registers(ledger)
        engine = RecordedPolicy(policy or open_policy(settings), ledger, name="" if policy else settings.engine.value)
        run = TrainingRun(plan, ledger=ledger, policy=engine, registers=registers, datasets=data)
        return GovernedTraining(run, found, registers, settings, opened.pop_all())
    raise AssertionError("unreachable")


class GovernedTraining:
    """One governed run: a context manager. Entered it is begun, left without `finish` it has failed, and an entry says so."""

    def __init__(
        self, run: TrainingRun, base: _Base, registers: Registers, settings: Settings, opened: ExitStack
    ) -> None:
        self._run, self._base, self._registers = run, base, registers
        self._settings, self._opened = settings, opened

    @property
    def id(self) -> str:
        """The run's id: the subject of its entries."""
        return self._run.id

    @property
    def pipeline(self) -> Any:
        """The base, loaded, to be trained.

        Raises:
            TrainingError: the base was named by its key only.
        """
        if self._base.pipe is None:
            raise TrainingError("The base was named by its key only.", remedy="Give the pipeline, or its folder.")
        return self._base.pipe

    def records(self, dataset: str = "", *, limit: int = 0) -> Iterator[TrainingRecord]:
        """Hand out allowed records, their bytes checked against the signed digests: see `governance.training.run`."""
        return self._run.records(dataset, limit=limit)

    def declare(self, dataset: str = "", contents: Iterable[Digest] | None = None) -> int:
        """Describe what a loop elsewhere consumes: see `governance.training.run`."""
        return self._run.declare(dataset, contents)

    def finish(self, result: DiffusionPipeline | Path | str, about: Registration | str) -> Trained:
        """Digest what was trained, ask policy again, record it, sign its folder and register it.

        `result` is the file or folder of a LoRA, the folder of a whole pipeline, or a pipeline with the LoRA loaded; a
        folder is signed with the installation's key for results. `about` is the name that it is registered under, or more
        that is stated of it. An adapter's digest is that of its weights as they are loaded: see docs/training.md.

        Raises:
            TrainingDeniedError: policy does not allow it any more; an entry says that the run failed.
            TrainingError: the result is none, or of another base; or what else lies in its folder would be signed with it.
            SigningError: the folder cannot be signed, or is signed already.
            RegisterError: `about` is none that the register takes; or the result is recorded, and cannot be registered.
            GovernanceError: as `governance.training.run.TrainingRun.finish`.
        """
        about = Registration(about) if isinstance(about, str) else about
        if not isinstance(result, (str, Path)):
            trained = self._run.finish(self._adapter_in(result, about.name, ""))
            self._register(trained, about)
            return trained
        trained, verified = self._finish_folder(Path(result), about.name)
        self._register(trained, about, verified)
        return trained

    def __enter__(self) -> Self:
        try:
            self._run.begin()
        except BaseException:  # Ctrl-C too: what was opened is closed, and it goes on
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened:
            self._run.__exit__(kind, error, trace)

    def _finish_folder(self, path: Path, name: str) -> tuple[Trained, ModelSignature]:
        """Sign, digest what was signed, look whether it still is that, and finish: else no signature stays behind."""
        from governance_adapters.registers.signatures import verify_signature
        from governance_adapters.training.saving import lone_weights
        from governance_adapters.training.signing import PUBLIC, sign_folder

        whole = (path / "model_index.json").is_file()
        file = path if whole else lone_weights(path)
        folder, keys = path if whole else file.parent, self._settings.keys_path
        signed = sign_folder(folder, keys)
        try:
            found = self._whole_model(path, name) if whole else self._adapter_file(file, name)
            verified = verify_signature(folder, signed.file, key=keys / PUBLIC)
            return self._run.finish(found, signed.as_json()), verified
        except BaseException:  # Ctrl-C too: no signature stays behind on what was not finished
            signed.file.unlink(missing_ok=True)
            raise

    def _whole_model(self, folder: Path, name: str) -> TrainingResult:
        facts = _described(_loaded(folder))
        return TrainingResult(ResultKind.MODEL, model_key(facts.components), name, components=facts.components)

    def _adapter_file(self, file: Path, name: str) -> TrainingResult:
        """The adapter in a file, as it is once it is loaded into the base."""
        from governance_adapters.training.saving import file_digest

        pipe = self.pipeline
        if loaded := [name for names in pipe.get_list_adapters().values() for name in names]:
            raise TrainingError(
                f"The base still has adapters loaded: {', '.join(loaded)}.",
                remedy="Save the LoRA and take it out with `delete_adapters`, then finish with its folder.",
            )
        try:
            pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=_PROBE, local_files_only=True)
        except Exception as error:  # diffusers raises what it likes: whatever it is, there is no adapter
            raise TrainingError(
                f"{file} is no LoRA that the base can load: {type(error).__name__}: {error}.",
                remedy="Save it with `pipe.save_lora_weights`, as safetensors.",
            ) from error
        try:
            return self._adapter_in(pipe, name, file_digest(file), only=_PROBE)
        finally:
            pipe.delete_adapters(_PROBE)

    def _adapter_in(self, pipe: Any, name: str, file: Digest | str, only: str = "") -> TrainingResult:
        facts = _described(pipe)
        if model_key(facts.components) != self._run.plan.base:
            raise TrainingError(
                "The base is not the one that the run began with: its weights were changed.",
                remedy="Train a LoRA beside the base, or run with method='full' and finish with the folder of the pipeline.",
            )
        found = [each for each in facts.adapters if not only or each.name.endswith(f"/{only}")]
        if len(found) != 1:
            raise TrainingError(
                f"The result has {len(found)} adapters: {', '.join(each.name for each in found) or 'none'}.",
                remedy="Finish with one LoRA, in one part of the pipeline.",
            )
        return TrainingResult(
            ResultKind.ADAPTER, found[0].digest, name, file=file, component=found[0].name.partition("/")[0]
        )

    def _register(self, trained: Trained, about: Registration, signature: ModelSignature | None = None) -> None:
        """Register what was trained, unless exactly these weights are registered already."""
        plan, result = self._run.plan, trained.result
        names = tuple(part.name for part in trained.consumed)
        origin = f"Governed training run {trained.run}, {trained.lineage.value}: " + "; ".join(
            f"{part.contents} contents of {part.name} (root {part.root})" for part in trained.consumed
        )
        stated: dict[str, Any] = {
            "name": about.name,
            "licence": about.licence,
            "data_origin": origin[:1000],
            "intended_use": about.intended_use,
            "expires": about.expires,
            "datasets": names,
            "signature": signature,
        }
        item: RegisteredAdapter | RegisteredModel
        if result.kind is ResultKind.ADAPTER:
            known = self._registers.adapter(result.digest) is not None
            item = RegisteredAdapter(digest=result.digest, base=plan.base, run=trained.run, **stated)
        else:
            known = self._registers.model(result.digest) is not None
            item = RegisteredModel(components=result.components, **stated)
        if known:
            return
        try:
            self._registers.add(item, plan.principal)
        except RegisterError as error:
            raise RegisterError(
                f"Run {trained.run} is recorded, but its result cannot be registered: {error}",
                remedy="Register it with `governance registers add`, then it can be used.",
            ) from error


@dataclass(frozen=True, slots=True)
class _Base:
    """What is trained further: its key in the register, and the pipeline where there is one here."""

    key: Digest
    pipe: Any = None

    @classmethod
    def of(cls, base: DiffusionPipeline | Path | str | None) -> _Base:
        """Load and describe what is given."""
        if isinstance(base, str) and _KEY.fullmatch(base):
            return cls(Digest(base))
        if base is None or isinstance(base, (str, Path)):
            base = _loaded(None if base is None else Path(base))
        if getattr(type(base), "governed", False):
            raise TrainingError(
                "A governed pipeline cannot be trained.", remedy="Give it before it is governed, or its folder."
            )
        pipe: Any = base
        if names := {name for each in pipe.get_list_adapters().values() for name in each}:
            raise TrainingError(
                f"The base has adapters loaded: {', '.join(sorted(names))}.",
                remedy="Take them out with `delete_adapters`: what is trained on top of a LoRA would not say so.",
            )
        return cls(model_key(_described(pipe).components), pipe)


def _loaded(path: Path | None) -> Any:
    from governance_adapters.pipelines.loading import load_pipeline, quiet_libraries
    from governance_adapters.reference import load_reference_pipeline

    quiet_libraries()
    return load_reference_pipeline() if path is None else load_pipeline(path)


def _described(pipe: Any) -> Any:
    from governance_adapters.pipelines.description.describe import describe

    return describe(pipe)


def _use(standing: DatasetStanding) -> DatasetUse:
    return DatasetUse(standing.name, standing.audited.id, standing.root)


def _named(kind: Any, value: Any, what: str) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise TrainingError(
            f"{value!r} is no {what} of training.", remedy=f"Use one of {', '.join(each.value for each in kind)}."
        ) from error
