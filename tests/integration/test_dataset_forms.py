"""Folders, tars, saved datasets and Croissant documents: what belongs together, and what is wrong with a file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile

import mlcroissant
import pytest

from governance.errors import DatasetChangedError, DatasetError
from governance_adapters.datasets.content.eyes import Eyes, OpenEyes
from governance_adapters.datasets.content.looking import look
from governance_adapters.datasets.sources.opening import open_source
from governance_adapters.datasets.sources.source import SourceForm, raw_schema
from governance_adapters.marking.fingerprint import PdqFingerprinter
from support.planted import image_file, picture

PNG, JPEG = image_file(picture(1)), image_file(picture(2), "JPEG")


def records(source):
    found = []
    for part in source.parts():
        table = source.read(part)
        assert (table.schema, table.num_rows) == (raw_schema(), part.rows)
        found += table.to_pylist()
    return found


def stated(source):
    """What each record states, without what it leaves open."""
    return [{name: value for name, value in row.items() if value not in ("", "unknown", [])} for row in records(source)]


def put(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def files(folder, contents):
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)


def bare_eyes():
    return OpenEyes(PdqFingerprinter())


def found_problems(source):
    looked = [look(source.read(part), Eyes(bare_eyes), source.root) for part in source.parts()]
    return [row["problems"] for table in looked for row in table.to_pylist()]


def test_a_folder_is_its_images_with_what_lies_beside_them(tmp_path):
    location = files(
        tmp_path,
        {
            "b.png": PNG,
            "a.jpg": JPEG,
            "a.txt": b" a caption\n",
            "b.json": b'{"license": "MIT", "caption": "of the object"}',
            "b.txt": b"of the text",
            "deep/er/c.webp": PNG,
            "notes.md": b"",
            "alone.txt": b"",
            ".DS_Store": b"",
        },
    )
    source = open_source(location, defaults={"source_kind": "own"})
    assert (source.kind, source.root, source.pictures) == (SourceForm.FOLDER, location, True)
    assert source.ignored == ("*", "*.md", "*.txt")
    own = {"source_kind": "own"}
    assert stated(source) == [
        {"id": "a.jpg", "location": "a.jpg", "caption": "a caption", **own},
        {"id": "b.png", "location": "b.png", "caption": "of the object", "licence_stated": "MIT", **own},
        {"id": "deep/er/c.webp", "location": "deep/er/c.webp", **own},
    ]
    assert source.read_bytes("deep/er/c.webp") == PNG


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_metadata_name_their_images_from_where_they_lie(tmp_path, name):
    rows = [
        {"file_name": "a.png", "text": 'one, "two"', "license": "MIT"},
        {"file_name": "sub/b.png", "text": "b", "license": ""},
        {"file_name": "gone.png", "text": "c", "license": ""},
        {"file_name": "a.png", "text": "again", "license": ""},
        {"file_name": "../../outside.png", "text": "d", "license": ""},
        {"file_name": "", "text": "e", "license": ""},
    ]
    if name.endswith("jsonl"):
        content = "".join(json.dumps(row) + "\n" for row in rows) + "no JSON\n"
    else:
        quoted = '"one, ""two"""'
        content = "file_name,text,license\n" + "".join(
            f"{row['file_name']},{quoted if ',' in row['text'] else row['text']},{row['license']}\n" for row in rows
        )
        content += "too,few\n"
    location = files(
        tmp_path, {f"train/{name}": content.encode(), "train/a.png": PNG, "train/sub/b.png": PNG, "c.png": PNG}
    )
    source = open_source(location)
    found = {(row["id"], row.get("caption")): row for row in stated(source)}
    assert found["train/a.png", 'one, "two"']["licence_stated"] == "MIT"
    assert {key for key in found if key[0] == "train/a.png"} == {
        ("train/a.png", 'one, "two"'),
        ("train/a.png", "again"),
    }
    assert ("train/sub/b.png", "b") in found
    assert ("c.png", None) in found
    assert ("train/gone.png", "c") in found
    assert found["../outside.png", "d"]["location"] == "../outside.png"
    nameless = [key for key in found if key[0].startswith(f"train/{name}:")]
    assert len(found) == 6 + len(nameless)
    assert [found[key].get("problems") for key in nameless] == [["bad_value"]] * 2
    problems = {row["id"]: each for row, each in zip(records(source), found_problems(source), strict=True)}
    assert (problems["train/gone.png"], problems["../outside.png"]) == (["missing"], ["bad_value"])


