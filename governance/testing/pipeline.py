"""Contract and fake of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from governance.media import Clip, Media, Sound, frozen, media_digest
from governance.ports import Pipeline
from governance.testing.examples import EXAMPLE_MODEL, example_picture
from governance.testing.media import example_clip, example_sound
from governance.types import Draft, GenerationRequest, MediaKind, ModelFacts


@dataclass(slots=True)
class FakePipeline:
    """Makes pictures, clips and sounds, whatever is asked for; each depends on the seed alone.

    `error`: what `generate` raises instead. `swapped`: the model that turns out to have generated. `spoil`: changes the
    drafts before they are returned. `runs`: how often it generated.
    """

    model: ModelFacts = EXAMPLE_MODEL
    error: BaseException | None = None
    describe_error: BaseException | None = None
    swapped: ModelFacts | None = None
    spoil: Callable[[list[Draft]], Sequence[Draft]] | None = None
    runs: int = field(default=0, init=False)

    def describe(self) -> ModelFacts:
        """See Pipeline.describe."""
        if self.describe_error is not None:
            raise self.describe_error
        return self.model

    def generate(self, request: GenerationRequest) -> Sequence[Draft]:
        """See Pipeline.generate."""
        self.runs += 1
        if self.error is not None:
            raise self.error
        kinds = [kind for kind in request.media for _ in range(request.images)]
        drafts = [
            Draft(
                index, _made(kind, request, request.seed_of(index)), self.swapped or self.model, request.seed_of(index)
            )
            for index, kind in enumerate(kinds)
        ]
        return self.spoil(drafts) if self.spoil else drafts


def _made(kind: MediaKind, request: GenerationRequest, seed: int) -> Media:
    if kind is MediaKind.VIDEO:
        return example_clip(request.frames, request.height, request.width, seed=seed % 2**32)
    if kind is MediaKind.AUDIO:
        return example_sound(seed=seed % 50)
    return example_picture(request.height, request.width, seed % 2**32)


class PipelineContract:
    """What every pipeline does. Subclasses say which one, and what to ask of it; pytest runs the `test_` methods."""

    def pipeline(self, request: GenerationRequest) -> Pipeline:
        """A pipeline bound to `request`."""
        raise NotImplementedError

    def request(self, images: int) -> GenerationRequest:
        """A request for `images` images, clips or sounds, or clips with sounds, with seeds."""
        raise NotImplementedError

    def test_describes_itself_the_same_way_twice(self) -> None:
        pipeline = self.pipeline(self.request(1))
        assert pipeline.describe().digest == pipeline.describe().digest

    def test_makes_the_drafts_that_were_asked_for(self) -> None:
        request = self.request(2)
        pipeline = self.pipeline(request)
        drafts = pipeline.generate(request)
        assert [draft.index for draft in drafts] == list(range(request.items))
        assert [draft.kind for draft in drafts] == [kind for kind in request.media for _ in range(2)]
        assert [draft.seed for draft in drafts] == list(request.seeds) * len(request.media)
        for draft in drafts:
            media = frozen(draft.media)
            if isinstance(media, Clip):
                assert media.frames.shape == (request.frames, request.height, request.width, 3)
            elif not isinstance(media, Sound):
                assert media.shape == (request.height, request.width, 3)
            assert draft.model.digest == pipeline.describe().digest

    def test_the_same_seeds_make_the_same(self) -> None:
        request = self.request(1)
        one, other = (self.pipeline(request).generate(request) for _ in range(2))
        assert [media_digest(draft.media) for draft in one] == [media_digest(draft.media) for draft in other]

    def test_other_seeds_make_others(self) -> None:
        request = self.request(1)
        changed = replace(request, seeds=tuple(seed + 1 for seed in request.seeds))
        one, other = (self.pipeline(asked).generate(asked) for asked in (request, changed))
        assert {media_digest(draft.media) for draft in one}.isdisjoint(media_digest(draft.media) for draft in other)
