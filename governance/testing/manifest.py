"""The manifest signer's contract, and a fake that really signs: by HMAC, in a trailer behind the file."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.canonical import Digest, Json, canonical_bytes, canonical_digest, digest
from governance.errors import SigningError
from governance.manifest import Provenance, ProvenanceStatement, WatermarkBinding, manifest_definition, provenance_of
from governance.ports import ManifestReport, ManifestSigner, ManifestState, SignedContent

_MAGIC = b"FAKE-MANIFEST/1\n"
_TAG_BYTES = hashlib.sha256().digest_size
_LENGTH_BYTES = 4


def example_statement(asset_id: str = "0198c3a0-0000-7000-8000-000000000001") -> ProvenanceStatement:
    """A complete statement about an imaginary PNG file."""
    return ProvenanceStatement(
        asset_id=asset_id,
        intent_entry_id="0198c3a0-0000-7000-8000-000000000002",
        intent_leaf=digest(b"\0an intent"),
        log_origin="log.example.org/governance",
        bundle_revision=digest(b"a bundle"),
        decision_ids=("admission-1", "release-1"),
        model_digest=digest(b"model facts"),
        components={"unet": digest(b"unet weights"), "vae": digest(b"vae weights")},
        created_at="2026-11-01T12:00:00.000Z",
        model_name="StableDiffusionPipeline",
        media_type="image/png",
        generator_name="diffusion-governance",
        generator_version="1.2.3",
        watermark=WatermarkBinding(
            algorithm="org.diffusion-governance.tiled.1", key_id="0f1e2d3c4b5a6978", payload=2**63 + 5, payload_bits=64
        ),
    )


@dataclass(frozen=True, slots=True)
class FakeManifestSigner:
    """Signs any bytes with an HMAC trailer, so that reading back detects every changed byte.

    `error`: what every `sign` raises instead. `report`: what reading back says of everything that `sign` returns,
    though the port promises Trusted; for tests that the caller does not believe it blindly.
    """

    key: bytes = b"a key that is only good for tests"
    signer: str = "Fake signer"
    error: SigningError | None = None
    report: ManifestReport | None = field(default=None)

    def sign(self, content: bytes, media_type: str, manifest: Mapping[str, Json]) -> SignedContent:
        """See ManifestSigner.sign."""
        if self.error is not None:
            raise self.error
        if not media_type.startswith("image/"):
            raise SigningError(f"{media_type} cannot carry a manifest.", remedy="Sign an image.")
        if _MAGIC in content:
            raise SigningError("The file carries a manifest already.", remedy="Sign a file once.")
        body = canonical_bytes({"signer": self.signer, "manifest": dict(manifest)})
        tag = self._tag(content, body)
        signed = content + _MAGIC + body + tag + len(body).to_bytes(_LENGTH_BYTES)
        return SignedContent(signed, self.report or self.read(signed))

    def read(self, content: bytes) -> ManifestReport:
        """See ManifestSigner.read."""
        if _MAGIC not in content:
            return ManifestReport(ManifestState.MISSING)
        length = int.from_bytes(content[-_LENGTH_BYTES:])
        end = len(content) - _LENGTH_BYTES - _TAG_BYTES
        start = end - length
        tag, body = content[end:-_LENGTH_BYTES], content[max(start, 0) : end]
        file = content[: max(start - len(_MAGIC), 0)]
        try:
            value = json.loads(body)
            label = f"urn:c2pa:{canonical_digest(value)[:32]}"
            signer, provenance = value["signer"], provenance_of(value["manifest"])
        except (ValueError, TypeError, KeyError):
            return ManifestReport(ManifestState.INVALID, problems=("general.error",))
        if not hmac.compare_digest(tag, self._tag(file, body)):
            # A file of another fake is whole, but signed by somebody whom this one does not know.
            foreign = signer != self.signer
            state = ManifestState.UNTRUSTED if foreign else ManifestState.INVALID
            problem = "signingCredential.untrusted" if foreign else "assertion.dataHash.mismatch"
            return ManifestReport(state, label, signer, provenance=provenance, problems=(problem,))
        return ManifestReport(ManifestState.TRUSTED, label, signer, provenance=provenance)

    def _tag(self, content: bytes, body: bytes) -> bytes:
        return hmac.digest(self.key, Digest(digest(content)).encode() + body, "sha256")


class ManifestSignerContract:
    """What every manifest signer does. Subclasses say what to sign and with what; pytest runs the `test_` methods."""

    def signer(self) -> ManifestSigner:
        """A signer whose own signatures it trusts."""
        raise NotImplementedError

    def stranger(self) -> ManifestSigner:
        """A signer whom `signer()` does not trust."""
        raise NotImplementedError

    def content(self) -> bytes:
        """An unsigned PNG file."""
        raise NotImplementedError

    def changed_positions(self, content: bytes, signed: bytes) -> list[int]:
        """Offsets in `signed` that a change of one byte must not survive: by default, of the unsigned file's end."""
        del signed
        return [len(content) - 1, len(content) // 2]

    def test_a_signed_file_reads_back_as_trusted(self) -> None:
        signer = self.signer()
        signed = signer.sign(self.content(), "image/png", manifest_definition(example_statement()))
        assert signed.report.state is ManifestState.TRUSTED
        assert signed.report == signer.read(signed.content)
        assert signed.report.label.startswith("urn:c2pa:")
        assert signed.report.signer
        assert signed.report.problems == ()

    def test_the_provenance_survives(self) -> None:
        statement = example_statement()
        report = self.signer().sign(self.content(), "image/png", manifest_definition(statement)).report
        assert report.provenance is not None
        assert Provenance.from_assertion(report.provenance).assertion() == statement.assertion()

    def test_every_changed_byte_is_noticed(self) -> None:
        content, signer = self.content(), self.signer()
        signed = signer.sign(content, "image/png", manifest_definition(example_statement())).content
        positions = self.changed_positions(content, signed)
        assert positions
        for position in positions:
            changed = bytearray(signed)
            changed[position] ^= 1
            assert signer.read(bytes(changed)).state is not ManifestState.TRUSTED, position

    def test_a_file_without_a_manifest_is_missing(self) -> None:
        for content in (self.content(), b"", b"not an image"):
            report = self.signer().read(content)
            assert report.state is ManifestState.MISSING
            assert report.provenance is None

    def test_a_strangers_file_is_untrusted(self) -> None:
        signed = self.stranger().sign(self.content(), "image/png", manifest_definition(example_statement()))
        report = self.signer().read(signed.content)
        assert report.state is ManifestState.UNTRUSTED
        assert "signingCredential.untrusted" in report.problems

    def test_a_signed_file_is_not_signed_again(self) -> None:
        signer, definition = self.signer(), manifest_definition(example_statement())
        signed = signer.sign(self.content(), "image/png", definition).content
        _refuses(signer, signed, "image/png", definition)

    def test_what_cannot_carry_a_manifest_is_refused(self) -> None:
        _refuses(self.signer(), b"plain text", "text/plain", manifest_definition(example_statement()))


def _refuses(signer: ManifestSigner, content: bytes, media_type: str, definition: Mapping[str, Json]) -> None:
    try:
        signer.sign(content, media_type, definition)
    except SigningError as error:
        assert error.remedy
    else:
        raise AssertionError("it was signed")
