"""`FakeWorkRegister`, `FakePrinter`, and works to try a register with. The contract is in `works_contract`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from governance.canonical import Digest, digest
from governance.errors import DetectorError, LedgerError, NoWorkError, WorkError, WorkExistsError
from governance.ports import Ledger
from governance.testing.examples import example_picture
from governance.testing.fake_ledger import FakeLedger
from governance.types import Pixels, Principal, new_id
from governance.work_checks import check_new, check_prints, check_texts
from governance.work_records import WorkChange, is_recorded, work_record
from governance.works import (
    PDQ_SIGNAL,
    Added,
    ImagePrints,
    NewWork,
    Preview,
    Work,
    WorkAction,
    WorkImage,
    WorkPrint,
)

FAKE_EMBEDDING = "embedding:" + "e" * 64
KEEPER = Principal("counsel@example.org", ("counsel",))


@dataclass(frozen=True, slots=True)
class FakePrinter:
    """For each of its signals the mean brightness of 4 x 4 cells, as it is and mirrored; and a quality of 100.

    `smallest`: the fewest pixels of a side, below which it raises.
    """

    signals: tuple[str, ...] = (PDQ_SIGNAL, FAKE_EMBEDDING)
    smallest: int = 4

    def prints(self, pixels: Pixels) -> Sequence[WorkPrint]:
        """See `Printer.prints`."""
        height, width = pixels.shape[:2]
        if min(height, width) < self.smallest:
            raise DetectorError(f"A picture of {width} x {height} px has no cells.", remedy="Use a larger one.")
        rows, columns = (np.arange(4) * side // 4 for side in (height, width))
        sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.uint64).sum(axis=2), rows, axis=0), columns, axis=1)
        cells = (sums * 16 // (height * width * 3)).clip(0, 255).astype(np.uint8)
        variants = {"as_is": cells, "mirror": cells[:, ::-1]}
        return [WorkPrint(signal, name, one.tobytes()) for signal in self.signals for name, one in variants.items()]


@dataclass
class FakeWorkRegister:
    """A register in memory. `errors`: what a method raises whenever it is called, by its name."""

    ledger: Ledger = field(default_factory=FakeLedger)
    errors: dict[str, BaseException] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._id, self._number = new_id(), 0
        self._lock = threading.RLock()
        self._works: dict[str, NewWork] = {}

    @property
    def revision(self) -> str:
        """See `WorkReader.revision`."""
        self._fail("revision")
        return f"{self._id}:{self._number}"

    def prints(self, signal: str) -> Iterator[ImagePrints]:
        """See `WorkReader.prints`."""
        self._fail("prints")
        with self._lock:
            works = list(self._works.values())
        for new in works:
            for image in new.images:
                own = [one for one in image.prints if one.signal == signal]
                if own:
                    values, qualities = b"".join(one.value for one in own), bytes(one.quality for one in own)
                    variants = tuple(one.variant for one in own)
                    yield ImagePrints(new.work.id, new.work.action, variants, qualities, values)

    def unprinted(self, signal: str, *, after: Digest | None = None, limit: int = 100) -> Sequence[Digest]:
        """See `WorkReader.unprinted`."""
        self._fail("unprinted")
        lacking = [
            found for found, one in self._images().items() if all(print_.signal != signal for print_ in one.prints)
        ]
        return [found for found in sorted(lacking) if found > (after or "")][:limit]

    def count(self) -> int:
        """See `WorkReader.count`."""
        self._fail("count")
        return len(self._works)

    def show(self, work_id: str) -> Work:
        """See `WorkReader.show`."""
        self._fail("show")
        return self._known(work_id).work

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Work]:
        """See `WorkReader.list`."""
        self._fail("list")
        if limit < 1:
            raise WorkError("A page holds at least one work.", remedy="Ask for one.")
        return [self._works[work_id].work for work_id in sorted(self._works) if work_id > after][:limit]

    def unsettled(self) -> Sequence[str]:
        """See `WorkReader.unsettled`: a fake settles at once."""
        self._fail("unsettled")
        return ()

    def preview(self, image: Digest) -> Preview:
        """See `WorkReader.preview`."""
        self._fail("preview")
        if image not in self._images():
            raise NoWorkError(f"No work has image {image}.", remedy="Ask for another.")
        return self._images()[image].preview

    def add(self, new: NewWork, by: Principal) -> Work:
        """See `WorkRegister.add`."""
        self._fail("add")
        with self._lock:
            check_new(new)
            for image in new.images:
                self._refuse_known(image)
            return self._changed(WorkChange.ADDED, new, by).work

    def add_all(self, news: Iterable[NewWork], by: Principal) -> Iterator[Added]:
        """See `WorkRegister.add_all`."""
        for new in news:
            try:
                yield Added(self.add(new, by))
            except WorkError as error:
                yield Added(new.work, error)
            except LedgerError as error:
                yield Added(new.work, error)
                raise

    def change(self, work: Work, by: Principal) -> Work:
        """See `WorkRegister.change`."""
        self._fail("change")
        with self._lock:
            check_texts(work)
            known = self._known(work.id)
            after = replace(work, added=known.work.added)
            if known.work.images != work.images or known.work == after:
                raise WorkError("The images differ, or nothing does.", remedy="Change something else.")
            return self._changed(WorkChange.CHANGED, NewWork(after, known.images), by).work

    def remove(self, work_id: str, by: Principal) -> Work:
        """See `WorkRegister.remove`."""
        self._fail("remove")
        with self._lock:
            return self._changed(WorkChange.REMOVED, self._known(work_id), by).work

    def reprint(self, prints: Mapping[Digest, Sequence[WorkPrint]]) -> None:
        """See `WorkRegister.reprint`."""
        self._fail("reprint")
        for made in prints.values():
            check_prints(made)
        with self._lock:
            for work_id, new in self._works.items():
                images = tuple(replace(one, prints=tuple(prints.get(one.digest, one.prints))) for one in new.images)
                self._works[work_id] = NewWork(new.work, images)
            self._number += 1

    def _changed(self, change: WorkChange, new: NewWork, by: Principal) -> NewWork:
        record = work_record(change, new.work, by)
        try:
            self.ledger.append(record)
        except BaseException:  # an interrupt may come after the entry is there; raised again
            if is_recorded(self.ledger, new.work.id, record.entry.id):
                self._apply(change, new)
            raise
        self._apply(change, new)
        return new

    def _apply(self, change: WorkChange, new: NewWork) -> None:
        if change is WorkChange.REMOVED:
            del self._works[new.work.id]
        else:
            self._works[new.work.id] = new
        self._number += 1

    def _refuse_known(self, image: WorkImage) -> None:
        for known in self._works.values():
            for other in known.images:
                if image.digest == other.digest or image.pixels_digest == other.pixels_digest:
                    raise WorkExistsError(f"Work {known.work.id} has it.", known.work.id, remedy="Leave it out.")

    def _known(self, work_id: str) -> NewWork:
        if work_id not in self._works:
            raise NoWorkError(f"There is no work {work_id!r}.", remedy="Ask for another.")
        return self._works[work_id]

    def _images(self) -> dict[Digest, WorkImage]:
        return {image.digest: image for new in self._works.values() for image in new.images}

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]


def example_image(number: int = 0, printer: FakePrinter | None = None) -> WorkImage:
    """An image of a work, another one for each number."""
    content = f"image {number}".encode()
    pixels = example_picture(32, 48)
    pixels[:8, :8] = number % 251, number // 251 % 251, number // 63001
    made = tuple((printer or FakePrinter()).prints(pixels))
    return WorkImage(digest(content), digest(b"pixels of " + content), Preview(content, "image/png"), made)


def example_work(number: int = 0, images: int = 1, **changes: Any) -> NewWork:
    """A work whose images nobody else has, for each number; `changes` replace values of its `Work`."""
    made = tuple(example_image(number * 1000 + at) for at in range(images))
    digests = tuple(image.digest for image in made)
    work = Work(f"Example work {number}", "Example house", "LicenseRef-all-rights-reserved", WorkAction.DENY, digests)
    return NewWork(replace(work, **changes), made)
