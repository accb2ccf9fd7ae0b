"""Dossiers and packs of what a line of fakes released, and logs that an operator could have signed instead."""

from __future__ import annotations

import base64
import json

from governance.checkpoint import LogSigner
from governance.entries import Receipt
from governance.evidence import verify
from governance.evidence.asked import asked_by_name
from governance.evidence.disclosing import Disclosure
from governance.evidence.dossier import complete
from governance.evidence.gathering import gather
from governance.evidence.pack import pack_files
from governance.merkle import Tree, leaf_hash
from support.marked import verifier
from support.packs import with_new_index

NOTE = "2026-11-30T12:00:00.000Z"


def dossier(line, item, published=(), choice=None, **changes):
    ledger, key = line.parts.ledger, line.parts.log_key
    asked = asked_by_name(ledger, item.asset.id)
    evidence = gather(ledger, key, asked.entry, choice or Disclosure(), published)
    given = {
        "vault": line.parts.vault,
        "verifier": verifier(line.parts),
        "bundles": [],
        "made": NOTE,
        "maker": "a test",
    }
    return complete(evidence, asked, **{**given, **changes})


def report(line, made):
    files = pack_files(made, b"%PDF of a test")
    return verify.verify_pack(files, verify.LogKey.parse(str(line.parts.log_key))), files


def signed_again(files, change):
    """What an operator can do: write another `released` entry into a log of the same shape, with a key of their own."""
    signer = LogSigner.generate("log.example.org/other")
    entries = sorted(path for path in files if path.startswith(verify.ENTRIES))
    value = json.loads(files[entries[-1]])
    change(value["body"])
    files = {**files, entries[-1]: verify.canonical_bytes(value)}
    tree = Tree(0, lambda level, number: b"")
    tree.extend(leaf_hash(files[path]) for path in entries)
    nodes = [[base64.b64encode(node).decode() for node in tree.inclusion_proof(i)] for i in range(tree.size)]
    proven = [{"index": i, "path": path, "proof": nodes[i]} for i, path in enumerate(entries)]
    files[verify.PROOFS] = verify.canonical_bytes({"version": 1, "entries": proven, "checkpoints": []})
    files[verify.CHECKPOINT] = signer.sign_checkpoint(tree.size, tree.root()).encode()
    files[verify.LOG_KEY] = f"{signer.key}\n".encode()
    (receipt,) = (path for path in files if path.endswith(".receipt.json"))
    proof = tuple(tree.inclusion_proof(tree.size - 1))
    made = Receipt(files[entries[-1]], tree.size - 1, tree.size, proof, files[verify.CHECKPOINT].decode())
    files[receipt] = made.to_json().encode()
    index = {**json.loads(files[verify.INDEX]), "log": signer.name}
    files[verify.INDEX] = verify.spelt(index)
    return with_new_index(files), str(signer.key)


def put(*path, value):
    """A change of a body: `value` at `path`."""

    def change(body):
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return change
