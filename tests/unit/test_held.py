"""What waits in quarantine: packed into one object, and read back as it was."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.codecs import Codecs
from governance.errors import StorageError
from governance.held import MAX_INPUTS, HeldDraft, HeldInput
from governance.testing import FakeEncoder, example_picture
from governance.testing.media import FakeClipEncoder, FakeSoundEncoder
from governance.types import InputImage

texts = st.text(st.characters(codec="utf-8"), max_size=40)
inputs = st.builds(HeldInput, texts, st.binary(max_size=200), texts, st.booleans())
ENCODER = FakeEncoder()
CODECS = Codecs(ENCODER, FakeClipEncoder(), FakeSoundEncoder())


@given(st.binary(max_size=500), st.lists(inputs, max_size=4))
def test_what_is_packed_unpacks(content, files):
    held = HeldDraft(content, tuple(files))
    assert HeldDraft.unpack(held.pack()) == held
    assert held.pack() == held.pack()


@given(st.binary(max_size=300).filter(lambda content: not content.startswith(b"PK")))
def test_what_is_no_archive_is_a_draft_alone(content):
    assert HeldDraft.unpack(content) == HeldDraft(content)


@given(st.data())
def test_a_changed_archive_is_itself_or_an_error(data):
    packed = bytearray(HeldDraft(b"draft" * 9, (HeldInput("image", b"input", "image/png"),)).pack())
    place = data.draw(st.integers(2, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    for changed in (bytes(packed), bytes(packed[:place])):
        try:
            assert isinstance(HeldDraft.unpack(changed), HeldDraft)
        except StorageError:
            continue


def test_images_come_back_with_their_files_or_without():
    draft, file, bare = (example_picture(16, 24, seed) for seed in (1, 2, 3))
    content = ENCODER.encode(file, "image/png")
    given_images = (InputImage("image", file, content, "image/png"), InputImage("mask", bare))
    held = HeldDraft.unpack(HeldDraft.of(CODECS, draft, given_images).pack())
    assert (ENCODER.decode(held.content) == draft).all()
    for one, other in zip(held.images(ENCODER), given_images, strict=True):
        assert (one.parameter, one.content, one.media_type) == (other.parameter, other.content, other.media_type)
        assert (one.pixels == other.pixels).all()


def test_sizes_are_bounded():
    one = HeldInput("image", b"", "image/png")
    HeldDraft(b"", (one,) * MAX_INPUTS).pack()
    with pytest.raises(StorageError, match="too large"):
        HeldDraft(b"", (one,) * (MAX_INPUTS + 1)).pack()
    with pytest.raises(StorageError):
        HeldDraft(b"", (HeldInput("\ud800", b"", "image/png"),)).pack()


def archive(*members, compression=zipfile.ZIP_STORED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as target:
        for name, content in members:
            target.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    "sealed",
    [
        b"PK",
        archive(),
        archive(("draft", b"")),
        archive(("index.json", b'{"version":2,"inputs":[]}'), ("draft", b"")),
        archive(("index.json", b'{"version":1,"inputs":[]}')),
        archive(("index.json", b'{"version":1,"inputs":[{}]}'), ("draft", b"")),
        archive(("index.json", b'{"version":1,"inputs":[]}'), ("draft", b""), ("../more", b"")),
        archive(("index.json", b"[]"), ("draft", b"")),
        archive(("index.json", b"[" * 100_000), ("draft", b"")),
        archive(
            ("index.json", b'{"version":1,"inputs":[]}'), ("draft", bytes(10**7)), compression=zipfile.ZIP_DEFLATED
        ),
    ],
)
def test_other_archives_are_refused(sealed):
    with pytest.raises(StorageError, match="cannot be read"):
        HeldDraft.unpack(sealed)
