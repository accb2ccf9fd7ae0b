from __future__ import annotations

import io
import json
import multiprocessing
import os
import socket
import threading
from dataclasses import replace
from datetime import timedelta

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from PIL import Image

from governance.errors import SigningError
from governance.manifest import CREATED_LABELS, manifest_definition
from governance.ports import ManifestState
from governance.testing.certificates import CLAIM_SIGNING, TIME_STAMPING, FakeAuthority
from governance.testing.manifest import example_statement
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, InsecureKeyWarning
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.certificates import CLAIM_USAGES
from governance_adapters.marking.credentials import CallbackCredentials, PemCredentials, TrustRoots
from governance_adapters.marking.reports import c2pa_settings

os.environ["ENCYPHER_C2PA_TELEMETRY"] = "off"  # it would send failure codes home

HEADER = 33  # PNG's signature and IHDR chunk; the manifest is inserted behind them
AUTHORITY = FakeAuthority()
ISSUED = AUTHORITY.issue()
TRUST = TrustRoots(AUTHORITY.root)
DEFINITION = manifest_definition(example_statement())


def image(media_type="image/png", size=96):
    pixels = np.random.default_rng(7).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, media_type.removeprefix("image/"))
    return file.getvalue()


def signer(issued=ISSUED, trust=TRUST, **options):
    return C2paSigner(PemCredentials(issued.chain, issued.private_key), trust, **options)


def independent(content, root=AUTHORITY.root, media_type="image/png", **options):
    return encypher_c2pa.verify(content, media_type, trust_pem=root.decode(), no_default_trust=True, **options)


def codes(report):
    return [item["code"] for item in report["validation_results"]["failure"]]


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp"])
def test_both_engines_trust_what_we_sign(media_type):
    definition = manifest_definition(replace(example_statement(), media_type=media_type))
    signed = signer().sign(image(media_type), media_type, definition)
    assert signed.report.state is ManifestState.TRUSTED
    assert signed.report.signer == "Example signer, Example"
    assert signed.report.signed_at == ""
    theirs = independent(signed.content, media_type=media_type)
    assert (theirs["validation_state"], codes(theirs)) == ("Trusted", [])
    assert theirs["manifest_report"]["active_manifest"] == signed.report.label


def test_the_other_engine_reads_the_same_assertions():
    signed = signer().sign(image(), "image/png", DEFINITION)
    manifests = independent(signed.content)["manifest_report"]["manifests"]
    read = {item["label"]: item["data"] for item in manifests[signed.report.label]["assertions"]}
    for assertion in DEFINITION["assertions"]:
        if assertion["label"] != "c2pa.actions.v2":  # its ingredient ids become hashed links
            assert read[assertion["label"]] == assertion["data"]
    actions = [item["action"] for item in read["c2pa.actions.v2"]["actions"]]
    assert actions == ["c2pa.created", "c2pa.watermarked.bound"]
    assert read["c2pa.ingredient.v3"]["relationship"] == "inputTo"


def test_the_pixels_are_untouched():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    before, after = (np.asarray(Image.open(io.BytesIO(content))) for content in (image(), signed))
    assert (before == after).all()


def test_the_signer_vouches_for_every_assertion():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    with c2pa.Context.from_dict(c2pa_settings(TRUST, None)) as context:
        store = json.loads(c2pa.Reader("image/png", io.BytesIO(signed), context=context).detailed_json())
    claim = store["manifests"][store["active_manifest"]]["claim"]
    created = {item["url"].rsplit("/", 1)[1] for item in claim["created_assertions"]}
    assert created - {"c2pa.hash.data"} == set(CREATED_LABELS) - {"c2pa.actions", "c2pa.ingredient"}
    assert not claim.get("gathered_assertions")


def test_no_prompt_and_no_principal_reach_the_file():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    manifest = signed[HEADER : HEADER + len(signed) - len(image())].lower()
    assert b"org.diffusion-governance.provenance" in manifest
    for word in (b"prompt", b"principal", b"designer@example.org"):
        assert word not in manifest


