"""What three rules want to find in a file: each field with its clause, and whether it is there, missing or wrong.

    eu-ai-act-50   Regulation (EU) 2024/1689, Art. 50(2), by the Code of Practice on marking and labelling (June 2026)
    us-ca-sb942    California Business and Professions Code 22757.3 (SB 942, operative since 2 August 2026)
    cn-gb45438     GB 45438-2025, sections 5.2 and 6.1 and annex E

Fields, not legal advice: whether a rule applies to somebody, and whether more is asked of them, is not in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from governance import metadata as names
from governance import profile_fields as look
from governance.canonical import Json
from governance.errors import ConfigurationError
from governance.profile_fields import FieldState, Look, Seen
from governance.verification import Verification

_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class ProfileField:
    """One field that a rule names, the clause that names it, how it was found, and what was seen.

    `required` is false for what a rule only wants offered: it never decides.
    """

    name: str
    clause: str
    state: FieldState
    detail: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """What a rule wants to find, field by field. `holds` where every required field is there."""

    profile: str
    rule: str
    fields: tuple[ProfileField, ...]

    @property
    def holds(self) -> bool:
        """Whether every required field is there."""
        return all(field.state is FieldState.THERE for field in self.fields if field.required)

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "profile": self.profile,
            "rule": self.rule,
            "holds": self.holds,
            "fields": [
                {
                    "name": field.name,
                    "clause": field.clause,
                    "state": field.state.value,
                    "required": field.required,
                    "detail": field.detail,
                }
                for field in self.fields
            ],
        }


def check_profile(name: str | None) -> None:
    """Refuse a name that is no profile; None is no profile asked for.

    Raises:
        ConfigurationError: there is no such profile.
    """
    if name is not None and name not in PROFILES:
        raise ConfigurationError(f"There is no profile {name}.", remedy=f"Use one of {', '.join(PROFILES)}.")


def judge_profile(name: str, verification: Verification, content: bytes) -> ProfileReport:
    """Look for every field of the profile `name`, one of `PROFILES`, in a verified file of the bytes `content`.

    Raises:
        ConfigurationError: there is no such profile.
    """
    check_profile(name)
    rule, wanted = PROFILES[name]
    seen = Seen(verification, png=content.startswith(_PNG))
    return ProfileReport(name, rule, tuple(wanted(seen)))


def _european(seen: Seen) -> Iterator[ProfileField]:
    code = "Art. 50(2); Code of Practice, {}"
    signed = code.format("sub-measure 1.1.1")
    yield _field("signed manifest", signed, seen, look.manifest)
    yield _field("trusted time-stamp", signed, seen, look.time_stamp)
    yield _field("says that AI made it", signed, seen, look.source_type)
    yield _field("metadata agree with their record", signed, seen, look.agreeing)
    yield _field("imperceptible watermark", code.format("sub-measure 1.1.2"), seen, look.watermark)
    yield _field("marks of its inputs kept", code.format("measure 1.2"), seen, look.inputs_kept)
    yield _field("nothing privacy-sensitive", signed, seen, look.nothing_private)


def _californian(seen: Seen) -> Iterator[ProfileField]:
    section = "Bus. & Prof. Code 22757.3{}"
    for name, letter, how in (
        ("name of the provider", "A", look.said_as(names.PROVIDER)),
        ("name of the system", "B", look.said_as(names.SYSTEM)),
        ("version of the system", "B", look.said_as(names.SYSTEM_VERSION)),
        ("time and date of creation", "C", look.time_of_creation),
        ("unique identifier", "D", look.said_as(names.IDENTIFIER)),
    ):
        yield _field(name, section.format(f"(b)(1)({letter})"), seen, how)
    yield _field("found by the provider's own tool", section.format("(b)(2)"), seen, look.detectable)
    yield _field("by a widely accepted standard", section.format("(b)(3)"), seen, look.manifest)
    yield _field("hard to remove", section.format("(b)(4)"), seen, look.watermark)
    yield _field("visible label", section.format("(a)"), seen, look.said_as(names.LABEL), required=False)


def _chinese(seen: Seen) -> Iterator[ProfileField]:
    annex = "GB 45438-2025, annex E {})"
    yield _field("visible label", "GB 45438-2025, 5.2", seen, look.chinese_label)
    yield _field("AIGC in the XMP", annex.format("a"), seen, look.aigc)
    for letter, member in zip("cdefghi", names.AIGC_MEMBERS, strict=True):
        yield _field(member, annex.format(letter), seen, look.aigc_member(member))
    yield _field("characters of the values", annex.format("j"), seen, look.characters)
    if seen.png:
        yield _field("AIGC as a PNG text chunk", "GB 45438-2025, 6.1", seen, look.png_chunk)


PROFILES: Final[Mapping[str, tuple[str, Callable[[Seen], Iterator[ProfileField]]]]] = {
    "eu-ai-act-50": ("EU AI Act, Art. 50(2)", _european),
    "us-ca-sb942": ("California SB 942", _californian),
    "cn-gb45438": ("GB 45438-2025", _chinese),
}
"""Each profile's rule in words, and the fields that it wants."""


def _field(name: str, clause: str, seen: Seen, how: Look, *, required: bool = True) -> ProfileField:
    return ProfileField(name, clause, *how(seen), required)
