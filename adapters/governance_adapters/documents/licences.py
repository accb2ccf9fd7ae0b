"""Licence expressions of a document, checked with the SPDX licence list: no standard's own library looks into them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from governance_adapters.documents.refusal import refused

_REFERENCE: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.ASCII)


def check_licence(standard: str, expression: object) -> None:
    """Refuse what is no SPDX licence expression (SPDX 3.0.1, annex "SPDX license expressions"), or names no licence there is.

    Raises:
        DocumentError: it is none.
    """
    from license_expression import ExpressionError

    try:
        parsed = _spdx().parse(str(expression), strict=True)
        unknown = [key for key in _spdx().unknown_license_keys(parsed) if not _REFERENCE.fullmatch(key)]
    except (ExpressionError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise refused(standard, f"{expression!r} is no licence expression: {error}") from error
    if parsed is None or unknown:
        raise refused(
            standard, f"{expression!r} is no licence expression: SPDX has no {', '.join(unknown) or 'empty one'}."
        )


@cache
def _spdx() -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
