"""The parts of `verify.py`, against the core's own code and other implementations: JSON, notes, trees, archives, images."""

from __future__ import annotations

import ast
import base64
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import canonical, checkpoint, merkle
from governance.checkpoint import LogKey, LogSigner
from governance.errors import ProofError
from governance.evidence import verify
from governance.evidence.verify import RefusedError

SIGNER = LogSigner.generate("log.example.org/test")
NOTE = SIGNER.sign_checkpoint(7, merkle.leaf_hash(b"root"))
KEY = verify.LogKey.parse(str(SIGNER.key))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def test_it_needs_the_standard_library_alone():
    imported = set()
    for node in ast.walk(ast.parse(Path(verify.__file__).read_bytes())):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported - {"__future__"} <= sys.stdlib_module_names
    run = [sys.executable, "-I", "-S", verify.__file__, "--help"]
    assert subprocess.run(run, capture_output=True, check=True, cwd="/").stdout.startswith(b"usage: verify.py")


@given(values)
def test_canonical_bytes_are_those_of_another_implementation(value):
    content = verify.canonical_bytes(value)
    assert content == rfc8785.dumps(value)
    assert verify.read_canonical(content) == value


def test_keys_are_sorted_by_utf_16_code_units():
    # A character beyond the basic plane is written as surrogates, which sort below U+FB33.
    assert verify.canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "content",
    [b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"1e3", b"-0", b"9007199254740992", b"NaN", b'"\\u0041"',
     b'"\\ud800"', b"\xff", b"", b"[" * 100_000],
)  # fmt: skip
def test_what_is_not_canonical_is_refused(content):
    with pytest.raises((RefusedError, UnicodeEncodeError)):
        verify.read_canonical(content)


@given(texts.filter(lambda name: "\0" not in name), values, st.binary(min_size=32, max_size=32))
def test_commitments_are_those_of_the_record(name, value, salt):
    assert verify.commitment(name, salt, value) == canonical.commitment(name, value, salt)


def test_keys_and_checkpoints_of_the_log_are_read():
    assert str(KEY) == str(SIGNER.key)
    found = verify.verify_checkpoint(NOTE.encode(), KEY)
    assert (found.size, found.root, found.others) == (7, merkle.leaf_hash(b"root"), 0)
    witnessed = NOTE + "\u2014 witness.example.org " + base64.b64encode(b"some" + bytes(72)).decode() + "\n"
    assert verify.verify_checkpoint(witnessed.encode(), KEY).others == 1


@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_altered_character_of_a_checkpoint_survives(position, character):
    altered = NOTE[:position] + character + NOTE[position + 1 :]
    if altered != NOTE:
        with pytest.raises(RefusedError):
            verify.verify_checkpoint(altered.encode(), KEY)


@pytest.mark.parametrize("other", [LogSigner.generate("log.example.org/test"), LogSigner.generate("other.example.org")])
def test_a_checkpoint_under_another_key_is_refused(other):
    with pytest.raises(RefusedError, match=r"wrong key|and the key is one of"):
        verify.verify_checkpoint(NOTE.encode(), verify.LogKey.parse(str(other.key)))


@pytest.mark.parametrize("spoil", [lambda k: k[:-2], lambda k: k.replace("+", "", 1), lambda k: "x" + k, lambda _: ""])
def test_what_is_no_key_is_refused(spoil):
    with pytest.raises(RefusedError):
        verify.LogKey.parse(spoil(str(SIGNER.key)))


def test_a_key_of_another_name_is_another_key():
    assert LogKey("log.example.org/test", KEY.public).id == KEY.id
    assert checkpoint.LogKey("log.example.org/other", KEY.public).id != KEY.id


def tree_of(size):
    tree = merkle.Tree(0, lambda level, number: b"")
    tree.extend(merkle.leaf_hash(str(number).encode()) for number in range(size))
    return tree


TREE = tree_of(70)


