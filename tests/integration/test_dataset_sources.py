"""The forms in which datasets lie there: what each states is read, part by part, and what is wrong with one is said."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import DatasetChangedError, DatasetError
from governance_adapters.datasets.sources import lines, parquet_rows
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.datasets.sources.raw import MAX_TEXT
from governance_adapters.datasets.sources.source import RAW_COLUMNS, SourceForm, raw_schema
from support.planted import image_file, picture

DIGEST = hashlib.sha256(b"x").hexdigest()


def records(source):
    """All records of a source, its parts read in another order and after a journey."""
    parts = source.parts()
    source, parts = pickle.loads(pickle.dumps((source, parts)))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert [part.first for part in parts] == [sum(each.rows for each in parts[:place]) for place in range(len(parts))]
    read = {}
    for part in random.Random(7).sample(parts, len(parts)):
        table = source.read(part)
        assert table.schema == raw_schema()
        assert table.num_rows == part.rows
        table.validate(full=True)
        read[part.number] = table.to_pylist()
    return [row for number in sorted(read) for row in read[number]]


def stated(row):
    """What a record states, without what it leaves open."""
    return {name: value for name, value in row.items() if value not in ("", "unknown", [])}


def one(path, content, **options):
    path.write_bytes(content)
    return [stated(row) for row in records(open_source(str(path), **options))]


FULL = {
    "id": "one",
    "file_name": "a.png",
    "sha256": DIGEST,
    "caption": "a caption",
    "license": "MIT",
    "url": "https://example.org/a",
    "source_kind": "licensed",
    "author": "Example house",
    "contract": "c-1",
    "consent": "given",
    "date": "2024-01-02T03:04:05Z",
    "synthetic": "no",
    "mime_type": "image/png",
}
RAW = {
    "id": "one",
    "location": "a.png",
    "content_stated": DIGEST,
    "caption": "a caption",
    "licence_stated": "MIT",
    "source": "https://example.org/a",
    "source_kind": "licensed",
    "owner": "Example house",
    "contract": "c-1",
    "consent": "given",
    "collected": "2024-01-02T03:04:05Z",
    "synthetic_stated": "no",
    "media_type": "image/png",
}


def as_csv(rows):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows, **options):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows) if isinstance(rows, list) else rows, file, **options)
    return file.getvalue()


TABLES = {"a.csv": as_csv, "a.jsonl": as_jsonl, "a.parquet": as_parquet}


@pytest.mark.parametrize("name", TABLES)
def test_every_field_is_read_from_every_table(tmp_path, name):
    (tmp_path / name).write_bytes(TABLES[name]([FULL | {"width": "3"}]))
    source = open_source(str(tmp_path / name))
    assert source.kind.value == {"a.csv": "csv", "a.jsonl": "jsonl", "a.parquet": "parquet"}[name]
    assert (source.root, source.pictures, source.ignored) == (str(tmp_path), True, ("width",))
    assert [stated(row) for row in records(source)] == [RAW]
    assert tuple(records(source)[0]) == RAW_COLUMNS


@pytest.mark.parametrize("name", TABLES)
def test_missing_columns_leave_texts_empty_and_ids_are_made(tmp_path, name):
    (tmp_path / name).write_bytes(TABLES[name]([{"caption": "a"}, {"caption": "b"}]))
    source = open_source(str(tmp_path / name), defaults={"licence": "CC0-1.0", "source_kind": "own"})
    common = {"licence_stated": "CC0-1.0", "source_kind": "own"}
    assert not source.pictures
    assert [stated(row) for row in records(source)] == [
        {"id": f"{name}:0", "caption": "a", **common},
        {"id": f"{name}:1", "caption": "b", **common},
    ]
    assert records(source)[0]["consent"] == records(source)[0]["synthetic_stated"] == "unknown"


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_named_by_whoever_audits(tmp_path, name):
    (tmp_path / name).write_bytes(TABLES[name]([{"nr": "7", "id": "x", "rights": "MIT"}]))
    chosen = {"id": "nr", "licence": "rights"}
    assert stated(records(open_source(str(tmp_path / name), columns=chosen))[0]) == {"id": "7", "licence_stated": "MIT"}
    with pytest.raises(DatasetError, match="no column 'right'"):
        open_source(str(tmp_path / name), columns={"licence": "right"})


@pytest.mark.parametrize("name", TABLES)
def test_values_that_no_record_can_have_are_findings(tmp_path, name):
    rows = [
        {"id": "a", "consent": "maybe", "source_kind": "own", "sha256": DIGEST},
        {"id": "b", "consent": "GIVEN", "source_kind": "stolen", "sha256": DIGEST.upper()},
        {"id": "c", "consent": "refused", "source_kind": "own", "sha256": "12"},
        {"id": "d", "consent": "refused", "source_kind": " own ", "sha256": f"sha256:{DIGEST}"},
        {"id": "", "consent": "", "source_kind": "", "sha256": ""},
    ]
    found = one(tmp_path / name, TABLES[name](rows))
    bad = {"problems": ["bad_value"]}
    assert found == [
        {"id": "a", "source_kind": "own", "content_stated": DIGEST, **bad},
        {"id": "b", "consent": "given", "content_stated": DIGEST, **bad},
        {"id": "c", "consent": "refused", "source_kind": "own", **bad},
        {"id": "d", "consent": "refused", "source_kind": "own", "content_stated": DIGEST},
        {"id": f"{name}:4", **bad},
    ]


@pytest.mark.parametrize("name", TABLES)
def test_a_text_without_end_is_cut_and_says_so(tmp_path, name):
    rows = [{"id": "a", "caption": "é" * MAX_TEXT}, {"id": "b", "caption": "short"}]
    first, second = one(tmp_path / name, TABLES[name](rows))
    assert first == {"id": "a", "caption": "é" * (MAX_TEXT // 2), "problems": ["bad_value"]}
    assert second == {"id": "b", "caption": "short"}


def test_mixed_types_in_json_are_findings_of_their_records(tmp_path):
    rows = [
        {"id": 7, "caption": "fine", "consent": True, "synthetic": False},
        {"id": "b", "caption": 5, "owner": 12},
        {"id": "c", "caption": ["a", "b"]},
        {"id": {"x": 1}, "caption": None},
        {"id": "e", "caption": float("nan"), "license": {"name": "MIT"}},
        {"id": "f", "caption": True},
    ]
    bad = {"problems": ["bad_value"]}
    assert one(tmp_path / "a.jsonl", as_jsonl(rows)) == [
        {"id": "7", "caption": "fine", "consent": "given", "synthetic_stated": "no"},
        {"id": "b", "owner": "12", **bad},
        {"id": "c", **bad},
        {"id": "a.jsonl:3", **bad},
        {"id": "e", **bad},
        {"id": "f", **bad},
    ]


def test_columns_of_other_types_in_parquet_are_findings(tmp_path):
    table = pa.table(
        {
            "id": pa.array([1, 2, None], pa.int32()),
            "caption": pa.array([1.5, None, 2.5]),
            "license": pa.array(["MIT", None, "MIT"]).dictionary_encode(),
            "owner": pa.array([["a"], None, ["b"]]),
            "consent": pa.array([True, False, None]),
            "contract": pa.nulls(3),
            "url": pa.array(["u", None, "w"], pa.large_string()),
            "collected": pa.array([0, -1_500, None], pa.timestamp("ms", "Europe/Berlin")),
        }
    )
    assert one(tmp_path / "a.parquet", as_parquet(table)) == [
        {
            "id": "1",
            "licence_stated": "MIT",
            "consent": "given",
            "source": "u",
            "collected": "1970-01-01T00:00:00Z",
            "problems": ["bad_value"],
        },
        {"id": "2", "consent": "refused", "collected": "1969-12-31T23:59:59Z"},
        {"id": "a.parquet:2", "licence_stated": "MIT", "source": "w", "problems": ["bad_value"]},
    ]


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("ns"), pa.timestamp("s", "UTC")])
def test_times_of_every_type_are_rfc_3339(tmp_path, kind):
    table = pa.table({"id": ["a"], "date": pa.array([1_000_000], pa.int64()).cast(pa.timestamp("s")).cast(kind)})
    expected = "1970-01-12T00:00:00Z" if kind == pa.date32() else "1970-01-12T13:46:40Z"
    assert one(tmp_path / "a.parquet", as_parquet(table))[0]["collected"] == expected


def test_texts_that_are_no_utf_8_are_findings_and_their_neighbours_are_not(tmp_path):
    held = pa.array([b"fine", b"caf\xe9", None]).cast(pa.binary())
    wrong = pa.Array.from_buffers(pa.string(), 3, held.buffers())
    found = one(tmp_path / "a.parquet", as_parquet(pa.table({"id": ["a", "b", "c"], "caption": wrong})))
    replaced = {"id": "b", "caption": "caf\N{REPLACEMENT CHARACTER}", "problems": ["bad_value"]}
    assert found == [{"id": "a", "caption": "fine"}, replaced, {"id": "c"}]
    assert one(tmp_path / "a.csv", b"id,caption\na,fine\nb,caf\xe9\nc,\n") == [
        {"id": "a", "caption": "fine"},
        replaced,
        {"id": "c"},
    ]
    lone = one(tmp_path / "a.jsonl", b'{"id":"a","caption":"\\ud800"}\n{"id":"b","caption":"fine"}\n')
    assert [each.get("problems") for each in lone] == [["bad_value"], None]


def test_names_that_are_no_utf_8_are_quoted_in_locations(tmp_path):
    name = os.fsdecode(b"caf\xe9#%.png")
    (tmp_path / name).write_bytes(image_file(picture(1)))
    for file, content in (
        ("a.csv", b"id,file_name\n1,caf\xe9#%.png\n"),
        ("b.csv", b'id,file_name\n1,"caf\xe9#%.png"\n'),
    ):
        (tmp_path / file).write_bytes(content)
        source = open_source(str(tmp_path / file))
        (row,) = records(source)
        assert (row["location"], row["problems"]) == ("caf%E9%23%25.png", [])
        assert source.read_bytes(row["location"]) == image_file(picture(1))


CSV_PROBLEMS = {
    "too few": b"id,caption,owner\na,x,y\nb,x\nc,x,y\n",
    "too many": b"id,caption,owner\na,x,y\nb,x,,z\nc,x,y\n",
    "a quote inside": b'id,caption,owner\na,x,y\nb,5" nail\nc,x,y\n',
    "an empty line": b"id,caption,owner\na,x,y\n\nc,x,y\n",
}


@pytest.mark.parametrize("which", CSV_PROBLEMS)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_csv_records_that_do_not_fit_their_head(tmp_path, which, rows):
    found = one(tmp_path / "a.csv", CSV_PROBLEMS[which], rows=rows)
    assert [each["id"] for each in found][::2] == ["a", "c"]
    assert [each.get("problems") for each in found] == [None, ["bad_value"], None]


def test_csv_with_byte_order_mark_crlf_and_empty_lines_at_its_end(tmp_path):
    found = one(tmp_path / "a.csv", b'\xef\xbb\xbfid,caption\r\na,"x\r\ny"\r\nb,z\r\n\r\n \n')
    assert found == [{"id": "a", "caption": "x\r\ny"}, {"id": "b", "caption": "z"}]
    assert one(tmp_path / "a.tsv", b"id\tcaption\na\tx, y\n") == [{"id": "a", "caption": "x, y"}]
    assert one(tmp_path / "b.csv", b"id,caption\na,x") == [{"id": "a", "caption": "x"}]
    assert one(tmp_path / "c.csv", b"id,caption\n") == []


def test_broken_csv_files_are_errors(tmp_path):
    for content, why in ((b"", "is empty"), (b"id,id\n1,2\n", "two columns 'id'")):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(DatasetError, match=why):
            open_source(str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_bytes(b'id,caption\na,"never closed\n' + b"x" * (lines.MAX_LINE + 1))
    with pytest.raises(DatasetError, match="more than 16777216 bytes at byte 11"):
        open_source(str(tmp_path / "a.csv")).parts()
    (tmp_path / "a.csv").write_bytes(b'id,caption\na,"x"\nb,y\rz\n')
    with pytest.raises(DatasetError, match="no CSV file"):
        open_source(str(tmp_path / "a.csv")).parts()


def test_lines_that_are_no_objects_are_findings(tmp_path):
    content = b'\xef\xbb\xbf{"id":"a"}\n{"id":\n[1]\n\n"text"\n{"id":"b"}\r\n' + b"[" * 100_000 + b'\n{"id":"c"}\n\n\n'
    found = one(tmp_path / "a.jsonl", content)
    assert [each["id"] for each in found] == ["a", *(f"a.jsonl:{line}" for line in (1, 2, 3, 4)), "b", "a.jsonl:6", "c"]
    assert [each.get("problems") for each in found] == [None, *[["bad_value"]] * 4, None, ["bad_value"], None]


def test_a_line_without_end_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"id":"a"}\n{"caption":"' + b"x" * (lines.MAX_LINE + 1))
    with pytest.raises(DatasetError, match="more than 16777216 bytes at byte 11"):
        open_source(str(tmp_path / "a.jsonl")).parts()
    (tmp_path / "a.jsonl").write_bytes(b"not json\n")
    with pytest.raises(DatasetError, match="no JSON object"):
        open_source(str(tmp_path / "a.jsonl"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"id": TEXTS, "caption": TEXTS, "owner": TEXTS}), min_size=1, max_size=25),
    st.integers(1, 7),
)
def test_the_same_rows_in_every_form_and_in_parts_of_any_size_are_the_same_records(tmp_path_factory, rows, size):
    folder = tmp_path_factory.mktemp("same")
    found = {}
    for name, write in TABLES.items():
        options = {"row_group_size": 4} if name == "a.parquet" else {}
        (folder / name).write_bytes(write(rows, **options))
        source = open_source(str(folder / name), rows=size)
        assert all(part.rows <= size for part in source.parts())
        found[name] = [{**row, "id": row["id"].removeprefix(name)} for row in records(source)]
    assert found["a.csv"] == found["a.jsonl"] == found["a.parquet"]
    assert len(found["a.csv"]) == len(rows)
    assert [each["owner"] for each in found["a.csv"]] == [each["owner"].strip() for each in rows]


def test_parquet_images_are_values_of_their_rows(tmp_path):
    content = [image_file(picture(seed)) for seed in range(3)]
    (tmp_path / "beside.png").write_bytes(content[2])
    image = [
        {"bytes": content[0], "path": None},
        {"bytes": None, "path": "beside.png"},
        {"bytes": None, "path": "../outside.png"},
        None,
    ]
    (tmp_path / "a.parquet").write_bytes(as_parquet(pa.table({"image": image, "caption": list("abcd")})))
    source = open_source(str(tmp_path / "a.parquet"))
    rows = records(source)
    assert (source.pictures, rows[2]["location"], rows[2]["caption"]) == (True, "a.parquet#2,image", "c")
    assert [source.read_bytes(row["location"]) for row in rows[:2]] == [content[0], content[2]]
    for row, problem in ((2, "bad_value"), (3, "missing")):
        with pytest.raises(DatasetError, match=problem):
            source.read_bytes(rows[row]["location"])
    with pytest.raises(DatasetError, match="missing"):
        source.read_bytes("a.parquet#4,image")
    with pytest.raises(DatasetError, match="unreadable"):
        source.read_bytes("a.parquet#0,other")


def test_parquet_columns_of_bytes_are_images_too(tmp_path):
    (tmp_path / "a.parquet").write_bytes(as_parquet(pa.table({"img, 1": [b"one", b"two"], "id": ["x", "y"]})))
    source = open_source(str(tmp_path / "a.parquet"), columns={"location": "img, 1"})
    assert [source.read_bytes(row["location"]) for row in reversed(records(source))] == [b"two", b"one"]


def test_files_that_are_no_parquet_are_errors(tmp_path):
    whole = as_parquet([{"id": "a"}])
    for content in (b"", b"no parquet", whole[:-5], b"PAR1" + b"\0" * 20 + b"PAR1"):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(DatasetError, match=r"a\.parquet cannot be read"):
            open_source(str(tmp_path / "a.parquet"))
    (tmp_path / "a.pq").write_bytes(whole)
    with pytest.raises(DatasetError, match=r"does not end in `\.parquet`"):
        open_source(str(tmp_path / "a.pq"), form=SourceForm.PARQUET)


def test_parquet_that_breaks_in_the_middle_is_an_error_and_not_fewer_records(tmp_path):
    content = bytearray(
        as_parquet([{"id": f"{row:040}"} for row in range(200)], compression="snappy", row_group_size=100)
    )
    content[40:600] = b"\xff" * 560
    (tmp_path / "a.parquet").write_bytes(content)
    source = open_source(str(tmp_path / "a.parquet"))
    with pytest.raises(DatasetError, match="cannot be read"):
        records(source)


def test_a_huge_row_group_is_read_in_pieces(tmp_path):
    """96 MB of images in one row group: never all of it in memory, and in parts that are small."""
    big = 1 << 20
    table = pa.table({"image": [bytes([row]) * big for row in range(96)], "caption": ["x" * 100] * 96})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_batch_size=4)
    assert pq.ParquetFile(path).metadata.num_row_groups == 1
    del table
    source = open_source(str(path), rows=40)
    assert [part.rows for part in source.parts()] == [40, 40, 16]
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    most = 0
    for row in records(source):
        assert source.read_bytes(row["location"])[:1] == bytes([int(row["location"].split("#")[1].split(",")[0])])
        most = max(most, pool.bytes_allocated() - before)
    assert most < 3 * parquet_rows.BATCH_BYTES


def test_rows_of_long_texts_make_parts_of_fewer_rows(tmp_path, monkeypatch):
    rows = [{"id": str(row), "caption": str(row) * 1000} for row in range(1000, 1100)]
    for name, write in TABLES.items():
        (tmp_path / name).write_bytes(write(rows, **({"use_dictionary": False} if name == "a.parquet" else {})))
        monkeypatch.setattr(
            f"governance_adapters.datasets.sources.{'parquet' if 'q' in name else 'lines'}.PART_BYTES", 40_000
        )
        source = open_source(str(tmp_path / name))
        assert len(source.parts()) >= 10
        assert [each["id"] for each in records(source)] == [each["id"] for each in rows]


def test_several_files_are_one_dataset_in_the_order_of_their_names(tmp_path):
    for name in ("b.parquet", "a.parquet"):
        (tmp_path / name).write_bytes(as_parquet([{"id": name}]))
    (tmp_path / "c.txt").write_bytes(b"")
    for location in (tmp_path, tmp_path / "*.parquet"):
        source = open_source(str(location))
        assert (source.kind, [each["id"] for each in records(source)]) == (
            SourceForm.PARQUET,
            ["a.parquet", "b.parquet"],
        )
    only = open_source(str(tmp_path / "b*.parquet"))
    assert [each["id"] for each in records(only)] == ["b.parquet"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_changes_while_it_is_read_is_found_out(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(TABLES[name]([{"id": "a"}, {"id": "b"}]))
    source = open_source(str(path))
    before, (part,) = source.fingerprint(), source.parts()
    assert source.fingerprint() == before
    path.write_bytes(TABLES[name]([{"id": "a"}]))
    assert source.fingerprint() != before
    with pytest.raises(DatasetChangedError, match="was changed while the dataset was read"):
        source.read(part)


def test_a_fingerprint_covers_time_and_name(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id":"a"}\n')
    before = open_source(str(path)).fingerprint()
    os.utime(path, ns=(1, 1))
    after = open_source(str(path)).fingerprint()
    path.rename(tmp_path / "b.jsonl")
    assert len({before, after, open_source(str(tmp_path / "b.jsonl")).fingerprint()}) == 3
    source = open_source(str(tmp_path / "b.jsonl"))
    (tmp_path / "b.jsonl").unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        source.fingerprint()


@pytest.mark.parametrize("location", ["none", "none.parquet", "none-*.parquet", "none.json#records"])
def test_nothing_there_is_an_error(tmp_path, location):
    with pytest.raises(DatasetError, match=r"There is no dataset at|no folder"):
        open_source(str(tmp_path / location))


def test_what_nobody_can_tell_is_an_error_that_names_the_forms(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    (tmp_path / "a.json").write_text("{}")
    for location in (tmp_path, tmp_path / "a.bin", tmp_path / "a.json"):
        with pytest.raises(DatasetError, match="Nobody can tell") as caught:
            open_source(str(location))
        assert "webdataset" in caught.value.remedy
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "a.jsonl").write_text('{"id":1}\n')
    with pytest.raises(DatasetError, match="Nobody can tell"):
        open_source(str(tmp_path))
    assert open_source(str(tmp_path), form=SourceForm.CSV).kind is SourceForm.CSV
    with pytest.raises(DatasetError, match="no file of the form parquet"):
        open_source(str(tmp_path), form=SourceForm.PARQUET)
