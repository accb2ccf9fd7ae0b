"""The manifest signer's contract, and a fake that really signs: by HMAC, in a trailer behind the file."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from governance.canonical import Digest, Json, canonical_bytes, canonical_digest, digest
from governance.errors import SigningError
from governance.ingredients import MODEL, InputIngredient
from governance.manifest import (
    Provenance,
    ProvenanceStatement,
    WatermarkBinding,
    manifest_definition,
    provenance_of,
)
from governance.ports import (
    IngredientFile,
    IngredientReport,
    ManifestReport,
    ManifestSigner,
    ManifestState,
    SignedContent,
)
from governance.testing.expect import expect

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


_KINDS = ("image/", "video/", "audio/")


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

    def sign(
        self,
        content: bytes,
        media_type: str,
        manifest: Mapping[str, Json],
        ingredients: Sequence[IngredientFile] = (),
    ) -> SignedContent:
        """See ManifestSigner.sign."""
        if self.error is not None:
            raise self.error
        if not media_type.startswith(_KINDS):
            raise SigningError(f"{media_type} cannot carry a manifest.", remedy="Sign an image, a video or a sound.")
        if _MAGIC in content:
            raise SigningError("The file carries a manifest already.", remedy="Sign a file once.")
        made_from = [self._made_from(file) for file in ingredients]
        body = canonical_bytes({"signer": self.signer, "manifest": dict(manifest), "made_from": made_from})
        tag = self._tag(content, body)
        signed = content + _MAGIC + body + tag + len(body).to_bytes(_LENGTH_BYTES)
        return SignedContent(signed, self.report or self.read(signed))

    def _made_from(self, file: IngredientFile) -> Json:
        report = self.read(file.content)
        if report.state is ManifestState.INVALID or not file.media_type.startswith("image/"):
            raise SigningError("An ingredient is no image, or was changed.", remedy="Pass the file as it was signed.")
        return {"ingredient": dict(file.ingredient), "state": report.state.value, "label": report.label}

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
            made_from = tuple(_ingredients(value))
        except (ValueError, TypeError, KeyError):
            return ManifestReport(ManifestState.INVALID, problems=("general.error",))
        if not hmac.compare_digest(tag, self._tag(file, body)):
            # A file of another fake is whole, but signed by somebody whom this one does not know.
            foreign = signer != self.signer
            state = ManifestState.UNTRUSTED if foreign else ManifestState.INVALID
            problem = "signingCredential.untrusted" if foreign else "assertion.dataHash.mismatch"
            return ManifestReport(
                state, label, signer, provenance=provenance, problems=(problem,), ingredients=made_from
            )
        return ManifestReport(ManifestState.TRUSTED, label, signer, provenance=provenance, ingredients=made_from)

    def _tag(self, content: bytes, body: bytes) -> bytes:
        return hmac.digest(self.key, Digest(digest(content)).encode() + body, "sha256")


def _ingredients(value: Mapping[str, Any]) -> Iterator[IngredientReport]:
    listed = ({"ingredient": each} for each in value["manifest"].get("ingredients", ()))
    for each in (*listed, *value["made_from"]):
        ingredient, state = each["ingredient"], each.get("state", ManifestState.MISSING.value)
        if ingredient["label"] == MODEL:
            continue
        yield IngredientReport(
            ingredient["title"], ingredient["relationship"], ManifestState(state), each.get("label", "")
        )


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

    def test_an_ingredient_keeps_its_manifest(self) -> None:
        signer = self.signer()
        for other, state in ((signer, ManifestState.TRUSTED), (self.stranger(), ManifestState.UNTRUSTED)):
            parent = other.sign(self.content(), "image/png", manifest_definition(example_statement("parent")))
            signed = self._made_from(parent.content)
            assert signed.report.state is ManifestState.TRUSTED
            (opened,) = (each for each in signed.report.ingredients if each.relationship == "parentOf")
            assert (opened.title, opened.state, opened.label) == ("image", state, parent.report.label)
            again = self._made_from(signed.content)
            (opened,) = (each for each in again.report.ingredients if each.relationship == "parentOf")
            assert (opened.state, opened.label) == (ManifestState.TRUSTED, signed.report.label)

    def test_an_ingredient_without_a_manifest_is_named(self) -> None:
        report = self._made_from(self.content()).report
        found = {(each.title, each.relationship, each.state, each.label) for each in report.ingredients}
        assert found == {
            ("image", "parentOf", ManifestState.MISSING, ""),
            ("mask_image", "inputTo", ManifestState.MISSING, ""),
        }

    def test_a_changed_ingredient_is_refused(self) -> None:
        content, signer = self.content(), self.signer()
        signed = signer.sign(content, "image/png", manifest_definition(example_statement())).content
        changed = bytearray(signed)
        changed[self.changed_positions(content, signed)[-1]] ^= 1
        assert signer.read(bytes(changed)).state is ManifestState.INVALID
        with expect(SigningError):
            self._made_from(bytes(changed))

    def test_what_is_no_file_of_its_media_type_is_no_ingredient(self) -> None:
        with expect(SigningError):
            self._made_from(self.content(), "text/plain")

    def _made_from(self, content: bytes, media_type: str = "image/png") -> SignedContent:
        """What `signer()` signs with the file as the opened ingredient, and a mask given as bare pixels."""
        opened = InputIngredient(
            position=0, parameter="image", commitment=digest(content), media_type=media_type, opened=True
        )
        mask = InputIngredient(position=1, parameter="mask_image", commitment=digest(b"a mask"))
        definition = manifest_definition(replace(example_statement(), inputs=(opened, mask)))
        file = IngredientFile(content, media_type, opened.definition())
        return self.signer().sign(self.content(), "image/png", definition, (file,))

    def test_what_cannot_carry_a_manifest_is_refused(self) -> None:
        _refuses(self.signer(), b"plain text", "text/plain", manifest_definition(example_statement()))


def _refuses(signer: ManifestSigner, content: bytes, media_type: str, definition: Mapping[str, Json]) -> None:
    try:
        signer.sign(content, media_type, definition)
    except SigningError as error:
        assert error.remedy
    else:
        raise AssertionError("it was signed")
