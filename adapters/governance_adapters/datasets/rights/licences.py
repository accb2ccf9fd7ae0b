"""Licences as SPDX expressions, whatever they were called."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

MOST: Final = 400
"""The most characters of a stated licence; what is longer is a text, not a name."""

_REFERENCE: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.ASCII)
_DEED: Final = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<terms>by(?:-nc)?(?:-nd|-sa)?)/(?P<version>\d\.\d)(?:/(?P<place>[a-z]{2,3}))?"
    r"|publicdomain/(?P<kind>zero|mark)/1\.0)(?:/[a-z.-]*)?/?",
    re.IGNORECASE | re.ASCII,
)
"""The addresses of Creative Commons deeds, which most data sets name in place of a licence."""
_SPOKEN: Final = re.compile(r"cc[ -]by((?:[ -](?:nc|nd|sa))*)[ -]v?(\d\.\d)", re.IGNORECASE | re.ASCII)
_ALIASES: Final = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "cc0 1.0": "CC0-1.0",
    "cc zero": "CC0-1.0",
    "mit license": "MIT",
    "mit licence": "MIT",
    "the unlicense": "Unlicense",
}
"""Names that mean one licence and version and nothing else. A name without its version is none."""


def spdx_of(stated: str) -> str:
    """The SPDX expression that `stated` means, normalised; empty where it means none that can be told.

    SPDX ids in any case, expressions of them, `LicenseRef-...`, the addresses of Creative Commons deeds and a few names that
    leave no doubt. A text that names no version of a licence that has several is no licence.
    """
    text = " ".join(stated.split())
    if not text or len(text) > MOST:
        return ""
    if deed := _DEED.fullmatch(text):
        text = _of_deed(deed)
    elif spoken := _SPOKEN.fullmatch(text):
        terms = "-".join(["CC-BY", *spoken[1].upper().replace("-", " ").split()])
        text = f"{terms}-{spoken[2]}"
    return _normal(_ALIASES.get(text.lower(), text))


def _of_deed(deed: re.Match[str]) -> str:
    if deed["kind"]:
        return "CC0-1.0" if deed["kind"].lower() == "zero" else "LicenseRef-creativecommons-public-domain-mark-1.0"
    place = f"-{deed['place']}" if deed["place"] else ""
    return f"CC-{deed['terms']}-{deed['version']}{place}"


def _normal(text: str) -> str:
    from license_expression import ExpressionError

    try:
        parsed = _spdx().parse(text, strict=True)
        unknown = _spdx().unknown_license_keys(parsed)
        if parsed is None or not all(map(_REFERENCE.fullmatch, unknown)):
            return ""
        return str(parsed.render())
    except (ExpressionError, ValueError, TypeError, AttributeError, RecursionError):
        return ""


@cache
def _spdx() -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
