"""One tenant's bundle: the data of another bundle with a JSON merge patch on it (RFC 7396), rules and tests as they are.

The result is a bundle like any other, with a revision of its own; its `.manifest` says what it was made from.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from governance.canonical import Digest, Json, canonical_bytes, canonical_digest
from governance.errors import CanonicalError, ConfigurationError, PolicyError, StorageError
from governance.files import sync
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.bundle_files import DATA, MANIFEST, once


def merge_patch(target: Json, patch: Json) -> Json:
    """`target` with `patch` on it: RFC 7396, section 2. Objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def read_patch(path: Path) -> dict[str, Json]:
    """The patch in the file at `path`: an object for `data.json`.

    Raises:
        ConfigurationError: the file cannot be read, or holds no JSON object of integers and text, each name once.
    """
    remedy = "Write a JSON object of what differs from data.json (RFC 7396)."
    try:
        value: Json = json.loads(path.read_bytes(), object_pairs_hook=once)
        canonical_bytes(value)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}.", remedy="Name a file.") from error
    except (ValueError, RecursionError, CanonicalError) as error:
        raise ConfigurationError(f"{path} is no patch: {error}.", remedy=remedy) from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path} is no patch: it holds no object.", remedy=remedy)
    return value


def overlay(
    base: Path, patch: Mapping[str, Json], output: Path, *, check: Callable[[Bundle], object] | None = None
) -> Bundle:
    """Write the bundle at `base`, with `patch` on its data, to the new folder `output`: whole, or not at all.

    Everything is copied, tests too. The result is loaded, and so checked, before it stands at `output`; `check` may
    look at it as well, and raise PolicyError.

    Raises:
        PolicyError: the bundle at `base` is unsound, or would be with this patch.
        ConfigurationError: there is something at `output`, or it lies in `base`.
        StorageError: it cannot be written.
    """
    bundle = Bundle.load(base)
    if output.exists() or output.is_symlink():
        raise ConfigurationError(f"There is something at {output}.", remedy="Name a folder that does not exist yet.")
    if base.resolve() in (place := output.resolve()).parents:
        raise ConfigurationError(f"{output} lies in the bundle at {base}.", remedy="Name a folder elsewhere.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as temporary:
            built = Path(temporary) / "bundle"
            shutil.copytree(base, built, symlinks=True)
            _write(built / DATA, merge_patch(bundle.data, patch))
            _write(built / MANIFEST, _manifest(base, bundle.revision, patch))
            made = _checked(built, check)
            _sync(built)
            built.rename(place)
        sync(place.parent)
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written: {error.strerror or error}.",
            remedy="Check that its parent folder exists, is writable, and that the disk has room.",
        ) from error
    return replace(made, root=output)


def _manifest(base: Path, revision: Digest, patch: Mapping[str, Json]) -> dict[str, Json]:
    """The manifest of `base` without its revision, and with what was made of it in `metadata.overlay`."""
    manifest = json.loads((base / MANIFEST).read_bytes())
    manifest.pop("revision", None)
    metadata = manifest.get("metadata", {})
    made: dict[str, Json] = {"base": revision, "patch": canonical_digest(dict(patch))}
    return {**manifest, "metadata": {**(metadata if isinstance(metadata, dict) else {}), "overlay": made}}


def _checked(built: Path, check: Callable[[Bundle], object] | None) -> Bundle:
    try:
        made = Bundle.load(built)
        if check is not None:
            check(made)
    except PolicyError as error:
        raise PolicyError(f"With this patch there is no sound bundle: {error}", remedy="Correct the patch.") from error
    return made


def _write(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sync(folder: Path) -> None:
    """Make every file of the folder durable, so that a crash after the rename leaves nothing half written."""
    for path in (*folder.rglob("*"), folder):
        sync(path)
