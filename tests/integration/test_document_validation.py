"""The standards' own libraries take every document that we write, and refuse broken ones."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.documents.answers import DocumentKind
from governance.documents.writing import written
from governance.errors import DocumentError
from governance_adapters.documents.validation import validate
from support.filings import PARTS, Maker, bare_sources, dataset_sources, full_sources, without

ABOUT_MODELS = [kind for kind in DocumentKind if kind is not DocumentKind.CROISSANT]


def full(kind):
    sources = dataset_sources(Maker()) if kind is DocumentKind.CROISSANT else full_sources()
    return json.loads(json.dumps(written(kind, sources).content))


@pytest.mark.parametrize("kind", DocumentKind)
def test_a_full_document_is_valid(kind):
    validate(kind, full(kind))


@pytest.mark.parametrize("kind", ABOUT_MODELS)
def test_a_bare_document_is_valid(kind):
    validate(kind, written(kind, bare_sources(Maker())).content)


@pytest.mark.parametrize("kind", [DocumentKind.CROISSANT, DocumentKind.SPDX])
def test_a_document_about_a_dataset_without_its_files_is_valid(kind):
    validate(kind, written(kind, dataset_sources(Maker(), files=(), purpose="", source_kind="")).content)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.frozensets(st.sampled_from(PARTS)), st.sampled_from(ABOUT_MODELS))
def test_whatever_is_missing_in_the_records_the_document_is_valid(parts, kind):
    validate(kind, written(kind, without(full_sources(), parts)).content)


def at(content, *path):
    for step in path:
        content = content[step]
    return content


def element(content, kind):
    return next(each for each in content["@graph"] if each["type"] == kind)


def without_related(name):
    def broken(content):
        content["@graph"] = [each for each in content["@graph"] if each.get("relationshipType") != name]
        gone = {each["spdxId"] for each in content["@graph"] if "spdxId" in each}
        document = element(content, "SpdxDocument")
        document["element"] = [each for each in document["element"] if each in gone]

    return broken


BROKEN = {
    DocumentKind.CROISSANT: {
        "type": lambda c: c.update({"@type": "sc:CreativeWork"}),
        "version": lambda c: c.update({"conformsTo": "http://mlcommons.org/croissant/9.9"}),
        "only-croissant": lambda c: c.update({"conformsTo": ["http://mlcommons.org/croissant/1.1"]}),
        "name": lambda c: c.update({"name": 3}),
        "required": lambda c: c.pop("license"),
        "gap-forgotten": lambda c: c["gaps"].pop(0),
        "rai-misspelt": lambda c: c.update({"rai:dataBias": "none"}),
        "rai-missing": lambda c: c.pop("rai:dataBiases"),
        "time": lambda c: c.update({"rai:dataCollectionTimeframe": ["soon"]}),
        "file": lambda c: c["distribution"][0].pop("encodingFormat"),
        "source": lambda c: c["recordSet"][0]["field"][0]["source"]["fileObject"].update({"@id": "elsewhere"}),
        "data-type": lambda c: c["recordSet"][0]["field"][0].pop("dataType"),
    },
    DocumentKind.SPDX: {
        "unknown-property": lambda c: element(c, "ai_AIPackage").update({"ai_mood": "good"}),
        "unknown-type": lambda c: element(c, "ai_AIPackage").update({"type": "ai_Model"}),
        "value": lambda c: element(c, "dataset_DatasetPackage").update({"dataset_datasetType": ["pictures"]}),
        "time": lambda c: element(c, "CreationInfo").update({"created": "yesterday"}),
        "size": lambda c: element(c, "dataset_DatasetPackage").update({"dataset_datasetSize": -1}),
        "required": lambda c: element(c, "dataset_DatasetPackage").pop("dataset_datasetType"),
        "no-creation": lambda c: element(c, "ai_AIPackage").pop("creationInfo"),
        "reference": lambda c: element(c, "SpdxDocument").update({"rootElement": ["urn:nowhere"]}),
        "no-document": lambda c: c["@graph"].remove(element(c, "SpdxDocument")),
        "no-licence": without_related("hasDeclaredLicense"),
        "no-concluded-licence": without_related("hasConcludedLicense"),
        "licence": lambda c: element(c, "simplelicensing_LicenseExpression").update(
            {"simplelicensing_licenseExpression": "our own terms"}
        ),
        "unknown-licence": lambda c: element(c, "simplelicensing_LicenseExpression").update(
            {"simplelicensing_licenseExpression": "MIT AND Our-Own-1.0"}
        ),
        "claimed-ai": lambda c: element(c, "SpdxDocument")["profileConformance"].append("ai"),
        "claimed-dataset": lambda c: element(c, "SpdxDocument")["profileConformance"].append("dataset"),
    },
    DocumentKind.CYCLONEDX: {
        "format": lambda c: c.update({"bomFormat": "SPDX"}),
        "serial": lambda c: c.update({"serialNumber": "urn:uuid:1"}),
        "unknown-member": lambda c: at(c, "components", 0, "modelCard").update({"mood": "good"}),
        "type": lambda c: c["components"][0].update({"type": "model"}),
        "no-name": lambda c: c["components"][0].pop("name"),
        "licence": lambda c: c["components"][0].update({"licenses": [{"expression": "CC BY 4.0"}]}),
        "twice": lambda c: c["components"][1].update({"bom-ref": "model"}),
        "dataset-reference": lambda c: at(c, "components", 0, "modelCard", "modelParameters", "datasets", 0).update(ref="x"),
        "dependency": lambda c: c["dependencies"][0]["dependsOn"].append("nowhere"),
        "hash": lambda c: c["components"][0].update({"hashes": [{"alg": "SHA-256", "content": "abc"}]}),
    },
    DocumentKind.EU_SUMMARY: {
        "no-section": lambda c: c["sections"].pop(),
        "no-answer": lambda c: c["sections"][0]["answers"].pop(),
        "twice": lambda c: c["sections"][0]["answers"].append(c["sections"][0]["answers"][0]),
        "neither": lambda c: [at(c, "sections", 1, "answers", 1).pop(name) for name in ("gap", "fill")],
        "no-record": lambda c: at(c, "sections", 2, "answers", 0).pop("from"),
        "unknown-record": lambda c: at(c, "sections", 2, "answers", 0).update({"from": ["entry-elsewhere"]}),
        "another-question": lambda c: at(c, "sections", 0, "answers", 0).update(question="How are you?"),
        "no-root": lambda c: c["basis"].pop("root"),
        "gap-forgotten": lambda c: c["gaps"].pop(0),
        "gap-invented": lambda c: c["gaps"].append(dict(c["gaps"][0])),
        "no-entries": lambda c: c["basis"].update(entries=[]),
        "no-statement": lambda c: c.update(statement="All of it is true."),
    },
    DocumentKind.AB2013: {"no-answer": lambda c: c["sections"][0]["answers"].pop()},
    DocumentKind.MODEL_CARD: {"no-answer": lambda c: c["sections"][0]["answers"].pop()},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "how"), [(kind, how) for kind, ways in BROKEN.items() for how in ways])
def test_a_broken_document_is_refused(kind, how):
    whole = full(kind)
    broken = copy.deepcopy(whole)
    BROKEN[kind][how](broken)
    assert broken != whole
    with pytest.raises(DocumentError, match="does not fit"):
        validate(kind, broken)


def test_a_profile_can_be_claimed_by_a_document_that_has_all_of_it():
    content = full(DocumentKind.SPDX)
    for package in content["@graph"]:
        if package["type"] == "ai_AIPackage":
            package |= {"software_downloadLocation": "https://example.org/model", "releaseTime": "2026-11-30T00:00:00Z"}
    element(content, "SpdxDocument")["profileConformance"].append("ai")
    validate(DocumentKind.SPDX, content)


def test_a_refusal_is_one_short_line():
    with pytest.raises(DocumentError) as caught:
        validate(DocumentKind.CYCLONEDX, {**full(DocumentKind.CYCLONEDX), "components": [{"x": "y" * 5000}]})
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)
