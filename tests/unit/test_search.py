"""Questions to the ledger: what can be asked, what an entry is found by, and that nothing that holds a filter is missed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.alike import nearest
from governance.canonical import canonical_bytes, digest
from governance.covers import MAX_COVER, SCORE_STEPS, TIME_PLACES, score_cover, time_cover
from governance.entries import Entry, EntryKind, MarkRecord, PersonalField
from governance.errors import MarkError, QueryError
from governance.normalise import MAX_PROMPT_CHARACTERS
from governance.search import TOP, Query, Rollup, ScoreRange, check_days, instant, query_words
from governance.terms import TERM_BYTES, alike_terms, picture_terms, term, terms_of_traits, wanted
from governance.testing.ledger_search import distinct_records
from governance.testing.search_records import Told
from governance.traits import input_digests, matches, rollups_of, traits_of
from governance.types import Fingerprint, Outcome
from support.searching import moments, queries, ranges, tellings

HASHES = st.binary(min_size=32, max_size=32)


def beside(record):
    """What the traits of a record's entry come from."""
    return record.entry, record.fields, {document.digest: document.content for document in record.documents}


class TestQueries:
    @pytest.mark.parametrize(
        "filters",
        [
            {"since": "2026-11-23"},
            {"since": "2026-11-23T00:00:00+01:00"},
            {"until": "2026-02-30T00:00:00Z"},
            {"since": "2026-11-24T00:00:00Z", "until": "2026-11-24T00:00:00.000Z"},
            {"principal": ""},
            {"reviewer": "x" * 513},
            {"purpose": "\ud800"},
            {"asset": 5},
            {"outcome": "perhaps"},
            {"kind": "kind"},
            {"stage": "first"},
            {"words": "!!!"},
            {"words": ""},
            {"words": "\ud800"},
            {"words": "a" * (MAX_PROMPT_CHARACTERS + 1)},
            {"words": " ".join(f"{letter}{other}bc" for letter in "abcdefgh" for other in "xyzvw")},
            {"watermark": -1},
            {"watermark": 2**62},
            {"watermark": True},
            {"watermark": "7"},
            {"algorithm": "org.example.mark.1"},
            {"scores": (ScoreRange("nsfw", "nsfw"),) * 9},
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, filters):
        with pytest.raises(QueryError) as caught:
            Query(**filters)
        assert caught.value.remedy

    def test_filters_as_json(self):
        query = Query(outcome=Outcome.DENY, watermark=7, scores=(ScoreRange("a", "b", 1, 2),), words="Red")
        assert query.as_json() == {"outcome": "deny", "watermark": 7, "scores": [["a", "b", 1, 2]], "words": "Red"}
        assert canonical_bytes(query.as_json())
        assert Query().as_json() == {}

    def test_who_is_asked_for_is_personal(self):
        assert not Query(subject="g", outcome=Outcome.DENY).personal
        assert all(Query(**{name: "x"}).personal for name in ("principal", "reviewer", "words"))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("nsfw/nsfw:0.2..0.9", ScoreRange("nsfw", "nsfw", 200_000, 900_000)),
            ("nsfw/a/b:c:..0.000001", ScoreRange("nsfw", "a/b:c", 0, 1)),
            ("nsfw/nsfw:0.123456..", ScoreRange("nsfw", "nsfw", 123_456, TOP)),
            ("nsfw/nsfw:1..1.0", ScoreRange("nsfw", "nsfw", TOP, TOP)),
            ("nsfw/nsfw:..", ScoreRange("nsfw", "nsfw")),
        ],
    )
    def test_ranges_are_read(self, text, expected):
        assert ScoreRange.parse(text) == expected

    @pytest.mark.parametrize(
        "text",
        ["", "nsfw", "nsfw:0..1", "nsfw/nsfw", "nsfw/nsfw:0.2", "a/b:0.9..0.2", "a/b:0.2..1.1", "a/b:0.1234567..1", "a/b:2..",
         "a/b:.5..1", "/b:..", "a/:..", "a/b:0..1\n", "a/b:\u0661..1"],
    )  # fmt: skip
    def test_what_is_no_range(self, text):
        with pytest.raises(QueryError):
            ScoreRange.parse(text)

    @pytest.mark.parametrize("edges", [(-1, 5), (5, 4), (0, TOP + 1), (0.1, 1), (True, 5)])
    def test_ranges_without_scores(self, edges):
        with pytest.raises(QueryError):
            ScoreRange("a", "b", *edges)

    def test_times_compare_whatever_their_decimals(self):
        written = [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.1Z",
            "2026-01-01T00:00:00.100000001Z",
            "2026-01-01T00:00:01Z",
        ]
        assert all(instant(one) < instant(other) for one, other in pairwise(written))
        assert instant("2026-01-01T00:00:00.10Z") == instant("2026-01-01T00:00:00.1Z")

    @pytest.mark.parametrize(
        "days", [("2026-01-01", "2026-01-01"), ("2026-01-02", "2026-01-01"), ("2026-02-30", "2027-01-01")]
    )
    def test_what_is_no_span_of_days(self, days):
        with pytest.raises(QueryError):
            check_days(*days)

    def test_words_are_read_as_policy_reads_prompts(self):
        assert query_words("A  P@ssport, a passport") == ("a", "passport")


