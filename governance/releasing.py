"""The end of the line: mark, sign, keep, commit, release. The same for a draft that policy lets go at once and for one
that people let go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from governance import steps
from governance.assets import Asset
from governance.bodies import Subject
from governance.holds import Approved
from governance.marking import file_metadata, mark
from governance.parts import Parts
from governance.types import Decision, Draft, Finding, InputImage, new_id


@dataclass(frozen=True, slots=True)
class Leaving:
    """A draft that may leave, and all that stands behind it.

    `inputs` are the images that it was made from; `decisions` are in order; `approved` is there where people let it go.
    """

    subject: Subject
    draft: Draft
    inputs: tuple[InputImage, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    release: steps.Release
    approved: Approved | None = None


def release(parts: Parts, leaving: Leaving, reached: Callable[[str], None]) -> Asset:
    """Run the steps, each told to `reached` before it begins. No receipt, no bytes.

    Raises:
        HoldChangedError: what people let go was released by somebody else meanwhile; nothing of this one remains.
        GovernanceError: a step failed, and nothing was released.
    """
    obligations = leaving.release.obligations
    reached("mark")
    asset_id = new_id()
    metadata = file_metadata(parts, leaving.release, leaving.draft, asset_id)
    marked = mark(parts, leaving.draft.pixels, obligations, metadata)

    reached("sign")
    signed = steps.sign(
        parts, leaving.subject, leaving.draft, leaving.decisions, leaving.release, marked, asset_id, leaving.inputs
    )

    reached("keep")
    file = steps.keep(parts, asset_id, marked, signed, obligations.visible_label)

    reached("commit")
    receipt = steps.commit(
        parts, leaving.subject, leaving.draft, leaving.findings, leaving.release, file, leaving.approved
    )

    reached("release")
    return steps.released_asset(file, signed, receipt)
