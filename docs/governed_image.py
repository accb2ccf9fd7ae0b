"""Draws docs/governed-image.png: a released image and the record behind it, from an installation that made it.

make demo && .venv/bin/python docs/governed_image.py demo-output
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from governance.assets import receipt_path
from governance.entries import Entry, EntryKind, Receipt
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqlLedger
from governance_adapters.wiring import open_ledger, open_verifier

SIDE, MARGIN, LINE = 384, 28, 27
WIDTH = 1240
INK, FAINT, PAPER, GREEN = (28, 30, 36), (118, 124, 136), (255, 255, 255), (22, 128, 70)


def record_of(ledger: SqlLedger, entry: Entry) -> list[tuple[str, str]]:
    """What the ledger says of a released entry, in the order in which somebody would ask."""
    intent = next(e for _, e in ledger.entries(subject=entry.subject, kind=EntryKind.INTENT))
    personal = {field.name: field.value for field in ledger.fields(intent.id)}
    prompt: Any = personal["/prompts/0"]
    body: Any = entry.body
    finding = body["findings"][0]
    return [
        ("asked by", f"{personal['/principal/id']}, for {intent.body['purpose']}"),
        ("prompt", prompt["text"]),
        (
            "allowed by",
            f"bundle {body['decision']['bundle_revision'][:16]}…, decision {body['decision']['decision_id'][:13]}…",
        ),
        ("made by", f"{intent.body['model_name']}, model facts {str(intent.body['model'])[:16]}…"),
        ("checked", f"{finding['detector']}: {finding['label']} scored {float(finding['score']):.4f}"),
        ("marked", f"{body['watermark']['algorithm']}, id {body['watermark']['id']}"),
        ("released", f"{entry.time}, SHA-256 {body['asset']['digest'][:16]}…"),
    ]


def draw(picture: Path, settings: Settings, output: Path) -> None:
    """Draw one released file beside its record and what `governance verify` says of it."""
    ledger = open_ledger(settings)
    receipt = Receipt.from_json(receipt_path(picture).read_text())
    verification = open_verifier(settings).verify(picture.read_bytes())
    rows = record_of(ledger, receipt.entry)
    checks = [(check.name, f"{check.status.value}: {check.detail}") for check in verification.checks]

    height = MARGIN * 2 + LINE * (len(rows) + len(checks) + 3)
    canvas = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(canvas)
    text, small = ImageFont.load_default(17), ImageFont.load_default(14)
    canvas.paste(Image.open(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (MARGIN, MARGIN))
    pen.text((MARGIN, MARGIN + SIDE + 8), picture.name, INK, text)
    left, top = MARGIN * 2 + SIDE, MARGIN
    for title, lines, colour in (("the record", rows, INK), ("governance verify", checks, GREEN)):
        pen.text((left, top), title, FAINT, small)
        top += LINE
        for name, value in lines:
            pen.text((left, top), name, FAINT, text)
            while pen.textlength(value, text) > WIDTH - left - 140 - MARGIN:
                value = value.rstrip("…")[:-1] + "…"  # noqa: PLW2901 - cut until it fits
            pen.text((left + 140, top), value, colour, text)
            top += LINE
        top += LINE // 2
    canvas.save(output, optimize=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    chosen = folder / "a-red-seven-on-a-blue-background.png"
    draw(chosen, Settings.load(home=folder / "installation"), Path(__file__).with_name("governed-image.png"))