class TestCovers:
    @given(ranges(), st.integers(0, TOP))
    def test_every_score_of_a_range_is_covered(self, scores, score):
        spans = score_cover(scores)
        assert len(spans) <= MAX_COVER
        assert all(step in SCORE_STEPS and first % step == 0 for step, first in spans)
        covered = sum(first <= score < first + step for step, first in spans)
        assert covered <= 1
        if scores.at_least <= score <= scores.at_most:
            assert covered == 1
        elif covered:
            assert min(abs(score - scores.at_least), abs(score - scores.at_most)) < SCORE_STEPS[1]

    @given(st.none() | moments(), st.none() | moments(), moments())
    def test_every_time_of_a_range_is_covered(self, since, until, time):
        places = time_cover(since, until, ["2025", "2026", "2027", "2028"])
        assert all(len(place) in TIME_PLACES for place in places)
        covered = sum(time.startswith(place) for place in places)
        assert covered <= 1
        inside = (since is None or instant(since) <= instant(time)) and (
            until is None or instant(time) < instant(until)
        )
        if inside:
            assert covered == 1
        elif covered:
            assert time[:13] in [(edge or "")[:13] for edge in (since, until)]

    def test_the_longest_periods_are_taken(self):
        years = ["2024", "2025", "2026"]
        assert time_cover(None, None, years) == tuple(years)
        assert time_cover("2024-12-31T23:00:00Z", "2026-02-02T01:30:00Z", years) == (
            "2024-12-31T23", "2025", "2026-01", "2026-02-01", "2026-02-02T00", "2026-02-02T01",
        )  # fmt: skip
        assert time_cover("2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z", years) == ("2024-02-28", "2024-02-29")
        assert time_cover("2027-01-01T00:00:00Z", None, years) == ()
        assert time_cover(None, "0001-01-01T00:00:00Z", ["0001"]) == ()
        assert time_cover(None, "9999-12-31T23:59:59Z", ["9999"]) == ("9999",)


class TestTerms:
    def test_a_term_is_the_beginning_of_a_hash_of_its_own_domain(self):
        whole = digest(b"diffusion-governance/term/v1\0kind\0intent")
        assert term("kind", "intent").hex() == whole[: 2 * TERM_BYTES]
        assert len({term("a", "bc"), term("ab", "c"), term("a", "b\0c"), term("a", "b")}) == 4

    @given(tellings(), queries())
    @settings(max_examples=400)
    def test_what_holds_a_query_has_a_term_of_each_of_its_filters(self, told, query):
        entry, fields, documents = beside(told.record())
        terms = terms_of_traits(traits_of(entry, fields, documents))
        assert all(len(each) == TERM_BYTES for each in terms)
        if matches(query, traits_of(entry, fields, documents)):
            assert all(terms.intersection(union) for union in wanted(query, [entry.time[:4]]))

    def test_different_filters_of_one_value_are_different_terms(self):
        names = ("principal", "reviewer", "purpose", "model", "adapter", "bundle", "reason", "asset", "subject", "work")
        assert len({wanted(Query(**{name: "x"}), ()) for name in names}) == len(names)

    def test_what_is_erased_is_no_term_any_more(self):
        entry, fields, documents = beside(Told(principal="ann@example.org", prompts=("a violet walrus",)).record())
        whole, rest = (
            terms_of_traits(traits_of(entry, fields, documents)),
            terms_of_traits(traits_of(entry, (), documents)),
        )
        gone = {term("principal", "ann@example.org"), term("word", "walrus"), term("word", "violet"), term("word", "a")}
        assert whole - rest == gone
        assert rest < whole

    @given(HASHES, st.sets(st.integers(0, 255), max_size=31))
    def test_hashes_that_differ_in_at_most_31_bits_have_a_term_in_common(self, pdq, flipped):
        other = (int.from_bytes(pdq) ^ sum(1 << bit for bit in flipped)).to_bytes(32)
        looked_up = alike_terms(pdq)
        assert (len(looked_up), {len(band) for band in looked_up}) == (16, {17})
        assert picture_terms(other) & {each for band in looked_up for each in band}

    def test_hashes_that_differ_in_two_bits_of_every_band_need_not(self):
        other = bytes([1, 1] * 16)
        assert not picture_terms(other) & {each for band in alike_terms(bytes(32)) for each in band}

    def test_what_is_no_hash_has_no_terms(self):
        assert picture_terms(b"short") == frozenset()


