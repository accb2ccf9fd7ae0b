"""Is this file what it says? Seven questions, each answered on its own line.

    manifest          does the C2PA manifest hold, and who signed it
    metadata          does what the file says of itself agree with its record, or else with its manifest
    watermark         is one of our marks in the pixels; in frames of a clip; a sound has none
    attribution       does the mark's record look like this picture
    entry             are these exact bytes recorded as released
    inclusion proof   is that entry in the signed log
    recall            was it recalled since, because something that it descends from may not be used any more

Absence proves nothing: a file without manifest and mark is a file of which we know nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from governance.agreement import disagreement, is_marked, is_sound, metadata_disagreement, recorded_kind
from governance.attribution import Grade
from governance.bodies import decision_of
from governance.canonical import Digest, Json, digest
from governance.checkpoint import LogKey, verify_receipt
from governance.codecs import Codecs
from governance.entries import Entry, EntryKind, Receipt
from governance.erasure import WATERMARK
from governance.errors import GovernanceError, ProofError
from governance.lineage.recalled import in_words, recalled
from governance.marks import FoundMark, MarkReader, found_marks, nearest
from governance.media import Media, Sound, frames_of
from governance.ports import (
    IngredientReport,
    Ledger,
    ManifestReader,
    ManifestReport,
    ManifestState,
    MetadataWriter,
)
from governance.records import asset_digest, mark_named
from governance.search import Query
from governance.shadow import SHADOW, Shadow, shadow_of
from governance.types import Mode

_SILENT = "a sound carries no watermark, and nobody checked what is heard"


class Status(StrEnum):
    """How a question was answered. `not checked` is outside this verification; `unchecked` should have been in it."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_CHECKED = "not checked"
    UNCHECKED = "could not check"


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer, and what was seen."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The answers for one file, and the entry they led to.

    `report` is what its manifest says, None where it could not be read; `metadata` the properties that it carries.
    """

    checks: tuple[Check, ...]
    entry: Entry | None
    report: ManifestReport | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: all that was asked holds. 1: something fails. 2: nothing fails, but something could not be checked."""
        statuses = {check.status for check in self.checks}
        if Status.FAILS in statuses:
            return 1
        return 2 if Status.UNCHECKED in statuses else 0

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "exit_code": self.exit_code,
            "entry": self.entry.id if self.entry else None,
            "mode": self.mode.value,
            "shadow": None if self.shadow is None else self.shadow.as_json(),
            "checks": [{"name": c.name, "status": c.status.value, "detail": c.detail} for c in self.checks],
            "made_from": [
                {"title": i.title, "relationship": i.relationship, "manifest": i.state.value, "label": i.label}
                for i in self.made_from
            ],
        }

    @property
    def mode(self) -> Mode:
        """`shadow` where its entry, or a manifest that is trusted, says that policy was not obeyed when it was made."""
        trusted = self.report is not None and self.report.state is ManifestState.TRUSTED
        said = (self.report.provenance or {}).get("mode") if self.report is not None and trusted else None
        recorded = self.entry is not None and self.entry.body.get(SHADOW) is not None
        return Mode.SHADOW if recorded or said == Mode.SHADOW else Mode.ENFORCE

    @property
    def shadow(self) -> Shadow | None:
        """What enforcement would have done with it; None while enforcing, and where no record says it."""
        try:
            return None if self.entry is None else shadow_of(self.entry)
        except ProofError:
            return None  # that the entry cannot be read, its own check says

    @property
    def made_from(self) -> tuple[IngredientReport, ...]:
        """The pictures that it was made from, on the word of whoever signed its manifest; none unless that is trusted."""
        trusted = self.report is not None and self.report.state is ManifestState.TRUSTED
        return self.report.ingredients if self.report is not None and trusted else ()


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark, and the picture or the clip that it was found in."""

    found: FoundMark
    media: Media


class Verifier:
    """Verifies files. With a ledger, against the records; without one, against a receipt.

    `codecs` say what kind of file it is; without them, those of `marks` do.
    """

    def __init__(
        self,
        reader: ManifestReader,
        log_key: LogKey,
        *,
        metadata: MetadataWriter,
        ledger: Ledger | None = None,
        marks: MarkReader | None = None,
        codecs: Codecs | None = None,
    ) -> None:
        self._reader, self._log_key, self._ledger, self._marks = reader, log_key, ledger, marks
        self._metadata_writer = metadata
        self._codecs = marks.codecs if codecs is None and marks is not None else codecs

    def verify(self, content: bytes, receipt: Receipt | None = None) -> Verification:
        """Answer the seven questions about a file's bytes; a question that cannot be asked is answered so, not raised."""
        manifest, read = self._manifest(content)
        report = None if read is None or read.state is ManifestState.MISSING else read
        watermark, mark = self._watermark(content)
        attribution, attributed = self._attribution(watermark, mark)
        entry_check, entry = self._entry(content, receipt, report, attributed)
        proof = self._proof(entry_check, entry, receipt)
        if entry_check.status is Status.HOLDS and entry is not None:
            if not is_marked(entry):
                unmarked = (
                    _SILENT if is_sound(entry) else "policy dropped the watermark for this file; its record says so"
                )
                watermark = Check(watermark.name, Status.NOT_CHECKED, unmarked)
                attribution = Check(attribution.name, Status.NOT_CHECKED, unmarked)
            elif attributed is not None and attributed.id != entry.id:
                detail = f"the mark leads to entry {attributed.id}, these bytes to {entry.id}"
                attribution = Check(attribution.name, Status.FAILS, detail)
        metadata, properties = self._metadata(content, report, entry)
        checks = (manifest, metadata, watermark, attribution, entry_check, proof, self._recall(entry_check, entry))
        return Verification(checks, entry, read, properties)

    def _manifest(self, content: bytes) -> tuple[Check, ManifestReport | None]:
        try:
            report = self._reader.read(content)
        except GovernanceError as error:
            return Check("manifest", Status.UNCHECKED, str(error)), None
        when = f" at {report.signed_at}" if report.signed_at else ""
        if report.state is ManifestState.TRUSTED:
            return Check("manifest", Status.HOLDS, f"Trusted, signed by {report.signer}{when}"), report
        if report.state is ManifestState.MISSING:
            return Check(
                "manifest", Status.FAILS, "there is none: lost, or never there. That alone proves nothing"
            ), report
        problems = ", ".join(report.problems) or "no reason given"
        return Check("manifest", Status.FAILS, f"{report.state.value.capitalize()}: {problems}"), report

    def _metadata(
        self, content: bytes, report: ManifestReport | None, entry: Entry | None
    ) -> tuple[Check, Mapping[str, str]]:
        name = "metadata"
        try:
            said = self._metadata_writer.read(content)
        except GovernanceError as error:
            return Check(name, Status.UNCHECKED, str(error)), {}
        recorded = None if entry is None else entry.body.get("metadata")
        if entry is not None and not isinstance(recorded, Mapping):
            return Check(name, Status.NOT_CHECKED, f"entry {entry.id} is of a time when none were written"), said
        if not said:
            detail = "there are none: lost, or never there. That alone proves nothing"
            return Check(name, Status.FAILS, detail), said
        whose = f"entry {entry.id}" if entry is not None else "the manifest"
        if problem := metadata_disagreement(said, recorded, report):
            return Check(name, Status.FAILS, problem), said
        return Check(name, Status.HOLDS, f"{len(said)} properties, as {whose} says"), said

    def _watermark(self, content: bytes) -> tuple[Check, _Mark | None]:
        if self._marks is None:
            return Check("watermark", Status.NOT_CHECKED, "reading marks needs the watermark key"), None
        try:
            media = self._marks.codecs.decode(content)
            if isinstance(media, Sound):
                return Check("watermark", Status.NOT_CHECKED, _SILENT), None
            found = [_Mark(each, media) for each in found_marks(self._marks, media)]
            known = [mark for mark in found if self._recorded(self._marks, mark)]
        except GovernanceError as error:
            return Check("watermark", Status.UNCHECKED, str(error)), None
        if not found:
            return Check("watermark", Status.FAILS, "none of ours was found. That alone proves nothing"), None
        mark = (known or found)[0]
        detail = f"one of ours is present: {mark.found.watermarker.algorithm}, id {mark.found.mark_id}"
        return Check("watermark", Status.HOLDS, detail), mark

    def _recorded(self, marks: MarkReader, mark: _Mark) -> bool:
        """Whether a mark leads to a record: a short check passes by chance now and then, and then leads nowhere."""
        algorithm = mark.found.watermarker.algorithm
        try:
            return self._ledger is not None and (
                self._ledger.find_mark(algorithm, marks.key.key_id, mark.found.mark_id) is not None
                or self._erasing(self._ledger, marks, mark) is not None
            )
        except GovernanceError:
            return False  # the mark is there all the same; that the ledger cannot be read, attribution says

    def _erasing(self, ledger: Ledger, marks: MarkReader, mark: _Mark) -> str | None:
        """The entry that erased where a mark leads, if it was erased."""
        named = mark.found.watermarker.algorithm, marks.key.key_id, str(mark.found.mark_id)
        page = ledger.search(Query(watermark=mark.found.mark_id, algorithm=named[0], kind=EntryKind.RELEASED))
        gone = (ledger.erasures(entry.id).get(WATERMARK) for _, entry in page.items if mark_named(entry) == named)
        return next(filter(None, gone), None)

    def _unrecorded(self, name: str, erasing: str | None) -> Check:
        if erasing is None:
            return Check(name, Status.FAILS, "mark present, but it leads to no record")
        erased = f"mark present; the fingerprint of its record was erased by entry {erasing}"
        return Check(name, Status.NOT_CHECKED, erased)

    def _attribution(self, watermark: Check, mark: _Mark | None) -> tuple[Check, Entry | None]:
        name = "attribution"
        if self._marks is None or self._ledger is None:
            return Check(name, Status.NOT_CHECKED, "attributing a picture needs the ledger and the watermark key"), None
        if mark is None:
            return Check(name, watermark.status, "without a mark there is nothing to attribute by"), None
        try:
            record = self._ledger.find_mark(
                mark.found.watermarker.algorithm, self._marks.key.key_id, mark.found.mark_id
            )
            if record is None:
                return self._unrecorded(name, self._erasing(self._ledger, self._marks, mark)), None
            seen_in = [self._marks.fingerprinter.fingerprint(frame) for frame in frames_of(mark.media)]
            graded = nearest(record.fingerprint, seen_in)
            seen = f"PDQ distance {graded.pdq_distance}, colour grid apart {graded.grid_mean:.1f} on average"
            if graded.grade is not Grade.ATTRIBUTED:
                return Check(name, Status.FAILS, f"{graded.grade.value} ({seen})"), None
            entry = self._ledger.find_asset(record.asset_digest)
        except GovernanceError as error:
            return Check(name, Status.UNCHECKED, str(error)), None
        return Check(name, Status.HOLDS, f"attributed to asset {record.asset_id} ({seen})"), entry

    def _entry(
        self, content: bytes, receipt: Receipt | None, report: ManifestReport | None, attributed: Entry | None
    ) -> tuple[Check, Entry | None]:
        if self._ledger is None and receipt is None:
            return Check("entry", Status.UNCHECKED, "there is neither a ledger nor a receipt"), None
        try:
            entry = self._recording(digest(content), receipt)
        except GovernanceError as error:
            status = Status.FAILS if isinstance(error, ProofError) else Status.UNCHECKED
            return Check("entry", status, str(error)), None
        if entry is None and attributed is not None:
            problem = f"the picture is recorded in {attributed.id}, but as other bytes than these"
            return Check("entry", Status.FAILS, problem), attributed
        if entry is None:
            return Check("entry", Status.FAILS, "no entry records these bytes as released"), None
        if problem := self._problem(entry, report) or self._other_kind(content, entry):
            return Check("entry", Status.FAILS, problem), entry
        return Check("entry", Status.HOLDS, f"{entry.id}: released {entry.time}, generation {entry.subject}"), entry

    def _recording(self, content_digest: Digest, receipt: Receipt | None) -> Entry | None:
        """The entry that records these bytes, in the ledger or in the receipt."""
        entry = self._ledger.find_asset(content_digest) if self._ledger else None
        if entry is None and receipt is not None and asset_digest(receipt.entry) == content_digest:
            return receipt.entry
        return entry

    def _problem(self, entry: Entry, report: ManifestReport | None) -> str:
        try:
            return disagreement(entry, decision_of(entry, ()), report, self._log_key.name)
        except ProofError as error:
            return str(error)

    def _other_kind(self, content: bytes, entry: Entry) -> str:
        """A picture that is recorded as a sound would need neither inspection nor mark."""
        if self._codecs is None or self._codecs.kind_of(content) == recorded_kind(entry):
            return ""
        return f"entry {entry.id} is about another kind of file than these bytes are"

    def _proof(self, entry_check: Check, entry: Entry | None, receipt: Receipt | None) -> Check:
        name = "inclusion proof"
        if entry is None:
            return Check(name, entry_check.status, "there is no entry to prove")
        try:
            if receipt is None and self._ledger is not None:
                receipt = self._ledger.receipt(entry.id)
            if receipt is None or verify_receipt(receipt, self._log_key) != entry:
                return Check(name, Status.FAILS, "the receipt is one for another entry than this file's")
        except ProofError as error:
            return Check(name, Status.FAILS, str(error))
        except GovernanceError as error:
            return Check(name, Status.UNCHECKED, str(error))
        return Check(name, Status.HOLDS, f"leaf {receipt.index} of {receipt.tree_size} in {self._log_key.name}")

    def _recall(self, entry_check: Check, entry: Entry | None) -> Check:
        name = "recall"
        if self._ledger is None:
            return Check(name, Status.NOT_CHECKED, "only the ledger of whoever released it says that")
        if entry is None:
            status = Status.UNCHECKED if entry_check.status is Status.UNCHECKED else Status.NOT_CHECKED
            return Check(name, status, "there is no entry that could have been recalled")
        try:
            found = recalled(self._ledger, entry)
            if found is not None:
                return Check(name, Status.FAILS, f"recalled {in_words(found)}")
        except GovernanceError as error:
            status = Status.FAILS if isinstance(error, ProofError) else Status.UNCHECKED
            return Check(name, status, str(error))
        return Check(name, Status.HOLDS, "not recalled")
