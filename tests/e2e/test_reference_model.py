"""The model that ships: what it is, where it comes from, and whether it paints what it is asked for."""

import hashlib
import json

import numpy as np
import pytest
import torch

from governance_adapters.pipelines.description.describe import describe
from governance_adapters.pipelines.loading import load_pipeline
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.reference import load_reference_pipeline, model_path
from governance_adapters.reference.digits import load_records, split_halves
from governance_adapters.reference.evaluate import evaluate
from support.real import require

PICTURES = 200
READ_AT_LEAST = 0.94
COLOURS_AT_LEAST = 0.95
SIZE_LIMIT = 12_000_000


@pytest.fixture(scope="module", autouse=True)
def _weights():
    require("weights", model_path().is_dir(), "the reference model's weights are not in this checkout")


@pytest.fixture(scope="module")
def pipe():
    return load_reference_pipeline()


def test_its_weights_are_the_recorded_ones_and_small():
    folder = model_path()
    recorded = dict(line.split("  ")[::-1] for line in (folder.parent / "weights.sha256").read_text().splitlines())
    for name, sha in recorded.items():
        assert hashlib.sha256((folder.parent / name).read_bytes()).hexdigest() == sha
    weights = list(folder.rglob("*.safetensors"))
    assert {str(file.relative_to(folder.parent)) for file in weights} <= set(recorded)
    assert sum(file.stat().st_size for file in weights) <= SIZE_LIMIT


def test_each_training_record_is_stated_with_its_source_and_licence():
    stated = json.loads((model_path().parent / "provenance.json").read_text())
    text = json.dumps(stated)
    assert "10.24432/C50P49" in text
    assert "CC-BY-4.0" in text or "CC BY 4.0" in text
    pictures, labels = load_records()
    half, never_seen = (set(indices.tolist()) for indices in split_halves())
    assert not half & never_seen
    records = [dict(zip(stated["record_fields"], record, strict=True)) for record in stated["records"]]
    assert {record["index"] for record in records} <= half
    assert len(records) > 850
    for record in records:
        pixels = pictures[record["index"]].astype(np.uint8)
        assert record["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert record["label"] == labels[record["index"]]


def test_the_default_bundle_allows_exactly_it(pipe):
    (allowed,) = Bundle.load(default_bundle_path()).data["models"].values()
    assert allowed["components"] == dict(describe(pipe).components)


def test_its_folder_loads_like_any_other_pipeline(pipe):
    assert describe(load_pipeline(model_path())).components == describe(pipe).components


def test_the_same_seed_paints_the_same_picture(pipe):
    def paint(seed):
        generator = torch.Generator().manual_seed(seed)
        return np.asarray(
            pipe("a red seven on a blue background", num_inference_steps=10, generator=generator).images[0]
        )

    assert (paint(1) == paint(1)).all()
    assert (paint(1) != paint(2)).any()


def test_it_paints_what_it_is_asked_for(pipe, figure):
    found = evaluate(pipe, count=PICTURES, seed=20261123)
    figure(
        f"{found.count} generated digits: {found.read_as_intended:.1%} read as intended by a classifier that reads "
        f"{found.real_accuracy:.1%} of real ones it never saw; both colours right in {found.colours_right:.1%}"
    )
    assert found.count == PICTURES
    assert found.real_accuracy >= READ_AT_LEAST
    assert found.read_as_intended >= READ_AT_LEAST
    assert found.colours_right >= COLOURS_AT_LEAST
