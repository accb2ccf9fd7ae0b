"""Allowing an adapter in a bundle: by the digest of its weights, with what is stated of it."""

from __future__ import annotations

import json
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
    adapters = {**bundle.data["adapters"], digest: entry}
    data = {**bundle.data, "adapters": dict(sorted(adapters.items()))}
    if data == bundle.data:
        return bundle.revision
    check_data(bundle.schemas, data, bundle.policies)
    write_atomically(path / DATA, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
    return Bundle.load(path).revision
