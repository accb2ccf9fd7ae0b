"""Which personal fields an evidence pack opens, and which it shows as commitments only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.canonical import Json
from governance.entries import PersonalField
from governance.errors import ConfigurationError

MIN_QUOTED: Final = 4
"""From how many characters on a withheld text counts as quoted where it stands within another text."""

_WHOLE: Final = frozenset({"text", "normalised", "digest"})
"""What an object among the fields, a prompt or an input image, says in its own words."""
_WORDS: Final = frozenset({"ngrams", "hidden"})
"""And the single words that it was read as."""


class FieldState(StrEnum):
    """What a pack shows of a personal field.

    `disclosed`: value and salt. Else the commitment only: `withheld` by whoever made the pack; `quoting` what is withheld,
    and so withheld with it; `erased`, by an entry that says so; `not kept` for a reason that no entry gives.
    """

    DISCLOSED = "disclosed"
    WITHHELD = "withheld"
    QUOTING = "withheld, because it quotes what is withheld"
    ERASED = "erased"
    NOT_KEPT = "not kept"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What to withhold. A name stands for the field of that name and for all below it: `/prompts` for `/prompts/0`.

    `only`: nothing but these is disclosed; None: everything is that `redacted` does not name.
    """

    redacted: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    def shows(self, name: str) -> bool:
        """Whether the field of this name is disclosed."""
        allowed = self.only is None or _covered(name, self.only)
        return allowed and not _covered(name, self.redacted)

    def check(self, names: Iterable[str]) -> None:
        """Refuse a name that no field of the record has: a slip must not disclose what was to be withheld.

        Raises:
            ConfigurationError: there is one.
        """
        known = sorted(set(names))
        for given in (*self.redacted, *(self.only or ())):
            if not any(_covered(name, (given,)) for name in known):
                raise ConfigurationError(
                    f"The record has no personal field {given!r}.",
                    remedy=f"Its fields are {', '.join(known) or 'none'}.",
                )


def states(fields: Sequence[PersonalField], choice: Disclosure) -> Iterator[tuple[PersonalField, FieldState]]:
    """Each field with what is shown of it. One that quotes what is withheld in another goes with it, in whatever case.

    A prompt quotes another if it holds the whole of it; everything else - the words of a decision, a comment, an id - also
    if it holds one of its words. A text that is the whole of a withheld one quotes it, however short it is.
    """
    hidden = [field.value for field in fields if not choice.shows(field.name)]
    same = {text for value in hidden for text in _texts(value, _WHOLE, shortest=1)}
    whole = {text for text in same if len(text) >= MIN_QUOTED}
    words = whole | {text for value in hidden for text in _texts(value, _WORDS)}
    for field in fields:
        if not choice.shows(field.name):
            yield field, FieldState.WITHHELD
            continue
        said = list(_texts(field.value, _WHOLE, shortest=1))
        looked_for = whole if isinstance(field.value, Mapping) else words
        quotes = not same.isdisjoint(said) or any(secret in text for text in said for secret in looked_for)
        yield field, FieldState.QUOTING if quotes else FieldState.DISCLOSED


def _texts(value: Json, members: frozenset[str], *, shortest: int = MIN_QUOTED) -> Iterator[str]:
    """The texts of a field, in lower case: its own, those of a list, and of an object those of the named members."""
    if isinstance(value, str):
        if len(value) >= shortest:
            yield value.casefold()
    elif isinstance(value, Mapping):
        for name in members & value.keys():
            yield from _texts(value[name], members, shortest=shortest)
    elif isinstance(value, Sequence):
        for member in value:
            yield from _texts(member, members, shortest=shortest)


def _covered(name: str, given: Iterable[str]) -> bool:
    return any(name == each or name.startswith(f"{each.rstrip('/')}/") for each in given)
