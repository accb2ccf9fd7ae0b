"""The dossier as a document for people: what is recorded, in which order, and what that proves and does not prove."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from governance.canonical import Digest
from governance.entries import EntryKind
from governance.evidence.asked import How
from governance.evidence.blocks import Block, Facts, Heading, Paragraph, Picture, Points, Story, Table, Verbatim, plain
from governance.evidence.dossier import Dossier
from governance.evidence.gathering import Proven
from governance.evidence.record_story import decisions, findings, personal, reviewers, timeline
from governance.merkle import leaf_hash
from governance.shadow import shadow_of

_CHECKED_NOT: Final = (
    "that what the operator recorded is true: the record proves that it was recorded then, and was not changed since",
    "who sat at the keyboard: the principal is as good as the assurance given for it below",
    (
        "when anything happened, beyond the order in the log: the times are those of the operator's clocks, unless an "
        "RFC 3161 time-stamp is in the pack"
    ),
    "that the log holds nothing else about this picture: the pack shows what its maker chose to show",
    "that nothing else was recorded later: only a newer checkpoint, kept by somebody else, can show that",
    "anything about pictures that have no record: absence proves nothing",
)


def story(dossier: Dossier) -> Story:
    """The document. Fields that the dossier does not disclose stand nowhere in it."""
    asset: Any = dossier.released.body["asset"]
    return Story(
        "Evidence about a released picture",
        f"Asset {asset['id']}",
        dossier.made,
        dossier.maker,
        tuple(_blocks(dossier)),
    )


def _blocks(dossier: Dossier) -> Iterator[Block]:
    yield from _about(dossier)
    yield from _proven(dossier)
    yield from timeline(dossier.evidence)
    yield from _request(dossier)
    yield from decisions(dossier.evidence)
    yield from findings(dossier.evidence)
    yield from reviewers(dossier.evidence)
    yield from _marks(dossier)
    yield from _receipt(dossier)
    yield from personal(dossier.evidence)
    yield from _policy(dossier)
    yield from _missing(dossier)


def _about(dossier: Dossier) -> Iterator[Block]:
    evidence, entry = dossier.evidence, dossier.released
    asset: Any = entry.body["asset"]
    if dossier.asset is not None and str(asset["media_type"]).startswith("image/"):
        yield Picture(dossier.asset, "The released picture, scaled for this page. The file itself is in the pack.")
    elif dossier.asset is not None:
        yield Paragraph(f"The released file ({asset['media_type']}) is in the pack; this page cannot show or play it.")
    yield Facts(
        (
            ("Asset", asset["id"]),
            ("SHA-256 of the file", asset["digest"]),
            ("File", f"{asset['media_type']}, {asset['bytes']} bytes"),
            ("Released", f"{entry.time}, entry {evidence.released.index} of the log"),
            ("Log", f"{evidence.log_key.name}, its first {evidence.checkpoint.size} entries"),
            ("Pack made", f"{dossier.made} with {dossier.maker}"),
        )
    )
    shadow = shadow_of(entry)
    if shadow is not None:
        yield Paragraph(
            "Made in shadow mode: the rules were asked and every decision was recorded, but none was obeyed. What "
            f"enforcement would have done with this file, as its record says: {shadow.in_words()}.",
            strong=True,
        )
    if dossier.asked.how is How.PICTURE:
        yield Paragraph(
            "This pack was asked for with another file: a picture in other bytes (SHA-256 "
            f"{dossier.asked.digest}), in which the watermark was found that leads to this record, and which looks like the "
            "released picture. Nothing in this pack is about the bytes of that file.",
            strong=True,
        )
    yield Heading("What this is")
    yield Paragraph(
        "This document tells what a log recorded about one picture that was made with a generative model: who asked, which "
        "rules allowed it, what automatic checks found, which people decided, and what was released. It is a rendering for "
        "people. The evidence itself lies in the other files of the pack, and anybody can check it without trusting "
        "whoever made the pack:"
    )
    yield Verbatim("python -I -S verify.py --key NAME+ID+BASE64")
    yield Paragraph(
        "The key must be obtained from somebody other than the maker of the pack. This document is not itself bound by the "
        "log: where it and the files differ, the files count."
    )


def _proven(dossier: Dossier) -> Iterator[Block]:
    size = dossier.evidence.checkpoint.size
    yield Heading("What is proven, and what is not")
    yield Paragraph(
        "If verify.py says \u201cverified\u201d under a key that was obtained elsewhere, then it is proven:"
    )
    file = "that a file with the SHA-256 above was released"
    yield Points(
        (
            (
                f"that the holder of the log\u2019s key committed to each of the {len(dossier.evidence.entries)} entries below, at "
                f"the latest when the log had {size} entries, and that none was changed since"
            ),
            f"{file} under the intent, the decisions and the scores below"
            + (", and that the file in this pack is that file" if dossier.asset is not None else ""),
            "that the admission was recorded before the outcome, and an approval before the release it allowed",
            "that each personal field that is shown is the one that was recorded: its commitment opens to it",
        )
    )
    yield Paragraph("It is not proven:")
    yield Points(_CHECKED_NOT)


def _request(dossier: Dossier) -> Iterator[Block]:
    """Who asked for what, as policy saw it, and what made the picture."""
    evidence = dossier.evidence
    intent: Any = dossier.released.body["intent"]
    asked = evidence.entry(intent["id"])
    if asked is None:
        return
    yield Heading("The request")
    body: Any = asked.entry.body
    fields = evidence.fields_of(asked)
    rows = [("Purpose", body["purpose"]), ("Images asked for", str(body["items"])), ("Model", body["model_name"])]
    saw = _document(dossier, body["decision"]["input"])
    if saw is not None:
        who: Any = saw["principal"]
        rows.append(("Roles, issuer, assurance", f"{plain(who['roles'])}; {who['issuer']}; {who['assurance']}"))
        request: Any = saw["request"]
        rows.append(("Markets", plain(request["markets"]) if request["markets"] else "everywhere"))
        rows.append(("Model components", plain(saw["model"]["components"])))
    call = _document(dossier, body["call"])
    if call is not None:
        rows += [("Call", plain({name: value for name, value in call.items() if name != "version"}))]
    for name, shown in sorted(fields.items()):
        if name.startswith(("/principal/", "/request/", "/prompts/", "/inputs/", "/opaque/")):
            rows.append((_labelled(name), _shown(shown.field.value) if shown.field else f"[{shown.state.value}]"))
    yield Facts(tuple(rows))


def _labelled(name: str) -> str:
    """The name of a personal field in words, and as it is called in the record."""
    group = name.split("/")[1]
    words = {"principal": "Principal", "request": "Request id", "prompts": "Prompt", "inputs": "Input image"}
    return f"{words.get(group, 'Argument')} ({name})"


def _shown(value: Any) -> str:
    """A personal field in words: of a prompt its text and its parameter."""
    if isinstance(value, Mapping) and "text" in value:
        return f"\u201c{value['text']}\u201d ({value['parameter']})"
    return plain(value)


def _document(dossier: Dossier, name: str) -> Any:
    content = dossier.evidence.documents.get(Digest(name))
    return None if content is None else json.loads(content)


def _marks(dossier: Dossier) -> Iterator[Block]:
    body: Any = dossier.released.body
    mark, manifest = body["watermark"], body["manifest"]
    yield Heading("Marks in the file")
    yield Facts(
        (
            ("C2PA manifest", f"{manifest['label']}, signed by {manifest['signer']}"),
            ("Watermark", plain(mark) if mark else "none: policy dropped it"),
            ("Visible label", body["visible_label"] or "none"),
            ("Obligations honoured", plain(body["honoured"])),
        )
    )
    if dossier.verification is not None:
        yield Paragraph(
            "What the maker\u2019s own reader said of the file when the pack was made. verify.py does not check this; any "
            "C2PA reader can read the manifest."
        )
        rows = tuple((c.name, c.status.value, c.detail) for c in dossier.verification.checks)
        yield Table(("Question", "Answer", "Seen"), (18, 14, 68), rows)


def _receipt(dossier: Dossier) -> Iterator[Block]:
    evidence, own = dossier.evidence, dossier.evidence.released
    yield Heading("Receipt and checkpoints")
    yield Facts(
        (
            ("Log key", str(evidence.log_key)),
            ("Entry", f"{own.entry.id}, index {own.index} of {evidence.checkpoint.size}"),
            ("Leaf hash", leaf_hash(own.entry.leaf()).hex()),
            ("Root of the log", evidence.checkpoint.root.hex()),
        )
    )
    yield Verbatim(evidence.note)
    for each in evidence.published:
        yield Paragraph(f"A checkpoint of {each.size} entries that was kept elsewhere is a prefix of the same log.")
    if not dossier.time_stamps:
        yield Paragraph("No RFC 3161 time-stamp of a checkpoint is in the pack.")
    for stamp in dossier.time_stamps:
        when = f"{stamp.time}, by the maker\u2019s own reader and roots" if stamp.time else "not looked at by the maker"
        yield Paragraph(
            f"{stamp.path} is an RFC 3161 time-stamp of the checkpoint of {stamp.size} entries. When: {when}. Who signed it "
            "is found out with: openssl ts -verify."
        )


def _policy(dossier: Dossier) -> Iterator[Block]:
    yield Heading("Policy bundles that decided")
    rows = []
    for each in dossier.evidence.entries:
        if each.entry.kind is EntryKind.POLICY:
            revision = str(each.entry.body["revision"])
            files = dossier.bundles.get(revision)
            there = f"{len(files)}, in policy/" if files else "not in the pack: see below"
            rows.append((revision, _since(each), there))
    yield Table(("Revision", "In force since", "Its files"), (60, 26, 14), tuple(rows))


def _since(each: Proven) -> str:
    return f"{each.entry.time} (entry {each.index})"


def _missing(dossier: Dossier) -> Iterator[Block]:
    yield Heading("What is not in the pack, and what nobody checked")
    if dossier.missing:
        yield Table(("What", "Why"), (50, 50), tuple((each.what, each.why) for each in dossier.missing))
    yield Points(
        (
            "The C2PA signature in the file is checked by a C2PA reader, or by: governance verify FILE --root ROOTS --log-key KEY",
            "The signatures of time-stamps are checked by: openssl ts -verify",
            "Whether the log holds more entries about this release, an auditor can say, who may read all of it.",
            "Whether the log says more by now is found out by comparing with checkpoints that others keep.",
        )
    )
