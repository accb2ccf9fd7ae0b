"""`governance detectors`, on real photographs, real detectors and files that are no pictures."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import skimage.data
from PIL import Image

from governance.errors import ConfigurationError
from governance_adapters.detectors.weights import WeightsFolder
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support.classifiers import save_vit
from support.command import Shell

GOOD = ("astronaut", "chelsea", "coffee")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny classifier and its digest."""
    folder = save_vit(tmp_path_factory.mktemp("model"), ("Normal", "Logo"))
    return folder, WeightsFolder.read(folder).digest


@pytest.fixture
def shell(tmp_path, settings):
    made = Shell(tmp_path, settings.home)
    configure(made, {}, "nsfw")
    return made


@pytest.fixture
def album(tmp_path):
    """Three good photographs, named for what they show."""
    folder = tmp_path / "album"
    (folder / "inner").mkdir(parents=True)
    for name in GOOD:
        Image.fromarray(getattr(skimage.data, name)()).save(folder / "inner" / f"{name}.jpg")
    return folder


def configure(shell, classifiers, *detectors):
    lines = [f"detectors = {json.dumps(detectors)}"]
    for name, values in classifiers.items():
        lines += [f"[classifiers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    (shell.folder / "governance.toml").write_text("\n".join(lines))


def brand(model, **changes):
    folder, digest = model
    return {"kind": "image-classifier", "path": str(folder), "digest": digest, "benign": ["Normal"], **changes}


class TestDigest:
    def test_it_is_printed_alone(self, shell, model):
        folder, digest = model
        assert shell("detectors", "digest", folder).succeeded().out == f"{digest}\n"
        said = shell("detectors", "digest", folder, "--json").succeeded().json
        assert (said["digest"], said["files"]) == (
            digest, ["config.json", "model.safetensors", "preprocessor_config.json"]
        )  # fmt: skip

    def test_pickled_weights_are_refused(self, shell, tmp_path):
        save_vit(tmp_path / "model")
        (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"")
        shell("detectors", "digest", tmp_path / "model").failed(1, "pytorch_model.bin", "safetensors")

    def test_no_folder_is_one_line(self, shell):
        shell("detectors", "digest", "nowhere").failed(1, "nowhere")


class TestList:
    def test_what_is_in_use_and_what_is_only_set(self, shell, model):
        configure(shell, {"brand": brand(model)}, "nsfw")
        nsfw, other = shell("detectors", "list", "--json").succeeded().json
        assert (nsfw["name"], nsfw["in_use"], nsfw["sound"], nsfw["detail"]) == ("nsfw", True, True, "nsfw")
        assert other == {
            "name": "brand", "in_use": False, "digest": model[1], "sound": True, "detail": "brand.not_normal, brand.logo"
        }  # fmt: skip

    def test_what_is_not_pinned_or_another_is_named_and_the_rest_listed(self, shell, model):
        configure(shell, {"loose": brand(model, digest=""), "other": brand(model, digest="0" * 64)}, "nsfw")
        ran = shell("detectors", "list")
        assert ran.code == 1
        assert "Pin it" in ran.out
        assert f"has the digest {model[1]}, not 000" in ran.out
        assert "nsfw     yes" in ran.out.replace("nsfw   yes", "nsfw     yes")

    def test_doctor_names_each_detector_and_its_digest(self, shell, model):
        configure(shell, {"brand": brand(model)}, "nsfw", "brand")
        parts = {part["part"]: part for part in shell("doctor", "--json").json}
        assert parts["detectors"]["sound"], parts
        assert f"brand scored 2 labels (digest {model[1]})" in parts["detectors"]["detail"]

    def test_the_environment_names_classifiers_too(self, tmp_path, settings, model):
        variables = {
            "GOVERNANCE_CLASSIFIERS": json.dumps({"brand": brand(model)}),
            "GOVERNANCE_DETECTORS": '["brand"]',
        }
        ran = Shell(tmp_path, settings.home, variables)("detectors", "list", "--json").succeeded()
        assert [(row["name"], row["in_use"]) for row in ran.json] == [("brand", True)]

    def test_a_line_with_an_unpinned_classifier_does_not_open(self, settings, model):
        loose = {"brand": brand(model, digest="")}
        with pytest.raises(ConfigurationError, match="not pinned"):
            open_governor(Settings.load(home=settings.home, detectors=("brand",), classifiers=loose))


class TestCalibrate:
    def test_the_detectors_of_a_new_installation_are_those_of_the_line(self, shell, album):
        (shell.folder / "governance.toml").unlink()
        said = shell("detectors", "calibrate", album, "--json").succeeded().json
        assert [detector["name"] for detector in said["detectors"]] == list(Settings.model_fields["detectors"].default)
        assert {label["detector"] for label in said["labels"]} == {"nsfw", "similarity"}

    def test_every_configured_detector_is_tabled_and_the_rows_can_be_pasted(self, shell, album, model):
        configure(shell, {"brand": brand(model)}, "nsfw")
        said = shell("detectors", "calibrate", album, "--json").succeeded().json
        assert said["images"] == {"good": 3, "bad": 0}
        assert [detector["name"] for detector in said["detectors"]] == ["nsfw", "brand"]
        assert [label["label"] for label in said["labels"]] == ["nsfw", "brand.not_normal", "brand.logo"]
        assert list(said["thresholds"]) == ["nsfw", "brand.not_normal", "brand.logo"]
        for label in said["labels"]:
            row = said["thresholds"][label["label"]]
            counts = {entry["threshold"]: entry["false_positives"] for entry in label["table"]}
            assert counts[row["review"]] == counts[row["deny"]] == 0
            assert max(counts.values()) == 3 or min(counts) > 1

    def test_a_budget_lowers_review_and_not_deny(self, shell, album):
        none = shell("detectors", "calibrate", album, "--json").succeeded().json["thresholds"]["nsfw"]
        one = shell("detectors", "calibrate", album, "--false-positives", 1, "--json").succeeded().json
        row = one["thresholds"]["nsfw"]
        assert row["deny"] == none["deny"]
        assert row["review"] < none["review"]
        (label,) = one["labels"]
        assert {"threshold": row["review"], "false_positives": 1} in label["table"]

    def test_bad_images_are_counted_as_caught(self, shell, album):
        (album / "bad").mkdir()
        (album / "inner").rename(album / "good")
        Image.fromarray(skimage.data.rocket()).save(album / "bad" / "rocket.png")
        said = shell("detectors", "calibrate", album, "--json").succeeded().json
        assert said["images"] == {"good": 3, "bad": 1}
        assert {row["caught"] for row in said["labels"][0]["table"]} <= {0, 1}
        ran = shell("detectors", "calibrate", album).succeeded()
        assert "recall" in ran.out
        assert "bad  |" in ran.out

    def test_for_people_it_ends_with_the_rows(self, shell, album, tmp_path):
        plot = tmp_path / "scores.svg"
        ran = shell("detectors", "calibrate", album, "--plot", plot).succeeded()
        before, brace, rows = ran.out.rpartition("\n{")
        assert set(json.loads(brace + rows)) == {"nsfw"}
        assert "nsfw, 3 good and 0 bad images" in before
        assert "good |" in before
        assert "recall" not in before
        assert ET.parse(plot).getroot().tag.endswith("svg")

    def test_what_cannot_be_read_is_counted_and_named(self, shell, album):
        (album / "notes.txt").write_text("not a picture")
        (album / "empty.png").touch()
        whole = (album / "inner" / "coffee.jpg").read_bytes()
        (album / "cut.jpg").write_bytes(whole[: len(whole) // 2])
        Image.new("1", (30_000, 30_000)).save(album / "bomb.png")
        (album / "gone.png").symlink_to(album / "nowhere")
        said = shell("detectors", "calibrate", album, "--json")
        assert said.code == 2
        named = [entry["file"].removeprefix(f"{album}/") for entry in said.json["unreadable"]]
        assert named == ["bomb.png", "cut.jpg", "empty.png", "gone.png", "notes.txt"]
        assert all(entry["why"] for entry in said.json["unreadable"])
        assert said.json["images"]["good"] == 3
        ran = shell("detectors", "calibrate", album)
        assert ran.code == 2
        assert ran.err.count("not scored:") == 5

    def test_pictures_of_every_kind_are_scored(self, shell, album):
        pixels = skimage.data.astronaut()
        Image.fromarray(pixels).convert("CMYK").save(album / "cmyk.jpg")
        Image.fromarray(np.dstack([pixels, pixels[:, :, 0]])).save(album / "rgba.png")
        Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257).save(album / "deep.png")
        Image.fromarray(pixels[:1, :1]).save(album / "dot.png")
        Image.fromarray(pixels).save(album / "moving.webp", save_all=True, append_images=[Image.fromarray(pixels)])
        said = shell("detectors", "calibrate", album, "--json").succeeded().json
        assert said["images"]["good"] == 8

    def test_files_that_are_neither_good_nor_bad_are_named(self, shell, album):
        (album / "good").mkdir()
        Image.fromarray(skimage.data.rocket()).save(album / "good" / "rocket.png")
        said = shell("detectors", "calibrate", album, "--json")
        assert said.code == 2
        assert len(said.json["unreadable"]) == 3
        assert said.json["images"]["good"] == 1

    @pytest.mark.parametrize("content", ["nothing", "no picture", "bad ones alone", "no folder"])
    def test_no_good_image_is_an_error(self, shell, tmp_path, content):
        folder = tmp_path / "album"
        if content != "no folder":
            folder.mkdir()
        if content == "no picture":
            (folder / "notes.txt").write_text("not a picture")
        if content == "bad ones alone":
            (folder / "bad").mkdir()
            Image.fromarray(skimage.data.rocket()).save(folder / "bad" / "rocket.png")
        shell("detectors", "calibrate", folder).failed(1, str(folder))

    def test_a_plot_that_cannot_be_written_is_an_error(self, shell, album, tmp_path):
        shell("detectors", "calibrate", album, "--plot", tmp_path / "nowhere" / "p.svg").failed(1, "p.svg")

    def test_a_broken_classifier_is_an_error_before_any_image_is_read(self, shell, album, model):
        configure(shell, {"brand": brand(model, digest="0" * 64)}, "nsfw")
        shell("detectors", "calibrate", album).failed(1, "has the digest")
