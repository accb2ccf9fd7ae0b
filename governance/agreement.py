"""Do an entry and a manifest speak of one release, and of one that went down the whole line?

Whoever holds the operator's keys can sign a manifest and append an entry; what they cannot do is make a release that
skipped a step look like one that did not, as long as these checks ask for every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from governance.bodies import BODY_VERSION
from governance.entries import Entry, EntryKind
from governance.errors import SigningError
from governance.holds import review_named
from governance.manifest import Provenance
from governance.media import UNCHECKED_UNMARKED
from governance.metadata import AIGC, IDENTIFIER, PNG_AIGC, PROMPT
from governance.ports import ManifestReport, ManifestState
from governance.records import asset_id, intent_named
from governance.shadow import bears_out, shadow_of
from governance.types import Decision, MediaKind, Mode, Outcome, Stage


def disagreement(entry: Entry, decision: Decision | None, report: ManifestReport | None, log_name: str) -> str:
    """The first thing that is wrong with `entry` as the record of a released file, or between it and the manifest.

    `decision` is the one that the entry records. `report` is None where there is no manifest to compare: that is said
    elsewhere. Empty where all agrees.

    Raises:
        ProofError: what the entry says of shadow mode cannot be read.
    """
    return next(_disagreements(entry, decision, report, log_name), "")


def _disagreements(
    entry: Entry, decision: Decision | None, report: ManifestReport | None, log_name: str
) -> Iterator[str]:
    if entry.kind is not EntryKind.RELEASED:
        yield f"entry {entry.id} records no release"
    if entry.body.get("version") != BODY_VERSION:
        yield f"entry {entry.id} is of a version that this program does not know: upgrade"
    intent = intent_named(entry)
    if intent is None or not entry.body.get("findings") or not asset_id(entry):
        yield f"entry {entry.id} names no intent, no findings or no asset"
    if recorded_kind(entry) != _family(entry):
        yield f"entry {entry.id} names media of one kind and a file of another"
    if decision is None or decision.stage is not Stage.RELEASE or not _let_go(decision, entry):
        yield f"entry {entry.id} records no decision that allowed the release"
    if not is_marked(entry) and not _policy_dropped_the_mark(entry):
        yield f"entry {entry.id} names no watermark, and no decision that dropped it"
    if report is not None and report.state is ManifestState.TRUSTED:
        yield from _other_in_manifest(entry, decision, report, log_name)


def _other_in_manifest(entry: Entry, decision: Decision | None, report: ManifestReport, log_name: str) -> Iterator[str]:
    try:
        provenance = Provenance.from_assertion(report.provenance or {})
    except SigningError as error:
        yield f"the manifest is not one of ours: {error}"
        return
    named = (provenance.asset_id, (provenance.intent_entry_id, provenance.intent_leaf), provenance.log_origin)
    if named != (asset_id(entry), intent_named(entry), log_name):
        yield f"the manifest names another record than entry {entry.id}"
    if decision is not None and (
        decision.decision_id not in provenance.decision_ids or decision.bundle_revision != provenance.bundle_revision
    ):
        yield f"the manifest names other decisions than entry {entry.id}"
    if provenance.mode is not (Mode.ENFORCE if shadow_of(entry) is None else Mode.SHADOW):
        yield f"the manifest names another mode than entry {entry.id}"
    if provenance.caveat != (UNCHECKED_UNMARKED if is_sound(entry) else ""):
        yield f"the manifest says something else than entry {entry.id} of what was checked and marked"
    review = review_named(entry)
    if review is not None and review not in provenance.decision_ids:
        yield f"the manifest does not name the decision by which people let entry {entry.id} go"


def metadata_disagreement(said: Mapping[str, str], recorded: object, report: ManifestReport | None) -> str:
    """The first thing that a file's metadata say otherwise than its record, or, where there is none, than its manifest.

    `said` are the file's properties; `recorded` is the entry's `metadata`, None without an entry. A prompt stands in no
    record, and the text chunk of a PNG file says what `TC260:AIGC` says. Empty where all agrees.
    """
    if isinstance(recorded, Mapping):
        wanted = {**recorded, PNG_AIGC: said.get(PNG_AIGC) and recorded.get(AIGC), PROMPT: said.get(PROMPT)}
        differing = sorted(name for name in {*wanted, *said} if said.get(name) != wanted.get(name))
        return f"{', '.join(differing)}: not as the record says" if differing else ""
    if report is None or report.state is not ManifestState.TRUSTED:
        return "there are some, and neither a record nor a trusted manifest confirms them"
    asset = (report.provenance or {}).get("asset")
    return "" if asset and said.get(IDENTIFIER) == asset else "they do not name the asset that the manifest names"


def is_marked(entry: Entry) -> bool:
    """Whether a released entry says that the file carries a watermark."""
    return entry.body.get("watermark") is not None


def _let_go(decision: Decision, entry: Entry) -> bool:
    """Whether policy let it go, or held it for people who did, or was asked in shadow mode and the entry says so."""
    shadow = shadow_of(entry)
    if shadow is not None:
        return bears_out(shadow, decision)
    return decision.outcome is Outcome.ALLOW or (decision.outcome is Outcome.REVIEW and review_named(entry) is not None)


def recorded_kind(entry: Entry) -> object:
    """What a released entry says that the file is; entries of a time when there were only pictures say nothing."""
    return entry.body.get("media", MediaKind.IMAGE.value)


def is_sound(entry: Entry) -> bool:
    """Whether an entry is about a sound, which can carry no mark: its media and the type of its file both say so."""
    return recorded_kind(entry) == _family(entry) == MediaKind.AUDIO


def _family(entry: Entry) -> str:
    """The kind of file by its media type: `audio` of `audio/wav`."""
    asset: Any = entry.body.get("asset")
    return str(asset.get("media_type")).partition("/")[0] if isinstance(asset, Mapping) else ""


def _policy_dropped_the_mark(entry: Entry) -> bool:
    honoured: Any = entry.body.get("honoured")
    dropped = isinstance(honoured, dict) and honoured.get("watermark") is False
    return dropped and (is_sound(entry) or bool(honoured.get("visible_label")))
