"""What no register of works takes: texts that cannot be shown, works without images, prints that no index can use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from governance.errors import WorkError
from governance.works import MAX_IMAGES, MAX_LICENCE, MAX_NAME, NewWork, Work, WorkPrint

_JOINERS: Final = "\u200c\u200d"
"""Not printable by themselves, and part of how some scripts are written."""


def named(text: str, what: str, longest: int = MAX_NAME) -> str:
    """`text` without space around it, fit to be kept and shown on one line: HTML and formulas are plain text here.

    Raises:
        WorkError: it is empty, too long, or holds something that cannot be printed.
    """
    text = " ".join(text.split())
    if not text:
        raise WorkError(f"The {what} is empty.", remedy="Say it.")
    if len(text) > longest:
        raise WorkError(f"The {what} has {len(text)} characters, more than {longest}.", remedy="Shorten it.")
    if not all(character.isprintable() or character in _JOINERS for character in text):
        raise WorkError(
            f"The {what} holds characters that cannot be printed.", remedy="Write it without control characters."
        )
    return text


def check_new(new: NewWork) -> None:
    """Refuse what no register may take: every register asks before it adds.

    Raises:
        WorkError: a text that `named` would not return; images that are not those of the work, none, or too many; an
            image without prints, or with two of one variant, of different lengths, or of a quality outside 0..100.
    """
    work = new.work
    check_texts(work)
    if not 1 <= len(new.images) <= MAX_IMAGES or tuple(image.digest for image in new.images) != work.images:
        raise _unfit(f"it must have 1 to {MAX_IMAGES} images, and those of the work")
    for image in new.images:
        check_prints(image.prints)


def check_texts(work: Work) -> None:
    """Refuse texts of a work that `named` would not return as they are.

    Raises:
        WorkError: see above.
    """
    for text, what, longest in (
        (work.title, "title", MAX_NAME),
        (work.owner, "owner", MAX_NAME),
        (work.licence, "licence", MAX_LICENCE),
    ):
        if named(text, what, longest) != text:
            raise _unfit(f"the {what} has space to spare")


def check_prints(prints: Sequence[WorkPrint]) -> None:
    """Refuse prints that an index could not use.

    Raises:
        WorkError: there are none; two of one signal and variant; empty or of different lengths; or of a quality
            outside 0..100; or a name that has no letters or several lines.
    """
    if not prints or len({(one.signal, one.variant) for one in prints}) != len(prints):
        raise _unfit("an image has prints, and each variant once")
    lengths: dict[str, int] = {}
    for one in prints:
        if not (one.signal.isprintable() and one.signal and one.variant.isprintable() and one.variant):
            raise _unfit("a signal and a variant have a printable name")
        if not one.value or lengths.setdefault(one.signal, len(one.value)) != len(one.value):
            raise _unfit("the prints of a signal have one length")
        if not 0 <= one.quality <= 100:
            raise _unfit("the quality of a print is 0..100")


def _unfit(problem: str) -> WorkError:
    return WorkError(f"This work cannot be added: {problem}.", remedy="This is a fault of the program that made it.")
