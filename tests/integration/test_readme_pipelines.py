"""The README's popular pipelines: its lines run as they stand, where the names of models are folders of tiny ones."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import diffusers
import pytest
from diffusers import StableDiffusionControlNetPipeline

from governance_adapters.installation import initialise
from governance_adapters.marking.authority import InsecureKeyWarning
from governance_adapters.pipelines.description.describe import describe
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_verifier
from support.allowed import allowed
from support.markdown import ROOT, blocks
from support.reader import run
from support.tiny_pipelines import TINY, parts

(LINES,) = (block for block in blocks((ROOT / "README.md").read_text(), "python") if "from_pretrained" in block)
# How each model is loaded: the class, and what diffusers would download.
LOADED = re.findall(r"(\w+)\.from_pretrained\(\s*\"([^\"]+)\"", LINES)
SAVED = re.findall(r"asset\.save\(\"([^\"]+)\"\)", LINES)
FIVE = {
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "FluxPipeline",
    "StableDiffusionControlNetPipeline",
    "WanPipeline",
}

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{InsecureKeyWarning.__module__}.{InsecureKeyWarning.__qualname__}"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a tiny model under each name that the README loads, and a bundle that allows them."""
    made = tmp_path_factory.mktemp("popular")
    parts.PICTURE.save(made / "edges.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyWarning)
        settings = Settings.load(home=made / "home")
        initialise(settings)
    for kind, name in LOADED:
        if kind == "ControlNetModel":
            parts.controlnet().save_pretrained(made / name)
        elif not (made / name).exists():
            TINY[kind].quiet(made / "vocabularies" / kind).save_pretrained(made / name)
    for kind, name in LOADED:
        if kind != "ControlNetModel":
            control = {"controlnet": parts.controlnet()} if kind == StableDiffusionControlNetPipeline.__name__ else {}
            pipe = getattr(diffusers, kind).from_pretrained(made / name, **control)
            allowed(settings, describe(pipe), name=kind, licence="MIT")
    widen(settings.bundle_path / "data.json")
    return made


def widen(path: Path) -> None:
    """Allow pictures as inputs; and noise may look like anything, so no score of it means a thing."""
    data = json.loads(path.read_text())
    never = {"review": 1_000_001, "deny": 1_000_001}
    thresholds = {name: never if "deny" in limits else limits for name, limits in data["thresholds"].items()}
    path.write_text(json.dumps({**data, "allow_inputs": True, "thresholds": thresholds}))


def test_it_shows_the_five() -> None:
    assert {kind for kind, _ in LOADED} - {"ControlNetModel"} == FIVE
    assert len(SAVED) == len(FIVE)


def test_each_is_wrapped_by_its_one_line_and_its_file_verifies(folder: Path) -> None:
    done = run(folder, "-W", "ignore", "-c", LINES)
    assert done.returncode == 0, done.stderr
    verifier = open_verifier(Settings.load(home=folder / "home"))
    for name in SAVED:
        verification = verifier.verify((folder / name).read_bytes())
        assert verification.exit_code == 0, (name, verification.as_json())
