"""Documents of record: every field answered or a marked gap, nothing that no record says, and changed by what changes."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.documents import ab2013, eu_form, model_card
from governance.documents.answers import (
    NOT_STATED,
    DocumentKind,
    Form,
    Question,
    Reply,
    filled,
    found,
    lacking,
    partly,
    said,
)
from governance.documents.croissant import RAI, REQUIRED
from governance.documents.cyclonedx import DATA_FIELDS, GAP, MODEL_FIELDS
from governance.documents.sources import How, Sources
from governance.documents.spdx_parts import AI_REQUIRED, DATASET_REQUIRED
from governance.documents.story import gap_count, markdown, story
from governance.documents.writing import WRITERS, written
from governance.errors import DocumentError
from governance.registers.items import RegisteredAdapter
from support.filings import (
    ONE_IMAGE,
    PARTS,
    Maker,
    bare_sources,
    dataset_sources,
    full_model,
    full_sources,
    made_sources,
    some_dataset,
    some_figures,
    without,
)

ABOUT_MODELS = [kind for kind in DocumentKind if kind is not DocumentKind.CROISSANT]
PARTS_TAKEN = st.frozensets(st.sampled_from(PARTS))

OWN_WORDS = frozenset(
    # What answers may say in the documents' own words. Every other word and number has to stand in a record.
    [
        "yes",
        "no",
        "not",
        "applicable",
        "unknown",
        "none",
        "nothing",
        "what",
        "was",
        "consumed",
        "all",
        "that",
        "audited",
        "less",
        "than",
        "million",
        "images",
        "to",
        "billion",
        "more",
        "image",
        "audio",
        "video",
        "text",
        "other",
        "model",
        "data",
        "sha256",
        "run",
        "records",
        "with",
        "distinct",
        "contents",
        "audited",
        "in",
        "ledger",
        "entry",
        "of",
        "signed",
        "root",
        "Out",
        "scope",
        "Records",
        "by",
        "kind",
        "source",
        "By",
        "decision",
        "policy",
        "allow",
        "review",
        "deny",
        "reasons",
        "Web",
        "Scraping",
        "User-generated",
        "content",
        "known",
        "state",
        "now",
        "figures",
        "are",
    ]
)


def answers(filing):
    return [answer for section in filing.sections for answer in section.answers]


def reply(filing, key):
    (answer,) = [answer for answer in answers(filing) if answer.question.key == key]
    return answer.reply


def leaves(value):
    """Texts and numbers of a value; names of a mapping are the form's, unless `keys`."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def recorded(value):
    """Every text and number in sources, names of mappings too."""
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from recorded(getattr(value, each.name))
        yield from (str(getattr(value, name)) for name in ("key", "register") if hasattr(value, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield name
            yield from recorded(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from recorded(each)
    elif value is not None:
        yield value


def numbers_of(sources):
    """Every number in sources, and the sums of each figure over what went in."""
    numbers = {value for value in recorded(sources) if isinstance(value, int)}
    figures = [use.figures for use in sources.uses if use.figures is not None]
    for name in ("bytes", "contents", "records", "undated"):
        numbers.add(sum(getattr(each, name) for each in figures))
    return numbers | {0, 1, 1000}  # none, one approval of each dataset, and the most domains that are named


def foreign(sources):
    """What is left of a text without what stands in records, word by word."""
    texts = {value for value in recorded(sources) if isinstance(value, str) and value}
    texts |= {value[:19] + "Z" for value in texts if re.fullmatch(r"\d{4}-.*Z", value)}  # SPDX writes no milliseconds
    known = sorted({*texts, *map(str, numbers_of(sources))}, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)")

    def left(text):
        return {word.strip("-") for word in re.findall(r"[\w-]+", pattern.sub(" ", text))} - {""}

    return left


def told(filing):
    return [leaf for answer in answers(filing) for leaf in leaves(answer.reply.value) if leaf is not None]


class TestNothingIsInvented:
    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 900), PARTS_TAKEN, st.sampled_from(ABOUT_MODELS))
    def test_every_text_and_number_of_an_answer_stands_in_a_record(self, seed, parts, kind):
        sources = without(full_sources(seed), parts)
        left, numbers = foreign(sources), numbers_of(sources)
        for leaf in told(written(kind, sources)):
            assert leaf in numbers if isinstance(leaf, int) else left(leaf) <= OWN_WORDS, leaf

    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 900), st.sampled_from([DocumentKind.CROISSANT, DocumentKind.SPDX]))
    def test_the_same_of_a_dataset_alone(self, seed, kind):
        sources = dataset_sources(Maker(seed))
        left, numbers = foreign(sources), numbers_of(sources)
        for leaf in told(written(kind, sources)):
            assert leaf in numbers if isinstance(leaf, int) else left(leaf) <= OWN_WORDS, leaf

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 400), st.integers(401, 900), st.sampled_from(ABOUT_MODELS))
    def test_other_records_in_the_same_places_change_nothing_but_themselves(self, one, other, kind):
        texts = []
        for seed in (one, other):
            make = Maker(seed % 10 + 10 * (seed // 10))
            filing = written(kind, made_sources(make))
            text = json.dumps([filing.content, markdown(filing)])
            for at, word in enumerate(make.texts):
                text = text.replace(word, f"<{at}>").replace(word[:19] + "Z", f"<{at}>")
            text = re.sub(r"urn:uuid:[0-9a-f-]{36}", "urn:uuid", text)
            texts.append(re.sub(r"\b\d{7}\b", "N", text))
        assert texts[0] == texts[1]

    def test_an_answer_without_a_record_cannot_be_made(self):
        for sources in ((), ("",)):
            with pytest.raises(DocumentError, match="names no record"):
                partly("something", sources, "", "")
        with pytest.raises(DocumentError, match="names no record"):
            found(None, "entry")

    @settings(max_examples=40, deadline=None)
    @given(PARTS_TAKEN, st.sampled_from(ABOUT_MODELS))
    def test_every_answer_names_entries_that_the_document_cites(self, parts, kind):
        filing = written(kind, without(full_sources(), parts))
        cited = {each.id for each in filing.entries}
        for answer in answers(filing):
            for source in answer.reply.sources:
                assert source in cited or source.startswith(("setting:", "document:")), answer.question.key


class TestEveryFieldIsThere:
    @settings(max_examples=40, deadline=None)
    @given(PARTS_TAKEN, st.sampled_from(ABOUT_MODELS))
    def test_answered_or_a_gap_that_says_what_would_fill_it(self, parts, kind):
        filing = written(kind, without(full_sources(), parts))
        for answer in answers(filing):
            assert answer.reply.value is not None or answer.gap is not None, answer.question.key
            assert bool(answer.reply.why) == bool(answer.reply.fill)
        assert len(filing.gaps) == sum(answer.gap is not None for answer in answers(filing))

    def test_the_forms_have_every_part_of_their_laws(self):
        assert {question.number for question in eu_form.FORM.questions} == {
            "1", "1.1", "1.2", "1.3", "2", "2.1", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6", "3.1", "3.2", "3.3",
        }  # fmt: skip
        numbers = [question.number for question in ab2013.FORM.questions[1:]]
        assert numbers == [f"(a).({at})" for at in range(1, 13)]
        assert set(model_card.FORM.sections) == set("1234567")

    def test_a_bare_model_is_almost_all_gaps(self):
        for kind in ABOUT_MODELS:
            filing = written(kind, bare_sources(Maker()))
            said_in_full = [answer.question.key for answer in answers(filing) if answer.gap is None]
            assert len(said_in_full) <= 5, (kind, said_in_full)

    def test_croissant_has_each_property_or_lists_it(self):
        filing = written(DocumentKind.CROISSANT, dataset_sources(Maker(), files=()))
        listed = {gap["field"].split()[-1] for gap in filing.content["gaps"]}
        for name in (*REQUIRED, *RAI):
            assert name in filing.content or name in listed, name
        for name in ("url", "creator", "datePublished", "distribution"):
            assert name not in filing.content, "an address or a date cannot be a mark"
        assert filing.content["rai:dataBiases"].startswith(NOT_STATED)

    def test_spdx_annotates_each_gap_of_each_package(self):
        filing = written(DocumentKind.SPDX, full_sources())
        graph = filing.content["@graph"]
        notes = [each["statement"] for each in graph if each["type"] == "Annotation"]
        assert len(notes) == len(filing.gaps) > 0
        assert all(note.startswith(NOT_STATED) for note in notes)
        keys = {answer.question.text for answer in answers(filing)}
        assert keys >= {*AI_REQUIRED, *DATASET_REQUIRED}

    def test_cyclonedx_has_a_property_for_each_gap(self):
        filing = written(DocumentKind.CYCLONEDX, full_sources())
        gaps = [
            one["name"]
            for component in filing.content["components"]
            for one in component["properties"]
            if one["name"].startswith(GAP)
        ]
        assert len(gaps) == len(filing.gaps) > 0
        assert {answer.question.text for answer in answers(filing)} == {*MODEL_FIELDS, *DATA_FIELDS}

    def test_a_form_is_answered_question_by_question(self):
        form = Form("A form", "a law", {"1": "One"}, (Question("1", "a", "A?"), Question("1.2", "b", "B?")))
        sections = filled(form, {"a": found("x", "e"), "b": lacking("No.", "Add.")})
        assert [answer.question.key for section in sections for answer in section.answers] == ["a", "b"]
        for replies in ({"a": found("x", "e")}, {"a": Reply(), "b": Reply(), "c": Reply()}):
            with pytest.raises(DocumentError, match="question by question"):
                filled(form, replies)
        with pytest.raises(DocumentError, match="no section"):
            filled(replace(form, sections={"2": "Two"}), {"a": Reply(), "b": Reply()})


def change_model(**changes):
    def change(sources: Sources):
        return replace(sources, model=replace(sources.model, item=replace(sources.model.item, **changes)))

    return change


def change_first(**changes):
    def change(sources: Sources):
        first, *others = sources.uses
        return replace(sources, uses=(replace(first, **changes), *others))

    return change


class TestWhatChangesChangesDocuments:
    @pytest.mark.parametrize(
        ("change", "kinds"),
        [
            (change_model(name="renamed"), ABOUT_MODELS),
            (change_model(licence="MIT"), [DocumentKind.SPDX, DocumentKind.CYCLONEDX, DocumentKind.MODEL_CARD]),
            (change_model(intended_use="another use"), [*ABOUT_MODELS[1:]]),
            (change_first(records=7), ABOUT_MODELS),
            (change_first(how=How.DECLARED), ABOUT_MODELS),
            (change_first(dataset=some_dataset(Maker(7), "another")), ABOUT_MODELS),
            (lambda sources: replace(sources, vendor=None), [DocumentKind.EU_SUMMARY, DocumentKind.MODEL_CARD]),
            (lambda sources: replace(sources, contracts=()), [DocumentKind.EU_SUMMARY, DocumentKind.AB2013]),
            (lambda sources: replace(sources, base=None), [DocumentKind.EU_SUMMARY, DocumentKind.MODEL_CARD]),
        ],
        ids=["name", "licence", "use", "records", "how", "dataset", "vendor", "contracts", "base"],
    )
    def test_a_changed_record_changes_the_document(self, change, kinds):
        sources = full_sources()
        for kind in kinds:
            before, after = written(kind, sources), written(kind, change(sources))
            assert before.content["sections" if "sections" in before.content else next(reversed(before.content))]
            assert before.content != after.content, kind
            assert markdown(before) != markdown(after), kind

    @pytest.mark.parametrize("kind", DocumentKind)
    def test_the_same_sources_give_the_same_document(self, kind):
        sources = dataset_sources(Maker()) if kind is DocumentKind.CROISSANT else full_sources()
        assert written(kind, sources) == written(kind, sources)

    def test_a_gap_closes_when_the_register_says_so(self):
        sources = bare_sources(Maker())
        open_fields = {gap.field for gap in written(DocumentKind.MODEL_CARD, sources).gaps}
        stated = change_model(intended_use="demonstrations", licence="MIT")(sources)
        closed = open_fields - {gap.field for gap in written(DocumentKind.MODEL_CARD, stated).gaps}
        assert closed == {"2 intended", "7 licence"}


def only(figures, **changes):
    """Sources of one witnessed dataset with these figures."""
    sources = full_sources()
    first = sources.uses[0]
    return replace(sources, uses=(replace(first, consumed=replace(figures, **changes)),))


class TestYesAndNo:
    def test_no_needs_that_every_source_is_known(self):
        figures = some_figures(Maker())
        yes = reply(written(DocumentKind.EU_SUMMARY, only(figures)), "crawled")
        no = reply(written(DocumentKind.EU_SUMMARY, only(figures, source_kinds={"own": 5})), "crawled")
        unknown = only(figures, source_kinds={"own": 5, "unknown": 2})
        open_one = reply(written(DocumentKind.EU_SUMMARY, unknown), "crawled")
        assert (yes.value["answer"], no.value) == ("yes", {"answer": "no"})
        assert open_one.value is None
        assert open_one.why.endswith(": 2.")

    @pytest.mark.parametrize(("how", "whole"), [(How.WITNESSED, True), (How.DECLARED, False), (How.STATED, False)])
    def test_no_is_whole_only_where_the_run_was_witnessed(self, how, whole):
        sources = only(some_figures(Maker(), source_kinds={"own": 5}, synthetic={"no": 5}))
        sources = replace(sources, uses=(replace(sources.uses[0], how=how),))
        for key in ("crawled", "synthetic"):
            answer = reply(written(DocumentKind.EU_SUMMARY, sources), key)
            assert (answer.value, answer.why == "") == ({"answer": "no"}, whole)

    def test_what_depends_on_no_does_not_apply_and_on_a_gap_is_one(self):
        figures = some_figures(Maker())
        no = written(DocumentKind.EU_SUMMARY, only(figures, source_kinds={"own": 5}))
        assert [reply(no, key).value for key in ("crawlers", "crawl_period", "crawl_domains")] == ["not applicable"] * 3
        unknown = written(DocumentKind.EU_SUMMARY, only(figures, source_kinds={"unknown": 5}))
        assert [reply(unknown, key).value for key in ("crawlers", "crawl_period", "crawl_domains")] == [None] * 3

    @pytest.mark.parametrize("kind", [DocumentKind.EU_SUMMARY, DocumentKind.AB2013])
    def test_that_no_mark_was_found_is_not_a_no(self, kind):
        figures = some_figures(Maker(), source_kinds={"own": 5})
        unknown = reply(written(kind, only(figures, synthetic={"unknown": 3})), "synthetic")
        stated = reply(written(kind, only(figures, synthetic={"no": 3})), "synthetic")
        found_some = reply(written(kind, only(figures, synthetic={"yes": 1, "unknown": 2})), "synthetic")
        assert unknown.value is None
        assert stated.value == {"answer": "no"}
        assert found_some.value["answer"] == "yes"

    def test_that_no_personal_data_were_found_is_never_a_no(self):
        figures = some_figures(Maker(), personal={})
        answer = reply(written(DocumentKind.AB2013, only(figures)), "personal")
        assert answer.value == {"records in which personal data were found": 0}
        assert answer.why

    @pytest.mark.parametrize(
        ("contents", "words"),
        [(999_999, "less than 1 million images"), (1_000_000, "1 million to"), (10**9, "more than 1 billion images")],
    )
    def test_sizes_are_in_the_ranges_of_the_template(self, contents, words):
        figures = some_figures(Maker(), contents=contents, records=contents, media_types={"image/png": contents})
        assert words in reply(written(DocumentKind.EU_SUMMARY, only(figures)), "size").value["range"]

    def test_what_is_not_known_to_be_an_image_is_in_no_range(self):
        figures = some_figures(Maker(), contents=5, records=5, media_types={"image/png": 4, "": 1})
        size = reply(written(DocumentKind.EU_SUMMARY, only(figures)), "size")
        assert "range" not in size.value
        assert size.why

    def test_only_what_was_witnessed_says_what_was_left_out(self):
        sources = full_sources()
        whole = reply(written(DocumentKind.MODEL_CARD, replace(sources, uses=sources.uses[:1])), "left_out")
        declared = reply(written(DocumentKind.MODEL_CARD, replace(sources, uses=sources.uses[1:])), "left_out")
        assert (whole.why, declared.value) == ("", None)

    def test_users_data_are_of_no_service_in_particular(self):
        filing = written(DocumentKind.EU_SUMMARY, full_sources())
        for key in ("interactions", "services"):
            assert "answer" not in reply(filing, key).value
            assert reply(filing, key).why

    def test_no_is_not_said_in_full_of_a_model_that_was_trained_further(self):
        """Runs say what they handed out; what went into the model that they began with is on no record here."""
        full = full_sources()
        lora = replace(full, uses=(replace(full.uses[0], consumed=ONE_IMAGE),))
        assert reply(written(DocumentKind.EU_SUMMARY, lora), "crawled").why == ""
        tuned = replace(lora, model=full_model(Maker()))
        answer = reply(written(DocumentKind.EU_SUMMARY, tuned), "crawled")
        assert answer.value == {"answer": "no"}
        assert "What went into the model that it began with" in answer.why


class TestHowItIsKnown:
    def test_nothing_says_trained_on_without_saying_how_that_is_known(self):
        sources = full_sources()
        for kind in ABOUT_MODELS:
            assert not re.search(r"trained on (?!new)", json.dumps(written(kind, sources).content)), kind
        graph = written(DocumentKind.SPDX, sources).content["@graph"]
        related = {each["comment"].split(":")[0].split()[0]: each["relationshipType"] for each in graph if "/use" in each.get("spdxId", "")}  # fmt: skip
        assert related == {"Witnessed": "trainedOn", "Declared": "trainedOn", "Stated": "other"}

    def test_figures_say_what_they_are_of(self):
        told = reply(written(DocumentKind.EU_SUMMARY, full_sources()), "sources").value
        assert [each["figures are of"] for each in told.values()] == [
            "what was consumed", "all that was audited", "all that was audited",
        ]  # fmt: skip

    def test_a_dataset_without_an_audit_is_a_gap_everywhere(self):
        sources = without(full_sources(), frozenset({"datasets"}))
        assert reply(written(DocumentKind.AB2013, sources), "number").why.startswith("No audit is recorded of")
        packages = [each for each in written(DocumentKind.SPDX, sources).content["@graph"] if "Dataset" in each["type"]]
        assert [each["dataset_datasetType"] for each in packages] == [["noAssertion"]] * 3

    def test_a_profile_is_claimed_only_where_all_of_it_is_there(self):
        (document,) = [
            each
            for each in written(DocumentKind.SPDX, full_sources()).content["@graph"]
            if each["type"] == "SpdxDocument"
        ]
        assert document["profileConformance"] == ["core", "software", "simpleLicensing"]


class TestForPeople:
    @pytest.mark.parametrize("kind", ABOUT_MODELS)
    def test_every_gap_and_entry_is_in_the_story_and_in_markdown(self, kind):
        filing = written(kind, full_sources())
        texts = "\n".join(story(filing).texts())
        plain = re.sub(r"\\(.)", r"\1", markdown(filing))
        for gap in filing.gaps:
            assert gap.text() in texts
            assert gap.text() in plain
        for cited in filing.entries:
            assert cited.id in texts
            assert cited.leaf in plain
        assert gap_count(filing) in texts
        assert filing.sources.basis.root in texts

    @settings(max_examples=50, deadline=None)
    @given(
        st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), min_size=1, max_size=40).filter(
            str.strip
        )
    )
    def test_nothing_that_a_record_says_becomes_markup(self, name):
        sources = bare_sources(Maker())
        item = RegisteredAdapter(name="x", digest=sources.model.item.key, intended_use=name)
        lines = markdown(
            written(DocumentKind.MODEL_CARD, replace(sources, model=replace(sources.model, item=item)))
        ).splitlines()
        shown = lines[lines.index("### Intended use") + 2].removeprefix("- ")
        assert re.sub(r"\\(.)", r"\1", shown) == " ".join(name.split())
        assert not re.search(r"(?<!\\)(?:\\\\)*[<>*_`\[\]|#]", shown)

    @pytest.mark.parametrize("text", ["- a", "+ a", "-", "--- a", "=== a", "1. a", "12."])
    def test_nothing_that_a_record_says_begins_a_list_in_a_list(self, text):
        sources = bare_sources(Maker())
        item = RegisteredAdapter(name="x", digest=sources.model.item.key, intended_use=text)
        filing = written(DocumentKind.MODEL_CARD, replace(sources, model=replace(sources.model, item=item)))
        lines = markdown(filing).splitlines()
        shown = lines[lines.index("### Intended use") + 2].removeprefix("- ")
        assert re.match(r"\d*\\[-+=.]", shown), shown

    def test_the_front_matter_of_a_card_says_what_the_register_says(self):
        sources = full_sources()
        front = markdown(written(DocumentKind.MODEL_CARD, sources)).split("---\n")[1]
        values = dict(line.split(": ", 1) for line in front.splitlines())
        assert json.loads(values["license"]) == "cc-by-4.0"
        assert json.loads(values["datasets"]) == ["witnessed-set", "declared-set", "stated-set"]
        assert json.loads(values["base_model"]) == sources.base.item.name
        own = written(DocumentKind.MODEL_CARD, change_model(licence="LicenseRef-house")(sources)).front
        assert (own["license"], own["license_name"]) == ("other", "LicenseRef-house")

    def test_values_become_words(self):
        assert said({"a": {"b": 1, "c": ["x", "y"]}, "d": []}) == "a: (b: 1; c: x, y); d: none"


def test_every_kind_has_a_writer_and_refuses_what_it_is_not_about():
    assert set(WRITERS) == set(DocumentKind)
    with pytest.raises(DocumentError, match="about a dataset"):
        written(DocumentKind.CROISSANT, full_sources())
    for kind in (kind for kind in ABOUT_MODELS if kind is not DocumentKind.SPDX):
        with pytest.raises(DocumentError, match="about a model or an adapter"):
            written(kind, dataset_sources(Maker()))
    with pytest.raises(DocumentError, match="about a model"):
        written(DocumentKind.SPDX, replace(full_sources(), model=None))