def test_images_of_the_same_name_belong_to_the_metadata_of_their_own_folder(tmp_path):
    location = files(
        tmp_path,
        {
            "x/a.png": PNG,
            "x/metadata.jsonl": b'{"file_name": "a.png", "caption": "x"}\n',
            "y/a.png": PNG,
            "y/metadata.csv": b"file_name,caption\na.png,y\n",
        },
    )
    assert [(row["id"], row["caption"]) for row in stated(open_source(location))] == [
        ("x/a.png", "x"),
        ("y/a.png", "y"),
    ]


def test_a_column_that_the_metadata_lack_is_an_error(tmp_path):
    location = files(tmp_path, {"a.png": PNG, "metadata.csv": b"file_name,text\na.png,x\n"})
    with pytest.raises(DatasetError, match=r"metadata\.csv has no column 'rights'"):
        open_source(location, columns={"licence": "rights"})


def test_links_are_followed_inside_and_never_outside(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.png").write_bytes(PNG)
    folder = tmp_path / "images"
    files(folder, {"a.png": PNG})
    (folder / "b.png").symlink_to("a.png")
    (folder / "c.png").symlink_to(tmp_path / "outside" / "x.png")
    (folder / "d.png").symlink_to("nothing")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "c.txt").symlink_to("/etc/hostname")
    source = open_source(str(folder))
    assert source.ignored == ("linked/",)
    assert [row["id"] for row in records(source)] == ["a.png", "b.png", "c.png", "d.png"]
    assert found_problems(source) == [[], [], ["bad_value"], ["missing"]]
    assert records(source)[2]["caption"] == ""


def test_names_of_every_sort_are_records_that_can_be_read(tmp_path):
    names = [
        "a b.png",
        "ü.png",
        "#1.png",
        "100%.png",
        "new\nline.png",
        "'\";--.png",
        "-rf.png",
        os.fsdecode(b"\xff\xfe.png"),
    ]
    for name in names:
        (tmp_path / name).write_bytes(PNG)
    source = open_source(str(tmp_path))
    rows = records(source)
    assert len({row["id"] for row in rows}) == len(names)
    assert all(source.read_bytes(row["location"]) == PNG for row in rows)
    assert "%FF%FE.png" in {row["location"] for row in rows}


def test_empty_files_are_records_and_empty_folders_are_errors(tmp_path):
    with pytest.raises(DatasetError, match="Nobody can tell"):
        open_source(str(tmp_path))
    with pytest.raises(DatasetError, match="There is no image"):
        open_source(str(tmp_path), form=SourceForm.FOLDER)
    (tmp_path / "a.png").touch()
    assert found_problems(open_source(str(tmp_path))) == [["unreadable"]]


def test_a_folder_whose_files_change_has_another_fingerprint(tmp_path):
    location = files(tmp_path, {"a.png": PNG, "notes.md": b""})
    source = open_source(location)
    seen = [source.fingerprint()]
    for change in (
        lambda: (tmp_path / "notes.md").write_bytes(b"more"),
        lambda: (tmp_path / "b.png").write_bytes(PNG),
        lambda: (tmp_path / "b.png").rename(tmp_path / "c.png"),
        (tmp_path / "c.png").unlink,
    ):
        change()
        seen.append(source.fingerprint())
    assert len(set(seen)) == 4  # the last is the second again
    assert seen[1] == seen[4]


def test_a_file_that_vanishes_between_the_looks_is_a_finding(tmp_path):
    source = open_source(files(tmp_path, {"a.png": PNG, "b.png": PNG}))
    (part,) = source.parts()
    rows = source.read(part)
    (tmp_path / "a.png").unlink()
    assert [row["problems"] for row in look(rows, Eyes(bare_eyes), source.root).to_pylist()] == [["missing"], []]


def test_parts_of_a_folder_are_bounded_and_together_all_of_it(tmp_path):
    for number in range(25):
        (tmp_path / f"{number:02}.png").write_bytes(PNG)
    source = open_source(str(tmp_path), rows=10)
    assert [part.rows for part in source.parts()] == [10, 10, 5]
    assert [row["id"] for row in records(source)] == [f"{number:02}.png" for number in range(25)]


