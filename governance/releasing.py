"""The end of the line: mark, sign, keep, commit, release. The same for a draft that policy lets go at once and for one
that people let go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from governance import steps
from governance.assets import Asset
from governance.bodies import ReleasedFile, Subject
from governance.canonical import Digest, Json, digest
from governance.entries import MarkRecord, Receipt
from governance.errors import LedgerError, SigningError, StorageError
from governance.frames import shown
from governance.holds import Approved
from governance.inputs import input_ingredients
from governance.manifest import ProvenanceStatement, manifest_definition
from governance.marking import Marked, file_metadata, mark
from governance.merkle import leaf_hash
from governance.parts import Parts
from governance.ports import ManifestState, SignedContent
from governance.shadow import Shadow
from governance.types import Decision, Draft, Finding, InputImage, Mode, new_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A draft that may leave, and all that stands behind it.

    `inputs` are the images that it was made from; `decisions` are in order; `approved` is there where people let it go,
    and `shadow`, what enforcement would have done, in shadow mode.
    """

    subject: Subject
    draft: Draft
    inputs: tuple[InputImage, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    release: steps.Release
    approved: Approved | None = None
    shadow: Shadow | None = None


def release(parts: Parts, leaving: Leaving, reached: Callable[[str], None]) -> Asset:
    """Run the steps, each told to `reached` before it begins. No receipt, no bytes.

    Raises:
        HoldChangedError: what people let go was released by somebody else meanwhile; nothing of this one remains.
        GovernanceError: a step failed, and nothing was released.
    """
    obligations = leaving.release.obligations
    reached("mark")
    asset_id = new_id()
    mode = Mode.ENFORCE if leaving.shadow is None else Mode.SHADOW
    metadata = file_metadata(parts, leaving.release, leaving.draft, asset_id, mode)
    marked = mark(parts, leaving.draft.media, obligations, metadata)

    reached("sign")
    signed = sign(
        parts, leaving.subject, leaving.draft, leaving.decisions, leaving.release, marked, asset_id, leaving.inputs
    )

    reached("keep")
    file = keep(parts, asset_id, marked, signed, obligations.visible_label)

    reached("commit")
    receipt = commit(
        parts,
        leaving.subject,
        leaving.draft,
        leaving.findings,
        leaving.release,
        file,
        leaving.approved,
        leaving.shadow,
    )

    reached("release")
    return Asset(file.asset_id, signed.content, file.media_type, file.digest, receipt)


def sign(
    parts: Parts,
    subject: Subject,
    draft: Draft,
    decisions: Sequence[Decision],
    release: steps.Release,
    marked: Marked,
    asset_id: str,
    inputs: Sequence[InputImage] = (),
) -> SignedContent:
    """Sign a manifest over the marked bytes; only one that reads back as Trusted and as ours will do.

    `inputs` are the input images that were admitted; other ones, or fewer, are refused.
    `decisions` are all that stand behind the release, in order, people's among them.
    """
    if subject.intent is None:
        raise LedgerError("Nothing is signed before its intent is written.", remedy="Run the steps in their order.")
    ingredients, files = input_ingredients(release.judged.policy_input, inputs, subject.intent.entry)
    statement = ProvenanceStatement(
        asset_id=asset_id,
        intent_entry_id=subject.intent.entry.id,
        intent_leaf=Digest(leaf_hash(subject.intent.leaf).hex()),
        log_origin=parts.log_key.name,
        bundle_revision=release.judged.decision.bundle_revision,
        decision_ids=tuple(decision.decision_id for decision in decisions),
        model_digest=draft.model.digest,
        components=draft.model.components,
        disclosed=marked.disclosed,
        mode=marked.metadata.mode,
        caveat=marked.metadata.caveat,
        created_at=marked.metadata.created_at,
        model_name=marked.metadata.model_name,
        media_type=marked.media_type,
        generator_name=parts.system,
        generator_version=parts.version,
        watermark=marked.watermark,
        visible_label=release.obligations.visible_label or None,
        inputs=ingredients,
    )
    signed = parts.signer.sign(marked.content, marked.media_type, manifest_definition(statement), files)
    provenance = signed.report.provenance or {}
    if signed.report.state is not ManifestState.TRUSTED or provenance.get("asset") != asset_id:
        raise SigningError(
            f"The signed file reads back as {signed.report.state.value}: {', '.join(signed.report.problems)}.",
            remedy="Check the signing certificate and the trust root with `governance doctor`.",
        )
    return signed


def keep(parts: Parts, asset_id: str, marked: Marked, signed: SignedContent, visible_label: str) -> ReleasedFile:
    """Stage the signed bytes in the vault, unreadable until the outcome commits, and say what the outcome will say."""
    content_digest = digest(signed.content)
    record = None
    if marked.watermark is not None and marked.mark_id is not None:
        record = MarkRecord(
            algorithm=marked.watermark.algorithm,
            key_id=marked.watermark.key_id,
            mark_id=marked.mark_id,
            asset_id=asset_id,
            asset_digest=content_digest,
            fingerprint=parts.fingerprinter.fingerprint(shown(marked.media)),
        )
    parts.vault.put(content_digest, signed.content)  # last: whatever fails before leaves nothing staged
    return ReleasedFile(
        asset_id=asset_id,
        digest=content_digest,
        media_type=marked.media_type,
        size=len(signed.content),
        manifest_label=signed.report.label,
        signer=signed.report.signer,
        visible_label=visible_label,
        metadata=marked.metadata.as_record(),
        mark=record,
    )


def commit(
    parts: Parts,
    subject: Subject,
    draft: Draft,
    findings: Sequence[Finding],
    release: steps.Release,
    file: ReleasedFile,
    approved: Approved | None = None,
    shadow: Shadow | None = None,
) -> Receipt:
    """Write the outcome. No receipt, no bytes: what was staged is readable only after this returns.

    Raises:
        HoldChangedError: the hold `approved` was used meanwhile; nothing was written, and what was staged is discarded.
    """
    honoured: dict[str, Json] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(release.obligations).items()
    }
    record = subject.released(draft, findings, release.judged, file, honoured, approved, shadow)
    try:
        receipt = steps.append(parts, record)
    except BaseException:  # Ctrl-C too: thrown away only if the ledger certainly lacks it; raised again
        if steps.certainly_absent(parts, record):
            parts.vault.discard(file.digest)
        raise
    try:
        parts.vault.publish(file.digest)
    except StorageError:  # the release is recorded and stands; the next start, or the next look at it, publishes
        logger.warning("asset %s is released and could not be published in the vault yet", file.asset_id, exc_info=True)
    return receipt
