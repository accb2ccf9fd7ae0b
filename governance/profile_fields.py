"""How each field that a rule names is looked for in a verified file: there, missing or wrong, and what was seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from governance import metadata as names
from governance.manifest import COMPOSITE_ALGORITHMIC_MEDIA, TRAINED_ALGORITHMIC_MEDIA
from governance.ports import ManifestReport, ManifestState
from governance.verification import Check, Status, Verification

_AI_WORDS: Final = ("AI", "人工智能")
_MADE_WORDS: Final = ("生成", "合成")
_KNOWN: Final = frozenset(
    {
        names.SOURCE_TYPE,
        names.SYSTEM,
        names.SYSTEM_VERSION,
        names.PROMPT,
        names.AIGC,
        names.PNG_AIGC,
        names.PROVIDER,
        names.IDENTIFIER,
        names.CREATED,
        names.TOOL,
        names.DOCUMENT,
        names.INSTANCE,
        names.MODEL,
        names.LABEL,
        names.LABEL_LANGUAGE,
    }
)


class FieldState(StrEnum):
    """How a field was found."""

    THERE = "there"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Seen:
    """A verified file, as the fields look at it."""

    verification: Verification
    png: bool

    @property
    def said(self) -> Mapping[str, str]:
        """The properties of its metadata."""
        return self.verification.metadata

    @property
    def report(self) -> ManifestReport:
        """What its manifest says."""
        return self.verification.report or ManifestReport(ManifestState.INVALID, problems=("it could not be read",))

    def check(self, name: str) -> Check:
        """One line of the verification."""
        return next(check for check in self.verification.checks if check.name == name)


Answer: TypeAlias = tuple[FieldState, str]
"""How a field was found, and what was seen."""

Look: TypeAlias = Callable[[Seen], Answer]
"""Looks for one field."""


def _there(detail: str) -> Answer:
    return FieldState.THERE, detail


def _missing(detail: str) -> Answer:
    return FieldState.MISSING, detail


def _wrong(detail: str) -> Answer:
    return FieldState.WRONG, detail


def manifest(seen: Seen) -> Answer:
    """A C2PA manifest that reads as trusted."""
    if seen.report.state is ManifestState.TRUSTED:
        return _there(f"C2PA, signed by {seen.report.signer}")
    if seen.report.state is ManifestState.MISSING:
        return _missing("there is no C2PA manifest")
    return _wrong(f"{seen.report.state.value}: {', '.join(seen.report.problems)}")


def time_stamp(seen: Seen) -> Answer:
    """A time-stamp (RFC 3161) of an authority whose root is trusted: a clock of the signer proves nothing."""
    if seen.report.state is ManifestState.TRUSTED and seen.report.signed_at:
        return _there(f"RFC 3161, {seen.report.signed_at}")
    return _missing("the manifest has no time-stamp of a trusted authority; set tsa_url and tsa_root")


def source_type(seen: Seen) -> Answer:
    """An IPTC digital source type that names a model."""
    said = seen.said.get(names.SOURCE_TYPE)
    if not said:
        return _missing(f"there is no {names.SOURCE_TYPE}")
    return _there(said) if said in names.SOURCE_TYPES else _wrong(said)


def agreeing(seen: Seen) -> Answer:
    """Metadata that say what the record, or else the manifest, says."""
    check = seen.check("metadata")
    if check.status is Status.HOLDS:
        return _there(check.detail)
    return _wrong(check.detail) if seen.said or check.status is Status.UNCHECKED else _missing(check.detail)


def watermark(seen: Seen) -> Answer:
    """A mark of ours, on the picture that it was put on."""
    mark, attribution = seen.check("watermark"), seen.check("attribution")
    if mark.status is not Status.HOLDS:
        return _missing(mark.detail)
    return _wrong(attribution.detail) if attribution.status is Status.FAILS else _there(mark.detail)


def inputs_kept(seen: Seen) -> Answer:
    """The pictures that it was made from, as ingredients, with the manifests that they had."""
    source, inputs = seen.said.get(names.SOURCE_TYPE), seen.verification.made_from
    if source == TRAINED_ALGORITHMIC_MEDIA:
        if inputs:
            return _wrong("the metadata say that it was made from no picture, the manifest names some")
        return _there("it was made from no picture, so there was nothing to keep")
    if source != COMPOSITE_ALGORITHMIC_MEDIA or not inputs:
        return _missing("no trusted manifest names what it was made from")
    if any(each.state is ManifestState.INVALID for each in inputs):
        return _wrong("the manifest of an input does not hold")
    kept = sum(bool(each.label) for each in inputs)
    return _there(f"{len(inputs)} named, {kept} with a manifest of its own")


def nothing_private(seen: Seen) -> Answer:
    """No property that nobody here writes, and no prompt but the one that policy obliged to disclose.

    Only the properties are looked at. That nothing else was put into the file, Exif for instance, a manifest says that
    covers its bytes, or a record of them.
    """
    if seen.report.state is not ManifestState.TRUSTED and seen.check("entry").status is not Status.HOLDS:
        return _missing("neither a manifest nor a record says that nothing was put into the file")
    if seen.check("metadata").status is Status.UNCHECKED:
        return _wrong("the metadata cannot be read")
    if strange := sorted(set(seen.said) - _KNOWN):
        return _wrong(f"nobody here wrote {', '.join(strange)}")
    disclosed = (seen.report.provenance or {}).get("disclosed")
    told = disclosed if isinstance(disclosed, Mapping) else {}
    if seen.said.get(names.PROMPT, "") != told.get("prompt", "") or set(told) - {"prompt"}:
        return _wrong("it tells more of the request than policy obliged to disclose")
    return _there("the prompt, as policy obliged" if told else "nobody is named, and no prompt")


def said_as(name: str) -> Look:
    """The property `name`, as the record says it; without a record, in metadata that the manifest confirms."""

    def look(seen: Seen) -> Answer:
        said, entry = seen.said.get(name), seen.verification.entry
        if not said:
            return _missing(f"there is no {name}")
        recorded = None if entry is None else entry.body.get("metadata")
        if isinstance(recorded, Mapping):
            return _there(said) if recorded.get(name) == said else _wrong(f"{said!r}, which the record does not say")
        check = seen.check("metadata")
        return _there(said) if check.status is Status.HOLDS else _wrong(check.detail)

    return look


def time_of_creation(seen: Seen) -> Answer:
    """When it was made, as a date and time with its offset."""
    state, said = said_as(names.CREATED)(seen)
    try:
        whole = state is not FieldState.THERE or datetime.fromisoformat(said).utcoffset() is not None
    except ValueError:
        whole = False
    return (state, said) if whole else _wrong(f"{said} is no date and time")


def detectable(seen: Seen) -> Answer:
    """Verification leads to its record."""
    for name in ("entry", "attribution"):
        check = seen.check(name)
        if check.status is Status.HOLDS:
            return _there(f"`governance verify`: {check.detail}")
    return _missing(seen.check("entry").detail)


def chinese_label(seen: Seen) -> Answer:
    """A label that names AI and generation or synthesis, as the signed metadata tell of it."""
    state, said = said_as(names.LABEL)(seen)
    if state is not FieldState.THERE:
        return state, said
    named = any(word in said for word in _AI_WORDS) and any(word in said for word in _MADE_WORDS)
    return (
        _there(said)
        if named
        else _wrong(f"{said!r} names not both: {' or '.join(_AI_WORDS)}; {' or '.join(_MADE_WORDS)}")
    )


def aigc(seen: Seen) -> Answer:
    """The XMP property of annex E."""
    state, said = said_as(names.AIGC)(seen)
    if state is not FieldState.THERE:
        return state, said
    return _there(names.AIGC) if _members(said) is not None else _wrong("it is no JSON object of texts")


def _members(text: str) -> Mapping[str, str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(value, dict) and all(isinstance(member, str) for member in value.values())
    return value if texts else None


def aigc_member(name: str) -> Look:
    """One member of the AIGC text; those that are reserved may be empty."""

    def look(seen: Seen) -> Answer:
        members = _members(seen.said.get(names.AIGC, "")) or {}
        if name not in members or not (members[name] or name.startswith("Reserved")):
            return _missing(f"{names.AIGC} does not say it")
        if name == "Label" and members[name] not in {"1", "2", "3"}:
            return _wrong(members[name])
        return _there(members[name] or "reserved, empty")

    return look


def characters(seen: Seen) -> Answer:
    """Values of the characters that annex E allows."""
    members = _members(seen.said.get(names.AIGC, ""))
    if members is None:
        return _missing("there are no values")
    odd = sorted(name for name, value in members.items() if not names.AIGC_CHARACTERS.fullmatch(value))
    return _wrong(f"{', '.join(odd)}: other than 0x21, 0x23 to 0x5B, 0x5D to 0x7E") if odd else _there("as allowed")


def png_chunk(seen: Seen) -> Answer:
    """The same text in the PNG text chunk."""
    said = seen.said.get(names.PNG_AIGC)
    if not said:
        return _missing("there is no text chunk AIGC")
    return _there("the same as in the XMP") if said == seen.said.get(names.AIGC) else _wrong("not what the XMP says")
