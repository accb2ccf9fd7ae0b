"""Verify an evidence pack with nothing but Python's standard library.

    python -I -S verify.py --key NAME+ID+BASE64 [PACK]

PACK is the ZIP file, or the folder that it was extracted to (by default the current one). NAME+ID+BASE64 is the public
key of the log, obtained from somebody other than whoever sent the pack. Nothing is fetched, written or executed.

The verdict, and the exit code:

    verified (0)          all that this program checks holds, under the key that was given
    self-consistent (3)   all of it holds, but under the key that the pack brings along: whoever made the pack chose it
    refused (1)           something does not hold; each problem is named
    (2)                   there was nothing to check: no such pack, or a key that is none

A copy of this file lies in each pack, so that it is at hand. Whoever forges a pack can forge that copy too: run one that
you got elsewhere. This is one module, and long, so that it can be read whole and run without anything beside it.

Sources: RFC 8032 (Ed25519), RFC 8785 (canonical JSON), RFC 9162 section 2.1 (Merkle trees), c2sp.org/signed-note,
c2sp.org/tlog-checkpoint. It needs Python 3.11 or newer.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import os
import re
import shlex
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

FORMAT: Final = "diffusion-governance evidence pack"
VERSION: Final = 1

VERIFIED, SELF_CONSISTENT, REFUSED = "verified", "self-consistent", "refused"
EXIT_CODES: Final = {VERIFIED: 0, REFUSED: 1, SELF_CONSISTENT: 3}
EXIT_NOTHING: Final = 2

INDEX, README, PROGRAM, PDF = "pack.json", "README.txt", "verify.py", "evidence.pdf"
LOG_KEY, CHECKPOINT, PROOFS = "record/log-key.txt", "record/checkpoint.txt", "record/proofs.json"
ENTRIES, DOCUMENTS, FIELDS = "record/entries/", "record/documents/", "record/fields/"
CHECKPOINTS, TIMESTAMPS = "record/checkpoints/", "record/timestamps/"
ASSET, MANIFEST, VERIFICATION, POLICY = "asset/", "asset/manifest.c2pa", "asset/verification.json", "policy/"
LISTED_ONLY: Final = frozenset({README, PROGRAM, PDF, VERIFICATION})
"""What is for people: pack.json lists their digests, and nothing else binds them."""

MAX_PACK_BYTES: Final = 1 << 30
MAX_FILES: Final = 20_000
MAX_ENTRY_BYTES: Final = 32 * 1024
MAX_SAFE_INTEGER: Final = 2**53 - 1

_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_TREE_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SIGNATURE_LINE: Final = re.compile("\u2014 (?P<name>[^ ]+) (?P<blob>[^ ]+)")
_MALFORMED: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)


class RefusedError(ValueError):
    """Something in the pack does not hold; the message says what."""


class NothingToCheckError(Exception):
    """There is no pack to check, or the key that was given is none."""


# ---- Ed25519, RFC 8032 -----------------------------------------------------------------------------------------------

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)
_IDENTITY: Final = (0, 1, 1, 0)

Point = tuple[int, int, int, int]
"""A point of the curve in extended homogeneous coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z."""


def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `public` (32 bytes) over `message`: Ed25519, RFC 8032 section 5.1.7.

    Stricter than the RFC where it leaves a choice: the encodings of key and R must be canonical, S must be below the group
    order, key and R must not be of small order (a key of small order signs any message), and the equation is the one
    without the cofactor. So no second signature can be derived from one that holds.
    """
    key, commitment_point = decode_point(public), decode_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or commitment_point is None or scalar >= _ORDER:
        return False
    if _is_small_order(key) or _is_small_order(commitment_point):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    negated = (-key[0] % _P, key[1], key[2], -key[3] % _P)
    return _same(_sum_of_products(scalar, _BASE, challenge, negated), commitment_point)


def decode_point(encoded: bytes) -> Point | None:
    """The point of 32 bytes (RFC 8032 section 5.1.3), or None where they are no canonical encoding of one."""
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    odd, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if v * x * x % _P != u or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _add(one: Point, other: Point) -> Point:
    """RFC 8032 section 5.1.4: complete, so it doubles too."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % _P, (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * _D * one[3] * other[3] % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _sum_of_products(one: int, point: Point, other: int, second: Point) -> Point:
    """`[one]point + [other]second`, both at once, from the highest bit down."""
    both, total = _add(point, second), _IDENTITY
    for bit in range(max(one, other).bit_length() - 1, -1, -1):
        total = _add(total, total)
        match (one >> bit & 1, other >> bit & 1):
            case (1, 1):
                total = _add(total, both)
            case (1, 0):
                total = _add(total, point)
            case (0, 1):
                total = _add(total, second)
    return total


def _same(one: Point, other: Point) -> bool:
    return (one[0] * other[2] - other[0] * one[2]) % _P == 0 == (one[1] * other[2] - other[1] * one[2]) % _P


def _is_small_order(point: Point) -> bool:
    """Whether eight times the point is the identity."""
    for _ in range(3):
        point = _add(point, point)
    return _same(point, _IDENTITY)


_BASE: Final = decode_point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or _IDENTITY
"""The base point: y = 4/5, x even."""


# ---- JSON, RFC 8785 --------------------------------------------------------------------------------------------------


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of a value without floats: keys in the order of their UTF-16 code units, no spaces, UTF-8."""
    return _canonical_text(value).encode()


def _canonical_text(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_canonical_text(key)}:{_canonical_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_json(content: bytes) -> Any:
    """The value of JSON without floats, without integers beyond 2^53-1 and without a key that stands twice.

    Raises:
        RefusedError: it is anything else.
    """
    try:
        return json.loads(
            content.decode(),
            object_pairs_hook=_once,
            parse_float=_no_number,
            parse_constant=_no_number,
            parse_int=_safe_integer,
        )
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"it is no usable JSON: {error}") from error


