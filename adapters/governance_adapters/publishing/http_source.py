"""A log that is served over HTTP, as an outsider reads it (C2SP tlog-tiles)."""

from __future__ import annotations

from typing import Final

from governance.errors import ConfigurationError, LogSourceError
from governance.merkle import HASH_BYTES, TILE_WIDTH
from governance.notes import MAX_NOTE_CHARACTERS
from governance.tile_paths import CHECKPOINT_PATH, TilePath
from governance_adapters.publishing.bounded_http import SECONDS, Address, Answer, ExchangeError, ask

_OK: Final = 200
_GONE: Final = (404, 410)
_UTF8_BYTES: Final = 4


class HttpLogSource:
    """The log below a URL prefix. It needs no TLS: what counts is signed, and what is not leads to a signed root or nowhere.

    Raises:
        ConfigurationError: the prefix is no http or https URL, or has a query.
    """

    def __init__(self, prefix: str, *, seconds: float = SECONDS) -> None:
        self._address = Address.parse(prefix)
        if "?" in self._address.path:
            raise ConfigurationError(
                f"{prefix!r} is no prefix: it has a query.", remedy="Give what stands before /checkpoint."
            )
        self._seconds = seconds

    def checkpoint(self) -> str:
        """See `LogSource.checkpoint`."""
        answer = self._ask(CHECKPOINT_PATH, MAX_NOTE_CHARACTERS * _UTF8_BYTES)
        if answer.status != _OK:
            raise self._odd(CHECKPOINT_PATH, f"answered {answer.status}")
        try:
            return answer.content.decode()
        except UnicodeDecodeError as error:
            raise self._odd(CHECKPOINT_PATH, "answered with something that is no text") from error

    def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogSource.tile`. Where a log keeps a tile only whole by now, its beginning is what was asked for."""
        wanted = TilePath(level, number, width)
        answer = self._ask(str(wanted), TILE_WIDTH * HASH_BYTES)
        held = width
        if answer.status in _GONE and width < TILE_WIDTH:
            answer, held = self._ask(str(TilePath(level, number)), TILE_WIDTH * HASH_BYTES), TILE_WIDTH
        if answer.status != _OK:
            raise self._odd(str(wanted), f"answered {answer.status}")
        if len(answer.content) != held * HASH_BYTES:
            raise self._odd(str(wanted), f"answered with {len(answer.content)} bytes instead of {held * HASH_BYTES}")
        return answer.content[: width * HASH_BYTES]

    def _ask(self, path: str, most: int) -> Answer:
        try:
            below = f"{self._address.path.rstrip('/')}/{path}"
            return ask(self._address, "GET", below, most=most, seconds=self._seconds)
        except ExchangeError as error:
            raise self._odd(path, str(error)) from error

    def _odd(self, path: str, what: str) -> LogSourceError:
        return LogSourceError(
            f"The log at {self._address.url} {what}, asked for {path}.",
            remedy="Check the address and that the server runs; what was seen of this log before still counts.",
        )
