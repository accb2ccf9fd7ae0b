"""What goes into an evidence pack beside the record: the file, its manifest, the bundles that decided, time-stamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.canonical import Digest, Json, canonical_bytes
from governance.entries import Entry
from governance.erasure import ASSET as ERASED_ASSET
from governance.errors import ProofError, StorageError
from governance.evidence.asked import Asked
from governance.evidence.disclosing import FieldState
from governance.evidence.gathering import Evidence, Missing, revisions
from governance.evidence.verify import (
    ASSET,
    MANIFEST,
    POLICY,
    SUFFIXES,
    RefusedError,
    bundle_revision,
    checkpoint_path,
    embedded_manifest,
    stamped_checkpoint,
    time_stamp_path,
)
from governance.ports import Vault
from governance.records import asset_digest
from governance.verification import Status, Verification, Verifier

_BUNDLE_MANIFEST = ".manifest"


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """An RFC 3161 time-stamp (a DER `TimeStampResp`) of the published checkpoint of `size` entries.

    `time` is when, as our own reader found under the operator's roots; empty where there was no root to ask by.
    """

    size: int
    content: bytes
    time: str = ""

    @property
    def path(self) -> str:
        """Where it lies in a pack."""
        return time_stamp_path(self.size)


@dataclass(frozen=True, slots=True)
class Dossier:
    """The evidence about one released file, complete.

    `asset` are the released bytes and `manifest` the C2PA manifest store in them; None where `missing` says why. `bundles`
    are the files of each bundle that decided, by revision.
    `verification` is what our own reader says of the asset. `made` is when, `maker` with what program.
    """

    evidence: Evidence
    asked: Asked
    asset: bytes | None
    manifest: bytes | None
    verification: Verification | None
    bundles: Mapping[str, Mapping[str, bytes]]
    time_stamps: tuple[TimeStamp, ...]
    missing: tuple[Missing, ...]
    made: str
    maker: str

    @property
    def released(self) -> Entry:
        """The entry of the release."""
        return self.evidence.released.entry

    @property
    def asset_path(self) -> str:
        """Where the released file lies in a pack."""
        return asset_path(self.released)


def asset_path(released: Entry) -> str:
    """Where the file of a `released` entry lies in a pack."""
    asset: Any = released.body["asset"]
    return f"{ASSET}{asset['id']}{SUFFIXES[asset['media_type']]}"


def complete(
    evidence: Evidence,
    asked: Asked,
    *,
    vault: Vault,
    verifier: Verifier,
    bundles: Sequence[Mapping[str, bytes]],
    time_stamps: Sequence[TimeStamp] = (),
    without_asset: bool = False,
    made: str,
    maker: str,
) -> Dossier:
    """The dossier of `evidence`. `bundles` are the files of those at hand, as a pack holds them (see `packed_bundle`).

    Raises:
        ProofError: a time-stamp is of none of the published checkpoints in the evidence, or the file is broken.
    """
    content, missing = _asset(evidence, vault, without=without_asset)
    verification = None if content is None else verifier.verify(content)
    if verification is not None and (why := _recalled(verification)):
        content, missing = None, [Missing(asset_path(evidence.released.entry), why)]
    known = {bundle_revision(files): files for files in bundles}
    wanted = revisions(evidence.entries)
    manifest = None if content is None else _manifest(content)
    absent = [*evidence.missing, *missing, *_absent_bundles(wanted, known)]
    if content is not None and manifest is None:
        absent.append(Missing(MANIFEST, "the released file carries none"))
    return Dossier(
        evidence,
        asked,
        content,
        manifest,
        verification,
        {revision: known[revision] for revision in wanted if revision in known},
        _stamped(evidence, time_stamps),
        tuple(absent),
        made,
        maker,
    )


def _manifest(content: bytes) -> bytes | None:
    try:
        return embedded_manifest(content)
    except RefusedError as error:
        raise ProofError(
            f"The released file cannot be read: {error}.", remedy="Make the pack with --without-asset, and report this."
        ) from error


def packed_bundle(files: Mapping[str, bytes], manifest: Mapping[str, Json]) -> dict[str, bytes]:
    """The files of a bundle so that their digests alone give its revision: `.manifest` canonical, without the revision.

    Raises:
        CanonicalError: the manifest has no canonical form.
    """
    unrevised = canonical_bytes({name: value for name, value in manifest.items() if name != "revision"})
    return {**files, _BUNDLE_MANIFEST: unrevised}


def _asset(evidence: Evidence, vault: Vault, *, without: bool) -> tuple[bytes | None, list[Missing]]:
    """The released bytes, or why they are not there."""
    entry = evidence.released.entry
    path = asset_path(entry)
    if without:
        return None, [Missing(path, "left out by whoever made the pack")]
    if _tells_what_is_withheld(evidence):
        return None, [
            Missing(path, "it says the prompt in the clear, as policy obliged, and this pack does not show it")
        ]
    by = evidence.erased_by(entry.id, ERASED_ASSET)
    if by:
        return None, [Missing(path, f"erased by entry {by}")]
    try:
        content = vault.get(Digest(str(asset_digest(entry))))
    except StorageError:  # its message is for the operator, and names places of this machine
        return None, [Missing(path, "not kept: the vault does not have it any more, or not as it was released")]
    return content, []


def _recalled(verification: Verification) -> str:
    """Why the file is not handed out, where it was recalled or nobody can say whether it was; else empty."""
    recall = next(check for check in verification.checks if check.name == "recall")
    return "" if recall.status is Status.HOLDS else f"not handed out again: {recall.detail}"


def _tells_what_is_withheld(evidence: Evidence) -> bool:
    """Whether policy obliged to write the prompt into the file, and the pack does not show all prompts."""
    honoured: Any = evidence.released.entry.body.get("honoured", {})
    fields = evidence.fields_of(evidence.released).values()
    hidden = any(f.name.startswith("/prompts/") and f.state is not FieldState.DISCLOSED for f in fields)
    return hidden and "prompt" in honoured.get("disclose", ())


def _absent_bundles(wanted: Mapping[str, int], known: Mapping[str, object]) -> Iterator[Missing]:
    for revision in wanted:
        if revision not in known:
            others = ", ".join(sorted(known)) or "none"
            why = f"no folder of a bundle with this revision was at hand (there: {others}); it is known by its revision only"
            yield Missing(f"{POLICY}{revision}/", why)


def _stamped(evidence: Evidence, time_stamps: Sequence[TimeStamp]) -> tuple[TimeStamp, ...]:
    notes = {checkpoint_path(each.size): each.note.encode() for each in evidence.published}
    for each in time_stamps:
        if stamped_checkpoint(each.content, {each.path: notes.get(checkpoint_path(each.size), b"")}) is None:
            raise ProofError(
                f"The time-stamp beside the published checkpoint of {each.size} entries is none of that checkpoint.",
                remedy="Publish the checkpoint again, or leave its time-stamp away.",
            )
    return tuple(time_stamps)