def test_both_engines_refuse_changed_pictures_and_assertions():
    original = image()
    signed = signer().sign(original, "image/png", DEFINITION).content
    inserted = len(signed) - len(original)
    provenance = signed.index(example_statement().asset_id.encode(), HEADER)
    positions = [
        8 + 8,  # width
        provenance,
        signed.index(b"trainedAlgorithmicMedia"),
        signed.index(example_statement().watermark.value.encode()),
        *range(HEADER + inserted, len(signed), len(original) // 40),
        len(signed) - 1,
    ]
    reader = C2paReader(TRUST)
    for position in positions:
        changed = bytearray(signed)
        changed[position] ^= 4
        assert reader.read(bytes(changed)).state is ManifestState.INVALID, position
        try:
            theirs = independent(bytes(changed))["validation_state"]
        except ValueError:  # it cannot even find the chunks
            theirs = "unreadable"
        assert theirs in {"Invalid", "unreadable"}, position


def test_another_root_trusts_neither_here_nor_there():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    other = FakeAuthority("Another root").root
    report = C2paReader(TrustRoots(other)).read(signed)
    assert report.state is ManifestState.UNTRUSTED
    assert report.problems == ("signingCredential.untrusted",)
    assert report.provenance is not None
    assert independent(signed, other)["validation_state"] == "Valid"


def test_a_time_stamp_root_never_vouches_for_a_claim():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    roots = TrustRoots(FakeAuthority("Another root").root, time_stamp=AUTHORITY.root)
    report = C2paReader(roots).read(signed)
    assert report.state is ManifestState.UNTRUSTED
    assert "signingCredential.untrusted" in report.problems


def test_a_root_for_both_purposes_is_trusted_every_time():
    signed = signer().sign(image(), "image/png", DEFINITION).content
    reader = C2paReader(TrustRoots(AUTHORITY.root, time_stamp=FakeAuthority("Stamps").root + AUTHORITY.root))
    assert {reader.read(signed).state for _ in range(20)} == {ManifestState.TRUSTED}


@pytest.mark.parametrize("size", [0, 8, 40, 500, -200])
def test_a_cut_file_is_never_trusted(size):
    signed = signer().sign(image(), "image/png", DEFINITION).content
    assert C2paReader(TRUST).read(signed[:size]).state in {ManifestState.INVALID, ManifestState.MISSING}


def test_a_file_that_points_elsewhere_is_not_followed():
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        with c2pa.Context.from_dict(c2pa_settings(TRUST, None)) as context:
            builder = c2pa.Builder(DEFINITION, context=context)
            builder.set_no_embed()
            builder.set_remote_url(f"http://127.0.0.1:{elsewhere.getsockname()[1]}/manifest.c2pa")
            info = c2pa.C2paSignerInfo("es256", ISSUED.chain, ISSUED.private_key, None)
            file = io.BytesIO()
            builder.sign(c2pa.Signer.from_info(info), "image/png", io.BytesIO(image()), file)
        report = C2paReader(TRUST).read(file.getvalue())
        assert report.state is ManifestState.MISSING
        assert report.problems == ("manifest.inaccessible",)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


@pytest.mark.parametrize(
    ("lifetime", "match"),
    [((-10, -1), r"expired on \d{4}-.*Renew"), ((1, 10), "not valid before")],
    ids=["old", "early"],
)
def test_a_certificate_outside_its_validity_does_not_sign(lifetime, match):
    with pytest.raises(SigningError, match=match):
        signer(AUTHORITY.issue(lifetime=lifetime)).sign(image(), "image/png", DEFINITION)


@pytest.mark.parametrize(
    ("issued", "match"),
    [
        (replace(ISSUED, private_key=AUTHORITY.issue().private_key), "does not belong"),
        (replace(ISSUED, chain=b"garbage"), "not a PEM certificate"),
        (replace(ISSUED, chain=ISSUED.chain.replace(b"M", b"N", 1)), "not a PEM certificate"),
        (replace(ISSUED, private_key=b"garbage"), "not an unencrypted PEM key"),
        (AUTHORITY.root_as_leaf(), "self-signed"),
        (AUTHORITY.issue(usages=()), "extended key usage .none"),
        (AUTHORITY.issue(usages=(ExtendedKeyUsageOID.SERVER_AUTH,)), "not for signing claims"),
        (AUTHORITY.issue(usages=TIME_STAMPING), "not for signing claims"),
        (AUTHORITY.issue(usages=(*CLAIM_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)), "not for signing"),
        (FakeAuthority("Another root").issue(), "No trust root issued"),
        (AUTHORITY.issue(key=ec.generate_private_key(ec.SECP256K1())), "cannot sign with this kind of key"),
    ],
    ids=["mismatch", "chain", "garbled", "key", "self-signed", "no usage", "server", "stamps", "any", "root", "curve"],
)
def test_unusable_credentials_are_refused_at_once(issued, match):
    with pytest.raises(SigningError, match=match) as caught:
        signer(issued)
    assert caught.value.remedy


@pytest.mark.parametrize("usage", CLAIM_USAGES)
def test_each_usage_for_claims_is_trusted_by_both_engines(usage):
    signed = signer(AUTHORITY.issue(usages=(ObjectIdentifier(usage),))).sign(image(), "image/png", DEFINITION)
    assert independent(signed.content)["validation_state"] == "Trusted"


def test_an_intermediate_is_followed_to_the_root():
    issued = FakeAuthority("Example intermediate", above=AUTHORITY).issue()
    signed = signer(issued).sign(image(), "image/png", DEFINITION)
    assert independent(signed.content)["validation_state"] == "Trusted"
    leaf = issued.chain[: issued.chain.index(b"-----BEGIN", 1)]
    with pytest.raises(SigningError, match="missing intermediates"):
        signer(replace(issued, chain=leaf))


def test_an_expired_root_does_not_sign():
    old = FakeAuthority("Old root", lifetime=(-400, -1))
    with pytest.raises(SigningError, match=r"Old root.* expired"):
        signer(old.issue(), TrustRoots(old.root)).sign(image(), "image/png", DEFINITION)


def test_a_certificate_expires_while_the_process_runs():
    built = signer(clock=lambda: later)
    later = built.not_valid_after - timedelta(seconds=1)
    built.sign(image(), "image/png", DEFINITION)
    later = built.not_valid_after + timedelta(seconds=1)
    with pytest.raises(SigningError, match="expired"):
        built.sign(image(), "image/png", DEFINITION)


def test_what_does_not_read_back_as_trusted_is_not_signed():
    # Only c2pa-rs looks whether the issuer may issue at all.
    usurper = FakeAuthority("A leaf that issues", above=AUTHORITY, ca=False)
    with pytest.raises(SigningError, match=r"reads back as untrusted: signingCredential\.untrusted"):
        signer(usurper.issue()).sign(image(), "image/png", DEFINITION)


def test_credentials_and_roots_are_read_from_files(tmp_path):
    for name, content in (("chain", ISSUED.chain), ("key", ISSUED.private_key), ("root", AUTHORITY.root)):
        (tmp_path / name).write_bytes(content)
    trust = TrustRoots(tmp_path / "root")
    fine = C2paSigner(PemCredentials(tmp_path / "chain", tmp_path / "key"), trust)
    assert fine.sign(image(), "image/png", DEFINITION).report.state is ManifestState.TRUSTED
    with pytest.raises(SigningError, match="cannot be read"):
        C2paSigner(PemCredentials(tmp_path / "none", tmp_path / "key"), trust)
    with pytest.raises(SigningError, match="cannot be read"):
        TrustRoots(tmp_path / "none")
    with pytest.raises(SigningError, match="not a PEM certificate"):
        TrustRoots(b"")


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()], ids=["P-384", "Ed25519"]
)
def test_other_keys_sign_too(key):
    signed = signer(AUTHORITY.issue(key=key)).sign(image(), "image/png", DEFINITION)
    assert independent(signed.content)["validation_state"] == "Trusted"