@given(st.integers(1, 70), st.data())
def test_inclusion_is_verified_as_the_core_does(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaf, proof = merkle.leaf_hash(str(index).encode()), list(TREE.inclusion_proof(index, size))
    verify.verify_inclusion(leaf, index, size, proof, TREE.root(size))
    claims = [(index, size, proof[:-1]), (index, size, [*proof, leaf]), (index + 1, size, proof), (size, size, proof)]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        claims.append((index, size, [*proof[:place], merkle.leaf_hash(b"other"), *proof[place + 1 :]]))
    for claim in claims if size > 1 else claims[1:]:
        with pytest.raises(RefusedError):
            verify.verify_inclusion(leaf, *claim, TREE.root(size))
        with pytest.raises(ProofError):
            merkle.verify_inclusion(leaf, *claim, TREE.root(size))


@given(st.integers(1, 70), st.data())
def test_consistency_is_verified_as_the_core_does(size, data):
    old = data.draw(st.integers(1, size))
    proof, roots = list(TREE.consistency_proof(old, size)), (TREE.root(old), TREE.root(size))
    verify.verify_consistency(old, size, proof, *roots)
    claims = [(old, size, [*proof, roots[0]], *roots), (old, size, proof, roots[0], merkle.leaf_hash(b"other"))]
    claims += [
        (old, size, proof, merkle.leaf_hash(b"other"), roots[1]),
        (size + 1, size, proof, *roots),
        (0, size, proof, *roots),
    ]
    claims += [(old, size, proof[:-1], *roots)] if proof else []
    for claim in claims:
        with pytest.raises(RefusedError):
            verify.verify_consistency(*claim)


files = st.dictionaries(st.text("abc/.-", min_size=1, max_size=8), st.binary(max_size=20), min_size=1, max_size=4)


@settings(deadline=None)
@given(files, st.data())
def test_an_archive_is_its_files_and_nothing_else(tmp_path_factory, files, data):
    content = verify.archive(files)
    assert content == verify.archive(dict(reversed(files.items())))
    path = tmp_path_factory.mktemp("archive") / "pack.zip"
    path.write_bytes(content)
    assert verify.read_pack(path) == files
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        read = verify.read_pack(path)
    except RefusedError:
        return
    assert read != files  # another file or another name, which the index then does not know


def segment(kind, data):
    return bytes([0xFF, kind]) + (len(data) + 2).to_bytes(2, "big") + data


def box(number, sequence, data):
    return segment(0xEB, b"JP" + number.to_bytes(2, "big") + sequence.to_bytes(4, "big") + data)


def test_a_manifest_store_is_found_in_each_kind_of_file():
    store = (40).to_bytes(4, "big") + b"jumb" + b"\0\0\0\x1ejumdc2pa" + b"rest of the store"
    head, tail = store[:20], store[20:]
    jpeg = b"\xff\xd8" + segment(0xE0, b"JFIF") + box(1, 1, head) + box(1, 2, store[:8] + tail) + b"\xff\xda...."
    assert verify.embedded_manifest(jpeg) == store
    chunk = len(store).to_bytes(4, "big") + b"caBX" + store + b"crc!"
    assert verify.embedded_manifest(b"\x89PNG\r\n\x1a\n" + chunk) == store
    riff = b"C2PA" + len(store).to_bytes(4, "little") + store + b"\0" * (len(store) % 2)
    assert verify.embedded_manifest(b"RIFF" + bytes(4) + b"WEBP" + riff) == store
    with pytest.raises(RefusedError, match="several"):
        verify.embedded_manifest(b"\x89PNG\r\n\x1a\n" + chunk + chunk)


def test_without_a_manifest_there_is_none():
    other = b"\xff\xd8" + box(1, 1, b"\0\0\0\x10jumb\0\0\0\x08other") + b"\xff\xda"
    for content in (b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", other, b"something else", b""):
        assert verify.embedded_manifest(content) is None