def tar(path, members, **options):
    with tarfile.open(path, "w", **options) as file:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                file.addfile(member)
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_a_tar_belong_together_by_their_names(tmp_path, form):
    long = "x" * 60 + "/" + "y" * 80
    path = tar(
        tmp_path / "a.tar",
        [
            ("train", (tarfile.DIRTYPE, "")),
            ("train/1.json", b'{"license": "MIT", "key": "one"}'),
            ("train/1.png", PNG),
            ("train/1.txt", b"a caption"),
            ("./train/2.left.JPG", JPEG),
            ("./train/2.right.jpg", PNG),
            ("train/3.cls", b"7"),
            (f"{long}.png", PNG),
        ],
        format=form,
    )
    source = open_source(str(path))
    assert (source.kind, source.ignored) == (SourceForm.WEBDATASET, ("*.cls",))
    rows = records(source)
    assert [(row["id"], row["caption"], row["licence_stated"], row["problems"]) for row in rows] == [
        ("one", "a caption", "MIT", []),
        ("train/2.left.jpg", "", "", []),
        ("train/2.right.jpg", "", "", []),
        ("train/3", "", "", ["missing"]),
        (long, "", "", []),
    ]
    assert [source.read_bytes(rows[place]["location"]) for place in (0, 1, 2, 4)] == [PNG, JPEG, PNG, PNG]
    for rows_a_part in (1, 2, 3):
        assert records(open_source(str(path), rows=rows_a_part)) == rows


def test_members_that_are_there_twice_are_records_of_their_own(tmp_path):
    path = tar(
        tmp_path / "a.tar", [("1.png", PNG), ("1.txt", b"first"), ("1.png", JPEG), ("2.png", PNG), ("1.png", PNG)]
    )
    rows = records(open_source(str(path)))
    assert [(row["id"], row["caption"]) for row in rows] == [("1", "first"), ("1", ""), ("2", ""), ("1", "")]
    assert len({row["location"] for row in rows}) == 4


def test_members_that_would_lead_elsewhere_are_findings(tmp_path):
    members = [
        ("../../up.png", PNG),
        ("/etc/absolute.png", PNG),
        ("soft.png", (tarfile.SYMTYPE, "/etc/passwd")),
        ("hard.png", (tarfile.LNKTYPE, "fine.png")),
        ("device.png", (tarfile.CHRTYPE, "")),
        ("torn.png", PNG),
        ("torn.json", b"{"),
        ("large.png", PNG),
        ("large.json", b'{"caption": "' + b"x" * (1 << 20) + b'"}'),
        ("fine.png", PNG),
        (os.fsdecode(b"\xff.png"), PNG),
    ]
    rows = records(open_source(str(tar(tmp_path / "a.tar", members))))
    found = {row["id"]: (bool(row["location"]), row["problems"]) for row in rows}
    nowhere = (False, ["bad_value", "missing"])
    assert found == {
        "../../up": (True, ["bad_value"]),
        "/etc/absolute": (True, ["bad_value"]),
        "soft": nowhere,
        "hard": nowhere,
        "device": nowhere,
        "torn": (True, ["bad_value"]),
        "large": (True, ["bad_value"]),
        "fine": (True, []),
        "%FF": (True, []),
    }


def test_broken_tars_are_errors_and_not_fewer_records(tmp_path):
    whole = tar(tmp_path / "a.tar", [(f"{number}.png", PNG) for number in range(5)]).read_bytes()
    second = 512 + -(-len(PNG) // 512) * 512
    torn = whole[: second + 100] + b"\xff" * 100 + whole[second + 200 :]
    packed = __import__("gzip").compress(whole)
    for content in (b"", b"no tar" * 200, whole[: second + 700], torn, packed):
        (tmp_path / "b.tar").write_bytes(content)
        with pytest.raises(DatasetError, match=r"b\.tar is no whole tar file"):
            open_source(str(tmp_path / "b.tar")).parts()


def test_a_tar_that_changes_while_it_is_read_is_found_out(tmp_path):
    path = tar(tmp_path / "a.tar", [("1.png", PNG), ("2.png", PNG)])
    source = open_source(str(path))
    (part,) = source.parts()
    tar(path, [("1.png", PNG)])
    with pytest.raises(DatasetChangedError, match="changed while"):
        source.read(part)


def test_shards_are_one_dataset(tmp_path):
    for number in (1, 0):
        tar(tmp_path / f"train-{number:03}.tar", [(f"{number}.png", PNG)])
    for location in (tmp_path, tmp_path / "train-*.tar"):
        assert [row["id"] for row in records(open_source(str(location)))] == ["0", "1"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A dataset that Hugging Face `datasets` saved, and one with splits."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    folder = tmp_path_factory.mktemp("saved")
    (folder / "a.png").write_bytes(PNG)
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "caption": datasets.Value("string"),
            "owner": datasets.ClassLabel(names=["Example house", "Other house"]),
            "width": datasets.Value("int64"),
        }
    )
    rows = {
        "image": [str(folder / "a.png"), {"bytes": JPEG, "path": None}, None],
        "caption": ["one", "two", None],
        "owner": [1, 0, None],
        "width": [1, 2, 3],
    }
    dataset = datasets.Dataset.from_dict(rows, features=features)
    dataset.save_to_disk(folder / "plain", num_shards=2)
    datasets.DatasetDict({"train": dataset, "test": dataset.select([1])}).save_to_disk(folder / "split")
    dataset.select([2, 0]).save_to_disk(folder / "chosen")
    return folder