def test_an_rsa_key_signs_with_pss():
    issued = AUTHORITY.issue(key=rsa.generate_private_key(65537, 2048))
    signed = signer(issued).sign(image(), "image/png", DEFINITION)
    assert independent(signed.content)["validation_state"] == "Trusted"


def callback_signer(sign, algorithm="es256"):
    return C2paSigner(CallbackCredentials(ISSUED.chain, sign, algorithm), TRUST)


def test_a_callback_signs_without_giving_its_key():
    signed = callback_signer(lambda data: ISSUED.key.sign(data, ec.ECDSA(hashes.SHA256()))).sign(
        image(), "image/png", DEFINITION
    )
    assert signed.report.state is ManifestState.TRUSTED
    assert independent(signed.content)["validation_state"] == "Trusted"


def test_what_the_callback_raised_is_the_cause():
    failure = ConnectionError("the key service does not answer")

    def sign(data):
        raise failure

    with pytest.raises(SigningError, match="ConnectionError: the key service does not answer") as caught:
        callback_signer(sign).sign(image(), "image/png", DEFINITION)
    assert caught.value.__cause__ is failure


def test_an_interrupt_in_the_callback_stays_an_interrupt():
    def sign(data):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callback_signer(sign).sign(image(), "image/png", DEFINITION)