def mark(mark_id, pdq):
    return MarkRecord("x", "k", mark_id, "a", digest(b""), Fingerprint(pdq, 90, bytes(192)))


class TestNearest:
    def test_the_nearest_come_first_however_many_there_are(self):
        pdq = np.zeros(256, dtype=np.uint8)
        records = []
        for bits in (40, 3, 31, 0, 32, 3, 12):
            flipped = pdq.copy()
            flipped[:bits] = 1
            records.append(mark(len(records), np.packbits(flipped).tobytes()))
        zero = bytes(32)
        assert [each.mark_id for each in nearest(records, zero, 10)] == [3, 1, 5, 6, 2]
        assert [each.mark_id for each in nearest(records * 5, zero, 2)] == [3, 1]
        assert [each.mark_id for each in nearest(reversed(records), zero, 1)] == [3]

    def test_a_damaged_hash_is_like_nothing_and_nothing_is_like_one(self):
        assert list(nearest([mark(1, b"short")], bytes(32), 5)) == []
        with pytest.raises(MarkError):
            nearest([mark(1, bytes(32))], b"short", 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2_000_000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class TestTraits:
    @given(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("decision", "findings", "codes", "model", "purpose", "asset", "watermark"), JSON)
        ),
        st.sampled_from(EntryKind),
        JSON,
    )  # fmt: skip
    def test_whatever_a_body_holds_it_has_terms(self, body, kind, value):
        entry = Entry(kind, "g", body, time="some day")
        fields = [PersonalField(name, b"", value) for name in ("/principal/id", "/reviewer/id", "/prompts/0")]
        content = json.dumps(value).encode()
        documents = dict.fromkeys(input_digests(entry), content)
        traits = traits_of(entry, fields, documents)
        assert term("kind", kind.value) in terms_of_traits(traits_of(entry, fields, documents))
        assert (traits.day, dict(rollups_of(traits))) == (None, {})
        assert not matches(Query(since="0001-01-01T00:00:00Z"), traits)

    def test_documents_that_are_none_say_nothing(self):
        entry, fields, documents = beside(Told().record())
        for content in (b"", b"[]", b"{", b"1.5", b"[" * 100_000):
            traits = traits_of(entry, fields, dict.fromkeys(documents, content))
            assert (traits.adapters, traits.models) == (frozenset(), {entry.body["model"]})

    def test_counts_are_of_the_highest_score_and_never_personal(self):
        released = distinct_records()[1]
        counts = rollups_of(traits_of(*beside(released)))
        assert ("2026-03-01", "risk", "nsfw/nsfw:0.7") in counts
        assert set(counts.values()) == {1}
        said = json.dumps([list(each) for each in counts])
        assert "example.org" not in said
        assert "marketing" not in said
        assert ("2026-03-01", "risk", "nsfw/nsfw:1.0") in rollups_of(
            traits_of(*beside(replace(Told(time="2026-03-01T00:00:00Z", scores=(1.0, 0.2))).record()))
        )

    def test_a_rollup_is_a_value(self):
        assert Rollup("2026-03-01", "kind", "intent", 1) == Rollup("2026-03-01", "kind", "intent", 1)
