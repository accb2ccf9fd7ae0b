from __future__ import annotations

import base64
import hashlib
import io
import resource
import shutil
import signal
import stat
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from governance.errors import ConfigurationError
from governance.manifest import manifest_definition
from governance.ports import ManifestState
from governance.testing.certificates import FakeAuthority
from governance.testing.manifest import example_statement
from governance_adapters.marking.authority import (
    C2PA_CLAIM_SIGNING,
    LEAF_LIFETIME,
    ROOT_LIFETIME,
    InsecureDevelopmentAuthority,
    InsecureKeyWarning,
)
from governance_adapters.marking.c2pa import C2paReader, C2paSigner
from governance_adapters.marking.keys import KeyFolder, create_insecure_keys
from governance_adapters.marking.renewal import renew_insecure_credentials

FILES = {
    "c2pa-roots.pem",
    "c2pa-chain.pem",
    "c2pa-key.pem",
    "log-key.pem",
    "log-key.pub",
    "watermark-key.hex",
    "quarantine-key.hex",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "deep" / "keys"
    with pytest.warns(InsecureKeyWarning, match="INSECURE"):
        create_insecure_keys(folder, log_name="log.example.org/one")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    copy = tmp_path / "keys"
    shutil.copytree(made, copy)
    return copy


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_every_key_is_made_and_private(made):
    assert {file.name for file in made.iterdir()} == FILES
    assert {mode(file) for file in made.iterdir()} == {0o600}
    assert mode(made) == 0o700
    assert [item.name for item in made.parent.iterdir()] == ["keys"]


def test_what_was_made_loads(made):
    keys = KeyFolder(made).load()
    assert keys.insecure
    assert keys.log.name == "log.example.org/one"
    assert keys.log.key == KeyFolder(made).log_public()
    assert len(keys.quarantine) == len(keys.mark.secret) == 32
    assert keys.quarantine != keys.mark.secret
    assert keys.quarantine.hex() not in repr(keys)
    assert "PRIVATE" not in repr(keys)


def test_the_log_key_is_a_signed_note_key(made):
    name, key_hash, blob = (made / "log-key.pub").read_text().strip().split("+", 2)
    decoded = base64.b64decode(blob)
    private = serialization.load_pem_private_key((made / "log-key.pem").read_bytes(), None)
    assert decoded == b"\x01" + private.public_key().public_bytes_raw()
    assert key_hash == hashlib.sha256(name.encode() + b"\n" + decoded).hexdigest()[:8]


def test_two_installations_share_nothing(made, tmp_path):
    with pytest.warns(InsecureKeyWarning):
        other = create_insecure_keys(tmp_path / "other")
    first = KeyFolder(made).load()
    assert other.log.name != first.log.name
    assert other.log.name.startswith("diffusion-governance.invalid/")
    for name in FILES:
        assert (tmp_path / "other" / name).read_bytes() != (made / name).read_bytes()


def test_keys_are_never_overwritten(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_insecure_keys(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_an_unusable_log_name_leaves_nothing_behind(tmp_path):
    with pytest.raises(ConfigurationError, match="name for a log"):
        create_insecure_keys(tmp_path / "keys", log_name="two words")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file", tmp_path / "file" / "keys"):
        with pytest.raises(ConfigurationError, match="cannot be made"):
            create_insecure_keys(target)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.warns(InsecureKeyWarning):
        create_insecure_keys(tmp_path / "keys")
    assert mode(tmp_path / "keys") == 0o700


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named_with_the_remedy(folder, name):
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=rf"{name}.*[Bb]ackup.*Without one: \S") as caught:
        KeyFolder(folder).load()
    assert "keys init" not in caught.value.remedy  # it refuses a folder that holds something


@pytest.mark.parametrize("content", [b"", b"\xff\xfe garbage", b"0123"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_garbled_file_is_refused(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        KeyFolder(folder).load()
    assert caught.value.remedy


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_open_to_others_is_refused(folder, name):
    (folder / name).chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"open to other users.*chmod 600"):
        KeyFolder(folder).load()


def test_a_folder_open_to_others_is_refused(folder):
    folder.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"open to other users.*chmod 700"):
        KeyFolder(folder).load()


def test_a_missing_folder_names_the_remedy(tmp_path):
    with pytest.raises(ConfigurationError, match="governance keys init"):
        KeyFolder(tmp_path / "none").load()


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("c2pa-key.pem", pem(ec.generate_private_key(ec.SECP256R1())), "does not belong"),
        ("c2pa-roots.pem", FakeAuthority().root, "No trust root"),
        ("log-key.pem", pem(ed25519.Ed25519PrivateKey.generate()), "not a pair"),
        ("log-key.pem", pem(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
    ],
)
def test_keys_that_do_not_fit_each_other_are_refused(folder, name, content, match):
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=match):
        KeyFolder(folder).load()


def test_one_purpose_loads_without_the_others(folder):
    for name in FILES - {"c2pa-roots.pem", "log-key.pub"}:
        (folder / name).unlink()
    assert KeyFolder(folder).trust().claim_certificates()
    assert KeyFolder(folder).log_public().name == "log.example.org/one"


def test_time_stamp_roots_are_read_when_present(folder):
    assert KeyFolder(folder).trust().time_stamp_certificates() == ()
    (folder / "tsa-roots.pem").write_bytes(FakeAuthority().root)
    (folder / "tsa-roots.pem").chmod(0o600)
    assert len(KeyFolder(folder).trust().time_stamp_certificates()) == 1


def test_real_credentials_are_not_called_insecure(folder):
    authority = FakeAuthority()
    issued = authority.issue()
    (folder / "c2pa-roots.pem").write_bytes(authority.root)
    (folder / "c2pa-chain.pem").write_bytes(issued.chain)
    (folder / "c2pa-key.pem").write_bytes(issued.private_key)
    assert not KeyFolder(folder).load().insecure


def test_the_development_authority_issues_what_c2pa_asks_for():
    made = InsecureDevelopmentAuthority().issue()
    root, leaf = x509.load_pem_x509_certificate(made.root), x509.load_pem_x509_certificate(made.chain)
    leaf.verify_directly_issued_by(root)
    for certificate, lifetime in ((root, ROOT_LIFETIME), (leaf, LEAF_LIFETIME)):
        span = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lifetime <= span < lifetime * 1.01
        assert "INSECURE" in certificate.subject.rfc4514_string()
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.EMAIL_PROTECTION, C2PA_CLAIM_SIGNING}
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_of_another_time_issues_certificates_of_that_time():
    then = datetime(2020, 1, 1, tzinfo=UTC)
    leaf = x509.load_pem_x509_certificate(InsecureDevelopmentAuthority(then).issue().chain)
    assert leaf.not_valid_before_utc <= then < leaf.not_valid_after_utc == then + LEAF_LIFETIME


C2PA_FILES = {"c2pa-roots.pem", "c2pa-chain.pem", "c2pa-key.pem"}


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def renewed(folder):
    with pytest.warns(InsecureKeyWarning, match="INSECURE"):
        return renew_insecure_credentials(folder)


def signed_with(folder):
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "png")
    with pytest.warns(InsecureKeyWarning):
        signer = C2paSigner(KeyFolder(folder).credentials(), KeyFolder(folder).trust())
    return signer.sign(file.getvalue(), "image/png", manifest_definition(example_statement())).content