@pytest.mark.parametrize(
    ("sign", "match"),
    [
        (lambda data: AUTHORITY.issue().key.sign(data, ec.ECDSA(hashes.SHA256())), "another key signed"),
        (lambda data: b"", "not a signature"),
        (lambda data: None, "not a signature"),
    ],
)
def test_a_callback_that_does_not_sign_is_refused(sign, match):
    with pytest.raises(SigningError, match=match):
        callback_signer(sign).sign(image(), "image/png", DEFINITION)


@pytest.mark.parametrize("algorithm", ["es384", "ed25519", "hs256", ""])
def test_an_algorithm_that_does_not_fit_is_refused(algorithm):
    with pytest.raises(SigningError, match="Use es256"):
        callback_signer(lambda data: b"", algorithm)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"", "image/png"), (b"text", "image/png"), (image(), "image/jpeg"), (image()[:60], "image/png")],
)
def test_what_is_no_image_of_that_type_is_refused(content, media_type):
    with pytest.raises(SigningError):
        signer().sign(content, media_type, DEFINITION)


@pytest.mark.parametrize(
    ("definition", "match"),
    [({"assertions": "none"}, "c2pa-rs would not sign"), ({**DEFINITION, "score": 0.5}, "cannot be written")],
)
def test_a_definition_that_nobody_understands_is_refused(definition, match):
    with pytest.raises(SigningError, match=match):
        signer().sign(image(), "image/png", definition)


def test_development_keys_warn_on_every_use():
    made = InsecureDevelopmentAuthority().issue()
    for _ in range(2):
        with pytest.warns(InsecureKeyWarning, match="INSECURE development authority"):
            built = C2paSigner(PemCredentials(made.chain, made.private_key), TrustRoots(made.root))
        assert built.insecure
    assert C2paReader(TrustRoots(made.root)).insecure
    assert not signer().insecure
    assert not C2paReader(TRUST).insecure


def test_threads_sign_and_read_side_by_side():
    shared, results = signer(), []

    def work():
        for _ in range(5):
            signed = shared.sign(image(), "image/png", DEFINITION)
            results.append((signed.report.state, shared.read(signed.content).label == signed.report.label))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(ManifestState.TRUSTED, True)] * 20


def test_a_forked_process_signs_and_so_does_its_parent():
    shared = signer()
    shared.sign(image(), "image/png", DEFINITION)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def child():
        send.send(shared.sign(image(), "image/png", DEFINITION).content)

    process = context.Process(target=child)
    process.start()
    assert receive.poll(60), "the child did not answer"
    signed = receive.recv()
    process.join()
    assert process.exitcode == 0
    assert shared.read(signed).state is ManifestState.TRUSTED
    assert shared.sign(image(), "image/png", DEFINITION).report.state is ManifestState.TRUSTED
