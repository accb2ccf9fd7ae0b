"""Every pipeline class of which there is a tiny instance: governed with real parts, each file verified, the log sound.

The instances are untrained: what they paint is noise, and what is looked at is that all of it goes down the line. A class
that is refused is refused before it generates, and says why.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from governance.assets import Verdict
from governance.entries import EntryKind
from governance.errors import ConfigurationError, SealedError
from governance.verification import Status
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.settings import Settings
from governance_adapters.wiring import govern, open_detectors, open_governor, open_verifier
from support.allowed import allowed
from support.markdown import ROOT
from support.tiny_pipelines import TINY

GOVERNED = {name: tiny for name, tiny in TINY.items() if tiny.refused is None}
REFUSED = {name: tiny for name, tiny in TINY.items() if tiny.refused is not None}
MORE_THAN = 180
"""So many classes run down the line with `--every-class`, says the README."""
FIELDS = ("images", "image", "frames", "video", "videos", "audios", "audio", "sound")
"""Where diffusers' outputs hold what a pipeline makes."""
FAR = {"image": 4, "video": 24, "audio": 1}
"""Levels of 255 that marking and encoding may move a value by, on average, if there is nothing in the picture."""
CONTRAST = 0.15
"""And this much of its standard deviation: noise takes a stronger mark than a flat picture, and shows it less."""

# The libraries deprecate things of their own; those are no business of this test.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{InsecureKeyWarning.__module__}.{InsecureKeyWarning.__qualname__}"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def class_of(name: str) -> str:
    """The class that a tiny instance is of."""
    return name.partition("+")[0]


def family_of(name: str) -> str:
    """The package of diffusers that its class stands in."""
    return getattr(diffusers, class_of(name)).__module__.rpartition(".")[0]


def of_each_family() -> list[str]:
    """Of each family, for each combination of what it makes, the instance with the most to govern in its call."""
    chosen: dict[tuple[str, tuple[str, ...]], str] = {}
    for name, tiny in GOVERNED.items():
        place = family_of(name), tiny.media
        if place not in chosen or len(GOVERNED[chosen[place]].call) < len(tiny.call):
            chosen[place] = name
    return list(chosen.values())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every class takes minutes: that is for `make proof`."""
    if "governed_name" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-class")
        metafunc.parametrize("governed_name", list(GOVERNED) if every else of_each_family())


@pytest.fixture(scope="module")
def detectors(tmp_path_factory):
    """The real classifier of explicit pictures, loaded once."""
    return open_detectors(Settings.load(home=tmp_path_factory.mktemp("detectors"), detectors=("nsfw",)))


@contextmanager
def line(settings, detectors) -> Iterator[Any]:
    """A governor of real parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        governor = open_governor(settings, detectors=detectors)
    try:
        yield governor
    finally:
        governor.parts.ledger.close()


def widen(settings, pipe) -> None:
    """Allow the model, and all that policy cannot read: these are random weights, and their pictures score at random."""
    facts = describe(pipe)
    allowed(settings, facts, name="tiny", licence="MIT")
    path = settings.bundle_path / "data.json"
    data = json.loads(path.read_text())
    never = {"review": 1_000_001, "deny": 1_000_001}
    data |= {
        "adapters": {adapter.digest: {"name": "tiny", "licence": "MIT"} for adapter in facts.adapters},
        "allow_inputs": True,
        "allow_promptless": True,
        "allow_audio": True,
        "budgets": {"images": 10**9, "step_pixels": 10**15},
        "opaque": dict.fromkeys(data["opaque"], "allow"),
        "required_detectors": ["nsfw"],
    }
    data["thresholds"]["nsfw"] = never
    path.write_text(json.dumps(data))


def ask(pipe: Any, tiny: Any, **more: Any) -> Any:
    return pipe(**tiny.call, **more, generator=torch.Generator().manual_seed(7))


def made_by(output: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What an output holds, by field, as arrays of levels from 0 to 255."""
    found = {}
    for name in FIELDS:
        value = getattr(output, name, None)
        if value is not None:
            array = value.float().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
            found[name] = array.astype(float) * (255 if np.issubdtype(array.dtype, np.floating) else 1)
    return found


def test_what_a_class_makes_is_released_with_signature_record_and_proof(governed_name, settings, detectors, tmp_path):
    name = governed_name
    tiny = GOVERNED[name]
    bare = ask(tiny.quiet(tmp_path / "bare"), tiny)
    pipe = tiny.quiet(tmp_path / "governed")
    widen(settings, pipe)
    with line(settings, detectors) as governor:
        governed = govern(pipe, purpose="marketing", markets=("EU",), settings=settings, governor=governor)
        out = ask(governed, tiny, **tiny.said)
        ledger = governor.parts.ledger

        # the pipeline's own output, with what it makes by itself in it
        assert type(out) is type(bare)
        assert isinstance(governed, getattr(diffusers, class_of(name)))
        theirs, ours = made_by(bare), made_by(out)
        assert ours.keys() == theirs.keys()
        assert ours
        for field, alone in theirs.items():
            assert ours[field].shape == alone.shape
            far = max(FAR[medium] for medium in tiny.media) + CONTRAST * alone.std()
            assert np.abs(ours[field] - alone).mean() < far, field

        # each item a file of its own that verifies
        assert len(out.items) == tiny.made * len(tiny.media)
        verifier = open_verifier(settings, ledger)
        for item in out.items:
            assert item.verdict is Verdict.RELEASED
            verification = verifier.verify(item.asset.content, item.asset.receipt)
            assert verification.exit_code == 0, verification.as_json()
            unchecked = {check.name for check in verification.checks if check.status is not Status.HOLDS}
            assert not unchecked or tiny.media != ("image",), verification.as_json()
            assert verification.entry.id == item.entry.id

        kinds = [entry.kind for _, entry in ledger.entries() if entry.kind is not EntryKind.REGISTER]
        assert kinds == [EntryKind.POLICY, EntryKind.INTENT, *len(out.items) * [EntryKind.RELEASED]]

        # nothing comes past the line by the class's own call
        with pytest.raises(SealedError):
            ask(partial(getattr(diffusers, class_of(name)).__call__, governed), tiny)
        assert list(ledger.verify()) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_governed_is_refused_before_it_makes_anything(name, settings, detectors, tmp_path):
    tiny = REFUSED[name]
    pipe = tiny.quiet(tmp_path)
    with line(settings, detectors) as governor:
        with pytest.raises(ConfigurationError, match=tiny.refused):
            govern(pipe, purpose="marketing", settings=settings, governor=governor)
        assert {entry.kind for _, entry in governor.parts.ledger.entries()} == {EntryKind.REGISTER}


def test_there_are_tiny_instances_of_many_classes(figure):
    classes = {class_of(name) for name in GOVERNED}
    figure(
        f"{len(classes)} pipeline classes have tiny instances that run down the line ({len(of_each_family())} without"
        f" --every-class), {len(REFUSED)} are seen to be refused"
    )
    assert len(classes) > MORE_THAN
    assert f"more than {MORE_THAN} classes" in (ROOT / "README.md").read_text()
    assert all(issubclass(getattr(diffusers, name), diffusers.DiffusionPipeline) for name in classes)
