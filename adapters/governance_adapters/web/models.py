"""The documents that the API takes and gives, as its description shows them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path as PathParameter
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from governance.assets import Verdict as AssetVerdict
from governance.entries import EntryKind, HoldState
from governance.made import Ground
from governance.profile_fields import FieldState
from governance.types import Mode, Outcome, Stage
from governance.verification import Status
from governance_adapters.web.cursors import MAX_CURSOR

MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
MAX_COMMENT: Final = 2000
MAX_CODES: Final = 8
CODE_PATTERN: Final = r"^[a-z][a-z_]*(\.[a-z][a-z_]*)+$"
DIGEST_PATTERN: Final = "^[0-9a-f]{64}$"
_EXAMPLE_ID: Final = "01933b5c-8a1e-7c3d-9e4f-0123456789ab"
ID_PATTERN: Final = r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,127}$"

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="The most elements of the page.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern=f"^[A-Za-z0-9_-]{{22,{MAX_CURSOR}}}$",
        description="`next` of the page before, with the same filters. Opaque.",
    ),
]
EntryId = Annotated[str, PathParameter(pattern=ID_PATTERN, description="The id of an entry.", examples=[_EXAMPLE_ID])]
HoldId = Annotated[str, PathParameter(pattern=ID_PATTERN, description="The id of a hold.", examples=[_EXAMPLE_ID])]
WorkId = Annotated[str, PathParameter(pattern=ID_PATTERN, description="The id of a work.", examples=[_EXAMPLE_ID])]
AssetName = Annotated[
    str,
    PathParameter(
        pattern=ID_PATTERN,
        description="The SHA-256 of the released file, or the id of the entry that released it.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]


Profile = Literal["eu-ai-act-50", "us-ca-sb942", "cn-gb45438"]
"""The rules whose fields can be asked for: the names of `governance.profiles.PROFILES`."""


class Given(BaseModel):
    """Base of what clients send: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Health(BaseModel):
    """That the server answers and can read its ledger."""

    status: Literal["ok"] = Field(description="Always `ok`: otherwise this is a problem.")
    version: str = Field(description="The version of this product.")


class EntryModel(BaseModel):
    """One entry of the ledger."""

    id: str = Field(description="Its id.")
    kind: EntryKind = Field(description="What it records.")
    subject: str = Field(description="What it is about: a generation, a work, an API key, the policy.")
    time: str = Field(description="When, RFC 3339 in UTC.")
    body: dict[str, Any] = Field(description="What it says; the shapes stand in docs/records.md.")


class ListedEntry(EntryModel):
    """An entry and its place in the log."""

    index: int = Field(ge=0, description="Its index in the log.")


class EntryPage(BaseModel):
    """Entries, oldest first."""

    items: list[ListedEntry]
    next: str | None = Field(description="The cursor of the next page; null where this is the last.")


class MatchModel(BaseModel):
    """A released file that a picture is, carries the mark of, or looks like."""

    by: Ground = Field(description="What the match rests on.")
    grade: str = Field(description="How good it is, in words.")
    asset_id: str
    asset_digest: str
    entry: str | None = Field(description="The entry that released it.")
    released: str | None = Field(description="When, RFC 3339 in UTC.")
    pdq_distance: int | None = Field(description="In how many of 256 bits the perceptual hashes differ.")
    quality: int | None = Field(description="The lower of the two PDQ qualities, 0 to 100.")
    grid_mean_thousandths: int | None = Field(description="How far the colours are apart, in thousandths of a level.")
    grid_largest: int | None = Field(description="How far the farthest of them are apart, in levels.")


class MatchPage(BaseModel):
    """Matches of one picture, the best first."""

    items: list[MatchModel]


class RollupModel(BaseModel):
    """How many entries of a day have a value."""

    day: str
    name: str = Field(description="What is counted: `kind`, `outcome`, `reason`, `model`, `bundle` or `risk`.")
    value: str
    entries: int = Field(ge=1)


class RollupPage(BaseModel):
    """Counts by day, name and value."""

    items: list[RollupModel]


class ReceiptModel(BaseModel):
    """Proof that an entry is in the log. What `governance verify --receipt` reads."""

    version: Literal[1]
    leaf: str = Field(description="The canonical bytes of the entry, base64.")
    index: int = Field(ge=0)
    tree_size: int = Field(ge=1)
    proof: list[str] = Field(description="The inclusion proof (RFC 9162), nodes in base64.")
    checkpoint: str = Field(description="The checkpoint that it leads to, a C2SP signed note.")


class ReasonModel(BaseModel):
    """Why a decision is what it is."""

    code: str
    path: str = Field(description="JSON pointer into the policy input.")
    message: str = Field(description="In words; empty unless personal fields were asked for, and kept.")


class DecisionModel(BaseModel):
    """A decision of policy."""

    stage: Stage
    outcome: Outcome
    decision_id: str
    bundle_revision: str
    reasons: list[ReasonModel]
    obligations: dict[str, Any]


class FindingModel(BaseModel):
    """One score of one detector."""

    detector: str
    detector_digest: str
    label: str
    score: float = Field(ge=0, le=1)
    work: str
    action: str
    evidence: dict[str, Any]


class EntryRecord(BaseModel):
    """Everything that the ledger knows of one entry."""

    entry: EntryModel
    shadow: ShadowModel | None = Field(
        description="What enforcement would have done, where it was made in shadow mode."
    )
    receipt: ReceiptModel
    decision: DecisionModel | None
    findings: list[FindingModel]
    documents: dict[str, Any] | None = Field(
        description="`policy_input` (redacted), `model`, `call`, where they were asked for; null for one not kept."
    )
    personal: dict[str, Any] | None = Field(
        description="The personal fields by name, where they were asked for; null for an erased one."
    )
    erased: dict[str, str] = Field(
        description="What was erased beside it: a personal field, `watermark`, `asset` or `hold`, and the entry that says so."
    )


