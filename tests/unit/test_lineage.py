"""From a file back to every licence: what the graph says, what it says is not known, and how it is drawn."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest, parsed_json
from governance.entries import EntryKind
from governance.errors import ProofError, RecallError
from governance.lineage.drawn import svg, tree_lines
from governance.lineage.graph import Basis, Drawing, Node, NodeKind
from governance.lineage.recall_entries import Cause, Recall, RecallBy, Targets
from governance.lineage.releases import Release
from governance.lineage.tracing import lineage_of, lineage_of_adapter, lineage_of_model
from governance.registers.items import model_key
from governance.testing import FakeLedger
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.search_records import Told
from governance.training.policy_input import LineageGrade
from support.lineages import BASE, COUNSEL, World, lora

INK = lora("ink")
NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def world():
    return World(FakeLedger())


def titles(lineage, kind):
    return [node.title for node in lineage.of_kind(kind)]


def between(lineage, source, target):
    """What joins two kinds, and how it is known."""
    kinds = {node.id: node.kind for node in lineage.nodes}
    return [
        (edge.what, edge.basis)
        for edge in lineage.edges
        if (kinds[edge.source], kinds[edge.target]) == (source, target)
    ]


def full(world, lineage=LineageGrade.WITNESSED):
    """A file that was made with a LoRA, whose run consumed an audited dataset, part of it under a contract."""
    world.model()
    world.contract()
    audited = world.audited(
        licences={"CC-BY-4.0": {"records": 7, "allowed": 5}, "MIT": {"records": 2, "allowed": 0}},
        contracts={"stock-2026": {"records": 3, "allowed": 2}, "old": {"records": 1, "allowed": 0}},
    )
    run = world.run(audited, INK, lineage=lineage)
    world.adapter(INK, run, datasets=("scans",), licence="CC-BY-SA-4.0")
    return world.released(INK)


class TestWhatIsOnRecord:
    def test_a_file_is_traced_to_every_licence(self, world):
        released = full(world)
        lineage = lineage_of(world.ledger, released)
        assert lineage.licences == ("Apache-2.0", "CC-BY-4.0", "CC-BY-SA-4.0", "LicenseRef-stock")
        assert lineage.root.key == released.body["asset"]["digest"]
        assert [node.entry for node in lineage.of_kind(NodeKind.ASSET)] == [released.id]
        assert titles(lineage, NodeKind.DECISION) == ["admission: allow", "release: allow"]
        assert titles(lineage, NodeKind.MODEL) == ["reference"]
        assert titles(lineage, NodeKind.ADAPTER) == ["ink"]
        assert titles(lineage, NodeKind.DATASET) == ["dataset scans"]
        assert titles(lineage, NodeKind.VENDOR) == ["vendor Stock pictures"]
        assert between(lineage, NodeKind.ADAPTER, NodeKind.RUN) == [("was made by", Basis.WITNESSED)]
        assert between(lineage, NodeKind.RUN, NodeKind.DATASET) == [("consumed 3 contents of", Basis.WITNESSED)]
        assert between(lineage, NodeKind.DATASET, NodeKind.LICENCE) == [("has 5 allowed records under", Basis.AUDITED)]
        assert between(lineage, NodeKind.CONTRACT, NodeKind.LICENCE) == [("grants", Basis.STATED)]
        assert lineage.gaps == ("no audited dataset stands behind reference",)
        (dataset,) = lineage.of_kind(NodeKind.DATASET)
        assert dataset.facts["newest"] is True
        assert len(dataset.facts["approvals"]) == 1

    def test_a_declared_run_is_never_said_to_have_been_witnessed(self, world):
        lineage = lineage_of(world.ledger, full(world, LineageGrade.DECLARED))
        assert between(lineage, NodeKind.RUN, NodeKind.DATASET) == [
            ("is declared to have consumed 3 contents of", Basis.DECLARED)
        ]
        assert Basis.WITNESSED not in {edge.basis for edge in lineage.edges}

    def test_what_it_was_not_made_with_is_not_there(self, world):
        full(world)
        lineage = lineage_of(world.ledger, world.released())
        assert lineage.licences == ("Apache-2.0",)
        assert lineage.of_kind(NodeKind.ADAPTER) == lineage.of_kind(NodeKind.DATASET) == ()

    def test_a_lora_and_a_model_have_a_lineage_of_their_own(self, world):
        full(world)
        assert lineage_of_adapter(world.ledger, INK.digest).root.title == "ink"
        assert "CC-BY-4.0" in lineage_of_adapter(world.ledger, INK.digest).licences
        assert lineage_of_model(world.ledger, BASE).licences == ("Apache-2.0",)

    def test_a_renamed_lora_is_the_lora_whose_weights_it_has(self, world):
        full(world)
        renamed = replace(INK, name="approved")
        lineage = lineage_of(world.ledger, world.released(renamed))
        (adapter,) = lineage.of_kind(NodeKind.ADAPTER)
        assert (adapter.key, adapter.title, adapter.facts["called"]) == (INK.digest, "ink", "approved")

    def test_an_earlier_audit_is_the_one_that_was_consumed(self, world):
        released = full(world)
        world.audited(root=digest(b"another root"), licences={"MIT": {"records": 1, "allowed": 1}})
        lineage = lineage_of(world.ledger, released)
        (dataset,) = lineage.of_kind(NodeKind.DATASET)
        assert dataset.facts["newest"] is False
        assert "MIT" not in lineage.licences

    def test_json_names_every_node_and_edge(self, world):
        value = lineage_of(world.ledger, full(world)).as_json()
        names = {node["id"] for node in value["nodes"]}
        assert {edge[end] for edge in value["edges"] for end in ("source", "target")} <= names
        assert value["root"] == value["nodes"][0]["id"]
        assert parsed_json(str(value["licences"]).replace("'", '"').encode()) == value["licences"]


def test_a_licence_is_recalled_as_a_part_of_an_expression(world):
    world.ledger.append(Recall(Cause(RecallBy.LICENCE, "CC-BY-4.0"), COUNSEL).records(Targets(models=("x",)))[0])
    world.model(licence="MIT OR cc-by-4.0")
    assert [bool(node.recalled) for node in lineage_of_model(world.ledger, BASE).of_kind(NodeKind.LICENCE)] == [True]
    world.registers.change(replace(world.registers.model(BASE), licence="MIT"), COUNSEL)
    assert [node.recalled for node in lineage_of_model(world.ledger, BASE).of_kind(NodeKind.LICENCE)] == [""]


class TestWhatIsNotKnown:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda world: world.released(), "is not in the register"),
            (lambda world: (world.model(licence=""), world.released())[1], "states no licence of reference"),
            (
                lambda world: (world.model(data_origin="scans of our own"), world.released())[1],
                "the register states: scans of our own",
            ),
            (
                lambda world: (world.model(datasets=("missing",)), world.released())[1],
                "comes from dataset missing, of which there is no audit",
            ),
            (lambda world: (world.model(), world.released(lora("unknown")))[1], "is not in the register"),
        ],
        ids=["unregistered", "no-licence", "no-dataset", "no-audit", "unregistered-lora"],
    )
    def test_gaps_are_named(self, world, make, said):
        gaps = lineage_of(world.ledger, make(world)).gaps
        assert any(said in gap for gap in gaps), gaps

    def test_records_without_a_licence_are_a_gap(self, world):
        world.model()
        audited = world.audited(licences={"": {"records": 3, "allowed": 3}})
        world.adapter(INK, world.run(audited, INK))
        gaps = lineage_of_adapter(world.ledger, INK.digest).gaps
        assert "3 allowed records of dataset scans have no known licence" in gaps

    def test_a_report_that_is_gone_is_a_gap(self, world):
        full(world)
        ledger = world.ledger
        audited = next(each.entry for each in ledger.records if each.entry.body.get("change") == "audited")
        forgetful = Forgetful(ledger, str(audited.body["report"]))
        gaps = lineage_of_adapter(forgetful, INK.digest).gaps
        assert any("report of the audit of scans is not kept" in gap for gap in gaps)

    def test_a_model_that_is_not_described_any_more_is_a_gap(self, world):
        released = full(world)
        intent = next(each.entry for each in world.ledger.records if each.entry.id == released.body["intent"]["id"])
        lineage = lineage_of(Forgetful(world.ledger, str(intent.body["model"])), released)
        assert lineage.gaps == ("the description of the model that this intent names is not kept",)

    def test_an_intent_that_is_missing_is_a_gap(self, world):
        record = Told(subject="elsewhere").record()
        released = Told(EntryKind.RELEASED, subject="here", intent=record, scores=(0.1,), content=b"x").record()
        world.ledger.append(released)
        lineage = lineage_of(world.ledger, released.entry)
        assert lineage.gaps == ("the intent that this release names is not in the ledger",)

    def test_only_releases_have_files(self, world):
        with pytest.raises(RecallError, match="releases no file"):
            lineage_of(world.ledger, world.audited())


class Forgetful:
    """A ledger that has lost one document."""

    def __init__(self, ledger, lost):
        self._ledger, self._lost = ledger, lost

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def document(self, named):
        return None if named == self._lost else self._ledger.document(named)


class TestDrawing:
    def test_the_tree_names_everything_once_and_repeats_nothing(self, world):
        lineage = lineage_of(world.ledger, full(world))
        lines = list(tree_lines(lineage))
        assert lines[0] == f"asset file {lineage.root.key}"
        assert len(lines) == 1 + len(lineage.edges)
        assert sum("NOT KNOWN: " in line for line in lines) == len(lineage.gaps)
        assert any(line.endswith("(see above)") for line in lines)

    def test_a_picture_has_a_title_a_description_and_every_box(self, world):
        lineage = lineage_of(world.ledger, full(world))
        root = ET.fromstring(svg(lineage))
        assert root.find(f"{NAMESPACE}title").text == f"Lineage of {lineage.root.title}"
        described = root.find(f"{NAMESPACE}desc").text
        assert all(licence in described for licence in lineage.licences)
        assert root.get("role") == "img"
        boxes = [rect for group in root.findall(f"{NAMESPACE}g") for rect in group.findall(f"{NAMESPACE}rect")]
        assert len({box.get("y") for box in boxes}) == len(boxes) == len(lineage.edges) + 1
        assert len(root.findall(f"{NAMESPACE}path")) == len(lineage.edges)
        drawn = [text.text for group in root.findall(f"{NAMESPACE}g") for text in group.findall(f"{NAMESPACE}text")]
        for line, node in zip(tree_lines(lineage), drawn[::2], strict=False):
            assert node.removesuffix("…") in line or line.endswith("(see above)")
        assert "script" not in svg(lineage)

    @given(st.text(max_size=60))
    def test_any_name_makes_a_picture_and_moves_no_cursor(self, name):
        drawing = Drawing()
        root = Node(NodeKind.ADAPTER, "a" * 64, name)
        drawing.add(root)
        drawing.join(root, Node(NodeKind.LICENCE, name or "x", name), "is licensed under", Basis.STATED)
        drawing.join(root, root, "changed", Basis.DECLARED)
        drawing.lack(root, name)
        lineage = drawing.lineage()
        ET.fromstring(svg(lineage))
        assert all(line.isprintable() for line in tree_lines(lineage))

    def test_a_long_line_of_models_is_followed_to_its_end(self, world):
        """One tuned from the other, for years: no step of the way waits for the next one to return."""
        audited, base, length = world.audited(), BASE, 60
        for number in range(length):
            tuned = replace(EXAMPLE_MODEL, components={**EXAMPLE_MODEL.components, "unet": digest(b"%d" % number)})
            world.run(audited, tuned, base=base)
            base = model_key(tuned.components)
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack(0)) + 2 * length)
        try:
            lineage = lineage_of_model(world.ledger, base)
            lines, picture = list(tree_lines(lineage)), svg(lineage)
        finally:
            sys.setrecursionlimit(before)
        assert len(lineage.of_kind(NodeKind.MODEL)) == length + 1
        assert len(lines) > length
        assert picture.count("<rect") == len(lines) + 1


class TestReleases:
    @given(
        st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()),
        st.sampled_from(["ascii", 'quo"te', "back\\slash", "},"]),
    )
    def test_a_leaf_reads_as_its_entry_does(self, subject, more):
        intent = Told(subject="g").record()
        record = Told(
            EntryKind.RELEASED,
            subject=subject + more,
            intent=intent,
            scores=(0.1,),
            content=subject.encode(),
        ).record()
        assert Release.of_leaf(record.entry.leaf()) == Release.of(record.entry)

    def test_other_entries_release_nothing(self):
        with pytest.raises(ProofError, match="releases no file"):
            Release.of_leaf(Told().record().entry.leaf())
