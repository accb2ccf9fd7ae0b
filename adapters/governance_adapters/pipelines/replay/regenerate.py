"""Recorded calls made again with a diffusers pipeline: what `governance.regeneration` asks of a `Regenerator`.

The keyword arguments are put together from the record and bound as any call is bound, and the facts of the call that comes
out of it are compared with the recorded ones: what differs there is reported. The whole batch is made, with the recorded
generators, because the values of one picture depend on its place among the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import diffusers
import torch
from diffusers import DiffusionPipeline

from governance.errors import ReplayError, RequestError
from governance.facts import call_facts
from governance.model_differences import differing_leaves, shown_value
from governance.recorded_calls import Obstacle, RecordedCall
from governance.regeneration import Regenerated
from governance.replays import CALL_PART, Difference
from governance.types import GenerationRequest, Pixels, Principal, Prompt, new_id
from governance_adapters.pipelines.arguments.binding import BoundArguments, bind
from governance_adapters.pipelines.arguments.held_texts import PREFIX
from governance_adapters.pipelines.arguments.restored import restored
from governance_adapters.pipelines.bound import BoundPipeline
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.replay.devices import move
from governance_adapters.pipelines.replay.given_adapters import GivenAdapter, GivenAdapters
from governance_adapters.pipelines.replay.older_records import older_arguments
from governance_adapters.pipelines.replay.schedulers import rebuilt_scheduler
from governance_adapters.pipelines.sealing.seals import Seal

_PURPOSE: Final = "replay"
_UNCOMPARED: Final = frozenset({"version", "generators", "seeds"})
"""Members of a call's document that are taken from the record itself."""
_UNRECORDED: Final = "the pipeline also draws from torch's own random generator, whose state no record has"


@dataclass
class DiffusersRegenerator:
    """Port `Regenerator` over one local model.

    `load` gives its pipeline in a dtype. `only_recorded`: a call of other weights is refused, because nobody named this model
    for it. `adapters` are put on before anything is made. `recorded_scheduler` and `recorded_threads`: run with these as the
    record says instead of as they are here.
    """

    load: Callable[[str], Any]
    only_recorded: bool = False
    adapters: Sequence[GivenAdapter] = ()
    recorded_scheduler: bool = False
    recorded_threads: bool = False
    _loaded: dict[str, GivenAdapters] = field(default_factory=dict, init=False)

    def regenerate(self, call: RecordedCall, inputs: Sequence[Pixels]) -> Regenerated:
        """See Regenerator.regenerate."""
        pipe = self._pipe(call)
        keywords, guessed = _keywords(pipe, call, inputs)
        arguments = _bound(pipe, call, keywords)
        who = Principal(_PURPOSE)
        request = arguments.request(new_id(), who, _PURPOSE, type(pipe).__name__)
        request = replace(request, seeds=call.seeds)
        with self._as_recorded(pipe, call):
            bound = BoundPipeline(pipe, type(pipe).__call__, arguments)
            before = _own_states(pipe)
            drafts = bound.generate(request)
            drew = () if _own_states(pipe) == before else (Difference(CALL_PART, _UNRECORDED),)
            model = drafts[0].model if drafts else bound.describe()
        return Regenerated(model, drafts, (*guessed, *_call_differences(call, request), *drew))

    def _pipe(self, call: RecordedCall) -> Any:
        """The pipeline, in the dtype, on the device and of the class that made the record, as far as they are there.

        Raises:
            ModelError: it cannot be loaded.
            ReplayError: it is another model than the recorded one, and nobody named it.
        """
        recorded: Any = call.model
        dtype = str(recorded["dtype"])
        if dtype not in self._loaded:
            self._loaded.clear()  # two models would not fit many memories
            self._loaded[dtype] = GivenAdapters(self.load(dtype), self.adapters)
        loaded = self._loaded[dtype]
        loaded.as_recorded(recorded["adapters"])
        pipe = _of_class(loaded.pipe, str(recorded["pipeline"]))
        if getattr(pipe, "watermark", None) is not None:
            pipe.watermark = None  # a governed call drops the fixed mark of SDXL pipelines
        Seal(type(pipe).__name__).close(pipe)
        move(pipe, str(recorded["device"]))
        if self.only_recorded and dict(describe(pipe).components) != dict(recorded["components"]):
            raise ReplayError(
                f"The recorded {recorded['pipeline']} is not the reference model.",
                Obstacle.MODEL_MISSING,
                remedy="Name the folder of the model with --model.",
            )
        return pipe

    @contextmanager
    def _as_recorded(self, pipe: Any, call: RecordedCall) -> Iterator[None]:
        """Scheduler and threads as the record has them, where that is asked for; afterwards as they were."""
        recorded: Any = call.model
        scheduler, threads = getattr(pipe, "scheduler", None), torch.get_num_threads()
        wanted = recorded.get("environment", {}).get("threads", {}).get("intra")
        try:
            if self.recorded_scheduler and recorded["scheduler"]["class"]:
                pipe.scheduler = rebuilt_scheduler(recorded["scheduler"])
            if self.recorded_threads and type(wanted) is int and wanted > 0:
                torch.set_num_threads(wanted)
            yield
        finally:
            torch.set_num_threads(threads)
            if scheduler is not None:
                pipe.scheduler = scheduler