def test_a_saved_dataset_is_read_as_it_lies_there(saved):
    source = open_source(str(saved / "plain"))
    assert (source.kind, source.ignored, source.pictures) == (SourceForm.HUGGINGFACE, ("width",), True)
    rows = records(source)
    assert [(row["caption"], row["owner"]) for row in rows] == [
        ("one", "Other house"),
        ("two", "Example house"),
        ("", ""),
    ]
    assert rows[0]["id"] == "data-00000-of-00002.arrow:0"
    assert [source.read_bytes(row["location"]) for row in rows[:2]] == [PNG, JPEG]
    assert found_problems(source) == [[], [], ["missing"]]
    assert records(open_source(str(saved / "plain"), rows=1)) == rows


def test_splits_are_one_dataset_and_a_choice_of_rows_is_what_was_chosen(saved):
    split = records(open_source(str(saved / "split")))
    assert [row["caption"] for row in split] == ["one", "two", "", "two"]
    assert {row["location"].split("/")[0] for row in split} == {"train", "test"}
    assert [row["caption"] for row in records(open_source(str(saved / "chosen")))] == ["", "one"]


def test_saved_datasets_that_are_broken_are_errors(saved, tmp_path):
    state = json.loads((saved / "chosen" / "state.json").read_text())
    (name,) = (each["filename"] for each in state["_data_files"])
    content = (saved / "chosen" / name).read_bytes()

    def opened(state, content=content):
        files(tmp_path, {"state.json": json.dumps(state).encode(), name: content})
        return open_source(str(tmp_path))

    assert len(records(opened(state))) == 2
    with pytest.raises(DatasetError, match="keeps the order of its rows aside"):
        opened(state | {"_indices_data_files": [{"filename": "i.arrow"}]})
    for other in ("../plain/data.arrow", "data.bin", ""):
        with pytest.raises(DatasetError, match="names the file"):
            opened(state | {"_data_files": [{"filename": other}]})
    for broken in (b"", b"no arrow", content[: len(content) // 2]):
        with pytest.raises(DatasetError, match="cannot be read"):
            opened(state, broken)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DatasetError, match=r"state\.json cannot be read"):
        open_source(str(tmp_path))


CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "recordSet": "cr:recordSet",
    "sha256": "sc:sha256",
    "source": "cr:source",
    "containedIn": "cr:containedIn",
}
TABLE = b"key,picture,words\nx,images/a.png,hello\ny,images/gone.png,\n"


def field(records, name, source, kind="sc:Text"):
    return {"@type": "cr:Field", "@id": f"{records}/{name}", "name": name, "dataType": kind, "source": source}


def column(name):
    return {"fileObject": {"@id": "table"}, "extract": {"column": name}}


def document(**changed):
    pictures = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "example",
        "description": "An example.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "url": "https://example.org/dataset",
        "datePublished": "2026-01-01",
        "version": "1.0.0",
        "citeAs": "none",
        "creator": {"@type": "sc:Organization", "name": "Example house"},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "table",
                "name": "table",
                "contentUrl": "table.csv",
                "encodingFormat": "text/csv",
                "sha256": hashlib.sha256(TABLE).hexdigest(),
            },
            {
                "@type": "cr:FileSet",
                "@id": "pictures",
                "name": "pictures",
                "encodingFormat": "image/png",
                "includes": "images/*.png",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "rows",
                "name": "rows",
                "field": [
                    field("rows", "id", column("key")),
                    field("rows", "image", column("picture")),
                    field("rows", "caption", column("words")),
                ],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "all",
                "name": "all",
                "field": [field("all", "image", pictures, "sc:ImageObject")],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "labels",
                "name": "labels",
                "field": [{"@type": "cr:Field", "@id": "labels/name", "name": "name", "dataType": "sc:Text"}],
                "data": [{"labels/name": "one"}],
            },
        ],
        **changed,
    }


