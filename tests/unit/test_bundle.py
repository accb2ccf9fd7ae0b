"""Bundles: what is refused, what the revision covers, and how a model is allowed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import canonical_digest, digest
from governance.errors import PolicyError
from governance.testing.examples import EXAMPLE_MODEL
from governance.types import AdapterFacts
from governance_adapters.policy.allowing import allow_licence
from governance_adapters.policy.bundle import Bundle, allow_model, default_bundle_path
from governance_adapters.policy.bundle_files import json_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))


def edit(root: Path, change: Callable[[dict[str, Any]], object], name: str = "data.json") -> None:
    value = json.loads((root / name).read_text())
    change(value)
    (root / name).write_text(json.dumps(value))


def test_the_shipped_bundle_loads_and_allows_the_reference_model_alone() -> None:
    bundle = Bundle.load(default_bundle_path())
    assert {"admission/admission.rego", "release/release.rego", "review/review.rego"} <= set(bundle.policies)
    assert not any(name.endswith("_test.rego") for name in bundle.policies)
    assert [model["name"] for model in bundle.data["models"].values()] == ["reference digits"]


def test_the_revision_is_what_the_design_says(root: Path) -> None:
    listed = []
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_dir() or name.endswith("_test.rego"):
            continue
        content = path.read_bytes()
        if name == ".manifest":
            content = rfc8785.dumps({key: value for key, value in json.loads(content).items() if key != "revision"})
        listed.append([name, hashlib.sha256(content).hexdigest()])
    listed.sort(key=lambda item: item[0].encode())
    assert Bundle.load(root).revision == hashlib.sha256(rfc8785.dumps(listed)).hexdigest()


@pytest.mark.parametrize(
    "name", ["admission/admission.rego", "lib/shape.rego", "schemas/common.json", "schemas/decision.json", "data.json"]
)
def test_the_revision_covers(root: Path, name: str) -> None:
    before = Bundle.load(root).revision
    (root / name).write_bytes((root / name).read_bytes() + b"\n")
    assert Bundle.load(root).revision != before


def test_the_revision_leaves_out_tests_other_files_and_itself(root: Path) -> None:
    before = Bundle.load(root).revision
    (root / "admission" / "admission_test.rego").write_text("package changed_test\n")
    (root / "README.md").write_text("about this bundle")
    edit(root, lambda manifest: manifest.update(revision="abc"), ".manifest")
    assert Bundle.load(root).revision == before
    edit(root, lambda manifest: manifest.update(metadata={"owner": "compliance"}), ".manifest")
    assert Bundle.load(root).revision != before


def test_a_name_that_is_not_utf_8_is_refused(root: Path) -> None:
    (root / "lib" / os.fsdecode(b"bad\xff.rego")).write_text("package bad\n")
    with pytest.raises(PolicyError, match=r"lib/bad.udcff\.rego"):
        Bundle.load(root)


@pytest.mark.parametrize("name", ["bad\\..\\name.rego", "c:bad.rego", "bad\nname.rego"])
def test_a_name_that_no_evidence_pack_could_hold_is_refused(root: Path, name: str) -> None:
    (root / "lib" / name).write_text("package bad\n")
    with pytest.raises(PolicyError, match="an evidence pack could not hold"):
        Bundle.load(root)


def test_a_moved_policy_is_another_revision(root: Path) -> None:
    before = Bundle.load(root).revision
    (root / "lib" / "model.rego").rename(root / "lib" / "models.rego")
    assert Bundle.load(root).revision != before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("data.json", b"{", "data.json"),
        ("data.json", b"\xff\xfe", "UTF-8"),
        ("data.json", b"[]", "data.json"),
        ("data.json", b'{"roles": {}, "roles": {}}', "'roles' stands twice"),
        ("data.json", b"[" * 100_000, "data.json"),
        (".manifest", b"[]", "rego_version"),
        (".manifest", b'{"rego_version": 0, "roots": [""]}', "rego_version"),
        (".manifest", b'{"rego_version": 1}', "roots"),
        ("schemas/decision.json", b'{"$id": "urn:x", "type": "objekt"}', "schemas/decision.json"),
        ("schemas/decision.json", b'{"type": "object"}', "\\$id"),
        ("schemas/decision.json", b'{"$id": "urn:x", "$ref": "https://example.org/x.json"}', "example.org/x.json"),
        ("lib/shape.rego", b"\xff", "lib/shape.rego"),
        ("lib/data.json", b"{}", "lib/data.json"),
        ("data.yaml", b"a: 1", "data.yaml"),
        ("data.json", b'{"limits": 1.5}', "float"),
        ("data.json", b'{"limits": NaN}', "float"),
        ("data.json", b'{"limits": 9007199254740992}', "2\\^53"),
        ("data.json", b'{"limits": "\\ud800"}', "surrogates"),
        ("data.json", b" " * ((16 << 20) + 1), "data.json .* more than 16777216 bytes"),
        ("lib/shape.rego", b"#" * ((1 << 20) + 1), "lib/shape.rego .* more than 1048576 bytes"),
        (
            "lib/more.rego",
            b"package governance.more\n\nx := http.send({})\n",
            "lib/more.rego line 3 calls http.send",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(root: Path, name: str, content: bytes, says: str) -> None:
    (root / name).write_bytes(content)
    with pytest.raises(PolicyError, match=says) as caught:
        Bundle.load(root)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name",
    [".manifest", "data.json", "schemas/data.schema.json", "schemas/decision.json", "schemas/admission.input.json",
     "schemas/release.input.json", "schemas/review.input.json", "schemas/training.input.json",
     "schemas/common.json"],
)  # fmt: skip
def test_a_missing_file_is_refused(root: Path, name: str) -> None:
    (root / name).unlink()
    with pytest.raises(PolicyError):
        Bundle.load(root)


def test_an_empty_or_missing_bundle_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(PolicyError, match="holds no policy"):
        Bundle.load(tmp_path / "bundle" / "schemas")
    with pytest.raises(PolicyError, match="no policy bundle"):
        Bundle.load(tmp_path / "nowhere")
    for path in root.rglob("*.rego"):
        if not path.name.endswith("_test.rego"):
            path.unlink()
    with pytest.raises(PolicyError, match="holds no policy"):
        Bundle.load(root)


def test_links_are_refused(root: Path) -> None:
    (root / "more.rego").symlink_to(root / "lib" / "shape.rego")
    with pytest.raises(PolicyError, match=r"more\.rego"):
        Bundle.load(root)


def test_a_model_is_allowed_by_its_components(root: Path) -> None:
    before = Bundle.load(root)
    revision = allow_model(
        root, EXAMPLE_MODEL, name="example", licence="Apache-2.0", data_origin="drawn", expires="2027-01-01T00:00:00Z"
    )
    after = Bundle.load(root)
    assert revision == after.revision != before.revision
    (key,) = after.data["models"].keys() - before.data["models"].keys()
    assert key == canonical_digest(dict(EXAMPLE_MODEL.components))
    assert after.data["models"][key] == {
        "name": "example", "licence": "Apache-2.0", "pipeline": "StableDiffusionPipeline",
        "data_origin": "drawn", "expires": "2027-01-01T00:00:00Z",
        "components": dict(EXAMPLE_MODEL.components),
    }  # fmt: skip
    del after.data["models"][key]
    assert after.data == before.data
    assert list(after.data) == list(before.data)


def test_allowing_again_changes_nothing(root: Path) -> None:
    first = allow_model(root, EXAMPLE_MODEL, name="example", licence="MIT", note="reviewed")
    content = (root / "data.json").read_bytes()
    assert content.startswith(b'{\n  "')
    assert content.endswith(b"}\n")
    reordered = replace(EXAMPLE_MODEL, components=dict(reversed(EXAMPLE_MODEL.components.items())))
    assert allow_model(root, reordered, name="example") == first
    assert (root / "data.json").read_bytes() == content


def test_two_models_that_share_a_component_are_both_allowed(root: Path) -> None:
    allow_model(root, EXAMPLE_MODEL, name="one", licence="MIT")
    other = replace(EXAMPLE_MODEL, components={**EXAMPLE_MODEL.components, "vae": digest(b"another vae")})
    allow_model(root, other, name="two", licence="MIT")
    assert {"one", "two"} <= {model["name"] for model in Bundle.load(root).data["models"].values()}


def test_a_model_with_adapters_loaded_is_not_allowed_as_a_whole(root: Path) -> None:
    with pytest.raises(PolicyError, match="style"):
        allow_model(root, replace(EXAMPLE_MODEL, adapters=(AdapterFacts("style", digest(b"lora"), 1000),)), name="x")


def test_a_bad_name_leaves_the_bundle_as_it_was(root: Path) -> None:
    before = (root / "data.json").read_bytes()
    with pytest.raises(PolicyError):
        allow_model(root, EXAMPLE_MODEL, name="x" * 300, licence="MIT")
    assert (root / "data.json").read_bytes() == before


def test_a_model_without_a_licence_is_not_allowed(root: Path) -> None:
    with pytest.raises(PolicyError, match="licence"):
        allow_model(root, EXAMPLE_MODEL, name="example")


def test_a_list_of_a_million_terms_is_refused_at_once_and_names_the_limit(root: Path) -> None:
    terms = ", ".join(f'"term {number}": {{"category": "x"}}' for number in range(1_000_000))
    (root / "data.json").write_text(f'{{"blocked_terms": {{{terms}}}}}')
    with pytest.raises(PolicyError, match="more than 16777216 bytes"):
        Bundle.load(root)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=30) | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_json_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert json_of("x", json.dumps(value, ensure_ascii=False).encode()) == value
    assert json_of("x", json.dumps(value).encode()) == value


def test_a_licence_is_allowed_once_and_keeps_its_purposes(root: Path) -> None:
    before = Bundle.load(root).data["licences"]
    revision = allow_licence(root, "LicenseRef-ours", note="reviewed")
    assert Bundle.load(root).data["licences"] == {**before, "LicenseRef-ours": {"note": "reviewed"}}
    assert allow_licence(root, "CC-BY-NC-4.0") == revision == Bundle.load(root).revision
    assert Bundle.load(root).data["licences"]["CC-BY-NC-4.0"] == before["CC-BY-NC-4.0"]
