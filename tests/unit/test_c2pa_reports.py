from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.manifest import PROVENANCE_LABEL
from governance.ports import ManifestState
from governance.testing.certificates import FakeAuthority
from governance_adapters.marking.certificates import TrustRoots
from governance_adapters.marking.reports import (
    CLAIM_LIST,
    SHARED_LIST,
    TIME_STAMP_LIST,
    c2pa_settings,
    manifest_report,
    media_type_of,
)

ONE, TWO, BOTH = FakeAuthority("One").root, FakeAuthority("Two").root, FakeAuthority("Both").root
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def store(*, found="", failure=(), informational=(), success=(), deltas=(), assertions=(), time=""):
    def listed(codes):
        return [{"code": code} for code in codes]

    active = {"failure": listed(failure), "informational": listed(informational), "success": listed(success)}
    return {
        "active_manifest": "urn:c2pa:1",
        "manifests": {
            "urn:c2pa:1": {
                "assertions": list(assertions),
                "signature_info": {"common_name": "Signer", "issuer": "Example", "time": time},
            }
        },
        "validation_results": {
            "activeManifest": active,
            "ingredientDeltas": [{"validationDeltas": {"failure": listed(deltas)}}],
            "trustListUri": found,
        },
    }


@pytest.mark.parametrize(
    ("said", "found", "state"),
    [
        ("Trusted", CLAIM_LIST, ManifestState.TRUSTED),
        ("Trusted", SHARED_LIST, ManifestState.TRUSTED),
        ("Trusted", TIME_STAMP_LIST, ManifestState.UNTRUSTED),
        ("Trusted", "", ManifestState.UNTRUSTED),
        ("Valid", CLAIM_LIST, ManifestState.UNTRUSTED),
        ("Invalid", CLAIM_LIST, ManifestState.INVALID),
        ("Something new", CLAIM_LIST, ManifestState.INVALID),
        ("None", CLAIM_LIST, ManifestState.INVALID),
    ],
)
def test_only_a_signer_from_the_claim_roots_is_trusted(said, found, state):
    report = manifest_report(said, store(found=found))
    assert report.state is state
    assert (report.label, report.signer) == ("urn:c2pa:1", "Signer, Example")
    if said == "Trusted":
        assert ("signingCredential.untrusted" in report.problems) is (state is ManifestState.UNTRUSTED)


def test_problems_are_those_of_the_file_its_ingredients_and_its_time_stamp():
    said = store(
        failure=["assertion.dataHash.mismatch"],
        informational=["signingCredential.ocsp.skipped", "timeStamp.untrusted"],
        deltas=["ingredient.manifest.mismatch", "assertion.dataHash.mismatch"],
    )
    assert manifest_report("Invalid", said).problems == (
        "assertion.dataHash.mismatch",
        "timeStamp.untrusted",
        "ingredient.manifest.mismatch",
    )


def test_only_a_trusted_time_stamp_tells_the_time():
    time = "2026-11-01T12:00:00+00:00"
    assert manifest_report("Trusted", store(time=time, success=["timeStamp.validated"])).signed_at == ""
    trusted = store(time=time, success=["timeStamp.validated", "timeStamp.trusted"])
    assert manifest_report("Trusted", trusted).signed_at == "2026-11-01T12:00:00Z"


def test_our_assertion_is_found_and_carries_no_floats():
    foreign = {"label": PROVENANCE_LABEL, "data": {"score": 0.5, "version": 1}}
    other = {"label": "org.example.other", "data": {"version": 2}}
    report = manifest_report("Valid", store(assertions=[other, foreign]))
    assert report.provenance == {"score": "0.5", "version": 1}
    assert (
        manifest_report("Valid", store(assertions=[other, {"label": PROVENANCE_LABEL, "data": []}])).provenance is None
    )


@given(st.text(max_size=8), st.dictionaries(st.sampled_from(list(store())), json_values))
def test_a_report_of_any_other_shape_is_never_trusted(said, value):
    assert manifest_report(said, value).state is not ManifestState.TRUSTED
    assert manifest_report("Trusted", value).state is not ManifestState.TRUSTED


def test_each_root_stands_in_one_list():
    settings = c2pa_settings(TrustRoots(ONE + BOTH, BOTH + TWO), None)
    lists = {item["trust_uri"]: (item["trust_kind"], item["trust_anchors"]) for item in settings["trust"]["anchors"]}
    assert lists == {
        CLAIM_LIST: ("manifest", ONE.decode()),
        SHARED_LIST: ("manifest", BOTH.decode()),
        TIME_STAMP_LIST: ("tsa", TWO.decode()),
    }


def test_the_network_is_closed_but_for_the_time_stamp_authority():
    trust = TrustRoots(ONE, TWO)
    assert c2pa_settings(trust, None)["core"] == {"allowed_network_hosts": [], "allow_redirects": False}
    # Either of the two would keep c2pa-rs from following a file's link; both are set.
    assert c2pa_settings(trust, None)["verify"]["remote_manifest_fetch"] is False
    assert c2pa_settings(trust, None)["verify"]["ocsp_fetch"] is False
    core = c2pa_settings(trust, "https://tsa.example.org:8443/stamp")["core"]
    assert core["allowed_network_hosts"] == ["tsa.example.org:8443"]


@given(st.binary(max_size=16))
def test_a_media_type_is_told_by_its_first_bytes(content):
    expected = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF\0\0\0\0WEBP": "image/webp"}
    for start, media_type in expected.items():
        assert media_type_of(start + content) == media_type
    assert media_type_of(b"x" + content) is None
