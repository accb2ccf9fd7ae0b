"""Keyset cursors: where the next page begins, signed, and good for the list and the filters they were made for only."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from governance.canonical import Json, canonical_bytes
from governance_adapters.web.problems import INVALID, ApiError

_MAC_BYTES: Final = 16
_DOMAIN: Final = b"diffusion-governance/cursor/v1\0"
MAX_CURSOR: Final = 1024


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads cursors. `key`: 32 secret bytes."""

    key: bytes = field(repr=False)

    def make(self, after: int | str, listed: str, filters: Mapping[str, Json]) -> str:
        """The cursor behind `after`, the last element of a page of the list `listed` under `filters`."""
        content = canonical_bytes(after)
        return _text(self._mac(content, listed, filters) + content)

    def read(self, cursor: str, listed: str, filters: Mapping[str, Json]) -> int | str:
        """What `make` was given.

        Raises:
            ApiError: 422 where it is not such a cursor, or one of another list or other filters.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            # One spelling each: the last letter of base64 has bits that say nothing.
            if _text(raw) == cursor and hmac.compare_digest(mac, self._mac(content, listed, filters)):
                after: int | str = json.loads(content)
                return after
        except ValueError:
            pass
        raise ApiError(INVALID, "This is no cursor of this list and these filters. Begin again without one.")

    def _mac(self, content: bytes, listed: str, filters: Mapping[str, Json]) -> bytes:
        place = canonical_bytes({"list": listed, "filters": dict(filters)})
        signed = _DOMAIN + len(place).to_bytes(4) + place + content
        return hmac.new(self.key, signed, sha256).digest()[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