class TestRenewal:
    def test_it_changes_the_development_credentials_and_nothing_else(self, folder):
        before = contents(folder)
        expires = renewed(folder)
        after = contents(folder)
        assert set(after) == FILES
        assert {name for name in FILES if after[name] != before[name]} == C2PA_FILES
        assert {mode(file) for file in folder.iterdir()} == {0o600}
        assert after["c2pa-roots.pem"].startswith(before["c2pa-roots.pem"])
        assert KeyFolder(folder).load().insecure
        assert expires == x509.load_pem_x509_certificate(after["c2pa-chain.pem"]).not_valid_after_utc

    def test_files_signed_before_and_after_are_trusted(self, folder):
        before = signed_with(folder)
        renewed(folder)
        renewed(folder)
        reader = C2paReader(KeyFolder(folder).trust())
        assert len(KeyFolder(folder).trust().claim_certificates()) == 3
        for content in (before, signed_with(folder)):
            assert reader.read(content).state is ManifestState.TRUSTED

    @pytest.mark.parametrize("content", [None, b"garbled"])
    @pytest.mark.parametrize("name", ["c2pa-chain.pem", "c2pa-key.pem"])
    def test_it_mends_a_lost_chain_or_key_as_the_error_says(self, folder, name, content):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        with pytest.raises(ConfigurationError, match="governance keys renew"):
            KeyFolder(folder).load()
        renewed(folder)
        assert KeyFolder(folder).load().insecure

    def test_it_mends_what_a_kill_between_two_files_left(self, folder):
        left = contents(folder)["c2pa-chain.pem"]
        renewed(folder)
        (folder / "c2pa-chain.pem").write_bytes(left)
        with pytest.raises(ConfigurationError, match=r"does not belong.*governance keys renew"):
            KeyFolder(folder).load()
        renewed(folder)
        assert KeyFolder(folder).load().insecure

    def test_it_begins_new_roots_where_they_are_lost(self, folder):
        (folder / "c2pa-roots.pem").unlink()
        renewed(folder)
        assert len(KeyFolder(folder).load().trust.claim_certificates()) == 1

    def test_it_makes_credentials_where_there_are_none(self, folder):
        for name in C2PA_FILES:
            (folder / name).unlink()
        renewed(folder)
        assert KeyFolder(folder).load().insecure

    @pytest.mark.parametrize("lost", [None, "c2pa-chain.pem", "c2pa-roots.pem"])
    def test_what_somebody_else_issued_is_left_alone(self, folder, lost):
        authority = FakeAuthority()
        issued = authority.issue()
        (folder / "c2pa-roots.pem").write_bytes(authority.root)
        (folder / "c2pa-chain.pem").write_bytes(issued.chain)
        (folder / "c2pa-key.pem").write_bytes(issued.private_key)
        if lost:
            (folder / lost).unlink()
        before = contents(folder)
        with pytest.raises(ConfigurationError, match="left alone"):
            renew_insecure_credentials(folder)
        assert contents(folder) == before

    def test_a_key_that_nobody_vouches_for_is_left_alone(self, folder):
        (folder / "c2pa-roots.pem").unlink()
        (folder / "c2pa-chain.pem").unlink()
        before = contents(folder)
        with pytest.raises(ConfigurationError, match="left alone"):
            renew_insecure_credentials(folder)
        assert contents(folder) == before

    def test_garbled_roots_are_not_thrown_away(self, folder):
        (folder / "c2pa-roots.pem").write_bytes(b"garbled")
        before = contents(folder)
        with pytest.raises(ConfigurationError, match="backup"):
            renew_insecure_credentials(folder)
        assert contents(folder) == before

    def test_a_full_disk_changes_nothing(self, folder):
        before = contents(folder)
        # What a new file may hold: the first of them, with all roots, is already larger.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(ConfigurationError, match="cannot be renewed"):
                renew_insecure_credentials(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert contents(folder) == before

    def test_no_folder_is_an_error_with_a_remedy(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"cannot be renewed.*exists"):
            renew_insecure_credentials(tmp_path / "none")

    def test_two_renewals_at_once_keep_both_roots(self, folder):
        with warnings.catch_warnings(), ThreadPoolExecutor() as threads:
            warnings.simplefilter("ignore", InsecureKeyWarning)
            list(threads.map(renew_insecure_credentials, [folder] * 4))
        assert len(KeyFolder(folder).load().trust.claim_certificates()) == 5
