"""Makes the example in docs/records.md anew: one real call, with keys of its own. Prose and comments stay as they are.

.venv/bin/python docs/records_example.py
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from governance.assets import Asset
from governance.canonical import canonical_digest
from governance.entries import EntryKind
from governance.governor import Governor
from governance.merkle import leaf_hash
from governance_adapters.commands.generate import open_model
from governance_adapters.installation import initialise
from governance_adapters.marking.keys import KeyFolder, create_insecure_keys
from governance_adapters.settings import Settings
from governance_adapters.wiring import govern, open_governor

DOCUMENT = Path(__file__).with_name("records.md")
LOG = "log.example.org/governance"
OPENED = ("/decision/messages", "/principal/id", "/request/id")
IN_ONE_LINE = {"intent", "reasons", "output_formats", "day_budget"}
COMMENTED = re.compile(r'^(?P<indent> *)"(?P<name>[^"]+)": .*?(?P<comment>  // .*)?$', re.MULTILINE)


def installed(home: Path) -> tuple[Settings, Governor]:
    """A fresh installation whose log has the example's name."""
    settings = Settings.load(home=home)
    create_insecure_keys(settings.keys_path, log_name=LOG)
    initialise(settings)
    return settings, open_governor(settings)


def call(settings: Settings, governor: Governor) -> Asset:
    """One governed call of the reference model."""
    who = {"principal": "designer@example.org", "roles": ("designer",), "purpose": "marketing"}
    pipe: Any = govern(open_model(None, "float32"), **who, settings=settings, governor=governor)
    result = pipe(
        "a red seven on a blue background",
        negative_prompt="counterfeit banknote",
        num_inference_steps=20,
        guidance_scale=4.5,
        request_id="order-4711",
    )
    asset: Asset = result.items[0].asset
    return asset


def comments(block: str) -> dict[tuple[str, ...], str]:
    """The comments of a block by the path of the member that they stand behind."""
    found, path = {}, []
    for line in COMMENTED.finditer(block):
        depth = len(line["indent"]) // 2 - 1
        path = [*(path + [""] * depth)[:depth], line["name"]]  # an element of an array has no name
        if line["comment"]:
            found[tuple(path)] = line["comment"]
    return found


def layout(value: Any, said: dict[tuple[str, ...], str], path: tuple[str, ...] = (), indent: str = "") -> str:
    """`value` as JSON with comments, a member a line; the comment of an object stands behind its brace."""
    deeper, comment = indent + "  ", said.get(path, "")
    if not value or not isinstance(value, (dict, list)) or (path and path[-1] in IN_ONE_LINE):
        return json.dumps(value, ensure_ascii=False) + "," + comment
    if isinstance(value, list):
        items = [deeper + layout(item, said, (*path, ""), deeper) for item in value]
    else:
        items = [f'{deeper}"{name}": {layout(value[name], said, (*path, name), deeper)}' for name in sorted(value)]
    items[-1] = re.sub(r",(  // .*)?$", lambda found: found[1] or "", items[-1])
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return "\n".join([opening + comment, *items, indent + closing + ","])


def codes(entry: dict[str, Any], provenance: dict[str, Any], log_key: str, payload: str) -> list[str]:
    """What the prose around the blocks quotes of them."""
    components = bytes.fromhex(canonical_digest(provenance["model"]["components"]))
    name = base64.urlsafe_b64encode(components).rstrip(b"=").decode()
    return [provenance["intent"]["leaf"], log_key, f"ni:///sha-256;{name}", entry["body"]["watermark"]["id"], payload]


def payload_of(settings: Settings, mark: dict[str, str]) -> str:
    """The payload in the pixels, as the soft binding has it."""
    key, bits = KeyFolder(settings.keys_path).mark(), 64
    counter = key.counter_of(int(mark["id"]), bits, mark["algorithm"])
    return base64.b64encode(key.payload(counter, bits, mark["algorithm"]).to_bytes(bits // 8)).decode()


def rewritten(text: str, settings: Settings, governor: Governor, asset: Asset) -> str:
    """The example with the blocks, and what the prose quotes of them, from this release."""
    ledger = governor.parts.ledger
    _, intent = ledger.entries(kind=EntryKind.INTENT)[0]
    outcome = asset.receipt.entry
    provenance: Any = governor.parts.signer.read(asset.content).provenance
    opened = {
        field.name: {"salt": base64.b64encode(field.salt).decode(), "value": field.value}
        for field in ledger.fields(intent.id)
        if field.name in OPENED
    }
    call_document = json.loads(ledger.document(intent.body["call"]))
    receipt = json.loads(asset.receipt.to_json())
    old = re.findall(r"```jsonc?\n(.*?)```", text, re.DOTALL)
    plain = [json.dumps(value, indent=1, ensure_ascii=False) for value in (opened, call_document, receipt, provenance)]
    entries = [json.loads(entry.leaf()) for entry in (intent, outcome)]
    commented = [
        layout(entry, comments(block)).rstrip(",")
        for entry, block in zip(entries, [b for b in old if "//" in b], strict=True)
    ]
    new = [commented[0], *plain[:2], commented[1], *plain[2:]]

    before = json.loads(re.sub(r"  // .*", "", old[3]))
    old_key = re.search(r"`([^`]+\+[0-9a-f]{8}\+[^`]+)`", text)
    old_payload = re.search(r"`([A-Za-z0-9+/]{11}=)`", text)
    assert old_key, "the example no longer quotes the log's key"
    assert old_payload, "the example no longer quotes the soft binding"
    mark: Any = outcome.body["watermark"]
    quoted = codes(before, json.loads(old[5]), old_key[1], old_payload[1])
    fresh = codes(entries[1], provenance, str(KeyFolder(settings.keys_path).log_public()), payload_of(settings, mark))
    assert provenance["intent"]["leaf"] == leaf_hash(intent.leaf()).hex()
    for block, replacement in zip(old, new, strict=True):
        text = text.replace(block, replacement + "\n")
    for was, now in zip(quoted, fresh, strict=True):
        text = text.replace(f"`{was}`", f"`{now}`")
    return text


def main() -> None:
    """Rewrite the section `Example`."""
    whole = DOCUMENT.read_text()
    start, end = whole.index("## Example\n"), whole.index("## The database\n")
    with tempfile.TemporaryDirectory() as folder:
        settings, governor = installed(Path(folder) / "home")
        asset = call(settings, governor)
        example = rewritten(whole[start:end], settings, governor, asset)
    DOCUMENT.write_text(whole[:start] + example + whole[end:])


if __name__ == "__main__":
    main()