def read_canonical(content: bytes) -> Any:
    """The value of canonical JSON: written again it gives the same bytes.

    Raises:
        RefusedError: it does not.
    """
    value = read_json(content)
    if canonical_bytes(value) != content:
        raise RefusedError("it is not in canonical form (RFC 8785)")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RefusedError("a key stands twice in one object")
    return value


def _no_number(text: str) -> Any:
    raise RefusedError(f"{text[:32]} is no integer")


def _safe_integer(text: str) -> int:
    if len(text) > len(str(-MAX_SAFE_INTEGER)) or abs(int(text)) > MAX_SAFE_INTEGER:
        raise RefusedError(f"{text[:32]} is beyond 2^53-1")
    return int(text)


def spelt(value: Any) -> bytes:
    """JSON for people, in one spelling: what `pack.json` is written in."""
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def sha256(content: bytes) -> str:
    """SHA-256 as 64 lowercase hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def commitment(name: str, salt: bytes, value: Any) -> str:
    """The commitment to a personal field: see "Field commitments" in docs/records.md of the project."""
    parts = (b"diffusion-governance/field/v1", name.encode(), salt + canonical_bytes(value))
    return sha256(b"\0".join(parts))


def decode_base64(text: str, size: int | None = None) -> bytes:
    """RFC 4648 section 4, in its one canonical spelling.

    Raises:
        RefusedError: it is not that, or not of `size` bytes.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError("it holds something that is no base64") from error
    if base64.b64encode(content).decode() != text or (size is not None and len(content) != size):
        raise RefusedError("it holds base64 of another length or spelling")
    return content


# ---- the log: keys, checkpoints, proofs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogKey:
    """The public key of a log. `name` is the origin of its checkpoints."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def parse(cls, text: str) -> LogKey:
        """Read `<name>+<8 hexadecimal digits>+<base64 of 0x01 and 32 bytes>` (c2sp.org/signed-note).

        Raises:
            RefusedError: the text is no such key.
        """
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not parts[0]:
            raise RefusedError("this is no key of a log: <name>+<8 hexadecimal digits>+<base64>")
        blob = decode_base64(parts[2], 33)
        identifier = hashlib.sha256(parts[0].encode() + b"\n" + blob).digest()[:4]
        if blob[:1] != b"\x01" or parts[1] != identifier.hex():
            raise RefusedError("the key of the log is not of type Ed25519, or its id belongs to another")
        return cls(parts[0], identifier, blob[1:])

    def __str__(self) -> str:
        blob = base64.b64encode(b"\x01" + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{blob}"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says, and how many signatures by other keys stand below it, which nobody looked at."""

    size: int
    root: bytes
    others: int = 0


def verify_checkpoint(content: bytes, key: LogKey) -> Checkpoint:
    """What a signed note says, once `key` is known to have signed it.

    Raises:
        RefusedError: it is malformed, of another log, or not signed by `key`.
    """
    note = content.decode()
    text, separator, tail = note.rpartition("\n\n")
    lines = text.split("\n")
    if any((ord(c) < 0x20 and c != "\n") for c in note) or not separator or not tail.endswith("\n"):
        raise RefusedError("it is no signed note")
    if len(lines) < 3 or not all(lines) or not _TREE_SIZE.fullmatch(lines[1]):
        raise RefusedError("it is not origin, size, root, an empty line and signatures")
    if lines[0] != key.name:
        raise RefusedError(f"it is a checkpoint of {lines[0]!r}, and the key is one of {key.name!r}")
    signatures = [_signature(line) for line in tail[:-1].split("\n")]
    ours = [blob[4:] for name, blob in signatures if name == key.name and blob[:4] == key.id]
    if not ours:
        raise RefusedError(
            f"the key {key.name}+{key.id.hex()} has not signed it: it is the wrong key, or the wrong log"
        )
    if not all(verify_signature(key.public, f"{text}\n".encode(), signature) for signature in ours):
        raise RefusedError(f"the signature of {key.name} is wrong")
    return Checkpoint(int(lines[1]), decode_base64(lines[2], 32), len(signatures) - len(ours))


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE_LINE.fullmatch(line)
    if found is None:
        raise RefusedError("a signature line is malformed")
    return found["name"], decode_base64(found["blob"])


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2; `leaf` is a leaf hash.

    Raises:
        RefusedError: the leaf is not at `index` in the tree of `size` leaves with this root.
    """
    if not 0 <= index < size:
        raise RefusedError(f"there is no entry {index} in a log of {size}")
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise RefusedError("its inclusion proof is too long")
        if position & 1 or position == last:
            node = _node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = _node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last or node != root:
        raise RefusedError("its inclusion proof does not lead to the checkpoint")


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """RFC 9162 section 2.1.4.2.

    Raises:
        RefusedError: the tree of `old` leaves is not known to be a prefix of the tree of `size` leaves.
    """
    if not 1 <= old <= size:
        raise RefusedError(f"a log of {old} proves nothing about one of {size}")
    if old == size:
        if proof or old_root != root:
            raise RefusedError("two checkpoints of one size differ: the operator kept two stories")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path or _folded(old, size, path) != (old_root, root):
        raise RefusedError("no consistency proof leads from it to the checkpoint: the operator kept two stories")


def _folded(old: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots, rebuilt from the largest subtree that both trees end in; None if the path has another length."""
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old_node, node = _node_hash(sibling, old_node), _node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = _node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return (old_node, node) if last == 0 else None


# ---- files: archives, and the manifest inside an image ---------------------------------------------------------------


