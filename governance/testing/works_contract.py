"""The contract of registers of works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from governance.canonical import Digest, commitment
from governance.entries import EntryKind
from governance.errors import LedgerError, NoWorkError, WorkError, WorkExistsError
from governance.testing.expect import expect
from governance.testing.fake_ledger import FakeLedger
from governance.testing.works import FAKE_EMBEDDING, KEEPER, example_image, example_work
from governance.work_records import OWNER_FIELD, PRINCIPAL_FIELD, TITLE_FIELD, disagreements
from governance.works import PDQ_SIGNAL, ImagePrints, NewWork, WorkAction, WorkPrint, WorkRegister


class WorkRegisterContract:
    """What every register does. Subclasses make one, empty, over a ledger; pytest runs the `test_` methods."""

    def new_register(self, ledger: FakeLedger) -> WorkRegister:
        """An empty register of its own."""
        raise NotImplementedError

    def test_what_was_added_is_shown_as_it_was_given(self) -> None:
        register = self.new_register(FakeLedger())
        new = example_work(images=3, title="=HYPERLINK(1) <b>Sun\u200dflower</b>")
        assert register.add(new, KEEPER) == new.work
        assert register.show(new.work.id) == new.work
        assert register.list() == [new.work]
        assert register.count() == 1
        assert [register.preview(image) for image in new.work.images] == [image.preview for image in new.images]

    def test_the_prints_of_a_signal_are_those_that_were_given(self) -> None:
        register = self.new_register(FakeLedger())
        news = [example_work(number, images=2) for number in range(3)]
        for new in news:
            register.add(new, KEEPER)
        for signal in (PDQ_SIGNAL, FAKE_EMBEDDING):
            expected = [_expected(new, at, signal) for new in news for at in range(2)]
            assert sorted(register.prints(signal), key=repr) == sorted(expected, key=repr)
        assert list(register.prints("embedding:unknown")) == []

    def test_each_change_is_an_entry_that_says_who_and_what(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        work = register.add(example_work(images=2), KEEPER)
        after = register.change(replace(work, action=WorkAction.REVIEW, licence="CC-BY-4.0"), KEEPER)
        register.remove(work.id, KEEPER)
        entries = [record.entry for record in ledger.records]
        assert [(entry.kind, entry.subject) for entry in entries] == [(EntryKind.WORK, work.id)] * 3
        assert [entry.body["change"] for entry in entries] == ["added", "changed", "removed"]
        assert [entry.body["action"] for entry in entries] == ["deny", "review", "review"]
        assert [entry.body["licence"] for entry in entries] == [work.licence, after.licence, after.licence]
        assert all(entry.body["images"] == list(work.images) for entry in entries)
        added, _, removed = ledger.records
        values = {one.name: one.value for one in added.fields}
        assert values == {TITLE_FIELD: work.title, OWNER_FIELD: work.owner, PRINCIPAL_FIELD: KEEPER.id}
        assert {one.name for one in removed.fields} == {PRINCIPAL_FIELD}
        for record in ledger.records:
            opened = {one.name: commitment(one.name, one.value, one.salt) for one in record.fields}
            assert record.entry.body["fields"] == opened
            assert not any(str(text) in record.entry.leaf().decode() for text in (work.title, work.owner, KEEPER.id))

    def test_the_revision_changes_with_every_change_and_only_then(self) -> None:
        register = self.new_register(FakeLedger())
        seen = [register.revision]
        work = register.add(example_work(images=1), KEEPER)
        seen.append(register.revision)
        register.change(replace(work, action=WorkAction.ALLOW), KEEPER)
        seen.append(register.revision)
        register.reprint({work.images[0]: example_image(5).prints})
        seen.append(register.revision)
        register.remove(work.id, KEEPER)
        seen.append(register.revision)
        assert len(set(seen)) == len(seen)
        assert register.list() == []
        assert register.revision == seen[-1]
        assert self.new_register(FakeLedger()).revision not in seen

    def test_a_changed_work_has_its_new_values_and_its_prints_the_new_action(self) -> None:
        register = self.new_register(FakeLedger())
        work = register.add(example_work(), KEEPER)
        after = replace(work, title="Renamed", owner="Another house", licence="CC0-1.0", action=WorkAction.ALLOW)
        assert register.change(after, KEEPER) == after
        assert register.show(work.id) == after
        assert {row.action for row in register.prints(PDQ_SIGNAL)} == {WorkAction.ALLOW}

    def test_a_change_of_nothing_or_of_the_images_is_refused(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        work = register.add(example_work(), KEEPER)
        for wrong in (work, replace(work, images=(Digest("0" * 64),), title="Other"), replace(work, title=" ")):
            with expect(WorkError):
                register.change(wrong, KEEPER)
        with expect(NoWorkError):
            register.change(replace(work, id="unknown", title="Other"), KEEPER)
        assert register.show(work.id) == work
        assert len(ledger.records) == 1

    def test_what_was_removed_is_gone_and_may_come_again(self) -> None:
        register = self.new_register(FakeLedger())
        kept, gone = register.add(example_work(1), KEEPER), register.add(example_work(2), KEEPER)
        assert register.remove(gone.id, KEEPER) == gone
        for ask in (lambda: register.show(gone.id), lambda: register.preview(gone.images[0])):
            with expect(NoWorkError):
                ask()
        with expect(NoWorkError):
            register.remove(gone.id, KEEPER)
        assert register.list() == [kept]
        assert [row.work_id for row in register.prints(PDQ_SIGNAL)] == [kept.id]
        register.add(example_work(2), KEEPER)

    def test_an_image_that_is_there_is_refused_naming_its_work(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        work = register.add(example_work(1, images=2), KEEPER)
        new = example_image(7)
        for twin in (
            replace(new, digest=work.images[1]),
            replace(new, pixels_digest=example_work(1, images=2).images[1].pixels_digest),
        ):
            twice = example_work(2)
            twice = NewWork(replace(twice.work, images=(new.digest, twin.digest)), (new, twin))
            if twin.digest == new.digest:
                twice = NewWork(replace(twice.work, images=(twin.digest,)), (twin,))
            (refused,) = register.add_all([twice], KEEPER)
            assert isinstance(refused.error, WorkExistsError)
            assert refused.error.work_id == work.id
            assert work.id in str(refused.error)
            with expect(WorkExistsError):
                register.add(twice, KEEPER)
        assert register.list() == [work]
        assert len(ledger.records) == 1
        assert register.unprinted(PDQ_SIGNAL) == []

    def test_what_no_register_takes_is_refused(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        new = example_work()
        image = new.images[0]
        first = image.prints[0]
        wrong = [
            NewWork(replace(new.work, images=()), ()),
            NewWork(new.work, ()),
            NewWork(new.work, (replace(image, prints=()),)),
            NewWork(new.work, (replace(image, prints=(first, first)),)),
            NewWork(new.work, (replace(image, prints=(first, replace(first, variant="long", value=b"1" * 99))),)),
            NewWork(new.work, (replace(image, prints=(replace(first, value=b""),)),)),
            NewWork(new.work, (replace(image, prints=(replace(first, quality=101),)),)),
            NewWork(new.work, (replace(image, prints=(replace(first, variant="two\nlines"),)),)),
        ]
        texts = ("", " x", "a\x1b[31mred", "turned \u202e round", "x" * 301, "two\nlines")
        wrong += [NewWork(replace(new.work, title=text), new.images) for text in texts]
        wrong += [NewWork(replace(new.work, owner=""), new.images), NewWork(replace(new.work, licence=""), new.images)]
        for one in wrong:
            with expect(WorkError):
                register.add(one, KEEPER)
        assert register.count() == len(ledger.records) == 0

    def test_a_batch_is_added_work_by_work(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        news = [example_work(number) for number in range(600)]
        twice = NewWork(replace(example_work(3).work, title="Again"), news[3].images)
        done = list(register.add_all([*news[:300], twice, *news[300:]], KEEPER))
        assert [one.work.title for one in done if one.error is not None] == ["Again"]
        assert [type(one.error) for one in done if one.error is not None] == [WorkExistsError]
        assert register.count() == len(ledger.records) == 600
        assert list(disagreements(register, ledger)) == []

    def test_pages_follow_one_another_in_the_order_of_ids(self) -> None:
        register = self.new_register(FakeLedger())
        works = sorted((register.add(example_work(n, images=2), KEEPER) for n in range(7)), key=lambda work: work.id)
        pages, after = [], ""
        while page := register.list(after=after, limit=3):
            pages.append(list(page))
            after = page[-1].id
        assert pages == [works[:3], works[3:6], works[6:]]
        with expect(WorkError):
            register.list(limit=0)

    def test_nothing_is_changed_without_its_entry(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        work = register.add(example_work(1), KEEPER)
        ledger.errors["append"] = LedgerError("The disk is full.", remedy="Free some space.")
        for act in (
            lambda: register.add(example_work(2), KEEPER),
            lambda: register.change(replace(work, action=WorkAction.ALLOW), KEEPER),
            lambda: register.remove(work.id, KEEPER),
            lambda: list(register.add_all([example_work(3), example_work(4)], KEEPER)),
        ):
            with expect(LedgerError):
                act()
        del ledger.errors["append"]
        assert register.list() == [work]
        assert register.unsettled() in ([], ())
        assert {row.action for row in register.prints(PDQ_SIGNAL)} == {WorkAction.DENY}
        assert list(disagreements(register, ledger)) == []
        assert register.count() == 1

    def test_an_interrupt_after_the_entry_leaves_the_change_done(self) -> None:
        ledger = FakeLedger()
        register = self.new_register(ledger)
        ledger.interrupt[EntryKind.WORK] = KeyboardInterrupt()
        new = example_work()
        after = replace(new.work, action=WorkAction.ALLOW)
        assert _interrupted(lambda: register.add(new, KEEPER))
        assert _interrupted(lambda: register.change(after, KEEPER))
        assert register.list() == [after]
        assert list(disagreements(register, ledger)) == []
        assert _interrupted(lambda: register.remove(after.id, KEEPER))
        assert register.list() == []
        assert list(disagreements(register, ledger)) == []

    def test_images_without_prints_of_a_signal_are_named_until_they_have_them(self) -> None:
        register = self.new_register(FakeLedger())
        works = [register.add(example_work(number, images=2), KEEPER) for number in range(2)]
        images = sorted(image for work in works for image in work.images)
        assert register.unprinted(PDQ_SIGNAL) == []
        assert register.unprinted("embedding:new") == images
        assert register.unprinted("embedding:new", limit=3) == images[:3]
        assert register.unprinted("embedding:new", after=images[2]) == images[3:]
        made = [WorkPrint("embedding:new", "as_is", b"12345", 7)]
        register.reprint({images[0]: made, Digest("0" * 64): made})
        assert register.unprinted("embedding:new") == images[1:]
        assert register.unprinted(PDQ_SIGNAL) == images[:1]
        (row,) = register.prints("embedding:new")
        assert (row.variants, row.qualities, row.values) == (("as_is",), b"\x07", b"12345")
        with expect(WorkError):
            register.reprint({images[0]: []})


def _interrupted(act: Callable[[], object]) -> bool:
    try:
        act()
    except KeyboardInterrupt:
        return True
    return False


def _expected(new: NewWork, at: int, signal: str) -> ImagePrints:
    own = [one for one in new.images[at].prints if one.signal == signal]
    values, qualities = b"".join(one.value for one in own), bytes(one.quality for one in own)
    return ImagePrints(new.work.id, new.work.action, tuple(one.variant for one in own), qualities, values)
