"""What the core needs from the outside, one verb each. Every adapter passes the contract class of its port in
`governance.testing`; adapters raise only errors of `governance.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from governance.canonical import Digest, Json
from governance.entries import (
    Attempt,
    Entry,
    EntryKind,
    HoldRecord,
    HoldState,
    LegalHoldRecord,
    MarkRecord,
    PersonalField,
    Receipt,
    Record,
    Recorded,
)
from governance.lineage.releases import Release
from governance.media import Clip, Sound
from governance.search import Query, Rollup, SearchPage
from governance.types import Decision, Draft, Finding, Fingerprint, GenerationRequest, ModelFacts, Pixels, Stage, Usage


class PolicyEngine(Protocol):
    """Decides. Evaluates `data.governance.<stage>.decision` of one bundle."""

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle in force."""

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide on `facts`, the policy input of `stage` (validated against the published schema first).

        An undefined decision is a decision to deny, with the reason `policy.undefined`.

        Raises:
            PolicyError: the input or the decision does not fit its schema, or the engine failed.
        """


class Pipeline(Protocol):
    """Generates. Bound to one model; called from one thread at a time."""

    def describe(self) -> ModelFacts:
        """What would generate now.

        Raises:
            ModelError: a component cannot be described.
        """

    def generate(self, request: GenerationRequest) -> Sequence[Draft]:
        """Exactly `request.items` drafts, indices 0..: `request.images` of each of `request.media`, in that order, each with
        its seed, `request.seed_of(index)` (there are seeds here, always).

        Raises:
            GenerationError: the model failed, or made something other than what was asked for.
        """


class Detector(Protocol):
    """Scores."""

    @property
    def name(self) -> str:
        """A short stable name, such as `nsfw`."""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the weights or data that make the scores."""

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        """Findings for each image, in order; at least one finding per image.

        Raises:
            DetectorError: any image could not be scored.
        """