class CheckpointModel(BaseModel):
    """The newest checkpoint."""

    checkpoint: str = Field(description="A C2SP signed note.")


class JudgementModel(BaseModel):
    """What enforcement would have done at one stage."""

    stage: Stage
    verdict: AssetVerdict = Field(description="`released`: it would have gone on.")
    codes: list[str] = Field(description="Why not: reason codes.")


class ShadowModel(BaseModel):
    """What enforcement would have done with what shadow mode released."""

    verdict: AssetVerdict = Field(description="What would have become of it. `failed`: the line would have refused.")
    stages: list[JudgementModel] = Field(description="Stage by stage, in order.")


class ModeModel(BaseModel):
    """Whether policy is obeyed here, by the newest entry about it."""

    mode: Mode = Field(description="`shadow`: decisions are recorded and withhold nothing.")
    entry: str | None = Field(description="The entry that says so; null: it was never anything but enforcement.")
    since: str | None = Field(description="When that was, RFC 3339 in UTC.")


class AssetRecord(BaseModel):
    """The record of one released file: every entry that led to it."""

    id: str = Field(description="The id of the asset, as in its manifest.")
    digest: str = Field(description="SHA-256 of the file.")
    media_type: str
    bytes: int
    mode: Mode = Field(description="`shadow`: policy was recorded and not obeyed when it was made.")
    shadow: ShadowModel | None = Field(description="What enforcement would have done with it, in shadow mode.")
    released: EntryModel
    chain: list[EntryModel] = Field(
        description="The intent, what was held, views and decisions, the release: in order."
    )


class HoldModel(BaseModel):
    """Where one hold stands."""

    id: str
    entry_id: str = Field(description="The `held` entry.")
    subject: str = Field(description="The generation.")
    stage: Stage
    item: int | None = Field(description="Which image of the request; null: held at admission.")
    queue: str
    opened: str
    state: HoldState
    due: str
    expires: str
    version: int
    holder: str = Field(description="Who has the lease; empty: nobody.")
    leased_until: str


class HoldPage(BaseModel):
    """Holds, oldest first."""

    items: list[HoldModel]
    next: str | None = Field(description="The cursor of the next page; null where this is the last.")


class HoldRecordView(BaseModel):
    """One hold with what was decided and found, and what people did since."""

    hold: HoldModel
    held: EntryModel
    decision: DecisionModel
    findings: list[FindingModel]
    acts: list[EntryModel] = Field(description="Views, comments and decisions, oldest first.")
    reviewers: dict[str, str] = Field(description="Who did each act, by its entry; without erased ones.")
    comments: dict[str, str] = Field(description="What they wrote, by the entry; without erased ones.")
    approvals: int = Field(description="How many approvals count so far.")
    needed: int = Field(description="How many are needed in all.")


class Comment(Given):
    """A comment on a hold."""

    text: str = Field(min_length=1, max_length=MAX_COMMENT, examples=["The logo at the left is ours."])


class Verdict(Given):
    """A decision of a reviewer."""

    codes: list[Annotated[str, Field(pattern=CODE_PATTERN, max_length=256)]] = Field(
        min_length=1, max_length=MAX_CODES, examples=[["work.licensed"]], description="Reason codes."
    )
    comment: str = Field("", max_length=MAX_COMMENT, description="Personal: committed and erasable.")


class Escalation(Verdict):
    """A hold that somebody else is to decide."""

    queue: str = Field(min_length=1, max_length=256, examples=["legal"], description="The queue it goes to.")


class ReviewedModel(BaseModel):
    """What became of a hold, and the entry that says so."""

    hold: HoldModel
    entry: EntryModel
    released: AssetLink | None = Field(description="The released file, where this approval was enough.")


class AssetLink(BaseModel):
    """A released file."""

    id: str
    digest: str
    media_type: str


class WorkModel(BaseModel):
    """A protected work."""

    id: str
    title: str
    owner: str
    licence: str
    action: Literal["deny", "review", "allow"]
    images: list[str] = Field(description="The SHA-256 of each image file.")
    added: str


class WorkPage(BaseModel):
    """Works, oldest first."""

    items: list[WorkModel]
    next: str | None = Field(description="The cursor of the next page; null where this is the last.")


class CheckModel(BaseModel):
    """One question about a file, and its answer."""

    name: str
    status: Status
    detail: str


class ProfileFieldModel(BaseModel):
    """One field that a rule names."""

    name: str
    clause: str
    state: FieldState
    required: bool
    detail: str


class ProfileModel(BaseModel):
    """The fields of a rule in one file."""

    profile: Profile
    rule: str
    holds: bool = Field(description="Whether every required field is there.")
    fields: list[ProfileFieldModel]


class MadeFromModel(BaseModel):
    """A file that the file says it was made from."""

    title: str
    relationship: str
    manifest: str = Field(description="What its own manifest is.")
    label: str


class VerificationModel(BaseModel):
    """The answers for one file."""

    exit_code: Literal[0, 1, 2] = Field(
        description="0: all that was asked holds. 1: something fails. 2: something could not be checked."
    )
    entry: str | None = Field(description="The entry that records the file.")
    mode: Mode = Field(description="`shadow` where its record or its manifest says so: policy may have denied it.")
    shadow: ShadowModel | None = Field(description="What enforcement would have done with a file of shadow mode.")
    checks: list[CheckModel]
    made_from: list[MadeFromModel] = Field(description="Its ingredients, as its manifest names them.")
    profile: ProfileModel | None = Field(None, description="The fields of the rule that was asked for.")


ReviewedModel.model_rebuild()
