"""A tenant's bundle is the base with a patch on its data: whole and sound, or not there at all."""

import copy
import json
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import canonical_digest
from governance.errors import ConfigurationError, PolicyError, StorageError
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.overlay import merge_patch, overlay, read_patch
from support.bundles import bundle_at
from support.conditions import read_only
from support.markdown import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "tenant.json"

# RFC 7396, appendix A: target, patch, result.
APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

names = st.text("abc", min_size=1, max_size=2)
plain = st.booleans() | st.integers(-5, 5) | st.text("xyz", max_size=3)
without_null = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
patches = st.recursive(
    plain | st.none(),
    lambda inner: st.lists(plain, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def patch_between(old, new):
    """The patch that makes `new` of `old`."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    changed = {name: patch_between(old[name], new[name]) for name in old.keys() & new.keys() if old[name] != new[name]}
    return {
        **dict.fromkeys(old.keys() - new.keys()),
        **{name: new[name] for name in new.keys() - old.keys()},
        **changed,
    }


class TestMergePatch:
    @pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
    def test_the_examples_of_the_rfc(self, target, patch, result):
        assert merge_patch(target, patch) == result

    @given(without_null, without_null)
    def test_every_value_without_null_can_be_reached_from_every_other(self, old, new):
        assert merge_patch(old, patch_between(old, new)) == new

    @given(without_null, patches)
    def test_a_patch_twice_is_a_patch_once(self, target, patch):
        once = merge_patch(target, patch)
        assert merge_patch(once, patch) == once

    @given(without_null, patches)
    def test_nothing_given_is_changed(self, target, patch):
        before = copy.deepcopy((target, patch))
        merge_patch(target, patch)
        assert (target, patch) == before

    @given(st.dictionaries(names, without_null))
    def test_an_empty_patch_changes_nothing(self, target):
        assert merge_patch(target, {}) == target


class TestPatchFiles:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is no patch"),
            (b"[1]", "it holds no object"),
            (b"null", "it holds no object"),
            (b'{"limits": {"steps": 1.5}}', "float"),
            (b'{"limits": {"steps": NaN}}', "float"),
            (b'{"limits": {}, "limits": {}}', "stands twice"),
            (b'{"a": "\xff"}', "is no patch"),
            (b'{"a":' * 50_000, "is no patch"),
        ],
    )
    def test_what_is_no_patch_is_refused(self, tmp_path, content, said):
        path = tmp_path / "patch.json"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=said):
            read_patch(path)

    def test_a_file_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_patch(tmp_path / "patch.json")


class TestOverlay:
    @pytest.fixture
    def base(self, tmp_path):
        return bundle_at(tmp_path / "base")

    def test_the_example_of_the_documents(self, base, tmp_path):
        made = overlay(base, read_patch(EXAMPLE), tmp_path / "tenant")
        before = Bundle.load(base)
        assert made.revision == Bundle.load(tmp_path / "tenant").revision != before.revision
        assert made.root == tmp_path / "tenant"
        assert made.policies == before.policies
        assert made.data["limits"] == {**before.data["limits"], "images": 4}
        assert made.data["blocked_terms"].keys() == before.data["blocked_terms"].keys() | {"rival brand"}
        assert "limits" in before.data["roles"]["editor"]
        assert "limits" not in made.data["roles"]["editor"]

    def test_everything_but_the_data_is_as_it_was_and_the_manifest_says_what_was_done(self, base, tmp_path):
        patch = read_patch(EXAMPLE)
        overlay(base, patch, tmp_path / "tenant")
        for file in (file for file in base.rglob("*") if file.is_file()):
            made = tmp_path / "tenant" / file.relative_to(base)
            assert (made.read_bytes() == file.read_bytes()) == (file.name not in ("data.json", ".manifest")), file
        assert any(file.name.endswith("_test.rego") for file in (tmp_path / "tenant").rglob("*"))
        manifest = json.loads((tmp_path / "tenant" / ".manifest").read_text())
        assert manifest.pop("metadata") == {
            "overlay": {"base": Bundle.load(base).revision, "patch": canonical_digest(patch)}
        }
        assert manifest == json.loads((base / ".manifest").read_text())

    def test_a_revision_that_the_base_claims_is_not_taken_over(self, base, tmp_path):
        manifest = {**json.loads((base / ".manifest").read_text()), "revision": "x", "metadata": {"owner": "us"}}
        (base / ".manifest").write_text(json.dumps(manifest))
        overlay(base, {}, tmp_path / "tenant")
        made = json.loads((tmp_path / "tenant" / ".manifest").read_text())
        assert "revision" not in made
        assert made["metadata"]["owner"] == "us"

    @pytest.mark.parametrize(
        ("patch", "said"),
        [
            ({"limits": {"steps": "many"}}, "data.json breaks its schema"),
            ({"limits": None}, "data.json breaks its schema"),
            ({"blocked_terms": {"Rival": {"category": "competitor"}}}, "Rival"),
            ({"thresholds": {"nsfw": {"review": 900_000}}}, "review lies above deny"),
            ({"limit": {"steps": 5}}, "limit"),
        ],
    )
    def test_a_patch_that_breaks_the_bundle_makes_none(self, base, tmp_path, patch, said):
        with pytest.raises(PolicyError, match=said):
            overlay(base, patch, tmp_path / "tenant")
        assert {path.name for path in tmp_path.iterdir()} == {"base"}

    def test_a_base_that_is_unsound_makes_none(self, base, tmp_path):
        (base / "data.json").write_text("{}")
        with pytest.raises(PolicyError):
            overlay(base, {}, tmp_path / "tenant")
        assert {path.name for path in tmp_path.iterdir()} == {"base"}

    def test_nothing_is_overwritten(self, base, tmp_path):
        (tmp_path / "tenant").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for taken in ("tenant", "link", "base"):
            with pytest.raises(ConfigurationError, match="There is something at"):
                overlay(base, {}, tmp_path / taken)

    def test_a_bundle_in_a_bundle_is_refused(self, base):
        with pytest.raises(ConfigurationError, match="lies in the bundle"):
            overlay(base, {}, base / "tenant")

    def test_a_folder_that_cannot_be_written_is_our_error(self, base, tmp_path):
        (tmp_path / "closed").mkdir()
        with read_only(tmp_path / "closed"), pytest.raises(StorageError, match="cannot be written"):
            overlay(base, {}, tmp_path / "closed" / "tenant")
        with pytest.raises(StorageError):
            overlay(base, {}, tmp_path / "missing" / "tenant")

    def test_an_overlay_of_an_overlay_names_its_own_base(self, base, tmp_path):
        first = overlay(base, {"limits": {"images": 4}}, tmp_path / "first")
        second = overlay(tmp_path / "first", {"limits": {"images": 2}}, tmp_path / "second")
        assert second.data["limits"]["images"] == 2
        manifest = json.loads((tmp_path / "second" / ".manifest").read_text())
        assert manifest["metadata"]["overlay"]["base"] == first.revision

    def test_a_name_in_the_working_folder_will_do(self, base, tmp_path):
        with chdir(tmp_path):
            assert overlay(base, {}, Path("tenant")).revision
        assert (tmp_path / "tenant" / "data.json").is_file()


def test_the_shipped_bundle_takes_the_example(tmp_path):
    assert (
        overlay(default_bundle_path(), read_patch(EXAMPLE), tmp_path / "tenant").data["visible_label"] == "Made with AI"
    )
