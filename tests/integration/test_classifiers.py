"""Real classifiers with random weights: loaded as the vendors load them, refused where anything is amiss."""

import json

import numpy as np
import pytest
import safetensors.torch
import skimage.data
import torch
from PIL import Image

from governance.errors import ConfigurationError, DetectorError
from governance_adapters.detectors.classifiers import ImageClassifier, SafetyChecker
from governance_adapters.detectors.weights import WeightsFolder
from support.classifiers import CLASSES, change_json, save_safety_checker, save_vit

LABELS = ("brand.normal", "brand.not_safe", "brand.ünïcode_label")


@pytest.fixture(scope="module")
def photographs():
    return [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), np.zeros((1, 900, 3), np.uint8)]


def classifier(folder, **options):
    return ImageClassifier("brand", folder, digest=WeightsFolder.read(folder).digest, **options)


def checker(folder):
    return SafetyChecker("unsafe", folder, digest=WeightsFolder.read(folder).digest)


def logits(folder, pixels):
    """What transformers itself says, loaded its own way."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        seen = AutoImageProcessor.from_pretrained(folder)(images=Image.fromarray(pixels), return_tensors="pt")
        return model(**seen).logits[0].double()


def scores(detector, pixels):
    return [finding.score for finding in detector.detect([pixels])[0]]


class TestImageClassifier:
    def test_every_class_has_the_probability_that_transformers_gives_it(self, tmp_path, photographs):
        save_vit(tmp_path)
        detector = classifier(tmp_path)
        assert detector.labels == LABELS
        for pixels in photographs:
            assert scores(detector, pixels) == pytest.approx(torch.softmax(logits(tmp_path, pixels), 0).tolist())
        assert len({tuple(scores(detector, pixels)) for pixels in photographs}) == len(photographs)

    @pytest.mark.parametrize(
        ("classes", "kind"), [(CLASSES, {"problem_type": "multi_label_classification"}), (("bad",), {})]
    )
    def test_classes_that_do_not_exclude_each_other_are_scored_singly(self, tmp_path, photographs, classes, kind):
        save_vit(tmp_path, classes, **kind)
        expected = torch.sigmoid(logits(tmp_path, photographs[0])).tolist()
        assert scores(classifier(tmp_path), photographs[0]) == pytest.approx(expected)

    def test_a_benign_class_is_a_risk_where_it_is_unlikely(self, tmp_path, photographs):
        save_vit(tmp_path)
        plain, detector = classifier(tmp_path), classifier(tmp_path, benign=["Normal"])
        assert detector.labels == ("brand.not_normal", *LABELS[1:])
        first, *others = scores(plain, photographs[0])
        assert scores(detector, photographs[0]) == [1 - first, *others]

    def test_a_benign_class_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(DetectorError, match="no class 'harmless'") as caught:
            classifier(save_vit(tmp_path), benign=["harmless"])
        assert "Normal" in caught.value.remedy

    def test_shards_are_one_model(self, tmp_path, photographs):
        save_vit(tmp_path)
        expected = scores(classifier(tmp_path), photographs[0])
        tensors = safetensors.torch.load_file(tmp_path / "model.safetensors")
        (tmp_path / "model.safetensors").unlink()
        names = {name: f"part{at % 2}.safetensors" for at, name in enumerate(tensors)}
        for part in set(names.values()):
            held = {name: tensor for name, tensor in tensors.items() if names[name] == part}
            safetensors.torch.save_file(held, tmp_path / part)
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
        assert scores(classifier(tmp_path), photographs[0]) == expected

    @pytest.mark.parametrize("damage", ["missing", "unexpected", "reshaped", "truncated", "text", "other names"])
    def test_weights_that_do_not_fit_are_refused(self, tmp_path, damage):
        save_vit(tmp_path)
        file = tmp_path / "model.safetensors"
        tensors = safetensors.torch.load_file(file)
        if damage == "missing":
            del tensors["classifier.weight"]
        if damage == "unexpected":
            tensors["extra"] = torch.zeros(1)
        if damage == "reshaped":
            tensors["classifier.weight"] = torch.zeros(7, 7)
        if damage == "other names":
            change_json(tmp_path / "config.json", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1})
        safetensors.torch.save_file(tensors, file)
        if damage == "truncated":
            file.write_bytes(file.read_bytes()[:-100])
        if damage == "text":
            file.write_text("no weights")
        with pytest.raises(DetectorError) as caught:
            classifier(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert caught.value.remedy

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"model_type": "clip_text_model"}, "no image classifier"),
            ({"model_type": "no-such-model"}, "cannot be loaded"),
            ({"problem_type": "regression"}, "regression"),
            ({"hidden_size": "wide"}, "cannot be loaded"),
        ],
    )
    def test_what_is_no_image_classifier_is_refused(self, tmp_path, changes, word):
        save_vit(tmp_path)
        change_json(tmp_path / "config.json", **changes)
        with pytest.raises(DetectorError, match=word) as caught:
            classifier(tmp_path)
        assert caught.value.remedy

    def test_a_processor_that_transformers_does_not_know_is_refused(self, tmp_path):
        save_vit(tmp_path)
        change_json(tmp_path / "preprocessor_config.json", image_processor_type="NoSuchProcessor")
        with pytest.raises(DetectorError):
            classifier(tmp_path)

    def test_two_classes_of_one_label_are_refused(self, tmp_path):
        with pytest.raises(DetectorError, match="are one label"):
            classifier(save_vit(tmp_path, ("Gun shot", "gun-shot")))

    def test_more_classes_than_an_entry_holds_are_refused(self, tmp_path):
        with pytest.raises(DetectorError, match="65 classes"):
            classifier(save_vit(tmp_path, tuple(f"class {at}" for at in range(65))))

    def test_weights_that_make_no_number_score_nothing(self, tmp_path, photographs):
        save_vit(tmp_path)
        file = tmp_path / "model.safetensors"
        tensors = safetensors.torch.load_file(file)
        tensors["classifier.bias"][1] = float("nan")
        safetensors.torch.save_file(tensors, file)
        with pytest.raises(DetectorError, match="no number") as caught:
            classifier(tmp_path).detect([photographs[0]])
        assert caught.value.remedy

    def test_a_model_that_is_not_the_pinned_one_is_refused(self, tmp_path):
        save_vit(tmp_path)
        with pytest.raises(ConfigurationError, match="not pinned"):
            ImageClassifier("brand", tmp_path, digest="")
        with pytest.raises(DetectorError, match="has the digest"):
            ImageClassifier("brand", tmp_path, digest="0" * 64)

    def test_the_bytes_that_were_hashed_are_the_bytes_that_run(self, tmp_path, photographs):
        read = WeightsFolder.read(save_vit(tmp_path))
        detector = ImageClassifier("brand", tmp_path, digest=read.digest)
        expected = scores(detector, photographs[0])
        save_vit(tmp_path, seed=5)
        assert scores(detector, photographs[0]) == expected != scores(classifier(tmp_path), photographs[0])


class TestSafetyChecker:
    @pytest.mark.parametrize(("thresholds", "unsafe"), [(0.2, True), (0.95, False)])
    def test_the_verdict_of_the_checker_lies_at_half(self, tmp_path, photographs, thresholds, unsafe):
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import AutoImageProcessor

        save_safety_checker(tmp_path, thresholds=thresholds)
        detector = checker(tmp_path)
        theirs = StableDiffusionSafetyChecker.from_pretrained(tmp_path).eval()
        processor = AutoImageProcessor.from_pretrained(tmp_path)
        for pixels in photographs:
            seen = processor(images=Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
            _, (flagged,) = theirs(seen, [pixels.copy()])
            found = dict(zip(detector.labels, scores(detector, pixels), strict=True))
            concepts = [score for label, score in found.items() if ".concept_" in label]
            assert (max(concepts) > 0.5) == flagged == unsafe
        assert len(detector.labels) == 20

    @pytest.mark.parametrize("thresholds", [-2.0, -0.4, 0.0, 0.2, 0.95, 2.0])
    def test_a_score_is_the_cosine_beyond_the_threshold(self, tmp_path, photographs, thresholds):
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker, cosine_distance
        from transformers import AutoImageProcessor

        save_safety_checker(tmp_path, thresholds=thresholds)
        model = StableDiffusionSafetyChecker.from_pretrained(tmp_path).eval()
        seen = AutoImageProcessor.from_pretrained(tmp_path)(images=Image.fromarray(photographs[1]), return_tensors="pt")
        with torch.no_grad():
            embedding = model.visual_projection(model.vision_model(**seen).pooler_output)
            special = cosine_distance(embedding, model.special_care_embeds)[0].tolist()
            concepts = cosine_distance(embedding, model.concept_embeds)[0].tolist()
        expected, care = [], 0.0
        for cosine in special:
            expected.append(cosine - thresholds + care)
            care = max(care, 0.01 if expected[-1] > 0 else 0.0)
        expected += [cosine - thresholds + care for cosine in concepts]
        assert scores(checker(tmp_path), photographs[1]) == pytest.approx(
            [min(1, max(0, (1 + difference) / 2)) for difference in expected], abs=1e-6
        )

    def test_pixels_that_it_finds_unsafe_are_left_as_they_were(self, tmp_path, photographs):
        save_safety_checker(tmp_path, thresholds=-2.0)
        pixels = photographs[0].copy()
        checker(tmp_path).detect([pixels])
        assert np.array_equal(pixels, photographs[0])

    def test_weights_in_the_layout_of_older_versions_load_too(self, tmp_path, photographs):
        save_safety_checker(tmp_path)
        expected = scores(checker(tmp_path), photographs[0])
        file = tmp_path / "model.safetensors"
        tensors = safetensors.torch.load_file(file)
        older = {f"vision_model.{key}" if key.startswith("vision_model.") else key: v for key, v in tensors.items()}
        safetensors.torch.save_file(older, file)
        assert scores(checker(tmp_path), photographs[0]) == expected

    def test_another_model_is_refused(self, tmp_path):
        with pytest.raises(DetectorError, match="no safety checker"):
            checker(save_vit(tmp_path))

    def test_concepts_that_the_weights_lack_are_refused(self, tmp_path):
        save_safety_checker(tmp_path)
        file = tmp_path / "model.safetensors"
        tensors = safetensors.torch.load_file(file)
        del tensors["concept_embeds"]
        safetensors.torch.save_file(tensors, file)
        with pytest.raises(DetectorError, match="concept_embeds"):
            checker(tmp_path)
