"""Allowing in a bundle: an adapter by the digest of its weights, a licence by its name, with what is stated of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from governance.canonical import Digest, Json
from governance.errors import PolicyError
from governance.files import write_atomically
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.bundle_files import DATA
from governance_adapters.policy.data_checks import check_data


def allow_adapter(
    path: Path,
    digest: Digest,
    *,
    name: str,
    licence: str,
    data_origin: str = "",
    expires: str = "",
    max_scale_thousandths: int | None = None,
) -> Digest:
    """Add an adapter to the allow-list of the bundle in `path`, or give it new values; returns the new revision.

    `licence` is an SPDX expression, `data_origin` says where the training data comes from, `expires` is a time in RFC 3339,
    UTC; None sets no limit to the scale. The file is replaced whole or not at all.

    Raises:
        PolicyError: the bundle is unsound before or after, or the licence is empty.
        StorageError: the bundle cannot be written.
    """
    if not licence:
        raise PolicyError(f"The licence of the adapter {name!r} is not known.", remedy="Name it: an SPDX expression.")
    bundle = Bundle.load(path)
    texts = {"data_origin": data_origin, "expires": expires, "licence": licence, "name": name}
    entry: dict[str, Json] = {field: text for field, text in texts.items() if text}
    if max_scale_thousandths is not None:
        entry["max_scale_thousandths"] = max_scale_thousandths
    return _with_entry(path, bundle, "adapters", digest, entry)


def allow_licence(path: Path, licence: str, *, note: str = "") -> Digest:
    """Add a licence, by its SPDX identifier, to those that the bundle in `path` accepts for any purpose; returns the new revision.

    A licence that is there already keeps the purposes that it was accepted for. The file is replaced whole or not at all.

    Raises:
        PolicyError: the bundle is unsound before or after.
        StorageError: the bundle cannot be written.
    """
    bundle = Bundle.load(path)
    if licence in bundle.data["licences"]:
        return bundle.revision
    return _with_entry(path, bundle, "licences", licence, {"note": note} if note else {})


def _with_entry(path: Path, bundle: Bundle, member: str, key: str, entry: Mapping[str, Json]) -> Digest:
    """The bundle's data with `entry` under `key` of `member`, checked and written; returns the revision that it then has."""
    data = {**bundle.data, member: dict(sorted({**bundle.data[member], key: dict(entry)}.items()))}
    if data == bundle.data:
        return bundle.revision
    check_data(bundle.schemas, data, bundle.policies)
    write_atomically(path / DATA, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
    return Bundle.load(path).revision
