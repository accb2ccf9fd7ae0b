"""`governance documents` from outside: files that the standards' libraries read, PDFs that say the same, clear refusals."""

from __future__ import annotations

import io
import json
import tempfile
from hashlib import sha256
from pathlib import Path

import pypdfium2
import pytest
import yaml

from governance.documents.answers import NOT_STATED, DocumentKind
from governance_adapters.documents.validation import validate
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from support.audited import write_audit
from support.command import Shell
from support.filed import audit, house_records, report_of
from support.lineages import World, lora

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

STYLE = lora("house-style")
ABOUT = {kind: "house" if kind is DocumentKind.CROISSANT else "house-style" for kind in DocumentKind}


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation with an audited dataset and a LoRA that a governed run made of it."""
    folder = tmp_path_factory.mktemp("documents")
    shell = Shell(folder, folder / "home", {"GOVERNANCE_PROVIDER": "Example house"})
    shell("init").succeeded()
    settings = Settings.load(home=shell.home)
    records = house_records()
    contents = sorted({each.content for each in records})
    allowed = tuple(contents.index(each.content) for each in records if each.outcome == "allow")
    with ledger_for_appending(settings) as ledger:
        world = World(ledger)
        world.model()
        done = world.run(audit(ledger, "house", records, folder=settings.datasets_path), STYLE, took=allowed)
        world.adapter(STYLE, done)
    return shell


def pdf_text(content):
    with pypdfium2.PdfDocument(io.BytesIO(content)) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


@pytest.mark.parametrize("kind", DocumentKind)
def test_each_document_is_written_valid_and_its_gaps_are_said(shell, kind):
    ran = shell("documents", kind, ABOUT[kind], "--out", f"{kind}.json", "--json").succeeded()
    content = json.loads((shell.folder / f"{kind}.json").read_text())
    validate(kind, content)
    assert ran.json["document"] == kind
    assert len(ran.json["gaps"]) > 0
    assert all(entry in json.dumps(content) for entry in ran.json["entries"])


@pytest.mark.parametrize("kind", [DocumentKind.AB2013, DocumentKind.CROISSANT])  # a form, and fields of a standard
def test_the_pdf_and_the_markdown_say_the_same_gaps(shell, kind):
    shell("documents", kind, ABOUT[kind], "--out", f"{kind}.pdf").succeeded()
    ran = shell("documents", kind, ABOUT[kind], "--format", "md", "--out", f"{kind}.txt").succeeded()
    content = (shell.folder / f"{kind}.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    text = "".join(pdf_text(content).split())
    words = (shell.folder / f"{kind}.txt").read_text()
    (count,) = [line for line in ran.complaints if "fields are not stated" in line]
    assert "".join(count.split()) in text
    assert count in words
    assert text.count("".join(NOT_STATED.split())) == words.count(NOT_STATED) == int(count.split()[0])


def test_what_was_consumed_is_counted_from_the_audits_own_records(shell):
    content = json.loads(shell("documents", "ab2013", "house-style").succeeded().out)
    (datasets, number) = [
        answer["answer"] for answer in content["sections"][0]["answers"] if answer["key"] in ("datasets", "number")
    ]
    ((name, known),) = datasets.items()
    assert (known["known"], known["figures are of"], known["records audited"]) == ("witnessed", "what was consumed", 7)
    assert number == {name: {"records": 6, "distinct contents": 6}}


def test_the_provider_is_that_of_the_settings(shell):
    content = json.loads(shell("documents", "eu-summary", "house-style").succeeded().out)
    (answer,) = [each for each in content["sections"][1]["answers"] if each["key"] == "provider"]
    assert (answer["answer"], answer["from"]) == ({"name": "Example house"}, ["setting:provider"])


def test_a_croissant_beside_the_records_loads_them(shell):
    import warnings

    import mlcroissant

    (folder,) = (shell.home / "datasets" / "house").iterdir()
    shell("documents", "croissant", "house", "--out", folder / "croissant.json").succeeded()
    content = json.loads((folder / "croissant.json").read_text())
    digests = {each["name"]: each["sha256"] for each in content["distribution"]}
    assert digests["records.parquet"] == sha256((folder / "records.parquet").read_bytes()).hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdflib's and pandas' own
        records = list(mlcroissant.Dataset(jsonld=folder / "croissant.json").records("records"))
    assert len(records) == 7
    assert {each["records/outcome"] for each in records} == {b"allow", b"deny"}
    assert not any("owner" in name or "caption" in name for name in records[0])


def test_the_front_matter_of_a_card_is_yaml(shell):
    ran = shell("documents", "model-card", "house-style", "--format", "md").succeeded()
    front = yaml.safe_load(ran.out.split("---\n")[1])
    assert front == {
        "model_name": "house-style",
        "license": "apache-2.0",
        "base_model": "reference",
        "datasets": ["house"],
    }


def test_records_that_were_changed_since_the_audit_stop_the_document(shell):
    (path,) = (shell.home / "datasets" / "house").glob("*/leaves.bin")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        shell("documents", "ab2013", "house-style", "--out", "changed.json").failed(1, "changed")
        assert not (shell.folder / "changed.json").exists()
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["records.parquet", "report.json"])
def test_a_file_that_is_not_what_was_signed_is_not_in_a_croissant(shell, name):
    """Its digest would stand beside the entry that signed another."""
    (path,) = (shell.home / "datasets" / "house").glob(f"*/{name}")
    whole, records = path.read_bytes(), house_records(licence="CC0-1.0")
    if name == "records.parquet":
        with tempfile.TemporaryDirectory() as folder:
            write_audit(Path(folder) / "audit", records, name="house")
            path.write_bytes((Path(folder) / "audit" / name).read_bytes())
    else:
        path.write_bytes(report_of(records, "house"))
    try:
        shell("documents", "croissant", "house", "--out", "other.json").failed(1, "audit")
        assert not (shell.folder / "other.json").exists()
    finally:
        path.write_bytes(whole)
    shell("documents", "croissant", "house").succeeded()


def test_without_the_audits_folder_the_figures_are_of_the_whole_audit(shell):
    place = shell.home / "datasets"
    place.rename(shell.home / "elsewhere")
    try:
        text = shell("documents", "eu-summary", "house-style").succeeded().out
        assert "all that was audited" in text
        assert "distribution" not in json.loads(shell("documents", "croissant", "house").succeeded().out)
    finally:
        (shell.home / "elsewhere").rename(place)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("eu-summary", "nothing"), ("There is no model or adapter",)),
        (("croissant", "house-style"), ("There is no dataset",)),
        (("spdx", "house-style", "--format", "pdf"), ("--out",)),
        (("spdx", "house-style", "--json"), ("--out",)),
        (("spdx", "house-style", "--out", "no/such/folder/x.json"), ("no/such/folder",)),
    ],
    ids=["unknown", "not-a-dataset", "pdf-on-stdout", "two-things-on-stdout", "no-folder"],
)
def test_what_cannot_be_written_is_said_in_one_line(shell, arguments, words):
    ran = shell("documents", *arguments)
    assert ran.code == 1
    for word in words:
        assert word in ran.err
    assert "Traceback" not in ran.err


def test_the_same_records_give_the_same_document_but_for_its_time(shell):
    one, other = (json.loads(shell("documents", "spdx", "house-style").succeeded().out) for _ in range(2))
    for each in (one, other):
        each["@graph"][0].pop("created")
        for element in each["@graph"]:
            element.pop("comment", None)
    assert one == other


def test_an_audit_that_the_command_made_is_documented(shell):
    from PIL import Image

    folder = shell.folder / "squares"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 48), (80 * number, 10, 10)).save(folder / f"{number}.png")
    stated = ["licence=CC-BY-4.0", "source_kind=own", "synthetic=no", "collected=2025-03-01"]
    options = [word for each in stated for word in ("--default", each)]
    by = ("--principal", "counsel@example.org", "--no-detectors")
    shell("dataset", "audit", folder, "--name", "squares", *options, *by).succeeded()
    content = json.loads(shell("documents", "croissant", "squares").succeeded().out)
    validate(DocumentKind.CROISSANT, content)
    assert content["description"].startswith("3 records with 3 distinct contents")
    assert content["license"] == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert content["rai:dataCollectionTimeframe"] == ["2025-03-01T00:00:00Z"] * 2
    assert {each["name"] for each in content["distribution"]} == {"records.parquet", "report.json"}
    package = next(
        each
        for each in json.loads(shell("documents", "spdx", "squares").succeeded().out)["@graph"]
        if each["type"] == "dataset_DatasetPackage"
    )
    assert (package["dataset_datasetType"], package["name"]) == (["image"], "squares")
