"""Threshold tables against a count by hand, and the pictures of them."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest
from governance.errors import DetectorError
from governance.types import Finding
from governance_adapters.commands.calibration import NEVER, TOP, LabelScores, scores_by_label
from governance_adapters.commands.plots import COLUMNS, ruler, shades, svg

DIGEST = digest(b"weights")
SCORES = st.lists(st.integers(0, TOP), min_size=1, max_size=30).map(sorted).map(tuple)


def finding(label, score, detector="d"):
    return Finding(detector, DIGEST, label, score)


def stopped(scores, threshold):
    return sum(score >= threshold for score in scores)


class TestTables:
    @given(SCORES, SCORES, st.integers(0, TOP))
    def test_a_row_counts_what_is_at_or_above(self, good, bad, threshold):
        row = LabelScores("d", "d.x", good, bad).at(threshold)
        assert (row.false_positives, row.caught) == (stopped(good, threshold), stopped(bad, threshold))

    @given(SCORES, st.integers(0, 40))
    def test_the_least_threshold_is_the_least(self, good, budget):
        least = LabelScores("d", "d.x", good).least(budget)
        assert 1 <= least <= NEVER
        assert stopped(good, least) <= budget
        assert least == 1 or stopped(good, least - 1) > budget

    @given(SCORES, SCORES, st.integers(0, 40))
    def test_a_table_rises_and_holds_the_chosen_threshold(self, good, bad, budget):
        label = LabelScores("d", "d.x", good, bad)
        table = label.table(budget)
        thresholds = [row.threshold for row in table]
        assert thresholds == sorted(set(thresholds))
        assert all(row == label.at(row.threshold) for row in table)
        assert label.least(budget) in {*thresholds, NEVER}
        assert NEVER not in thresholds
        assert set(range(100_000, TOP, 100_000)) <= set(thresholds)

    @given(SCORES, st.integers(0, 40))
    def test_what_is_pasted_holds_at_most_the_budget_and_denies_no_good_image(self, good, budget):
        row = LabelScores("d", "d.x", good).thresholds(budget)
        if row is None:
            assert stopped(good, TOP) > budget
        else:
            assert row["review"] <= TOP
            assert row["review"] <= row["deny"] <= NEVER
            assert stopped(good, row["review"]) <= budget
            assert stopped(good, row["deny"]) == 0

    def test_a_label_that_tells_nothing_apart_has_no_threshold(self):
        label = LabelScores("d", "d.x", (5, TOP))
        assert label.thresholds(0) is None
        assert label.thresholds(1) == {"deny": NEVER, "review": 6}


class TestScores:
    def test_they_are_millionths_rounded_up_as_in_policy(self):
        (label,) = scores_by_label([[finding("d.x", 0.1234561)], [finding("d.x", 0.0)]])
        assert label.good == (0, 123457)

    def test_the_highest_of_an_image_counts_and_none_is_nothing(self):
        good = [[finding("copy", 0.2), finding("copy", 0.7)], [finding("other", 0.1)]]
        copy, other = scores_by_label(good, [[finding("other", 0.5)]])
        assert (copy.label, copy.good, copy.bad) == ("copy", (0, 700_000), (0,))
        assert (other.label, other.good, other.bad) == ("other", (0, 100_000), (500_000,))

    def test_a_label_of_two_detectors_is_two(self):
        found = scores_by_label([[finding("x", 0.1, "a"), finding("x", 0.2, "b")]])
        assert [(one.detector, one.good) for one in found] == [("a", (100_000,)), ("b", (200_000,))]

    def test_a_score_that_is_none_is_refused(self):
        with pytest.raises(DetectorError):
            scores_by_label([[finding("x", float("nan"))]])

    def test_programs_get_whole_numbers(self):
        with_bad = LabelScores("d", "d.x", (0, 9), (TOP,)).as_json(0)
        assert with_bad["table"][0] == {"threshold": 1, "false_positives": 1, "caught": 1}
        assert "caught" not in LabelScores("d", "d.x", (0, 9)).as_json(0)["table"][0]


class TestPlots:
    @given(st.lists(st.integers(0, TOP), max_size=50))
    def test_a_line_shows_where_scores_are_and_where_none_is(self, scores):
        line = shades(scores)
        assert len(line) == COLUMNS
        assert {at for at, shade in enumerate(line) if shade != " "} == {
            min(COLUMNS - 1, score * COLUMNS // TOP) for score in scores
        }

    def test_the_fullest_part_is_the_darkest(self):
        assert shades([0] * 9 + [TOP], columns=2) == "@."

    def test_marks_stand_at_their_thresholds(self):
        assert ruler({"deny": 900_000, "review": 500_000}, columns=10) == "     r   d"
        assert ruler({"deny": TOP, "review": TOP}, columns=4) == "   *"

    @given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20), SCORES, SCORES)
    def test_the_picture_is_sound_xml_whatever_a_label_is_called(self, name, good, bad):
        label = LabelScores("d", name, good, bad)
        root = ET.fromstring(svg([label, label], {name: {"deny": 10, "review": 5}}))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts.count(name) >= 2
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 4

    def test_a_curve_falls_to_nothing_at_the_highest_score(self):
        drawn = svg([LabelScores("d", "d.x", (500_000, TOP))], {})
        assert 'd="M0 0 H320.0 V75.0 H640.0 V150.0 H640"' in drawn
