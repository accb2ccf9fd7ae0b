"""The files of a policy bundle: found, bounded, read as text or JSON, and their common revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from governance.canonical import MAX_SAFE_INTEGER, Digest, Json, canonical_bytes, canonical_digest, digest
from governance.errors import PolicyError
from governance.evidence.verify import stays_inside

MANIFEST = ".manifest"
DATA = "data.json"
MAX_DATA_BYTES = 16 << 20
MAX_FILE_BYTES = 1 << 20
MEND = "Mend the file, or restore the bundle that came with this version."


def read_files(root: Path) -> dict[str, bytes]:
    """Every file that the revision covers, by its path in the bundle, sorted by the UTF-8 bytes of the path.

    Raises:
        PolicyError: there is no folder at `root`; a file is a link, too large or unreadable, or its name is not printable UTF-8
            that every system has for a file; or OPA would load data from it that this project would not see.
    """
    files = {}
    try:
        if not root.is_dir():
            raise PolicyError(
                f"There is no policy bundle at {root}.", remedy="Name the folder that holds its .manifest."
            )
        for path in root.rglob("*"):
            name = path.relative_to(root).as_posix()
            if not stays_inside(name):  # a byte that is not UTF-8 stands there as a surrogate, which is not printable
                raise PolicyError(
                    f"The policy bundle has a file named {name!a}, which an evidence pack could not hold.",
                    remedy="Name it in printable UTF-8, without a backslash or a drive letter.",
                )
            if path.is_symlink():
                raise PolicyError(f"{name} in the policy bundle is a link.", remedy="Put the file itself there.")
            if not path.is_file() or name.endswith("_test.rego"):
                continue
            if name != DATA and path.name in (DATA, "data.yaml", "data.yml"):
                raise PolicyError(f"The bundle has data in {name}.", remedy=f"Keep all data in {DATA} at the root.")
            if name in (MANIFEST, DATA) or path.suffix == ".rego" or name.startswith("schemas/"):
                files[name] = _bounded(name, path)
    except OSError as error:
        raise PolicyError(f"The policy bundle at {root} cannot be read: {error.strerror}.", remedy=MEND) from error
    return dict(sorted(files.items(), key=lambda item: item[0].encode()))


def revision(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Digest:
    """SHA-256 of the RFC 8785 array of [path, SHA-256], the manifest in canonical form and without its own revision."""
    unrevised = canonical_bytes({key: value for key, value in manifest.items() if key != "revision"})
    listed: list[Json] = [[name, digest(unrevised if name == MANIFEST else content)] for name, content in files.items()]
    return canonical_digest(listed)


def text_of(name: str, content: bytes) -> str:
    """`content` as text.

    Raises:
        PolicyError: it is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name} in the policy bundle is not UTF-8 text.", remedy=MEND) from error


def json_of(name: str, content: bytes) -> Any:
    """The JSON in `content`: what has a canonical form, and no key twice in one object.

    Raises:
        PolicyError: it is anything else.
    """
    try:
        value = json.loads(
            text_of(name, content),
            object_pairs_hook=once,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
            parse_int=safe_integer,
        )
        # What is left that has no canonical form are lone surrogates, written as escapes. This is far quicker than
        # `canonical_bytes` on lists of a hundred thousand terms.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{name} in the policy bundle is not usable JSON: {error}", remedy=MEND) from error
    return value


def _bounded(name: str, path: Path) -> bytes:
    limit = MAX_DATA_BYTES if name == DATA else MAX_FILE_BYTES
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise PolicyError(
            f"{name} in the policy bundle has more than {limit} bytes, its limit.",
            remedy="Shorten it: some 300,000 listed terms fit in data.json.",
        )
    return content


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without a key that stands twice in it: for `object_pairs_hook`.

    Raises:
        ValueError: there is one.
    """
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return value


def _no_fraction(text: str) -> Any:
    raise ValueError(f"the float {text[:32]} stands there; write integers or text")


def safe_integer(text: str) -> int:
    """A number that every engine and language reads alike: for `parse_int`.

    Raises:
        ValueError: it is beyond 2^53-1, or absurdly long.
    """
    if len(text) > len(str(-MAX_SAFE_INTEGER)) or abs(value := int(text)) > MAX_SAFE_INTEGER:
        raise ValueError(f"the integer {text[:32]} beyond 2^53-1")
    return value
