"""Archives for servers: what is built, by which key it is signed, and what a server does with one that was changed."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from governance.errors import ConfigurationError, PolicyError, StorageError
from governance.testing.policy import admission_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.signed import build_archive
from support.bundles import bundle_at
from support.opa_server import opa_server
from support.refused import refusal
from support.tls import private_pem, public_pem

SIGNATURES = "/.signatures.json"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys of two signers."""
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / f"{name}.pem").write_bytes(private_pem(key))
        (tmp_path / f"{name}.pub").write_bytes(public_pem(key))
    return tmp_path


def knowing(keys: Path) -> list[str | Path]:
    """The arguments of a server that knows our public key."""
    return [
        *("--verification-key", keys / "ours.pub"),
        *("--verification-key-id", "release"),
        *("--signing-alg", "ES256"),
    ]


def configured(keys: Path, archive: Path) -> Path:
    """The configuration of a server that fetches its bundle, and knows our public key."""
    public = (keys / "ours.pub").read_text()
    bundle = {"resource": archive.as_uri(), "signing": {"keyid": "release"}}
    file = keys / "opa.json"
    file.write_text(
        json.dumps({"bundles": {"main": bundle}, "keys": {"release": {"algorithm": "ES256", "key": public}}})
    )
    return file


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def edit(archive: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one file in the archive, and nothing else."""
    before = members(archive)
    after = {**before, name: change(before[name])}
    assert after != before
    with tarfile.open(archive, "w:gz") as tar:
        for path, content in after.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_an_archive_carries_revision_and_rules_and_no_tests(archive: Path, served_bundle: Bundle) -> None:
    inside = members(archive)
    assert json.loads(inside["/.manifest"])["revision"] == served_bundle.revision
    assert sorted(name for name in inside if name.endswith(".rego")) == sorted(
        f"/bundle/{name}" for name in served_bundle.policies
    )
    assert json.loads(inside["/data.json"]) == served_bundle.data
    assert SIGNATURES not in inside


def test_a_signed_archive_decides(opa: str, keys: Path, served_bundle: Bundle) -> None:
    signed = keys / "signed.tar.gz"
    build_archive(served_bundle, signed, opa=opa, signing_key=keys / "ours.pem", key_id="release")
    for arguments in (["--bundle", signed, *knowing(keys)], ["--config-file", configured(keys, signed)]):
        with opa_server(opa, keys, *arguments) as started:
            decision = OpaEngine(served_bundle, started.url).decide(Stage.ADMISSION, admission_facts())
        assert decision.outcome is Outcome.ALLOW


@pytest.mark.parametrize("spoiled", ["unsigned", "another signer", "another content", "another signature"])
def test_any_other_archive_is_not_activated(
    opa: str, keys: Path, served_bundle: Bundle, other_bundle: Bundle, spoiled: str
) -> None:
    signed, other = keys / "signed.tar.gz", keys / "other.tar.gz"
    signer = {"unsigned": None, "another signer": keys / "theirs.pem"}.get(spoiled, keys / "ours.pem")
    build_archive(served_bundle, signed, opa=opa, signing_key=signer, key_id="release")
    build_archive(other_bundle, other, opa=opa, signing_key=keys / "ours.pem", key_id="release")
    if spoiled == "another content":
        edit(signed, "/data.json", lambda _: members(other)["/data.json"])
    if spoiled == "another signature":
        edit(signed, SIGNATURES, lambda _: members(other)[SIGNATURES])
    with opa_server(opa, keys, "--bundle", signed, *knowing(keys), ready=False) as started:
        assert not started.started()
        assert "refuses connections" in refusal(OpaEngine(served_bundle, started.url))
    with opa_server(opa, keys, "--config-file", configured(keys, signed), ready=False) as started:
        assert started.eventually(lambda: "Bundle load failed" in started.log.read_text() and started.listens())
        assert not started.healthy()
        assert "does not say which bundle" in refusal(OpaEngine(served_bundle, started.url))


def test_files_that_changed_since_they_were_read_are_not_built(opa: str, tmp_path: Path) -> None:
    output = tmp_path / "bundle.tar.gz"
    output.write_bytes(b"what was there")
    root = bundle_at(tmp_path / "policies")
    bundle = Bundle.load(root)
    (root / "added.rego").write_text("package governance.added\n\nrule := true\n")
    with (root / "admission" / "admission.rego").open("a") as file:
        file.write("\n# changed\n")
    with pytest.raises(PolicyError, match=f"not those of the bundle {bundle.revision}"):
        build_archive(bundle, output, opa=opa)
    (root / "admission" / "admission.rego").unlink()
    with pytest.raises(PolicyError, match="not those of the bundle"):
        build_archive(bundle, output, opa=opa)
    assert output.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.tar.gz", "policies"]


def test_what_was_added_since_is_left_out(opa: str, tmp_path: Path) -> None:
    root = bundle_at(tmp_path / "policies")
    bundle = Bundle.load(root)
    (root / "added.rego").write_text("package governance.added\n\nrule := true\n")
    build_archive(bundle, tmp_path / "bundle.tar.gz", opa=opa)
    assert not [name for name in members(tmp_path / "bundle.tar.gz") if "added" in name]


def test_what_opa_refuses_is_our_error(opa: str, keys: Path, served_bundle: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "bundle.tar.gz"
    with pytest.raises(PolicyError, match="refused the bundle or its key"):
        build_archive(served_bundle, output, opa=opa, signing_key=keys / "ours.pub")
    with pytest.raises(PolicyError, match="refused the bundle or its key"):
        build_archive(served_bundle, output, opa=opa, signing_key=keys / "ours.pem", algorithm="RS256")
    root = bundle_at(tmp_path / "policies")
    with (root / "admission" / "admission.rego").open("a") as file:
        file.write("\nbroken := nobody_knows\n")
    broken = Bundle.load(root)
    with pytest.raises(PolicyError, match="nobody_knows"):
        build_archive(broken, output, opa=opa)
    assert not output.exists()


def test_what_is_missing_is_named(opa: str, served_bundle: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "bundle.tar.gz"
    with pytest.raises(ConfigurationError, match="no program 'no-such-opa'"):
        build_archive(served_bundle, output, opa="no-such-opa")
    with pytest.raises(ConfigurationError, match="no signing key"):
        build_archive(served_bundle, output, opa=opa, signing_key=tmp_path / "secret")
    with pytest.raises(StorageError):
        build_archive(served_bundle, tmp_path / "nowhere" / "bundle.tar.gz", opa=opa)
    program = tmp_path / "opa"
    program.write_text("no program at all")
    program.chmod(0o755)
    with pytest.raises(PolicyError, match="did not run"):
        build_archive(served_bundle, output, opa=str(program))
    root = tmp_path / "policies"
    shutil.copytree(served_bundle.root, root)
    bundle = Bundle.load(root)
    shutil.rmtree(root / "schemas")
    (root / "schemas").write_text("a file")
    with pytest.raises(StorageError, match="cannot be copied"):
        build_archive(bundle, output, opa=opa)
    assert not output.exists()
