"""Personal data in captions: addresses and numbers that a pattern finds. What is said of a person in words, none finds."""

from __future__ import annotations

from typing import Any, Final

EMAIL: Final = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
PHONE: Final = r"(^|[^\w+])(\+[1-9][0-9]{0,2}[ .-]?(\([0-9]{1,4}\)[ .-]?)?[0-9]{2,4}([ .-]?[0-9]{2,4}){1,4})([^\w]|$)"
"""Numbers in the international form, with a plus sign: without one, a number may be anything."""

KINDS: Final = {"caption_email": (EMAIL, b"@"), "caption_phone": (PHONE, b"+")}
"""The pattern of each kind (RE2), and a byte that every text that fits has."""


def personal_in(captions: Any) -> dict[int, list[str]]:
    """The kinds of personal data in the texts of an Arrow column, sorted, by the rows that have any."""
    import pyarrow as pa
    import pyarrow.compute as pc

    captions = captions.combine_chunks() if isinstance(captions, pa.ChunkedArray) else captions
    found: dict[int, list[str]] = {}
    for kind, (pattern, byte) in KINDS.items():
        if _has(captions, byte):
            for row in pc.indices_nonzero(pc.match_substring_regex(captions, pattern)).to_pylist():
                found.setdefault(row, []).append(kind)
    return found


def _has(captions: Any, byte: bytes) -> bool:
    """Whether the byte stands anywhere in the column: a look at all of it at once takes no time, patterns do."""
    held = captions.buffers()[2]
    return held is not None and byte in held.to_pybytes()
