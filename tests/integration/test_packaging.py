"""The wheel holds what an installation needs, and nothing that is not ours."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEIGHTS_LIMIT = 12_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield {entry.filename: entry.file_size for entry in archive.infolist()}


def test_core_and_adapters_are_packages_of_their_own(wheel):
    assert {name.split("/")[0] for name in wheel} == {
        "governance",
        "governance_adapters",
        "diffusion_governance-0.1.0.dist-info",
    }
    assert {"governance/py.typed", "governance_adapters/py.typed"} <= set(wheel)


def test_the_default_bundle_is_inside(wheel):
    inside = {name.removeprefix("governance_adapters/policies/") for name in wheel if "/policies/" in name}
    expected = {str(p.relative_to(ROOT / "policies")) for p in (ROOT / "policies").rglob("*") if p.is_file()}
    assert inside == expected
    assert ".manifest" in inside


def test_the_migrations_are_inside(wheel):
    assert any(name.startswith("governance_adapters/storage/migrations/versions/") for name in wheel)


def test_the_reference_model_is_inside_and_small(wheel):
    weights = {name: size for name, size in wheel.items() if name.endswith(".safetensors")}
    assert {Path(name).parent.name for name in weights} == {"vae", "unet", "text_encoder"}
    assert sum(weights.values()) <= WEIGHTS_LIMIT
    for needed in ("model_index.json", "weights.sha256", "provenance.json"):
        assert any(name.startswith("governance_adapters/reference/") and name.endswith(needed) for name in wheel)


def test_nothing_pickled_is_inside(wheel):
    assert not [name for name in wheel if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pyc"))]
