"""Errors that hand nothing out: the variables of the code that an error came through are let go of.

Python keeps with an error every frame that it passed, and with a frame its variables: a draft that was denied, or that
nobody has looked at yet, would leave with the error that says so. Files, lines and names of functions stay.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from governance.errors import WithheldError


def forget_locals(error: BaseException | None, *, spared: BaseException | None = None) -> None:
    """Clear the frames of `error`, of its causes and contexts, and of the errors of a result that it carries.

    A frame that still runs keeps its variables, so this is for the caller of what is not to be seen. `spared` and what came
    before it are somebody else's and stay as they are.
    """
    known = set() if spared is None else {id(spared)}
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in known:
            continue
        known.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        if isinstance(one, WithheldError):
            waiting += [item.error for item in one.result.items]


@contextmanager
def forgetting_locals() -> Iterator[None]:
    """What is raised out of here, or out of a function that has this as its decorator, has none of its variables.

    An error that the caller was handling already keeps them.
    """
    before = sys.exception()
    try:
        yield
    except BaseException as error:  # Ctrl-C too: whatever leaves, leaves without
        forget_locals(error, spared=before)
        raise