def archive(files: Mapping[str, bytes]) -> bytes:
    """The ZIP file of a pack: sorted by path, stored uncompressed, no dates. The same files are the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(files):
            member = zipfile.ZipInfo(path)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            packed.writestr(member, files[path])
    return target.getvalue()


def read_pack(path: Path) -> dict[str, bytes]:
    """The files of a pack, by their paths in it.

    Raises:
        RefusedError: it is too large, holds something that is no file, or its archive is not the one of its files.
        NothingToCheckError: there is none, or it cannot be read.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_archive(path)
    except OSError as error:
        raise NothingToCheckError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_archive(path: Path) -> dict[str, bytes]:
    if path.stat().st_size > MAX_PACK_BYTES:
        raise RefusedError(f"the pack is larger than {MAX_PACK_BYTES} bytes")
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = packed.infolist()
            if len(members) > MAX_FILES or any(each.compress_type != zipfile.ZIP_STORED for each in members):
                raise RefusedError("the archive holds too many files, or compressed ones")
            files = {each.filename: packed.read(each) for each in members}
    except RefusedError:
        raise
    except (zipfile.BadZipFile, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise RefusedError(f"the archive is broken: {error}") from error
    if archive(files) != content:
        raise RefusedError("the archive was altered: it holds bytes that belong to none of its files")
    return files


def _read_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise RefusedError(f"{path.relative_to(folder).as_posix()} is no plain file")
        if path.is_file():
            total += path.stat().st_size
            if total > MAX_PACK_BYTES or len(files) >= MAX_FILES:
                raise RefusedError("the folder is too large to be a pack")
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    if INDEX not in files:
        raise NothingToCheckError(f"{folder} holds no {INDEX}: it is no evidence pack")
    return files


_C2PA_BOX: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The identifier of C2PA's own box in an MP4 file."""


def embedded_manifest(content: bytes) -> bytes | None:
    """The C2PA manifest store (JUMBF) inside a file, or None: C2PA 2.x, "Embedding manifests".

    PNG, JPEG, WebP, MP4 and WAV are known.

    Raises:
        RefusedError: the file's structure is broken.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _one(data for name, data in _chunks(content, 8, len(content), "big") if name == b"caBX")
    if content[4:8] == b"ftyp":
        return _one(_boxed_manifests(content))
    if content[:4] == b"RIFF" and content[8:12] in {b"WEBP", b"WAVE"}:
        return _one(data for name, data in _chunks(content, 12, len(content), "little") if name == b"C2PA")
    return _jpeg_manifest(content) if content.startswith(b"\xff\xd8") else None


def kind_of(content: bytes) -> str:
    """`video`, `audio` or `image` by how a file begins: MP4, WAV, and a picture where it is neither."""
    if content[4:8] == b"ftyp":
        return "video"
    return "audio" if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else "image"


def _chunks(content: bytes, start: int, end: int, order: Literal["big", "little"]) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of each chunk: PNG (big-endian: length, name, data, checksum), RIFF (little-endian, even)."""
    while start + 8 <= end:
        first, second = content[start : start + 4], content[start + 4 : start + 8]
        name, length = (second, first) if order == "big" else (first, second)
        size = int.from_bytes(length, order)
        if start + 8 + size > end:
            raise RefusedError("a chunk of the file is cut short")
        yield name, content[start + 8 : start + 8 + size]
        start += 8 + size + (4 if order == "big" else size % 2)


def _boxed_manifests(content: bytes) -> Iterator[bytes]:
    """Of each top-level box of an MP4 file (ISO/IEC 14496-12) that is C2PA's and holds a manifest store, that store.

    Behind the box's identifier stand version and flags, the purpose as text that ends with a zero, and an offset of 8 bytes.
    """
    place = 0
    while place + 8 <= len(content):
        size, start = int.from_bytes(content[place : place + 4], "big"), place + 8
        if size == 1:
            size, start = int.from_bytes(content[place + 8 : place + 16], "big"), place + 16
        elif size == 0:
            size = len(content) - place
        if size < start - place or place + size > len(content):
            raise RefusedError("a box of the file is cut short")
        box = content[start : place + size]
        if content[place + 4 : place + 8] == b"uuid" and box.startswith(_C2PA_BOX):
            purpose, _, rest = box[len(_C2PA_BOX) + 4 :].partition(b"\0")
            if purpose == b"manifest":
                yield rest[8:]
        place += size


def _jpeg_manifest(content: bytes) -> bytes | None:
    """The APP11 segments of type JUMBF, put together: all but the first repeat the box's header (ISO/IEC 19566-5)."""
    pieces: list[bytes] = []
    position = 2
    while content[position : position + 1] == b"\xff" and content[position + 1] not in {0xDA, 0xD9}:
        if content[position + 1] == 0xFF:
            position += 1
            continue
        size = int.from_bytes(content[position + 2 : position + 4], "big")
        segment = content[position + 4 : position + 2 + size]
        if size < 2 or len(segment) != size - 2:
            raise RefusedError("a segment of the file is cut short")
        if content[position + 1] == 0xEB and segment[:2] == b"JP" and b"c2pa" in _box_of(segment, pieces):
            pieces.append(segment)
        position += 2 + size
    if len({piece[2:4] for piece in pieces}) > 1:
        raise RefusedError("the file carries several manifest stores")
    return b"".join(piece[8 if number == 0 else 16 :] for number, piece in enumerate(pieces)) or None


def _box_of(segment: bytes, pieces: list[bytes]) -> bytes:
    """The start of the box that a segment belongs to: that of the first piece with the same box number."""
    return next((piece[:64] for piece in pieces if piece[2:4] == segment[2:4]), segment[:64])


def _one(found: Iterator[bytes]) -> bytes | None:
    every = list(found)
    if len(every) > 1:
        raise RefusedError("the file carries several manifest stores")
    return every[0] if every else None


# ---- the pack --------------------------------------------------------------------------------------------------------


@dataclass
class Entry:
    """One entry of the record: where it stands, its leaf, and what it says."""

    index: int
    path: str
    leaf: bytes
    value: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """What it says, by its kind."""
        found: dict[str, Any] = self.value["body"]
        return found

    @property
    def fields(self) -> dict[str, str]:
        """The commitments to its personal fields, by name."""
        found: dict[str, str] = self.body.get("fields", {})
        return found

    @property
    def decision(self) -> dict[str, Any] | None:
        """The decision that it records, if one."""
        found: dict[str, Any] | None = self.body.get("decision")
        return found

    def __str__(self) -> str:
        return f"entry {self.index} ({self.value['kind']})"


@dataclass
class Report:
    """What was found: problems, what was checked, what nobody here can check, and what the log does not bind."""

    problems: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: list[tuple[str, str]] = field(default_factory=list)
    unbound: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    key_given: bool = False

    @property
    def verdict(self) -> str:
        """`verified`, `self-consistent` or `refused`."""
        if self.problems or not self.checked:
            return REFUSED
        return VERIFIED if self.key_given else SELF_CONSISTENT

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": self.verdict,
            "exit_code": EXIT_CODES[self.verdict],
            "problems": self.problems,
            "checked": self.checked,
            "not_disclosed": self.withheld,
            "not_checked": [{"what": what, "how": how} for what, how in self.not_checked],
            "not_bound_by_the_log": self.unbound,
        }

    def lines(self) -> Iterator[str]:
        """For people: one line each, whatever the pack quotes in it, so that nothing in a pack can write a verdict."""
        for line in self._lines():
            yield "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)

    def _lines(self) -> Iterator[str]:
        yield from (f"  holds        {line}" for line in self.checked)
        yield from (f"  not shown    {line}" for line in self.withheld)
        for what, how in self.not_checked:
            yield f"  not checked  {what}"
            yield f"               {how}"
        if self.unbound:
            yield f"  not bound    {', '.join(self.unbound)}"
            yield "               listed in pack.json only: whoever makes a pack can write there what they like"
        yield from (f"  PROBLEM      {line}" for line in self.problems)
        yield f"verdict: {self.verdict}"
        if self.verdict == SELF_CONSISTENT:
            yield "the key came with the pack: obtain it from somebody else and give it with --key"


