"""The part of the ledger's contract that is about searching: every filter, pages, pictures alike, and counts by day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from governance.canonical import canonical_digest, digest
from governance.entries import EntryKind, Record
from governance.erasure import WATERMARK
from governance.errors import QueryError
from governance.lineage.recall_entries import Cause, Recall, RecallBy, RecalledDataset, Targets, recalling
from governance.lineage.releases import Release
from governance.ports import Ledger
from governance.search import Query, Rollup, ScoreRange
from governance.testing.example_records import ALGORITHM
from governance.testing.examples import EXAMPLE_MODEL
from governance.testing.expect import expect
from governance.testing.ledger_erasure import erase
from governance.testing.search_records import ADAPTED_MODEL, LORA, Told
from governance.types import Fingerprint, Outcome, Principal, Stage

PDQ = bytes(range(32))


def found(ledger: Ledger, query: Query, limit: int = 100) -> list[int]:
    """The indices of all that is found, page by page."""
    indices: list[int] = []
    after: int | None = -1
    while after is not None:
        page = ledger.search(query, after=after, limit=limit)
        assert len(page.items) <= limit
        assert all(index > after for index, _ in page.items)
        assert page.next is None or page.next > after
        assert all(ledger.entry(entry.id) == entry for _, entry in page.items)
        indices += [index for index, _ in page.items]
        after = page.next
    return indices


def distinct_records() -> list[Record]:
    """Records that differ in everything that is asked for: an intent and its release, a denial, and a comment."""
    intent = Told(subject="g0", time="2026-02-28T23:59:59.999Z").record()
    return [
        intent,
        Told(
            EntryKind.RELEASED, "2026-03-01T00:00:00.000Z", "g0", intent=intent, stage=Stage.RELEASE,
            scores=(0.25, 0.71), work="work-1", content=b"signed bytes", mark=(7, PDQ),
        ).record(),
        Told(
            EntryKind.DENIED, "2027-01-01T12:00:00.000Z", "g2", principal="bob@example.org", purpose="art",
            prompts=("a p@ssport of an otter", "\u7ea2\u8272\u7684\u4e03"), model=ADAPTED_MODEL, bundle=digest(b"other"),
            outcome=Outcome.DENY, codes=("prompt.blocked_term",),
        ).record(),
        Told(
            EntryKind.COMMENTED, "2027-01-02T00:00:00.500Z", "g0", reviewer="cat@example.org", stage=Stage.REVIEW,
            codes=("brand.too_similar",),
        ).record(),
    ]  # fmt: skip


CASES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3]),
    ({"kind": EntryKind.DENIED}, [2]),
    ({"subject": "g0"}, [0, 1, 3]),
    ({"since": "2026-03-01T00:00:00Z"}, [1, 2, 3]),
    ({"until": "2026-03-01T00:00:00Z"}, [0]),
    ({"since": "2026-02-28T23:59:59.999Z", "until": "2027-01-02T00:00:00.5Z"}, [0, 1, 2]),
    ({"since": "2026-02-28T23:59:59.9991Z", "until": "2027-01-02T00:00:00.501Z"}, [1, 2, 3]),
    ({"since": "2027-01-02T00:00:00.501Z"}, []),
    ({"until": "0001-01-01T00:00:00Z"}, []),
    ({"since": "2026-03-01T00:00:00Z", "until": "9999-12-31T23:59:59Z", "subject": "g0"}, [1, 3]),
    ({"principal": "ann@example.org"}, [0, 1, 3]),
    ({"principal": "ann"}, []),
    ({"reviewer": "cat@example.org"}, [3]),
    ({"principal": "cat@example.org"}, []),
    ({"purpose": "marketing"}, [0, 1, 3]),
    ({"purpose": "art"}, [2]),
    ({"model": "StableDiffusionPipeline"}, [0, 1, 3]),
    ({"model": canonical_digest(ADAPTED_MODEL.as_facts())}, [2]),
    ({"model": canonical_digest(EXAMPLE_MODEL.as_facts())}, [0, 1, 3]),
    ({"model": EXAMPLE_MODEL.digest}, [0]),
    ({"model": digest(b"unet weights")}, [0, 1, 2, 3]),
    ({"adapter": LORA.name}, [2]),
    ({"adapter": LORA.digest}, [2]),
    ({"bundle": digest(b"other")}, [2]),
    ({"stage": Stage.RELEASE}, [1]),
    ({"outcome": Outcome.ALLOW}, [0, 1, 3]),
    ({"stage": Stage.ADMISSION, "outcome": Outcome.DENY}, [2]),
    ({"stage": Stage.RELEASE, "outcome": Outcome.DENY}, []),
    ({"reason": "prompt.blocked_term"}, [2]),
    ({"reason": "brand.too_similar"}, [3]),
    ({"scores": (ScoreRange("nsfw", "nsfw"),)}, [1]),
    ({"scores": (ScoreRange("nsfw", "nsfw", 250_000, 250_000),)}, [1]),
    ({"scores": (ScoreRange("nsfw", "nsfw", 250_001, 709_999),)}, []),
    ({"scores": (ScoreRange("nsfw", "nsfw", 0, 300_000), ScoreRange("nsfw", "nsfw", 700_000))}, [1]),
    ({"scores": (ScoreRange("nsfw", "copy"),)}, []),
    ({"work": "work-1"}, [1]),
    ({"asset": digest(b"signed bytes")}, [1]),
    ({"asset": f"asset-{digest(b'signed bytes')[:8]}"}, [1]),
    ({"watermark": 7}, [1]),
    ({"watermark": 7, "algorithm": ALGORITHM}, [1]),
    ({"watermark": 7, "algorithm": "another"}, []),
    ({"watermark": 8}, []),
    ({"words": "seven"}, [0, 1]),
    ({"words": "SEVEN red"}, [0, 1]),
    ({"words": "seven otter"}, []),
    ({"words": "passport"}, [2]),
    ({"words": "pass"}, []),
    ({"words": "\u7ea2\u8272"}, [2]),
    ({"words": "\u8272\u7684\u4e03"}, [2]),
    ({"words": "\u7ea2\u7684"}, []),
    ({"words": "otter", "principal": "bob@example.org", "outcome": Outcome.DENY, "since": "2026-12-31T00:00:00Z"}, [2]),
    ({"words": "otter", "principal": "ann@example.org"}, []),
]
"""Filters, and the indices of the records of `distinct_records` that they find."""


class LedgerSearchContract:
    """What every ledger answers to questions; a part of `LedgerContract`."""

    def new_ledger(self) -> Ledger:
        """A new, empty ledger."""
        raise NotImplementedError

    def successor(self, ledger: Ledger) -> Ledger:
        """The same ledger, opened by another process after the one that held `ledger` vanished."""
        raise NotImplementedError

    def test_a_new_ledger_finds_nothing(self) -> None:
        ledger = self.new_ledger()
        for filters, _ in CASES:
            assert found(ledger, Query(**filters)) == []
        assert list(ledger.rollups("2026-01-01", "2027-01-01")) == []
        assert list(ledger.alike(Fingerprint(PDQ, 90, bytes(192)))) == []

    def test_every_filter_finds_what_holds_it_and_nothing_else(self) -> None:
        ledger = self.new_ledger()
        for record in distinct_records():
            ledger.append(record)
        wrong = [(filters, got) for filters, wanted in CASES if (got := found(ledger, Query(**filters))) != wanted]
        assert wrong == []
        assert [problem for problem in ledger.verify() if "index" in problem or "count" in problem] == []
        ledger = self.successor(ledger)
        assert [filters for filters, wanted in CASES if found(ledger, Query(**filters), limit=1) != wanted] == []

    def test_what_is_found_comes_in_keyset_pages_while_more_is_written(self) -> None:
        ledger = self.new_ledger()
        even, odd = (Told(principal=name) for name in ("even@example.org", "odd@example.org"))
        for number in range(9):
            ledger.append((odd if number % 2 else even).record())
        query = Query(principal="even@example.org", since="2026-01-01T00:00:00Z")
        first = ledger.search(query, limit=2)
        assert ([index for index, _ in first.items], first.next) == ([0, 2], 2)
        ledger.append(even.record())
        rest = ledger.search(query, after=2, limit=100)
        assert ([index for index, _ in rest.items], rest.next) == ([4, 6, 8, 9], None)
        assert found(ledger, query, limit=1) == [0, 2, 4, 6, 8, 9]
        assert ledger.search(query, after=9).items == ()
        with expect(QueryError):
            ledger.search(query, limit=0)

    def test_pictures_that_are_alike_are_found_the_nearest_first(self) -> None:
        ledger = self.new_ledger()
        for mark_id, flipped in enumerate((31, 32, 0, 256, 5)):
            mark = mark_id, differing(PDQ, flipped)
            told = Told(EntryKind.RELEASED, content=bytes([mark_id]), mark=mark, scores=(0.1,))
            ledger.append(told.record())
        alike = ledger.alike(Fingerprint(PDQ, 90, bytes(192)))
        assert [(record.mark_id, record.asset_digest) for record in alike] == [
            (mark_id, digest(bytes([mark_id]))) for mark_id in (2, 4, 0)
        ]
        assert [record.mark_id for record in ledger.alike(Fingerprint(PDQ, 90, bytes(192)), limit=1)] == [2]
        with expect(QueryError):
            ledger.alike(Fingerprint(PDQ, 90, bytes(192)), limit=0)

    def test_no_search_finds_what_is_erased(self) -> None:
        ledger = self.new_ledger()
        record = Told(
            EntryKind.RELEASED, principal="dora@example.org", reviewer="", prompts=("a violet walrus",), content=b"x",
            mark=(3, PDQ), scores=(0.5,),
        ).record()  # fmt: skip
        for each in (record, Told(prompts=("a violet lamp",)).record()):
            ledger.append(each)
        questions = (
            Query(principal="dora@example.org"),
            Query(words="violet"),
            Query(scores=(ScoreRange("nsfw", "nsfw"),)),
        )
        assert [found(ledger, query) for query in questions] == [[0], [0, 1], [0]]
        erase(ledger, *((record, field.name) for field in record.fields), (record, WATERMARK))
        assert [found(ledger, query) for query in questions] == [[], [1], [0]]
        assert list(ledger.alike(Fingerprint(PDQ, 90, bytes(192)))) == []
        assert [problem for problem in ledger.verify() if "index" in problem] == []

    def test_recalls_are_found_by_what_they_name(self) -> None:
        ledger = self.new_ledger()
        recall = Recall(Cause(RecallBy.LICENCE, "CC-BY-4.0"), Principal("counsel@example.org"))
        audit = RecalledDataset("scans", "the audit's entry", "00" * 32)
        many = tuple(f"entry {number}" for number in range(501))
        for record in recall.records(Targets((audit,), ("a model",), (LORA.digest,), many)):
            ledger.append(record)
        ledger.append(Recall(Cause(RecallBy.DATASET, "scans"), Principal("x")).records(Targets(assets=many[:1]))[0])
        wanted = {
            "the audit's entry": [0],
            "a model": [1],
            LORA.digest: [2],
            many[0]: [3, 5],
            many[499]: [3],
            many[500]: [4],
        }
        assert {name: found(ledger, Query(recalled=name)) for name in wanted} == wanted
        assert [found(ledger, Query(recalled=name)) for name in ("scans", "entry", "00" * 32)] == [[], [], []]
        assert [problem for problem in ledger.verify() if "index" in problem or "count" in problem] == []
        ledger = self.successor(ledger)
        assert recalling(ledger, many[0]) == ledger.entries()[3][1]

    def test_what_a_model_released_comes_in_keyset_pages(self) -> None:
        ledger = self.new_ledger()
        named_like_it = replace(EXAMPLE_MODEL, adapters=(replace(LORA, name=EXAMPLE_MODEL.digest),))
        for number, model in enumerate((EXAMPLE_MODEL, ADAPTED_MODEL, EXAMPLE_MODEL, named_like_it, EXAMPLE_MODEL)):
            intent = Told(subject=f"g{number}", model=model).record()
            told = Told(
                EntryKind.RELEASED, f"2026-03-0{number + 1}T00:00:00.000Z", f"g{number}", model=model, intent=intent,
                stage=Stage.RELEASE, scores=(0.25,), content=bytes([number]),
            )  # fmt: skip
            for record in (intent, told.record()):
                ledger.append(record)
        named = canonical_digest(EXAMPLE_MODEL.as_facts())
        every = ledger.released_by(named)
        assert [index for index, _ in every] == [1, 5, 9]
        assert [release for _, release in every] == [Release.of(ledger.entries()[index][1]) for index, _ in every]
        assert [release.digest for _, release in every] == [digest(bytes([number])) for number in (0, 2, 4)]
        assert list(ledger.released_by(named, after=1, limit=1)) == [every[1]]
        assert list(ledger.released_by(named, after=9)) == list(ledger.released_by("0" * 64)) == []
        with expect(QueryError):
            ledger.released_by(named, limit=0)

    def test_days_are_counted(self) -> None:
        ledger = self.new_ledger()
        records = distinct_records()
        for record in (*records, replace(Told(time="2026-03-01T23:00:00.000Z")).record()):
            ledger.append(record)
        counts = ledger.rollups("2026-03-01", "2026-03-02")
        assert [each for each in counts if each.name in ("kind", "outcome", "risk")] == [
            Rollup("2026-03-01", "kind", "intent", 1),
            Rollup("2026-03-01", "kind", "released", 1),
            Rollup("2026-03-01", "outcome", "admission:allow", 1),
            Rollup("2026-03-01", "outcome", "release:allow", 1),
            Rollup("2026-03-01", "risk", "nsfw/nsfw:0.7", 1),
        ]
        assert Rollup("2026-03-01", "model", canonical_digest(EXAMPLE_MODEL.as_facts()), 2) in counts
        assert Rollup("2026-03-01", "bundle", digest(b"bundle"), 2) in counts
        every = ledger.rollups("2026-01-01", "2028-01-01")
        assert sum(each.entries for each in every if each.name == "kind") == 5
        assert list(every) == sorted(every, key=lambda each: (each.day, each.name, each.value))
        assert not any("@" in each.value for each in every)
        for since, until in (("2026-03-01", "2026-03-01"), ("2026-3-1", "2026-03-02"), ("", "2026-03-02")):
            with expect(QueryError):
                ledger.rollups(since, until)


def differing(pdq: bytes, bits: int) -> bytes:
    """`pdq` with so many bits flipped, spread over it as evenly as can be."""
    flipped = int.from_bytes(pdq)
    for number in range(bits):
        flipped ^= 1 << (number * 16 % 256 + number // 16)
    return flipped.to_bytes(32)
