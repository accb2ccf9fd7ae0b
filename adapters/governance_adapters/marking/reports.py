"""How c2pa-rs is set up, and what its reports mean to us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from governance.canonical import Json, without_floats
from governance.manifest import CREATED_LABELS, PROVENANCE_LABEL
from governance.ports import IngredientReport, ManifestReport, ManifestState
from governance_adapters.marking.certificates import CLAIM_USAGES, TrustRoots, to_pem

CLAIM_LIST: Final = "urn:diffusion-governance:trust:claim"
TIME_STAMP_LIST: Final = "urn:diffusion-governance:trust:time-stamp"
SHARED_LIST: Final = "urn:diffusion-governance:trust:claim-and-time-stamp"
UNTRUSTED: Final = "signingCredential.untrusted"
GENERAL_ERROR: Final = "general.error"
INACCESSIBLE: Final = "manifest.inaccessible"

_MODEL: Final = "c2pa.types.model"
_NONE: Final = ManifestState.MISSING
_CREDENTIAL_TRUSTED: Final = "signingCredential.trusted"
_TIME_STAMP_TRUSTED: Final = "timeStamp.trusted"
_TIME_STAMP_TROUBLES: Final = frozenset(
    f"timeStamp.{code}" for code in ("untrusted", "mismatch", "malformed", "outsideValidity")
)


def c2pa_settings(trust: TrustRoots, tsa_url: str | None) -> dict[str, object]:
    """Settings for c2pa-rs: our roots only, no network (but the time-stamp authority's), no thumbnails.

    Every trust list has a name, because c2pa-rs 0.91 accepts a claim signer from *any* list, whatever its kind, and
    tells only the name of the list that it found. A root in two lists is found in either, at random, so those roots
    get a list of their own.
    """
    claim, stamp = trust.claim_certificates(), trust.time_stamp_certificates()
    shared = [root for root in claim if root in stamp]
    anchors = [
        {"trust_uri": name, "trust_kind": kind, "trust_anchors": to_pem(roots).decode()}
        for name, kind, roots in (
            (CLAIM_LIST, "manifest", [root for root in claim if root not in shared]),
            (SHARED_LIST, "manifest", shared),
            (TIME_STAMP_LIST, "tsa", [root for root in stamp if root not in shared]),
        )
        if roots
    ]
    return {
        "version": 1,
        "trust": {"anchors": anchors, "trust_config": "\n".join(CLAIM_USAGES)},
        "core": {"allowed_network_hosts": [urlsplit(tsa_url).netloc] if tsa_url else [], "allow_redirects": False},
        "verify": {
            "verify_after_reading": True,
            "verify_after_sign": True,
            "verify_trust": True,
            "verify_timestamp_trust": True,
            "ocsp_fetch": False,
            "remote_manifest_fetch": False,
        },
        "builder": {"thumbnail": {"enabled": False}, "created_assertion_labels": list(CREATED_LABELS)},
    }


def media_type_of(content: bytes) -> str | None:
    """The media type of a PNG, JPEG, WebP, MP4 or WAV file by its first bytes; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "video/mp4"
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "audio/wav"
    return None


def manifest_report(state: str, store: Mapping[str, Any]) -> ManifestReport:
    """Our report from the reader's validation state and its JSON.

    Trusted is believed only if the signer was found in a list of claim roots. `signed_at` is the time of a trusted
    time-stamp, empty without one: a clock that the signer sets itself proves nothing.
    """
    label = str(store.get("active_manifest") or "")
    manifest = _mapping(_mapping(store.get("manifests")).get(label))
    results = _mapping(store.get("validation_results"))
    active = _mapping(results.get("activeManifest"))
    problems = list(_problems(results))
    mapped = {"Trusted": ManifestState.TRUSTED, "Valid": ManifestState.UNTRUSTED}.get(state, ManifestState.INVALID)
    if mapped is ManifestState.TRUSTED and results.get("trustListUri") not in {CLAIM_LIST, SHARED_LIST}:
        mapped = ManifestState.UNTRUSTED
        problems.append(UNTRUSTED)
    signature = _mapping(manifest.get("signature_info"))
    stamped = _TIME_STAMP_TRUSTED in _codes(active.get("success"))
    return ManifestReport(
        state=mapped,
        label=label,
        signer=", ".join(str(signature[name]) for name in ("common_name", "issuer") if signature.get(name)),
        signed_at=str(signature.get("time", "")).replace("+00:00", "Z") if stamped else "",
        provenance=_provenance(manifest),
        problems=tuple(dict.fromkeys(problems)),
        ingredients=tuple(_ingredients(manifest)),
    )


def _ingredients(manifest: Mapping[str, Any]) -> Iterator[IngredientReport]:
    for ingredient in manifest.get("ingredients") or ():
        if any(_MODEL in str(_mapping(each).get("type")) for each in ingredient.get("data_types") or ()):
            continue
        found = _mapping(_mapping(_mapping(ingredient).get("validation_results")).get("activeManifest"))
        label = str(ingredient.get("active_manifest") or "")
        yield IngredientReport(
            title=str(ingredient.get("title") or ""),
            relationship=str(ingredient.get("relationship") or ""),
            state=_ingredient_state(_codes(found.get("success")), _codes(found.get("failure"))) if label else _NONE,
            label=label,
        )


def _ingredient_state(held: list[str], failed: list[str]) -> ManifestState:
    """What the signer found when the ingredient was added; a manifest that it did not check proves nothing."""
    if set(failed) - {UNTRUSTED}:
        return ManifestState.INVALID
    trusted = _CREDENTIAL_TRUSTED in held and UNTRUSTED not in failed
    return ManifestState.TRUSTED if trusted else ManifestState.UNTRUSTED


def _problems(results: Mapping[str, Any]) -> Iterator[str]:
    deltas = results.get("ingredientDeltas")
    parts = [_mapping(delta.get("validationDeltas")) for delta in (deltas if isinstance(deltas, list) else [])]
    for part in (_mapping(results.get("activeManifest")), *parts):
        yield from _codes(part.get("failure"))
        yield from (code for code in _codes(part.get("informational")) if code in _TIME_STAMP_TROUBLES)


def _codes(statuses: object) -> list[str]:
    return [str(status.get("code")) for status in statuses] if isinstance(statuses, list) else []


def _provenance(manifest: Mapping[str, Any]) -> Mapping[str, Json] | None:
    for assertion in manifest.get("assertions") or ():
        if assertion.get("label") == PROVENANCE_LABEL and isinstance(assertion.get("data"), Mapping):
            data = without_floats(assertion["data"])
            return data if isinstance(data, Mapping) else None
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
