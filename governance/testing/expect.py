"""`expect`: pytest's `raises` for contract classes, which run without pytest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from governance.errors import GovernanceError


@contextmanager
def expect(kind: type[GovernanceError]) -> Iterator[None]:
    """The block raises an error of `kind`, and the error tells its reader what to do."""
    try:
        yield
    except kind as error:
        assert error.remedy, f"no remedy: {error}"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
