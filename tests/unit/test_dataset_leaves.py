"""What stands in a leaf: every field of every record of a content, personal ones as commitments that open one by one."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import fields, replace

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import canonical_bytes, commitment, digest
from governance.datasets.leaves import (
    LEAF_BYTES,
    SaltKey,
    committed_record,
    content_bytes,
    disclosed,
    in_order,
    leaf_of,
    records_digest,
)
from governance.datasets.records import PERSONAL, Basis, Consent, DatasetRecord, OptOut, Problem, SourceKind
from governance.errors import DatasetError
from governance.types import Outcome

SALTS = SaltKey(b"\x07" * 32, "cats")
CONTENT = digest(b"a cat")
RECORD = DatasetRecord(
    id="cat-1",
    content=CONTENT,
    basis=Basis.COMPUTED,
    location="images/cat.png",
    media_type="image/png",
    width=64,
    height=48,
    size=1234,
    caption="Ada and her cat",
    licence="CC-BY-4.0",
    licence_stated="cc by 4",
    source="https://example.org/ada/cat.png",
    domain="example.org",
    source_kind=SourceKind.USER,
    owner="ada@example.org",
    contract="example-house",
    consent=Consent.GIVEN,
    collected="2026-01-02T03:04:05Z",
    opt_outs=(OptOut.ROBOTS,),
    nsfw=3,
    personal=("exif_gps",),
    similar=41,
    work="0190-work",
    work_action="review",
    near_duplicate=digest(b"another cat"),
    problems=(Problem.BAD_URL,),
    outcome=Outcome.REVIEW,
    reasons=("training.personal",),
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def leaf(*records, salts=SALTS):
    return leaf_of(CONTENT, [committed_record(record, salts) for record in records])


def test_a_leaf_is_what_the_documents_say_it_is():
    """Computed here with nothing but hashlib, hmac, json and a canonical encoder."""
    said = {field.name: getattr(RECORD, field.name) for field in fields(RECORD)}
    del said["location"]
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    for name in ("caption", "owner", "source"):
        message = rfc8785.dumps(["dataset-salt/v1", "cats", CONTENT, "cat-1", name, said[name]])
        salt = hmac.new(b"\x07" * 32, message, hashlib.sha256).digest()
        prefix = b"diffusion-governance/field/v1\0/" + name.encode() + b"\0"
        said[name] = {"commitment": hashlib.sha256(prefix + salt + rfc8785.dumps(said[name])).hexdigest()}
    records = hashlib.sha256(rfc8785.dumps([json.loads(json.dumps(said))])).digest()
    assert leaf(RECORD) == bytes.fromhex(CONTENT) + records
    assert len(leaf(RECORD)) == LEAF_BYTES


@pytest.mark.parametrize("field", [field.name for field in fields(DatasetRecord) if field.name != "content"])
def test_every_field_but_the_location_changes_the_leaf(field):
    value = getattr(RECORD, field)
    other = (
        (*value, "more")
        if isinstance(value, tuple)
        else value + 1
        if isinstance(value, int)
        else next(each for each in type(value) if each is not value)
        if hasattr(type(value), "__members__")
        else value + "x"
    )
    changed = leaf(replace(RECORD, **{field: other}))
    assert (changed == leaf(RECORD)) is (field == "location")


def test_the_order_in_which_records_are_given_does_not_matter():
    twins = [replace(RECORD, caption=caption) for caption in ("one", "two")]
    records = [replace(RECORD, id="b"), *twins, replace(RECORD, id="é"), replace(RECORD, id="")]
    assert leaf(*records) == leaf(*reversed(records))
    committed = [committed_record(record, SALTS) for record in records]
    assert [record["id"] for record in in_order(committed)] == ["", "b", "cat-1", "cat-1", "é"]


def test_no_leaf_has_no_record_or_that_of_another_content():
    with pytest.raises(DatasetError, match="needs a record"):
        leaf_of(CONTENT, [])
    with pytest.raises(DatasetError, match="not of the content"):
        leaf(RECORD, replace(RECORD, content=digest(b"a dog")))
    with pytest.raises(DatasetError, match="not of the content"):
        records_digest(CONTENT, [{}])


@pytest.mark.parametrize(
    "content", ["", "ab", CONTENT.upper(), CONTENT + "00", CONTENT[:-1] + "g", CONTENT + "\n", None]
)
def test_nothing_but_a_digest_is_a_content(content):
    with pytest.raises(DatasetError, match="SHA-256"):
        content_bytes(content)


def test_nothing_personal_stands_in_a_committed_record():
    committed = canonical_bytes(committed_record(RECORD, SALTS)).decode()
    for name in PERSONAL:
        assert getattr(RECORD, name) not in committed
    assert RECORD.location not in committed


@settings(max_examples=50, deadline=None)
@given(value=TEXT, other=TEXT, name=st.sampled_from(PERSONAL))
def test_a_commitment_opens_with_its_salt_and_no_other_value(value, other, name):
    record = replace(RECORD, **{name: value})
    opened = disclosed(record, name, SALTS)
    committed = committed_record(record, SALTS)[name]["commitment"]
    assert opened.commitment() == committed == commitment(f"/{name}", value, opened.salt)
    if other != value:
        assert commitment(f"/{name}", other, opened.salt) != committed


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT), min_size=2, max_size=6, unique=True))
def test_no_two_fields_share_a_salt(fields_of):
    """However the parts are cut: "ab" and "c" are not "a" and "bc"."""
    salts = [
        SaltKey(bytes(32), dataset).salt(content, record, name, value)
        for dataset, content, record, name, value in fields_of
    ]
    assert len(set(salts)) == len(salts)


def test_another_key_or_dataset_commits_to_something_else():
    others = [SaltKey(b"\x08" * 32, "cats"), SaltKey(b"\x07" * 32, "dogs")]
    assert len({leaf(RECORD, salts=salts) for salts in (SALTS, *others)}) == 3
    assert SaltKey.generate("cats") != SaltKey.generate("cats")
    assert "secret" not in repr(SALTS)


def test_a_short_key_and_a_field_that_is_not_personal_are_refused():
    with pytest.raises(DatasetError, match="31 bytes"):
        SaltKey(bytes(31), "cats")
    with pytest.raises(DatasetError, match="no personal field"):
        disclosed(RECORD, "licence", SALTS)