def verify_pack(files: Mapping[str, bytes], key: LogKey | None = None, asked: bytes | None = None) -> Report:
    """Check a pack. `key` was obtained elsewhere; `asked` are the bytes of a file that it shall be about."""
    return _Verification(files, key).run(asked)


_Step = tuple[str, Callable[[], Iterator[str]]]
"""What a step is about, and the step: it yields problems."""


def stays_inside(path: str) -> bool:
    """Whether a file of this path lands below the folder that a pack is extracted to, whatever program extracts it."""
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and not any(p in {"", ".", ".."} or _DRIVE.match(p) for p in parts)


class _Verification:
    """One check of one pack. Each step yields its problems; a step that stumbles over a malformed value is one more."""

    def __init__(self, files: Mapping[str, bytes], key: LogKey | None) -> None:
        self.files, self.given = files, key
        self.report = Report(key_given=key is not None)
        self.index: dict[str, Any] = {}
        self.entries: dict[str, Entry] = {}
        self.missing: set[str] = set()
        self.bound: set[str] = set()
        self.opened = self.approved = 0
        self.tree = Checkpoint(0, b"")
        self.sizes: dict[str, int] = {}
        self.key: LogKey | None = key

    def run(self, asked: bytes | None) -> Report:
        """All steps, in their order; where the first three fail, the others have nothing to stand on."""
        first: list[_Step] = [(INDEX, self._list), (CHECKPOINT, self._log), (PROOFS, self._record)]
        if not all(self._runs_through(step) for step in first):
            return self.report
        later: list[_Step] = [(str(entry), partial(self._entry, entry)) for entry in self.entries.values()]
        later += [
            (INDEX, partial(self._subject, asked)),
            (POLICY, self._policy),
            (CHECKPOINTS, self._checkpoints),
            (TIMESTAMPS, self._time_stamps),
            (INDEX, self._bound),
            (INDEX, self._say),
        ]
        for step in later:
            self._runs_through(step)
        return self.report

    def _runs_through(self, named: _Step) -> bool:
        """Take one step and keep its problems; False if it could not be taken to its end."""
        name, step = named
        try:
            for problem in step():
                self.report.problems.append(f"{name}: {problem}")
        except RefusedError as error:
            self.report.problems.append(f"{name}: {error}")
        except _MALFORMED as error:
            self.report.problems.append(f"{name}: it does not have the form of this version ({error!r})")
        else:
            return True
        return False

    def _list(self) -> Iterator[str]:
        """pack.json is whole, each file is the one that it lists, and none leads elsewhere."""
        index = read_json(self.files[INDEX])
        if spelt(index) != self.files[INDEX]:
            yield "it was altered: it is not spelt as packs are"
        if (index["format"], index["version"]) != (FORMAT, VERSION):
            raise RefusedError("it is no index of this version")
        if not all(isinstance(index[name], list) for name in ("files", "fields", "missing")):
            raise RefusedError("it does not list what an index lists")
        if sha256(canonical_bytes({k: v for k, v in index.items() if k != "digest"})) != index["digest"]:
            yield "it was altered: it does not have the digest that it names"
        self.index = index
        self.missing = {each["what"] for each in index["missing"]}
        listed = {each["path"]: each for each in index["files"]}
        if outside := sorted(path for path in {*listed, *self.files} if not stays_inside(path)):
            raise RefusedError(f"{', '.join(map(ascii, outside))}: a path that leads out of the pack")
        for path in sorted({*listed, *self.files} - {INDEX}):
            if path not in self.files:
                yield f"{path} is missing from the pack"
            elif path not in listed:
                yield f"{path} lies in the pack, and is no part of it"
            elif (sha256(self.files[path]), len(self.files[path])) != (listed[path]["sha256"], listed[path]["bytes"]):
                yield f"{path} was altered"

    def _log(self) -> Iterator[str]:
        """The checkpoint is signed: by the key that was given, else by the one that came along."""
        brought = LogKey.parse(self.files[LOG_KEY].decode())
        if f"{brought}\n".encode() != self.files[LOG_KEY]:
            yield f"{LOG_KEY} is not spelt as keys are"
        self.key = self.given or brought
        if self.given is not None and brought != self.given:
            yield f"the pack brings along another key than the one that was given: {brought.name}+{brought.id.hex()}"
        if self.index["log"] != self.key.name:
            yield f"{INDEX} names another log"
        self.tree = verify_checkpoint(self.files[CHECKPOINT], self.key)
        self.sizes[CHECKPOINT] = self.tree.size
        self.bound |= {CHECKPOINT} | ({LOG_KEY} if self.given else set())
        who = "the key that was given" if self.given else "the key that the pack brings along"
        self.report.checked.append(f"a checkpoint of {self.key.name}, {self.tree.size} entries, signed by {who}")

    def _record(self) -> Iterator[str]:
        """Each entry stands in the log at its index: canonical bytes, and a proof that leads to the checkpoint."""
        proofs = read_canonical(self.files[PROOFS])
        if set(proofs) != {"version", "entries", "checkpoints"} or proofs["version"] != 1:
            raise RefusedError("it does not have the members of this version")
        paths = []
        for proof in proofs["entries"]:
            entry = self._proven(proof)
            if entry.value["id"] in self.entries:
                yield f"{entry} stands there twice"
            self.entries[entry.value["id"]] = entry
            paths.append(entry.path)
        if paths != sorted(path for path in self.files if path.startswith(ENTRIES)):
            yield "it does not prove exactly the entries that lie in the pack, in their order"
        self.bound |= {PROOFS, *paths}
        self.report.checked.append(f"{len(self.entries)} entries stand in that log, each with its inclusion proof")

    def _proven(self, proof: dict[str, Any]) -> Entry:
        index, path = proof["index"], proof["path"]
        leaf = self.files[path]
        value = read_canonical(leaf)
        if set(proof) != {"index", "path", "proof"} or type(index) is not int:
            raise RefusedError(f"what it says of {path} does not have the members of this version")
        if set(value) != {"version", "id", "kind", "subject", "time", "body"} or value["version"] != 1:
            raise RefusedError(f"{path} is no entry of this version")
        if len(leaf) > MAX_ENTRY_BYTES or path != f"{ENTRIES}{index:08d}-{value['kind']}.json":
            raise RefusedError(f"{path} is too large, or not named as its entry is")
        try:
            nodes = [decode_base64(node, 32) for node in proof["proof"]]
            verify_inclusion(leaf_hash(leaf), index, self.tree.size, nodes, self.tree.root)
        except RefusedError as error:
            raise RefusedError(f"{path}: {error}") from error
        return Entry(index, path, leaf, value)

    def _entry(self, entry: Entry) -> Iterator[str]:
        """What an entry commits to: its intent, its documents, its personal fields, the people who let it go."""
        body = entry.body
        if "intent" in body:
            yield from self._intent(entry, body["intent"])
        if "review" in body:
            yield from self._review(entry, body["review"])
        for digest in committed_documents(body):
            path = f"{DOCUMENTS}{digest}.json"
            content = self.files.get(path)
            if content is None and path not in self.missing:
                yield f"the document {path} is not there, and nothing says why"
            elif content is not None and (sha256(content) != digest or not _is_canonical(content)):
                yield f"{path} is not the document that it commits to"
            elif content is not None:
                self.bound.add(path)
        yield from self._input(entry)
        yield from self._fields(entry)

    def _intent(self, entry: Entry, named: Mapping[str, Any]) -> Iterator[str]:
        intent = self.entries.get(named["id"])
        if intent is None:
            yield f"its intent {named['id']} is not in the record"
            return
        sound = intent.value["kind"] == "intent" and intent.value["subject"] == entry.value["subject"]
        if not sound or intent.index >= entry.index or leaf_hash(intent.leaf).hex() != named["leaf"]:
            yield "what it names as its intent is none, of another generation, not before it, or another leaf"

    def _review(self, entry: Entry, review: Mapping[str, Any]) -> Iterator[str]:
        held = self.entries[review["entry"]]
        if held.value["kind"] != "held" or held.body["hold"]["id"] != review["hold"] or held.index >= entry.index:
            yield "the hold that people let go is not the one that it names"
        approvals = [self.entries[each["entry"]] for each in review["approvals"]]
        if len(approvals) < max(1, held.body["hold"]["approvals"]):
            yield f"{len(approvals)} people approved, and policy obliged {held.body['hold']['approvals']}"
        for act, named in zip(approvals, review["approvals"], strict=True):
            about = act.body["hold"] == {"id": review["hold"], "entry": review["entry"]}
            if act.value["kind"] != "approved" or not about or not held.index < act.index < entry.index:
                yield f"{act} is no approval of this hold before it"
            if leaf_hash(act.leaf).hex() != named["leaf"] or act.fields["/reviewer/id"] != named["reviewer"]:
                yield f"{act} is not the approval that it names"
        self.approved += len(approvals)
        last = approvals[-1].decision or {}
        if (last["stage"], last["outcome"], last["decision_id"]) != ("review", "allow", review["decision_id"]):
            yield "its last approval was not enough, or was another decision"
        people = [self._value(act, "/reviewer/id") for act in approvals]
        if None not in people and len(set(people)) != len(people):
            yield "one person approved twice"

    def _input(self, entry: Entry) -> Iterator[str]:
        """The policy input is of this decision, and names the same commitments and findings as the entry."""
        decision = entry.decision
        content = self.files.get(f"{DOCUMENTS}{decision['input']}.json") if decision else None
        if decision is None or content is None:
            return
        value = read_json(content)
        if value["stage"] != decision["stage"]:
            yield "its policy input is of another stage"
        for name, found in commitments_in(value):
            if entry.fields.get(name) != found:
                yield f"its policy input commits to another {name}"
        if decision["stage"] == "release" and "findings" in entry.body:
            seen = [{k: v for k, v in finding.items() if k != "score"} for finding in entry.body["findings"]]
            if value["findings"] != seen:
                yield "policy decided on other findings than it records"

    def _fields(self, entry: Entry) -> Iterator[str]:
        path = f"{FIELDS}{entry.index:08d}.json"
        opened = read_canonical(self.files[path]) if path in self.files else {}
        if path in self.files:
            self.bound.add(path)
            if not opened:
                yield f"{path} opens nothing"
        for name, shown in opened.items():
            sound = set(shown) == {"salt", "value"} and name in entry.fields
            if not sound or commitment(name, decode_base64(shown["salt"], 32), shown["value"]) != entry.fields[name]:
                yield f"{path}: {name} is not the value that was committed to"
        self.opened += len(opened)
        hidden = sorted(set(entry.fields) - set(opened))
        said = {each["name"]: each for each in self.index["fields"] if each["index"] == entry.index}
        if sorted(said) != sorted(entry.fields):
            yield f"{INDEX} does not say of each of its personal fields whether it is disclosed"
        for name in hidden:
            state, by = said.get(name, {}).get("state"), said.get(name, {}).get("by")
            erasing = self.entries.get(by) if by else None
            if by and (erasing is None or not erases(erasing, entry.value["id"], name)):
                yield f"{name} is said to be erased by {by}, which is no entry in the record that erased it"
            why = f"erased in {erasing}" if erasing else f"{state}, as {INDEX} says"
            self.report.withheld.append(f"{name} of {entry}: its commitment only ({why})")

    def _value(self, entry: Entry, name: str) -> Any:
        content = self.files.get(f"{FIELDS}{entry.index:08d}.json")
        return None if content is None else read_json(content).get(name, {}).get("value")

    def _subject(self, asked: bytes | None) -> Iterator[str]:
        """The released file: its bytes, its receipt, and the record of a release down the whole line."""
        entry = self.entries[self.index["entry"]]
        body, recorded = entry.body, entry.body["asset"]
        if entry.value["kind"] != "released" or (self.index["index"], self.index["asset"]) != (entry.index, recorded):
            yield f"{INDEX} is about another entry"
        yield from release_problems(body)
        if "shadow" in body:
            yield from self._shadow(entry, body["shadow"])
        elif body["decision"]["outcome"] != "allow" and (body["decision"]["outcome"], "review" in body) != (
            "review",
            True,
        ):
            yield "its decision did not allow the release, and nobody let it go"
        if asked is not None and sha256(asked) != recorded["digest"]:
            yield "the file that was given is not the one that was released: its bytes have another digest"
        elif asked is not None:
            self.report.checked.append("the file that was given is the released one, byte for byte")
        path = f"{ASSET}{recorded['id']}{SUFFIXES[recorded['media_type']]}"
        yield from self._asset(path, recorded)
        yield from self._receipt(f"{path}.receipt.json", entry)
        self.report.checked.append(
            f"asset {recorded['id']} (SHA-256 {recorded['digest']}) was released {entry.value['time']} in entry "
            f"{entry.index}, by decision {body['decision']['decision_id']} of bundle {body['decision']['bundle_revision']}"
        )

    def _shadow(self, entry: Entry, shadow: Mapping[str, Any]) -> Iterator[str]:
        """A file of shadow mode: an entry says before it that the mode was on, and what it says fits the decision."""
        modes = [each for each in self.entries.values() if each.value["kind"] == "mode" and each.index < entry.index]
        if not any(each.body["mode"] == "shadow" for each in modes):
            yield "it says that it was made in shadow mode, and no entry says before it that this was on"
        stages = [(each["stage"], each["verdict"]) for each in shadow["stages"]]
        stopped = [verdict for _, verdict in stages if verdict != "released"]
        fits = {"allow": {"released", "held", "failed"}, "review": {"held", "failed"}, "deny": {"denied"}}
        outcome = (entry.decision or {})["outcome"]
        if stages[-1][0] != "release" or stages[-1][1] not in fits[outcome]:
            yield "what enforcement would have done at release does not follow from its decision"
        if shadow["verdict"] != (stopped[0] if stopped else "released"):
            yield "what enforcement would have done does not follow from its stages"
        codes = [code for each in shadow["stages"] if each["verdict"] != "released" for code in each["codes"]]
        why = f" ({', '.join(codes)})" if codes else ""
        self.report.checked.append(
            f"it was made in SHADOW MODE, in which policy is recorded and not obeyed; under enforcement: {shadow['verdict']}{why}"
        )

    def _asset(self, path: str, recorded: Mapping[str, Any]) -> Iterator[str]:
        content = self.files.get(path)
        if content is None:
            if path not in self.missing:
                yield f"{path} is not there, and nothing says why"
            return
        if (sha256(content), len(content)) != (recorded["digest"], recorded["bytes"]):
            yield f"{path} is not the file that was released"
            return
        if kind_of(content) != recorded["media_type"].partition("/")[0]:
            yield f"{path} is of another kind than its entry says"
        self.bound.add(path)
        self.report.checked.append(f"{path} is the released file, byte for byte")
        if self.files.get(MANIFEST) != embedded_manifest(content):
            yield f"{MANIFEST} is not the manifest store that the released file carries"
        elif MANIFEST in self.files:
            self.bound.add(MANIFEST)

    def _receipt(self, path: str, entry: Entry) -> Iterator[str]:
        proofs = {each["path"]: each for each in read_json(self.files[PROOFS])["entries"]}
        receipt = {
            "version": 1,
            "leaf": base64.b64encode(entry.leaf).decode(),
            "index": entry.index,
            "tree_size": self.tree.size,
            "proof": proofs[entry.path]["proof"],
            "checkpoint": self.files[CHECKPOINT].decode(),
        }
        if self.files.get(path) != (json.dumps(receipt, indent=1, ensure_ascii=False) + "\n").encode():
            yield f"{path} is not the receipt of this entry under this checkpoint"
        else:
            self.bound.add(path)

    def _policy(self) -> Iterator[str]:
        """Each bundle that decided: an entry says that it was in force before, and its files give its revision."""
        revisions: dict[str, int] = {}
        for entry in sorted(self.entries.values(), key=lambda each: each.index):
            if entry.decision:
                revisions.setdefault(entry.decision["bundle_revision"], entry.index)
        in_force = [each for each in self.entries.values() if each.value["kind"] == "policy"]
        for revision, decided in sorted(revisions.items()):
            known = any(each.body["revision"] == revision and each.index < decided for each in in_force)
            if not known and f"policy entry of {revision}" not in self.missing:
                yield f"no entry says that bundle {revision} was in force before it decided"
            folder = f"{POLICY}{revision}/"
            bundle = {path[len(folder) :]: content for path, content in self.files.items() if path.startswith(folder)}
            if not bundle and folder not in self.missing:
                yield f"{folder} is not there, and nothing says why"
            elif bundle and bundle_revision(bundle) != revision:
                yield f"{folder} is another bundle than the one that decided"
            elif bundle:
                self.bound |= {folder + path for path in bundle}
                self.report.checked.append(f"{folder} is the policy bundle that decided, file for file")

    def _checkpoints(self) -> Iterator[str]:
        """Checkpoints that were kept elsewhere: signed by the same key, and each a prefix of the pack's."""
        proofs = read_json(self.files[PROOFS])["checkpoints"]
        if [each["path"] for each in proofs] != sorted(path for path in self.files if path.startswith(CHECKPOINTS)):
            yield "no consistency proof for each checkpoint that lies there, in their order"
        for each in proofs:
            if set(each) != {"path", "proof"} or self.key is None:
                raise RefusedError(f"what {PROOFS} says of {each['path']} does not have the members of this version")
            earlier = verify_checkpoint(self.files[each["path"]], self.key)
            if each["path"] != checkpoint_path(earlier.size):
                raise RefusedError(f"{each['path']} is not named as a checkpoint of {earlier.size} entries is")
            self.sizes[each["path"]] = earlier.size
            nodes = [decode_base64(node, 32) for node in each["proof"]]
            verify_consistency(earlier.size, self.tree.size, nodes, earlier.root, self.tree.root)
            self.bound.add(each["path"])
            self._cosigned(each["path"], earlier)
            self.report.checked.append(f"{each['path']}, {earlier.size} entries, is a prefix of the same log")

    def _cosigned(self, path: str, checkpoint: Checkpoint) -> None:
        if checkpoint.others:
            what = f"{checkpoint.others} signatures by other keys under {path}, and whether there were more"
            self.report.not_checked.append((what, "governance ledger witness, or any reader of C2SP cosignatures"))

    def _time_stamps(self) -> Iterator[str]:
        """Each time-stamp holds the digest of a checkpoint of this pack. Who signed it, and when, is not looked at here."""
        notes = {path: self.files[path] for path in self.sizes}
        for path in sorted(path for path in self.files if path.startswith(TIMESTAMPS)):
            stamped = stamped_checkpoint(self.files[path], notes)
            if stamped is None:
                yield f"{path} is no time-stamp of a checkpoint in this pack"
                continue
            if path != time_stamp_path(self.sizes[stamped]):
                yield f"{path} is not named as a time-stamp of {self.sizes[stamped]} entries is"
                continue
            command = f"openssl ts -verify -data {shlex.quote(stamped)} -in {shlex.quote(path)} -CAfile TSA-ROOTS.pem"
            self.report.not_checked.append((f"who time-stamped {stamped}, and when ({path})", command))

    def _bound(self) -> Iterator[str]:
        """Which files follow from what the log's key signed; pack.json must say the same."""
        for listed in self.index["files"]:
            path = listed["path"]
            is_listed_only = path in LISTED_ONLY or path.startswith(TIMESTAMPS)
            if path == LOG_KEY and self.given is None:
                self.report.unbound.append(path)
                continue
            if is_listed_only:
                self.report.unbound.append(path)
            elif path not in self.bound and not self.report.problems:
                yield f"{path} is no file that a pack of this version holds"
            if listed["bound"] != ("listed" if is_listed_only else "log"):
                yield f"{INDEX} says of {path} that it is bound otherwise than it is"

    def _say(self) -> Iterator[str]:
        """Sums, and what nobody can check with the standard library alone, with how to check it."""
        documents = sum(path.startswith(DOCUMENTS) for path in self.bound)
        self.report.checked.append(f"{documents} documents are those that entries commit to by digest")
        self.report.checked.append(f"{self.opened} personal fields are the values that entries commit to")
        if self.approved:
            self.report.checked.append(f"{self.approved} approvals by people stand before what they allowed")
        report, index = self.report, self.index
        asset = next((p for p in self.files if p.startswith(ASSET) and f"{p}.receipt.json" in self.files), "FILE")
        how = f"governance verify {shlex.quote(asset)} --root C2PA-ROOTS.pem --log-key KEY, or any other C2PA reader"
        report.not_checked.insert(0, ("the C2PA signature in the released file, its metadata and its watermark", how))
        generation = self.entries[index["entry"]].value["subject"]
        how = f"ask an auditor, who may read all entries of the log: governance ledger show {shlex.quote(generation)}"
        report.not_checked.append(("whether that log holds more entries about this release than the pack shows", how))
        how = "compare with checkpoints that others keep: a later one must be consistent with this pack's"
        report.not_checked.append((f"whether the log says more by now than its first {self.tree.size} entries", how))
        self._cosigned(CHECKPOINT, self.tree)
        report.unbound.append(INDEX)
        report.withheld += [f"{each['what']}: {each['why']} (as {INDEX} says)" for each in index["missing"]]
        if index["asked"]["how"] == "picture":
            report.withheld.append(
                "the file that was asked about: a picture that looks like the released one, in other bytes. "
                "This pack proves nothing about those bytes"
            )
        yield from ()


SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "audio/wav": ".wav",
}


def erases(entry: Entry, of: str, name: str) -> bool:
    """Whether `entry` is one that erased `name` beside the entry with the id `of`."""
    return entry.value["kind"] == "erased" and name in entry.body["parts"].get(of, ())


def committed_documents(body: Mapping[str, Any]) -> list[str]:
    """The digests of the documents that the body of an entry commits to: policy input, model, call."""
    decision = body.get("decision")
    found = [decision["input"]] if decision else []
    return [*found, *(body[name] for name in ("model", "call") if name in body)]


def commitments_in(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Each commitment in a policy input, with the JSON pointer (RFC 6901) to its place: the name of its field."""
    if isinstance(value, dict):
        if set(value) == {"commitment"} and _HEX_DIGEST.fullmatch(str(value["commitment"])):
            yield pointer, value["commitment"]
            return
        for name, member in value.items():
            yield from commitments_in(member, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from commitments_in(member, f"{pointer}/{position}")


def release_problems(body: Mapping[str, Any]) -> Iterator[str]:
    """What is missing in the body of a `released` entry for a release that went down the whole line."""
    if body["version"] != 1 or "intent" not in body or not body["findings"]:
        yield "it names no intent or no findings, or is of another version"
    if body["decision"]["stage"] != "release":
        yield "its decision is not one on a finished picture"
    honoured, media = body["honoured"], body.get("media", "image")
    if media != body["asset"]["media_type"].partition("/")[0]:
        yield "it names media of one kind and a file of another"
    dropped = honoured.get("watermark") is False and (honoured.get("visible_label") or media == "audio")
    if body["watermark"] is None and not dropped:
        yield "it carries no watermark, and no decision dropped that"


def bundle_revision(bundle: Mapping[str, bytes]) -> str:
    """The revision of a bundle by its files, `.manifest` canonical and without its own revision: as a pack holds it."""
    paths = sorted(bundle, key=str.encode)
    return sha256(canonical_bytes([[path, sha256(bundle[path])] for path in paths]))


def checkpoint_path(size: int) -> str:
    """Where a published checkpoint of `size` entries lies in a pack."""
    return f"{CHECKPOINTS}{size:012d}.txt"


def time_stamp_path(size: int) -> str:
    """Where the time-stamp of a checkpoint of `size` entries lies in a pack."""
    return f"{TIMESTAMPS}{size:012d}.tsr"


def stamped_checkpoint(token: bytes, notes: Mapping[str, bytes]) -> str | None:
    """The path of the checkpoint whose SHA-256 an RFC 3161 time-stamp holds; None where it holds none of them."""
    return next((path for path in sorted(notes) if hashlib.sha256(notes[path]).digest() in token), None)


def _is_canonical(content: bytes) -> bool:
    return canonical_bytes(read_json(content)) == content


# ---- the command -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Verify an evidence pack. Nothing is fetched.")
    parser.add_argument("pack", nargs="?", default=".", help="the ZIP file, or the folder it was extracted to")
    parser.add_argument("--key", help="the log's public key NAME+ID+BASE64, or a file of it, obtained elsewhere")
    parser.add_argument("--file", help="a file that the pack shall be about, byte for byte")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    asked = parser.parse_args(arguments)
    try:
        key = None if asked.key is None else _given_key(asked.key)
        content = None if asked.file is None else Path(asked.file).read_bytes()
        report = _report(Path(asked.pack), key, content)
    except (NothingToCheckError, OSError) as error:
        sys.stderr.write(f"verify.py: {error}\n")
        return EXIT_NOTHING
    text = json.dumps(report.as_json(), indent=1, ensure_ascii=False) if asked.json else "\n".join(report.lines())
    sys.stdout.buffer.write(f"{text}\n".encode(errors="backslashreplace"))
    return EXIT_CODES[report.verdict]


def _report(path: Path, key: LogKey | None, asked: bytes | None) -> Report:
    try:
        return verify_pack(read_pack(path), key, asked)
    except RefusedError as error:
        return Report(problems=[str(error)], key_given=key is not None)


def _given_key(text: str) -> LogKey:
    try:
        return LogKey.parse(Path(text).read_text(encoding="utf-8") if os.path.isfile(text) else text)  # noqa: PTH113
    except (RefusedError, UnicodeDecodeError) as error:
        raise NothingToCheckError(f"--key: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