class Watermarker(Protocol):
    """Embeds an invisible payload. Payloads are made and checked by `governance.watermark.MarkKey`."""

    @property
    def algorithm(self) -> str:
        """The reverse-domain name of the algorithm, as in the C2PA soft binding."""

    @property
    def payload_bits(self) -> int:
        """64 or 32."""

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths to try, weakest first; the governor moves to the next when re-extraction fails."""

    def embed(self, pixels: Pixels, payload: int, strength: float) -> Pixels:
        """`pixels` with `payload` (0 <= payload < 2^payload_bits) in them; same shape.

        Raises:
            ImageTooSmallError: too few pixels to carry the payload.
            MarkError: the image could not be marked.
        """

    def fits(self, height: int, width: int) -> bool:
        """Whether an image of this size can carry the payload."""

    def extract(self, pixels: Pixels) -> Sequence[int]:
        """Candidate payloads, best first; empty when none is found. Unverified: the keyed check decides.

        Raises:
            MarkError: the image could not be read.
        """


class Labeller(Protocol):
    """Draws the visible label that policy may oblige."""

    def label(self, pixels: Pixels, text: str, *, position: str = "", language: str = "") -> Pixels:
        """`pixels` with `text` readable on them; same shape.

        `position` is one of `governance.obligations.LABEL_POSITIONS`, empty for the first; `language` (BCP 47) chooses
        among the forms that a script's characters have, empty for none in particular.

        Raises:
            ImageTooSmallError: the text does not fit readably.
            MarkError: the text, the position or the language cannot be drawn.
        """


class MetadataWriter(Protocol):
    """Writes what other programs read in a file without C2PA: XMP, and what a law names beside it."""

    def write(self, content: bytes, media_type: str, properties: Mapping[str, str]) -> bytes:
        """`content` with `properties` (see `governance.metadata`) in it; the pixels' bytes stay as they are.

        Properties of the same names that the file has already are replaced.

        Raises:
            MarkError: the format cannot carry them, or the bytes are no such file.
        """

    def read(self, content: bytes) -> Mapping[str, str]:
        """The properties that the file carries, by the same names; empty where it has none.

        Raises:
            MarkError: the bytes are no file of a format that it knows, or what they carry cannot be read.
        """


class Encoder(Protocol):
    """Encodes pixels losslessly enough for the mark to survive, and decodes them again."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """The formats it can write, preferred first, such as `image/png`."""

    def encode(self, pixels: Pixels, media_type: str) -> bytes:
        """The file's bytes.

        Raises:
            MarkError: the format is unknown or the pixels cannot be encoded.
        """

    def decode(self, content: bytes) -> Pixels:
        """The pixels of a PNG, JPEG or WebP file.

        Raises:
            MarkError: the bytes are not such an image, or it is too large to decode safely.
        """


class ClipEncoder(Protocol):
    """Encodes clips well enough for the mark to survive in every frame, and decodes them again."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """The formats it can write, preferred first, such as `video/mp4`."""

    @property
    def lossless(self) -> str:
        """The format that keeps every value of every frame, for what is held; it need not be one to release in."""

    def reads(self, content: bytes) -> bool:
        """Whether a file begins like one of these formats; whether it can be decoded, `decode` says."""

    def encode(self, clip: Clip, media_type: str) -> bytes:
        """The file's bytes: as many frames, of the same size, at the same rate.

        Raises:
            MarkError: the format is unknown or the clip cannot be encoded.
        """

    def decode(self, content: bytes) -> Clip:
        """The clip in a file of these formats; what it has of sound or text is left out.

        Raises:
            MarkError: the bytes are no such file, or it is too large to decode safely.
        """


class SoundEncoder(Protocol):
    """Encodes sounds, sample by sample as they are, and decodes them again."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """The formats it can write, preferred first and all of them lossless, such as `audio/wav`."""

    def reads(self, content: bytes) -> bool:
        """Whether a file begins like one of these formats; whether it can be decoded, `decode` says."""

    def encode(self, sound: Sound, media_type: str) -> bytes:
        """The file's bytes: every sample, at the same rate.

        Raises:
            MarkError: the format is unknown or the sound cannot be encoded.
        """

    def decode(self, content: bytes) -> Sound:
        """The sound in a file of these formats.

        Raises:
            MarkError: the bytes are no such file, or it is too large to decode safely.
        """


class Fingerprinter(Protocol):
    """Computes what an image looks like."""

    def fingerprint(self, pixels: Pixels) -> Fingerprint:
        """PDQ hash, its quality, and the 8 x 8 mean-colour grid.

        Raises:
            MarkError: the image could not be hashed.
        """


class ManifestState(StrEnum):
    """What a C2PA reader says of a file."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    INVALID = "invalid"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class IngredientReport:
    """What a manifest says that its file was made from: one ingredient, as whoever signed it found it.

    `relationship` is C2PA's: parentOf, inputTo or componentOf. `label` is that of the ingredient's own manifest, empty
    where it had none.
    """

    title: str
    relationship: str
    state: ManifestState
    label: str = ""


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """What stands in a file's manifest, and whether it holds.

    `label` is the active manifest's `urn:c2pa:...`; `provenance` our own assertion's data; `problems` the failure
    codes of C2PA 2.x, section "Validation"; `ingredients` what the file was made from beside the model.
    """

    state: ManifestState
    label: str = ""
    signer: str = ""
    signed_at: str = ""
    provenance: Mapping[str, Json] | None = None
    problems: tuple[str, ...] = ()
    ingredients: tuple[IngredientReport, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedContent:
    """A signed file, and the report of reading it back."""

    content: bytes
    report: ManifestReport


@dataclass(frozen=True, slots=True)
class IngredientFile:
    """A file that goes into a manifest: its bytes, their media type, and its ingredient in the manifest definition."""

    content: bytes
    media_type: str
    ingredient: Mapping[str, Json]


class ManifestReader(Protocol):
    """Reads C2PA manifests."""

    def read(self, content: bytes) -> ManifestReport:
        """What the file's manifest says. A file without one is `MISSING`, never an error.

        Raises:
            SigningError: the trust root itself cannot be used.
        """


class ManifestSigner(ManifestReader, Protocol):
    """Signs files with C2PA manifests and reads them."""

    def sign(
        self,
        content: bytes,
        media_type: str,
        manifest: Mapping[str, Json],
        ingredients: Sequence[IngredientFile] = (),
    ) -> SignedContent:
        """`content` with the manifest definition `manifest` (see `governance.manifest`) signed into it.

        `ingredients` are the files that it was made from. Each is read first; the manifest that it has goes on whole, and
        of a file without one nothing is taken but what its `ingredient` says. The signed bytes are read back; anything
        but Trusted is an error.

        Raises:
            SigningError: no usable key, an expired certificate, an ingredient whose own manifest is invalid or that is no
                file of its media type, or a result that does not read back as Trusted.
        """


class Vault(Protocol):
    """Keeps released bytes under their own digest. What is put stays unreadable until it is published."""

    def put(self, content_digest: Digest, content: bytes) -> None:
        """Stage `content` durably.

        Raises:
            StorageError: it cannot be kept.
        """

    def publish(self, content_digest: Digest) -> None:
        """Make staged content readable; does nothing if it is already.

        Raises:
            StorageError: nothing is staged or published under this digest.
        """

    def discard(self, content_digest: Digest) -> None:
        """Forget staged content; published content is untouched."""

    def get(self, content_digest: Digest) -> bytes:
        """The published bytes, checked against their digest.

        Raises:
            StorageError: nothing is published under this digest, or the bytes were altered.
        """

    def erase(self, content_digest: Digest) -> None:
        """Forget these bytes, staged or published, for good; does nothing where they are not there.

        Raises:
            StorageError: they are there and cannot be erased.
        """

    def staged(self) -> Sequence[Digest]:
        """What is staged and not published, for recovery."""

    def contents(self) -> Sequence[Digest]:
        """What is published, in the order of the digests."""


class Quarantine(Protocol):
    """Keeps drafts that a person must decide on, encrypted."""

    def seal(self, hold_id: str, content: bytes) -> None:
        """Encrypt and keep `content` durably under `hold_id`.

        Raises:
            StorageError: it cannot be kept.
        """

    def open(self, hold_id: str) -> bytes:
        """Decrypt.

        Raises:
            StorageError: unknown id, destroyed key, or altered bytes.
        """

    def destroy(self, hold_id: str) -> None:
        """Destroy the data key and the bytes; they never decrypt again."""

    def holds(self) -> Sequence[str]:
        """Ids of everything that is sealed, for recovery."""


class LogSource(Protocol):
    """Shows a log to somebody outside: signed checkpoints and the tiles of its tree (C2SP tlog-tiles)."""

    def checkpoint(self) -> str:
        """The newest checkpoint, a C2SP signed note. Nothing of it is verified.

        Raises:
            LogSourceError: the log cannot be asked, or does not answer as a log does.
            LedgerError: the ledger behind it cannot be read.
        """

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes (1..256, 32 bytes each) of tile (level, number). Nothing of them is verified.

        Raises:
            LogSourceError: the log has no such tile, or no such width of it, or cannot be asked.
            LedgerError: the ledger behind it cannot be read.
        """


class ErasureLog(Protocol):
    """Keeps what was erased, outside the database: a backup that is restored must lose it again. No personal data."""

    def append(self, receipt: Receipt) -> None:
        """Keep the receipt of an `erased` entry, durably.

        Raises:
            StorageError: it cannot be kept.
        """

    def receipts(self) -> Iterator[Receipt]:
        """All of them, in the order in which they were kept. None of them is verified.

        Raises:
            StorageError: they cannot be read.
            ProofError: one of them is no receipt.
        """


class Ledger(Protocol):
    """Appends. Every append is durable and covered by a signed checkpoint when it returns."""

    def begin(self, principal_id: str, request_id: str, facts_digest: Digest, generation_id: str) -> Attempt | Recorded:
        """Claim a request, or learn that it is finished.

        After `failed` or `abandoned` a new attempt gets the next number. A claim lives until `finish`, or until the
        process that holds it is gone.

        Raises:
            ConflictError: this principal used this request id for other facts.
            InProgressError: it is claimed now.
            LedgerError: the ledger cannot be written.
        """

    def finish(self, generation_id: str, *, repeatable: bool) -> None:
        """End a claim. `repeatable` lets the same request run again as a new attempt."""

    def let_go(self, generation_id: str) -> None:
        """Stop working on a claim without saying how it ends: whoever begins its request next, in this process, or recovers
        after it, closes it from its entries. Needs nothing of the database.
        """

    def append(self, record: Record) -> Receipt:
        """Append, durably, in one transaction with everything in `record`.

        Raises:
            BudgetError: `record.spending` would bring its principal's day above the budget; nothing was written.
            HoldChangedError: `record.hold` is not the next version of what stands there; nothing was written.
            LegalHoldError: a legal hold keeps something of `record.erasures`, or `record.legal_hold` does not follow from
                what stands there; nothing was written.
            ErasureError: `record.erasures` names what does not exist, or a call that runs; nothing was written.
            LedgerError: nothing of it was written.
        """

    def usage(self, principal_id: str, day: str) -> Usage:
        """What this principal's intents of `day` (UTC, `2026-11-23`) have spent.

        Raises:
            LedgerError: the ledger cannot be read.
        """

    def hold(self, hold_id: str) -> HoldRecord | None:
        """Where a hold stands."""

    def holds(
        self, *, state: HoldState | None = None, queue: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[HoldRecord]:
        """Holds in the order of their ids, which is the order of their time: those beyond `after`, a keyset page."""

    def approved_hold(self, request: Digest) -> HoldRecord | None:
        """The approved and not yet used hold of a request that was held at admission, by the digest of its facts."""

    def lease(self, hold_id: str, holder: str, until: str, *, now: str) -> HoldRecord:
        """Give `holder` the open hold until `until`, or give it back at once with `until` equal to `now`.

        Raises:
            NoHoldError: there is no such hold.
            HoldClosedError: it is not open.
            LeaseError: another holder's lease lasts beyond `now`.
            LedgerError: the ledger cannot be written.
        """

    def reopen(self, generation_id: str) -> None:
        """Let the finished request of this generation run again, as a new attempt: people approved it.

        Raises:
            LedgerError: it has no finished claim, or the ledger cannot be written.
        """

    def next_mark(self, algorithm: str, key_id: str, bits: int) -> int:
        """The next unused counter for this algorithm and key, 0 <= counter < 2^bits; never given twice.

        Raises:
            LedgerError: the counter is exhausted, or the ledger cannot be written.
        """

    def recover(self) -> Sequence[Entry]:
        """Close what a vanished process left open: one `abandoned` entry per open intent, returned."""

    def open_claims(self) -> int:
        """How many requests are claimed and not finished, by any process."""

    def entry(self, entry_id: str) -> Entry:
        """The entry.

        Raises:
            NoEntryError: there is none.
        """

    def entries(
        self, *, after: int = -1, limit: int = 100, subject: str | None = None, kind: EntryKind | None = None
    ) -> Sequence[tuple[int, Entry]]:
        """Entries with their indices, oldest first, those beyond index `after`: a keyset page."""

    def receipt(self, entry_id: str) -> Receipt:
        """A receipt against the newest checkpoint.

        Raises:
            NoEntryError: there is none.
        """

    def find_mark(self, algorithm: str, key_id: str, mark_id: int) -> MarkRecord | None:
        """Where a watermark id leads."""

    def find_asset(self, asset_digest: Digest) -> Entry | None:
        """The `released` entry of these exact bytes; the oldest, where there are several."""

    def releases(self, asset_digest: Digest) -> Sequence[Entry]:
        """All `released` entries of these exact bytes, oldest first: the one file in the vault is of each of them."""

    def document(self, digest: Digest) -> bytes | None:
        """A document kept beside the ledger."""

    def fields(self, entry_id: str) -> Sequence[PersonalField]:
        """The personal fields of an entry that were not erased."""

    def subjects_of(self, person: str, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """The subjects of entries that name this person in a personal field (`governance.erasable.is_person`) that was not
        erased, in order, those beyond `after`: a keyset page.

        Read from the fields themselves: no index that is derived from them, and may lack something, is asked.

        Raises:
            LedgerError: `limit` is below 1, or the ledger cannot be read.
        """

    def erasures(self, entry_id: str) -> Mapping[str, str]:
        """What is gone beside an entry, by its name (`governance.erasable`), and the `erased` entry that says so."""

    def legal_holds(self, *, lifted: bool = False) -> Sequence[LegalHoldRecord]:
        """The legal holds in the order of their ids: those that stand, and with `lifted` those too that were lifted."""

    def due(self, day: str, *, after: tuple[str, str] = ("", ""), limit: int = 100) -> Sequence[tuple[str, str]]:
        """Subjects with something left to erase whose entries say that its time is over by `day` (UTC, included).

        Pairs of that day, the last that one of the entries says, and the subject, in their order, those beyond `after`: a
        keyset page.

        Raises:
            LedgerError: `limit` is below 1, or the ledger cannot be read.
        """

    def purge(self) -> None:
        """Let what was erased leave the files of the database too, as far as it can be told to.

        Raises:
            LedgerError: the database cannot be reached.
        """

    def checkpoint(self) -> str:
        """The newest checkpoint, a C2SP signed note."""

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of tile (level, number) (C2SP tlog-tiles, height 8), as many as there are: 0..256 of 32 bytes.

        A tile only grows: what an earlier checkpoint covers is a prefix of it.
        """

    def leaves(self, first: int, limit: int) -> Sequence[bytes]:
        """The canonical bytes of the entries from index `first` on, in order, at most `limit`.

        Raises:
            LedgerError: `first` is negative, `limit` is below 1, or the ledger cannot be read.
        """

    def search(self, query: Query, *, after: int = -1, limit: int = 100) -> SearchPage:
        """The entries with a higher index than `after` for which every filter holds, oldest first, a keyset page.

        Raises:
            QueryError: `limit` is below 1.
            LedgerError: the ledger cannot be read, or nobody with its key has opened it since there is a search.
        """

    def released_by(self, model: str, *, after: int = -1, limit: int = 1000) -> Sequence[tuple[int, Release]]:
        """What this model released, with the indices of the entries, oldest first, those beyond index `after`: a keyset page.

        `model` is the digest of the model as policy saw it (`governance.traits.Traits.model_digest`), which rollups count by.

        Raises:
            QueryError: `limit` is below 1.
            LedgerError: as `search`.
        """

    def alike(self, fingerprint: Fingerprint, *, limit: int = 100) -> Sequence[MarkRecord]:
        """The records of released pictures whose PDQ hash differs in at most 31 of its 256 bits, the nearest first.

        Only pictures with a watermark are recorded, and only as long as that is not erased.

        Raises:
            QueryError: `limit` is below 1.
            LedgerError: as `search`.
        """

    def rollups(self, since: str, until: str) -> Sequence[Rollup]:
        """How many entries of each day (UTC) from `since` on, and before `until`, have each value; in that order.

        Raises:
            QueryError: one of them is no day such as `2026-11-23`, or they are in no order.
            LedgerError: as `search`.
        """

    def verify(self) -> Iterator[str]:
        """Recompute everything from the stored leaves; yields one line per problem, nothing when all holds."""
