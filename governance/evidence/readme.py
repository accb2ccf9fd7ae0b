"""The README.txt of an evidence pack."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from governance.evidence.asked import How
from governance.evidence.dossier import Dossier
from governance.shadow import shadow_of

_WIDTH = 96


def readme(dossier: Dossier) -> str:
    """How to read this pack and how to check it, for whoever receives it."""
    return "\n".join(_lines(dossier)) + "\n"


def _lines(dossier: Dossier) -> Iterator[str]:
    evidence = dossier.evidence
    yield "EVIDENCE PACK"
    yield ""
    yield f"about    the file released as asset {dossier.released.body['asset']['id']}"  # type: ignore[index,call-overload]
    yield f"log      {evidence.log_key.name}, its first {evidence.checkpoint.size} entries"
    yield f"made     {dossier.made} with {dossier.maker}"
    yield ""
    if dossier.asked.how is How.PICTURE:
        yield from _paragraph(
            "It was asked for with a picture that is not the released file: other bytes, in which the watermark was found "
            f"that leads to this record, and which look like it (SHA-256 {dossier.asked.digest}). This pack proves "
            "nothing about those bytes."
        )
    shadow = shadow_of(dossier.released)
    if shadow is not None:
        yield from _paragraph(
            "It was made in SHADOW MODE: the rules were asked and every decision was recorded, but none was obeyed. As its "
            f"record says: {shadow.in_words()}."
        )
    yield from _paragraph(
        "evidence.pdf says what is recorded, for people. What can be checked lies in the other files. To check them, "
        "with Python 3.11 or newer and nothing else, in the folder of this file or with the path of the ZIP file:"
    )
    yield "    python -I -S verify.py --key NAME+ID+BASE64"
    yield ""
    yield from _paragraph(
        "The key is the public key of the log. Obtain it from somebody other than whoever gave you the pack: an auditor, a "
        'witness, a publication. Without --key the verdict is at most "self-consistent": whoever made the pack can have '
        "made the key that it brings along, and everything else with it. The same holds for the copy of verify.py in the "
        "pack: run one that you got elsewhere, such as governance/evidence/verify.py of the published package."
    )
    yield from _paragraph(
        "Exit code 0: verified. 1: refused, and each problem is named. 3: self-consistent. 2: nothing to check. Leave no "
        "other files in the folder: what pack.json does not list is refused."
    )
    yield "WHAT IS WHERE"
    yield ""
    yield "    pack.json           every file with its SHA-256 and its role; what is missing, and why"
    yield "    record/entries/     the entries of the log, as they were hashed into it"
    yield "    record/proofs.json  the proof that each of them stands in the log, and each checkpoint before it"
    yield "    record/documents/   what entries commit to by digest: policy inputs, model, call"
    yield "    record/fields/      personal fields, with the salts that open their commitments"
    yield "    record/checkpoint.txt, checkpoints/, timestamps/, log-key.txt"
    yield "    asset/              the released file, its receipt, its C2PA manifest, what our reader says of it"
    yield "    policy/             the bundles that decided, by revision; .manifest without its `revision`"
    yield ""
    yield "WHAT BINDS WHAT"
    yield ""
    yield from _paragraph(
        'pack.json marks each file. "log": every byte of it follows from what the key of the log signed; nobody without '
        'that key can change one and pass. "listed": pack.json lists its digest, so that damage shows, but whoever '
        "makes a pack can write there what they like. README.txt, evidence.pdf, verify.py, asset/verification.json and "
        "pack.json itself are of that class; time-stamps are signed by their authority. Which entries and fields of the "
        "log are in the pack, whoever made it chose: the log proves what is there, not that nothing else is."
    )
    yield "WHAT IS NOT CHECKED BY verify.py, AND WHAT DOES IT"
    yield ""
    yield "    the C2PA signature   governance verify asset/FILE --root C2PA-ROOTS.pem --log-key KEY"
    yield "    time-stamps          openssl ts -verify -data CHECKPOINT -in TIMESTAMP -CAfile TSA-ROOTS.pem"
    yield "    other entries        ask an auditor of the log, who may read them all"
    yield "    later entries        compare with checkpoints that others keep"
    yield ""
    yield from _paragraph(
        "The record does not prove that what the operator wrote is true: it proves that the operator wrote it then and "
        "cannot change it now. It does not prove who sat at the keyboard, nor when, beyond the order in the log and the "
        "time-stamps. That something is not recorded proves nothing."
    )
    if dossier.missing:
        yield "WHAT IS NOT IN THIS PACK"
        yield ""
        for each in dossier.missing:
            yield from _paragraph(f"{each.what}: {each.why}")


def _paragraph(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    yield ""
