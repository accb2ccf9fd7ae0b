"""An evidence pack: the files of a dossier, their index, and the ZIP file that holds them.

Two classes of files. What follows byte for byte from what the log's key signed is bound by the log: entries, proofs,
documents, opened fields, the receipt, the released file and the manifest in it, the bundles. The rest is for people or
signed by others; `pack.json` lists its digests, and nothing binds them. `verify.py` checks which is which.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, Json, canonical_bytes, digest
from governance.entries import Receipt
from governance.evidence import verify
from governance.evidence.disclosing import FieldState
from governance.evidence.dossier import Dossier
from governance.evidence.gathering import Evidence, Proven, ShownField
from governance.evidence.readme import readme
from governance.verification import Verification

_ROLES: Final = {
    verify.README: "how to read and check this pack",
    verify.PROGRAM: "the program that checks it",
    verify.PDF: "the same for people to read",
    verify.LOG_KEY: "the public key of the log, as whoever made the pack says",
    verify.CHECKPOINT: "the signed checkpoint that everything is proven against",
    verify.PROOFS: "inclusion and consistency proofs",
    verify.MANIFEST: "the C2PA manifest store in the released file",
    verify.VERIFICATION: "what the maker's own reader says of the released file",
}
_FOLDERS: Final = {
    verify.ENTRIES: "entry",
    verify.DOCUMENTS: "document that an entry commits to",
    verify.FIELDS: "personal fields of an entry, with the salts that open their commitments",
    verify.CHECKPOINTS: "published checkpoint",
    verify.TIMESTAMPS: "RFC 3161 time-stamp of a checkpoint",
    verify.POLICY: "file of a policy bundle that decided",
}


def pack_files(dossier: Dossier, pdf: bytes) -> dict[str, bytes]:
    """All files of the pack by their paths; `pdf` is `evidence.pdf`."""
    files = {
        **_record(dossier.evidence),
        **_asset(dossier),
        **{each.path: each.content for each in dossier.time_stamps},
        verify.PDF: pdf,
        verify.PROGRAM: program(),
    }
    for revision, bundle in dossier.bundles.items():
        files |= {f"{verify.POLICY}{revision}/{name}": content for name, content in bundle.items()}
    files[verify.README] = readme(dossier).encode()
    files[verify.INDEX] = _index(dossier, files)
    return files


def program() -> bytes:
    """`verify.py` as it goes into each pack: the module itself, byte for byte."""
    return Path(verify.__file__).read_bytes()


def _record(evidence: Evidence) -> dict[str, bytes]:
    entries = {entry_path(each): each for each in evidence.entries}
    published = {verify.checkpoint_path(each.size): each for each in evidence.published}
    proofs: dict[str, Json] = {
        "version": 1,
        "entries": [
            {"index": each.index, "path": path, "proof": _nodes(each.proof)} for path, each in sorted(entries.items())
        ],
        "checkpoints": [{"path": path, "proof": _nodes(each.proof)} for path, each in sorted(published.items())],
    }
    files = {path: each.entry.leaf() for path, each in entries.items()}
    files |= {path: each.note.encode() for path, each in published.items()}
    files |= {document_path(name): content for name, content in evidence.documents.items()}
    for each in evidence.entries:
        opened = [shown.field for shown in evidence.fields_of(each).values() if shown.field is not None]
        if opened:
            values: dict[str, Json] = {
                f.name: {"salt": base64.b64encode(f.salt).decode(), "value": f.value} for f in opened
            }
            files[f"{verify.FIELDS}{each.index:08d}.json"] = canonical_bytes(values)
    files[verify.LOG_KEY] = f"{evidence.log_key}\n".encode()
    files[verify.CHECKPOINT] = evidence.note.encode()
    files[verify.PROOFS] = canonical_bytes(proofs)
    return files


def _asset(dossier: Dossier) -> dict[str, bytes]:
    evidence, path = dossier.evidence, dossier.asset_path
    own = evidence.released
    receipt = Receipt(own.entry.leaf(), own.index, evidence.checkpoint.size, own.proof, evidence.note)
    files = {f"{path}.receipt.json": receipt.to_json().encode()}
    if dossier.asset is not None:
        files[path] = dossier.asset
    if dossier.manifest is not None:
        files[verify.MANIFEST] = dossier.manifest
    if dossier.verification is not None:
        files[verify.VERIFICATION] = verify.spelt(_verification(dossier.verification))
    return files


def _verification(verification: Verification) -> dict[str, Json]:
    """What our reader says of the released file: the six answers, its manifest, its metadata."""
    said: dict[str, Json] = {**verification.as_json(), "metadata": dict(verification.metadata)}
    report = verification.report
    if report is not None:
        said["manifest"] = {
            "state": report.state.value,
            "label": report.label,
            "signer": report.signer,
            "signed_at": report.signed_at,
            "provenance": None if report.provenance is None else dict(report.provenance),
            "problems": list(report.problems),
        }
    return said


def _index(dossier: Dossier, files: Mapping[str, bytes]) -> bytes:
    evidence, asked = dossier.evidence, dossier.asked
    about: dict[str, Json] = {"how": asked.how.value}
    if asked.digest:
        about["sha256"] = asked.digest
        about["checks"] = [{"name": c.name, "status": c.status.value, "detail": c.detail} for c in asked.checks]
    asset: Any = dossier.released.body["asset"]
    index: dict[str, Json] = {
        "format": verify.FORMAT,
        "version": verify.VERSION,
        "made": dossier.made,
        "maker": dossier.maker,
        "asked": about,
        "log": evidence.log_key.name,
        "entry": dossier.released.id,
        "index": evidence.released.index,
        "asset": asset,
        "files": [_listed(path, files[path], dossier) for path in sorted(files)],
        "fields": [_field(shown) for shown in evidence.fields],
        "missing": [{"what": each.what, "why": each.why} for each in dossier.missing],
    }
    return verify.spelt({**index, "digest": digest(canonical_bytes(index))})


def _listed(path: str, content: bytes, dossier: Dossier) -> Json:
    listed_only = path in verify.LISTED_ONLY or path.startswith(verify.TIMESTAMPS)
    return {
        "path": path,
        "sha256": digest(content),
        "bytes": len(content),
        "role": _role(path, dossier),
        "bound": "listed" if listed_only else "log",
    }


def _role(path: str, dossier: Dossier) -> str:
    if path == dossier.asset_path:
        return "the released file"
    if path == f"{dossier.asset_path}.receipt.json":
        return "its receipt"
    return _ROLES.get(path) or next(role for folder, role in _FOLDERS.items() if path.startswith(folder))


def _field(shown: ShownField) -> Json:
    said: dict[str, Json] = {"index": shown.index, "name": shown.name, "state": shown.state.value}
    return {**said, "by": shown.by} if shown.state is FieldState.ERASED else said


def entry_path(proven: Proven) -> str:
    """Where an entry lies in a pack."""
    return f"{verify.ENTRIES}{proven.index:08d}-{proven.entry.kind.value}.json"


def document_path(name: Digest) -> str:
    """Where a document lies in a pack."""
    return f"{verify.DOCUMENTS}{name}.json"


def _nodes(proof: tuple[bytes, ...]) -> Json:
    return [base64.b64encode(node).decode() for node in proof]