def _of_class(pipe: Any, name: str) -> Any:
    """`pipe` as a pipeline of the class `name`, made of the same components, where diffusers can; else as it is."""
    kind = getattr(diffusers, name, None)
    if type(pipe).__name__ == name or not (isinstance(kind, type) and issubclass(kind, DiffusionPipeline)):
        return pipe
    other: Any = kind
    try:
        made = other.from_pipe(pipe)
    except Exception as error:  # whatever diffusers raises: these components do not make that pipeline
        raise ReplayError(
            f"This {type(pipe).__name__} cannot be used as the recorded {name}: {error}.",
            Obstacle.MODEL_MISSING,
            remedy="Name the model that made the record.",
        ) from error
    made.set_progress_bar_config(disable=True)
    return made


def _keywords(pipe: Any, call: RecordedCall, inputs: Sequence[Pixels]) -> tuple[dict[str, Any], tuple[Difference, ...]]:
    """The arguments of the call but for the generators, and what had to be guessed of them."""
    if call.arguments is None:
        return older_arguments(pipe, call), (
            Difference(CALL_PART, "the record does not have the arguments: they are put together from its facts"),
        )
    texts = [None if prompt is None else prompt.text for prompt in call.prompts]
    try:
        return restored(call.arguments, texts, list(inputs)), ()
    except RequestError as error:
        raise ReplayError(
            f"The arguments of the call cannot be put together: {error}", Obstacle.ARGUMENTS_UNKNOWN
        ) from error


def _bound(pipe: Any, call: RecordedCall, keywords: Mapping[str, Any]) -> BoundArguments:
    generators = _generators(pipe, call.generators)
    given = {} if not generators else {"generator": generators[0] if len(generators) == 1 else generators}
    try:
        arguments = bind(pipe, type(pipe).__call__, (), {**keywords, **given})
    except RequestError as error:
        raise ReplayError(
            f"The recorded arguments do not fit this {type(pipe).__name__}: {error}", Obstacle.CALL_DIFFERS
        ) from error
    if arguments.images != len(call.seeds):
        raise ReplayError(
            f"The call would make {arguments.images} images here, and made {len(call.seeds)}.", Obstacle.CALL_DIFFERS
        )
    return arguments


def _generators(pipe: Any, states: Sequence[bytes]) -> list[torch.Generator]:
    """The caller's generators as they were before the call. A state of another length than the CPU's is the device's own."""
    cpu = torch.Generator()
    made = []
    for state in states:
        here = cpu.get_state().numel() == len(state)
        try:
            generator = torch.Generator("cpu" if here else pipe.device)
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
        except (RuntimeError, TypeError) as error:
            raise ReplayError(
                f"The state of a recorded generator does not fit a {pipe.device} here: {str(error).splitlines()[0]}.",
                Obstacle.CALL_DIFFERS,
                remedy="Replay on the kind of device that made it.",
            ) from error
        made.append(generator)
    return made


def _own_states(pipe: Any) -> list[bytes]:
    """Where torch's own random generators are, of the processor and of the pipeline's device."""
    states = [torch.get_rng_state()]
    if pipe.device.type == "cuda":
        states.append(torch.cuda.get_rng_state(pipe.device))
    return [state.numpy().tobytes() for state in states]


def _call_differences(call: RecordedCall, request: GenerationRequest) -> Iterator[Difference]:
    """Where the facts of the call as it was bound now are others than those that were recorded."""
    now = call_facts(request, call.seeds)
    for name in sorted(call.call.keys() & now.keys() - _UNCOMPARED):
        for path, before, here in differing_leaves(name, call.call[name], now[name]):
            yield Difference(CALL_PART, f"{path}: {shown_value(before)} recorded, {shown_value(here)} here")
    recorded, held = _on_pipeline(call.prompts), _on_pipeline(request.prompts)
    for name in sorted({name for name, *_ in recorded ^ held}):  # what they say is personal
        yield Difference(CALL_PART, f"{name}: the text that sits on the pipeline is another one here")


def _on_pipeline(prompts: Sequence[Prompt | None]) -> set[tuple[str, int, str]]:
    """The texts that no argument has."""
    return {
        (each.parameter, each.position, each.text) for each in prompts if each and each.parameter.startswith(PREFIX)
    }
