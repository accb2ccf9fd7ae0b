"""The folder of a model: what pins it, and what is never opened."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes
from governance.errors import ConfigurationError, DetectorError
from governance_adapters.detectors.labels import MAX_CLASSES, MAX_LABEL, labels_of
from governance_adapters.detectors.weights import RUNNABLE, WeightsFolder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "preprocessor_config.json").write_text('{"size": 8}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def sharded(folder, *names):
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {f"layer.{at}": name for at, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def refused(folder, *words):
    with pytest.raises(DetectorError) as caught:
        WeightsFolder.read(folder)
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)


class TestDigest:
    def test_it_is_that_of_paths_and_contents_in_order(self, folder):
        names = ["config.json", "model.safetensors", "preprocessor_config.json"]
        rows = [[name, hashlib.sha256((folder / name).read_bytes()).hexdigest()] for name in names]
        assert WeightsFolder.read(folder).digest == hashlib.sha256(canonical_bytes(rows)).hexdigest()

    @pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
    def test_every_file_that_is_used_counts(self, folder, name):
        before = WeightsFolder.read(folder).digest
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        assert WeightsFolder.read(folder).digest != before

    def test_what_is_not_used_does_not_count(self, folder):
        before = WeightsFolder.read(folder)
        (folder / "README.md").write_text("a model card")
        (folder / "model.fp16.safetensors").write_bytes(b"others")
        assert WeightsFolder.read(folder) == before

    def test_shards_are_read_as_the_index_names_them(self, folder):
        sharded(folder, "b.safetensors", "a.safetensors", "b.safetensors")
        for name in "ab":
            (folder / f"{name}.safetensors").write_bytes(name.encode())
        read = WeightsFolder.read(folder)
        assert read.tensors == ("a.safetensors", "b.safetensors")
        assert set(read.files) == {
            "config.json", "preprocessor_config.json", "model.safetensors.index.json", *read.tensors
        }  # fmt: skip

    def test_links_count_by_what_they_lead_to(self, folder, tmp_path):
        before = WeightsFolder.read(folder).digest
        (folder / "model.safetensors").rename(tmp_path / "blob")
        (folder / "model.safetensors").symlink_to(tmp_path / "blob")
        assert WeightsFolder.read(folder).digest == before

    def test_a_pinned_folder_is_the_one_that_was_pinned(self, folder):
        read = WeightsFolder.read(folder)
        assert read.pinned(read.digest) is read
        with pytest.raises(ConfigurationError, match="not pinned") as unpinned:
            read.pinned("")
        assert read.digest in unpinned.value.remedy
        with pytest.raises(DetectorError, match="not 00000") as other:
            read.pinned("0" * 64)
        assert read.digest in str(other.value)


class TestRefused:
    @pytest.mark.parametrize("suffix", [*sorted(RUNNABLE), ".BIN", ".Pkl"])
    @pytest.mark.parametrize("where", [".", "deep/down"])
    def test_a_pickle_or_a_program_anywhere(self, folder, suffix, where):
        (folder / where).mkdir(parents=True, exist_ok=True)
        (folder / where / f"extra{suffix}").write_bytes(b"")
        refused(folder, f"extra{suffix}", "safetensors")

    @pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
    @pytest.mark.parametrize(
        "value",
        [
            {"auto_map": {"AutoConfig": "modeling.Config"}},
            {"inner": {"auto_map": {}}},
            {"list": [1, {"trust_remote_code": True}]},
            {"attn_implementation": "someone/kernel"},
            {"vision_config": {"_attn_implementation": "flash_attention_2"}},
            json.loads('{"a":' * 900 + '{"auto_map": 1}' + "}" * 900),
        ],
    )
    def test_code_from_elsewhere(self, folder, name, value):
        (folder / name).write_text(json.dumps(value))
        refused(folder, name, "code from elsewhere")

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("config.json", "config.json"),
            ("preprocessor_config.json", "feature_extractor"),
            ("model.safetensors", "safe"),
        ],
    )
    def test_a_folder_that_lacks_a_file(self, folder, name, word):
        (folder / name).unlink()
        refused(folder, name, word)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000], ids=len)
    def test_a_configuration_that_is_none(self, folder, content):
        (folder / "config.json").write_bytes(content)
        refused(folder, "config.json")

    @pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/hostname", "weights.bin", "sub/a.safetensors"])
    def test_an_index_that_leads_elsewhere(self, folder, name):
        sharded(folder, name)
        refused(folder, name)

    @pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": []}, []])
    def test_an_index_that_names_nothing(self, folder, index):
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        refused(folder, "index.json")

    def test_what_is_no_folder(self, folder):
        refused(folder / "nowhere", "nowhere")
        refused(folder / "config.json", "config.json")


class TestLabels:
    @pytest.mark.parametrize(
        ("given_class", "label"),
        [
            ("NSFW", "brand.nsfw"),
            ("Not safe!", "brand.not_safe"),
            ("  drawings__x ", "brand.drawings_x"),
            ("ﬁre", "brand.fire"),
            ("Ünïcode", "brand.ünïcode"),
            ("暴力", "brand.暴力"),
            ("LABEL_0", "brand.label_0"),
        ],
    )
    def test_classes_become_labels(self, given_class, label):
        assert labels_of("brand", [given_class]) == (label,)

    @pytest.mark.parametrize(
        "classes",
        [
            [], ["!"], [""], ["a", "A"], ["a b", "a_b"], ["x" * MAX_LABEL],
            [str(number) for number in range(MAX_CLASSES + 1)],
        ],
    )  # fmt: skip
    def test_what_makes_no_labels_is_refused(self, classes):
        with pytest.raises(DetectorError) as caught:
            labels_of("brand", classes)
        assert caught.value.remedy

    @given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
    def test_labels_are_names_and_apart(self, classes):
        try:
            labels = labels_of("brand", classes)
        except DetectorError:
            return
        assert len(set(labels)) == len(classes)
        for label in labels:
            assert 1 <= len(label) <= MAX_LABEL
            assert label.isprintable()
            assert label == label.casefold().strip()
