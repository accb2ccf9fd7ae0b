"""OpenSSF model signatures, made with the reference implementation and real keys: only what was signed, by whom it was."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from model_signing import hashing, signing

from governance.canonical import digest
from governance.errors import RegisterError
from governance_adapters.registers.signatures import verify_signature

DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem_key(folder, name):
    """A fresh key: the path of its private half, that of its public half, and the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public, key


def certificate(subject, key, issuer, issuer_key, *, ca):
    """A certificate in PEM."""
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False)  # fmt: skip
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "weights.safetensors").write_bytes(bytes(range(256)) * 40)
    return folder


@pytest.fixture
def keys(tmp_path):
    return pem_key(tmp_path, "vendor")


@pytest.fixture
def signed(model, keys, tmp_path):
    """The signature of the model by the vendor's key."""
    signature = tmp_path / "model.sig"
    signing.Config().use_elliptic_key_signer(private_key=keys[0]).sign(model, signature)
    return signature


def test_a_signature_by_the_key_says_who_signed_what(model, keys, signed):
    found = verify_signature(model, signed, key=keys[1])
    assert found.method == "key"
    assert found.signer == digest(keys[2].public_key().public_bytes(*DER))
    assert found == verify_signature(model, signed, key=keys[1]).__class__(**found.as_json())


def test_another_key_did_not_sign(model, signed, tmp_path):
    _, other, _ = pem_key(tmp_path, "stranger")
    with pytest.raises(RegisterError, match=r"does not hold for model"):
        verify_signature(model, signed, key=other)


def test_another_key_that_claims_to_be_the_signer_did_not_sign(model, keys, signed, tmp_path):
    _, _, stranger = pem_key(tmp_path, "stranger")
    forged = json.loads(signed.read_text())
    other = tmp_path / "forged.sig"
    private = tmp_path / "stranger.key"
    signing.Config().use_elliptic_key_signer(private_key=private).sign(model, other)
    made = json.loads(other.read_text())
    made["verificationMaterial"] = forged["verificationMaterial"]
    other.write_text(json.dumps(made))
    with pytest.raises(RegisterError, match=r"does not hold for model"):
        verify_signature(model, other, key=keys[1])
    assert stranger.public_key() != keys[2].public_key()


@pytest.mark.parametrize("spoil", ["altered", "added", "removed", "renamed", "linked"])
def test_a_model_that_was_changed_does_not_verify(model, keys, signed, spoil):
    weights = model / "unet" / "weights.safetensors"
    match spoil:
        case "altered":
            weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
        case "added":
            (model / "unet" / "more.safetensors").write_bytes(b"more")
        case "removed":
            (model / "model_index.json").unlink()
        case "renamed":
            weights.rename(weights.with_name("other.safetensors"))
        case "linked":
            weights.rename(model.parent / "elsewhere")
            weights.symlink_to(model.parent / "elsewhere")
    with pytest.raises(RegisterError, match=r"does not hold for model"):
        verify_signature(model, signed, key=keys[1])


def test_a_signature_that_leaves_files_out_is_none(model, keys, tmp_path):
    signature = tmp_path / "partial.sig"
    partial = hashing.Config().set_ignored_paths(paths=[model / "unet"])
    config = signing.Config().use_elliptic_key_signer(private_key=keys[0]).set_hashing_config(partial)
    config.sign(model, signature)
    with pytest.raises(RegisterError, match=r"leaves out unet of the model"):
        verify_signature(model, signature, key=keys[1])


def test_the_signature_may_lie_in_the_folder_that_it_signs(model, keys):
    signature = model / "model.sig"
    own = hashing.Config().set_ignored_paths(paths=[signature])
    signing.Config().use_elliptic_key_signer(private_key=keys[0]).set_hashing_config(own).sign(model, signature)
    assert verify_signature(model, signature, key=keys[1]).method == "key"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"dsseEnvelope": {"payload": "!"}}', b"[" * 9999])
def test_what_is_no_signature_is_none(model, keys, tmp_path, content):
    (tmp_path / "none.sig").write_bytes(content)
    with pytest.raises(RegisterError, match=r"no OpenSSF model signature"):
        verify_signature(model, tmp_path / "none.sig", key=keys[1])
    with pytest.raises(RegisterError, match=r"no OpenSSF model signature"):
        verify_signature(model, tmp_path / "missing.sig", key=keys[1])


def test_a_key_that_is_none_is_an_error(model, signed, tmp_path):
    (tmp_path / "broken.pub").write_text("no key")
    for key in (tmp_path / "broken.pub", tmp_path / "missing.pub"):
        with pytest.raises(RegisterError, match=r"does not hold"):
            verify_signature(model, signed, key=key)


def test_a_signature_is_verified_with_something(model, signed):
    with pytest.raises(RegisterError, match=r"with a key, or with the roots"):
        verify_signature(model, signed)


class TestCertificates:
    @pytest.fixture
    def authority(self, tmp_path):
        root = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "root.pem").write_bytes(certificate("root", root, "root", root, ca=True))
        return root

    @pytest.fixture
    def certified(self, model, keys, authority, tmp_path):
        private, _, key = keys
        (tmp_path / "vendor.pem").write_bytes(certificate("vendor", key, "root", authority, ca=False))
        signature = tmp_path / "certified.sig"
        config = signing.Config().use_certificate_signer(
            private_key=private, signing_certificate=tmp_path / "vendor.pem", certificate_chain=[tmp_path / "root.pem"]
        )
        config.sign(model, signature)
        return signature

    def test_a_certificate_that_chains_to_the_root_signed(self, model, keys, certified, tmp_path):
        found = verify_signature(model, certified, roots=[tmp_path / "root.pem"])
        assert found.method == "certificate"
        assert found.signer == digest(keys[2].public_key().public_bytes(*DER))

    def test_another_root_does_not_vouch_for_it(self, model, certified, tmp_path):
        other = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "other.pem").write_bytes(certificate("other", other, "other", other, ca=True))
        with pytest.raises(RegisterError, match=r"does not hold"):
            verify_signature(model, certified, roots=[tmp_path / "other.pem"])