def croissant(folder, **changed):
    files(folder, {"table.csv": TABLE, "images/a.png": PNG, "images/b.jpg": JPEG})
    path = folder / "croissant.json"
    path.write_text(json.dumps(document(**changed)))
    return path


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")  # rdflib's own, in mlcroissant
def test_the_document_of_these_tests_is_one_to_the_standards_own_library(tmp_path):
    dataset = mlcroissant.Dataset(jsonld=croissant(tmp_path))
    assert {each.name for each in dataset.metadata.record_sets} == {"rows", "all", "labels"}


def test_a_record_set_of_a_table_is_read_as_the_document_says(tmp_path):
    path = croissant(tmp_path)
    source = open_source(f"{path}#rows")
    licence = {"licence_stated": "https://creativecommons.org/licenses/by/4.0/"}
    assert (source.kind, source.pictures, source.root) == (SourceForm.CROISSANT, True, str(tmp_path))
    assert stated(source) == [
        {"id": "x", "location": "images/a.png", "caption": "hello", **licence},
        {"id": "y", "location": "images/gone.png", **licence},
    ]
    assert source.read_bytes("images/a.png") == PNG
    assert stated(open_source(f"{path}#rows", defaults={"licence": "MIT"}))[0]["licence_stated"] == "MIT"
    assert stated(open_source(f"{path}#rows", columns={"owner": "caption"}))[0]["owner"] == "hello"
    before = source.fingerprint()
    path.write_text(path.read_text() + " ")
    assert source.fingerprint() != before


def test_a_record_set_of_files_is_the_images_that_fit_its_pattern(tmp_path):
    assert [row["id"] for row in records(open_source(f"{croissant(tmp_path)}#all"))] == ["images/a.png"]


def only_rows(**changed):
    rows = document()["recordSet"][0]
    return {"recordSet": [rows | changed]}


@pytest.mark.parametrize(
    ("changed", "suffix", "why"),
    [
        ({}, "", "2 record sets that lie in files"),
        ({}, "#none", "0 record sets 'none'"),
        ({"recordSet": []}, "", "0 record sets"),
        ({"conformsTo": "https://example.org/other"}, "#rows", "no Croissant document"),
        (
            {"distribution": [{"@id": "table", "contentUrl": "https://example.org/table.csv"}]},
            "#rows",
            "nothing is fetched",
        ),
        ({"distribution": [{"@id": "table", "contentUrl": "../table.csv"}]}, "#rows", "outside its folder"),
        (
            {"distribution": [{"@id": "table", "contentUrl": "table.csv", "sha256": "0" * 64}]},
            "#rows",
            "its SHA-256 is another",
        ),
        ({"distribution": [{"@id": "table", "contentUrl": "none.csv", "sha256": "0" * 64}]}, "#rows", "cannot be read"),
        ({"distribution": [{"@id": "table", "contentUrl": "table.xlsx"}]}, "#rows", "no table in CSV"),
        (
            {
                "distribution": [
                    {"@id": "pictures", "includes": "*.png", "containedIn": {"@id": "zip"}},
                    {"@id": "zip", "contentUrl": "a.zip"},
                ]
            },
            "#all",
            "no folder beside it",
        ),
        ({"distribution": []}, "#all", "no set of files"),
        (
            only_rows(
                field=[
                    field("rows", "id", column("key")),
                    field("rows", "image", {"fileObject": {"@id": "other"}, "extract": {"column": "x"}}),
                ]
            ),
            "",
            "come from 2 tables",
        ),
        (
            only_rows(field=[field("rows", "id", column("key") | {"transform": {"regex": "(.*)"}})]),
            "",
            "made from the file by a transform",
        ),
        (
            only_rows(
                field=[
                    field("rows", "id", column("key")),
                    field("rows", "image", {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}),
                ]
            ),
            "",
            "'image' is no column",
        ),
    ],
    ids=[
        "which set",
        "no such set",
        "no set",
        "no croissant",
        "remote",
        "outside",
        "other digest",
        "no file",
        "no table",
        "archive",
        "no set of files",
        "two tables",
        "transform",
        "two kinds",
    ],
)
def test_documents_that_cannot_be_read_here_say_why(tmp_path, changed, suffix, why):
    path = croissant(tmp_path, **changed)
    with pytest.raises(DatasetError, match=why):
        open_source(f"{path}{suffix}", form=SourceForm.CROISSANT)
