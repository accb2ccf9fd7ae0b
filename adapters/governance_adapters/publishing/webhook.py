"""Publishing to somebody's address: the checkpoint as the body of a POST."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from governance.errors import ConfigurationError, PublicationError
from governance_adapters.publishing.bounded_http import SECONDS, Address, ExchangeError, ask

_MOST_ANSWER_BYTES: Final = 64 * 1024
_MOST_TOKEN_BYTES: Final = 8 * 1024


class Webhook:
    """Posts checkpoints to a URL: `text/plain; charset=utf-8`, the note as it is. Any status of 2xx is a receipt.

    `token_file` holds a bearer token.

    Raises:
        ConfigurationError: the URL is none, or in the clear over a network; or the token file cannot be used.
    """

    def __init__(self, url: str, *, token_file: Path | None = None, seconds: float = SECONDS) -> None:
        self._address = Address.parse(url)
        self._seconds = seconds
        if not self._address.private:
            raise ConfigurationError(
                f"{url} is not encrypted: what is published there could be replaced on its way.",
                remedy="Use an https URL, or http on this machine.",
            )
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token_file is not None:
            self._headers["Authorization"] = f"Bearer {_token(token_file)}"

    def publish(self, note: str) -> None:
        """Post one checkpoint.

        Raises:
            PublicationError: the address did not take it.
        """
        address = self._address
        try:
            answer = ask(
                address, "POST", address.path, most=_MOST_ANSWER_BYTES, body=note.encode(), headers=self._headers,
                seconds=self._seconds,
            )  # fmt: skip
        except ExchangeError as error:
            raise self._not_taken(str(error)) from error
        if not 200 <= answer.status < 300:
            raise self._not_taken(f"answered {answer.status}")

    def _not_taken(self, what: str) -> PublicationError:
        return PublicationError(
            f"The checkpoint was not published at {self._address.url}: it {what}.",
            remedy="Look at the address, the token and the other side; then publish again.",
        )


def _token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            token = file.read(_MOST_TOKEN_BYTES + 1).decode("ascii").strip()
    except OSError as error:
        raise ConfigurationError(
            f"The token file {path} cannot be read: {error.strerror or error}.", remedy="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise _no_token(path) from error
    if not token or len(token) > _MOST_TOKEN_BYTES or not token.isprintable() or " " in token:
        raise _no_token(path)
    return token


def _no_token(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} holds no bearer token.", remedy="It is one line of ASCII without spaces.")
