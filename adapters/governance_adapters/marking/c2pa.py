"""C2PA manifests through c2pa-python (c2pa-rs 0.91): signing, reading, and never a released file that reads otherwise.

What the signature covers: every byte of the picture and of our assertions. It does not cover the padding behind itself
(about 1 KB, 10 KB with a callback or a time-stamp) nor some type bytes of JUMBF boxes; that is how C2PA is made. The
ledger commits the SHA-256 of the whole file and so notices those, too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

import c2pa

from governance.canonical import Json, canonical_bytes
from governance.errors import CanonicalError, SigningError
from governance.manifest import provenance_of
from governance.ports import IngredientFile, ManifestReport, ManifestState, SignedContent
from governance_adapters.marking.authority import warn_insecure
from governance_adapters.marking.certificates import TrustRoots, check_validity, is_insecure, utc_clock
from governance_adapters.marking.credentials import Credentials
from governance_adapters.marking.reports import (
    GENERAL_ERROR,
    INACCESSIBLE,
    c2pa_settings,
    manifest_report,
    media_type_of,
)
from governance_adapters.marking.signing_call import SigningCall


class C2paReader:
    """Reads C2PA manifests of PNG, JPEG, WebP, MP4 and WAV files with our own trust roots, and no network.

    Thread-safe and fork-safe: each call makes its own c2pa-rs context (0.1 ms), so no native state is shared.

    Raises:
        SigningError: the trust roots cannot be used.
    """

    def __init__(self, trust: TrustRoots) -> None:
        self.trust = trust
        self._settings = json.dumps(c2pa_settings(trust, None))
        with _context(self._settings):
            pass  # refuses unusable roots now, not at the first file

    @property
    def insecure(self) -> bool:
        """Whether a root of a development authority is trusted."""
        return is_insecure(self.trust.claim_certificates())

    def read(self, content: bytes) -> ManifestReport:
        """What the file's manifest says. A file without one, or of another format, is `MISSING`.

        A file that cannot be parsed is `INVALID` with the problem `general.error`; one that only points to a manifest
        elsewhere is `MISSING` with the problem `manifest.inaccessible`.

        Raises:
            SigningError: the trust roots cannot be used.
        """
        return self.read_store(content)[0]

    def read_store(self, content: bytes) -> tuple[ManifestReport, Mapping[str, Any]]:
        """What `read` says, and the whole manifest store as c2pa-rs writes it; empty where there is none to be read.

        Raises:
            SigningError: the trust roots cannot be used.
        """
        media_type = media_type_of(content)
        if media_type is None:
            return ManifestReport(ManifestState.MISSING), {}
        with _context(self._settings) as context:
            try:
                reader = c2pa.Reader.try_create(media_type, io.BytesIO(content), context=context)
                if reader is None:
                    return ManifestReport(ManifestState.MISSING), {}
                with reader:
                    store = json.loads(reader.json())
                    return manifest_report(str(reader.get_validation_state()), store), store
            except c2pa.C2paError as error:
                if str(error).startswith("Remote"):
                    # The file only says where a manifest may lie; nothing is ever fetched for a file.
                    return ManifestReport(ManifestState.MISSING, problems=(INACCESSIBLE,)), {}
                # Whatever c2pa-rs cannot make sense of carries no proof.
                return ManifestReport(ManifestState.INVALID, problems=(GENERAL_ERROR,)), {}


class C2paSigner:
    """Signs and reads C2PA manifests; implements the port ManifestSigner.

    `tsa_url` is an RFC 3161 time-stamp authority, asked at every signature (c2pa-rs waits at most 30 s for it);
    `trust.time_stamp` must then hold its root. `clock` is for tests of expiry.

    Thread-safe and fork-safe: nothing native outlives a call. A callback is called from the thread that signs.

    Raises:
        SigningError: the credentials are unreadable, do not belong together, are not issued by a claim root of `trust`,
            or the time-stamp authority has no root.

    Warns:
        InsecureKeyWarning: the credentials are the development authority's.
    """

    def __init__(
        self,
        credentials: Credentials,
        trust: TrustRoots,
        *,
        tsa_url: str | None = None,
        clock: Callable[[], datetime] = utc_clock,
    ) -> None:
        self._identity = credentials.identify()
        self._path = trust.path(self._identity.chain)
        _check_time_stamping(trust, tsa_url)
        self._reader = C2paReader(trust)
        self._settings = json.dumps(c2pa_settings(trust, tsa_url))
        self._tsa_url = tsa_url
        self._clock = clock
        if self.insecure:
            warn_insecure("This C2PA signer")

    @property
    def insecure(self) -> bool:
        """Whether the credentials are the development authority's."""
        return self._identity.insecure

    @property
    def not_valid_after(self) -> datetime:
        """When the first of the certificates, from the leaf to the root, expires, in UTC."""
        return min(certificate.not_valid_after_utc for certificate in self._path)

    def read(self, content: bytes) -> ManifestReport:
        """See C2paReader.read."""
        return self._reader.read(content)

    def sign(
        self,
        content: bytes,
        media_type: str,
        manifest: Mapping[str, Json],
        ingredients: Sequence[IngredientFile] = (),
    ) -> SignedContent:
        """Sign `manifest` into `content`, an unsigned PNG, JPEG, WebP, MP4 or WAV file, and read it back.

        The manifest store of each ingredient goes on as it is. Of a file without one nothing is read: c2pa-rs would copy
        its XMP identifiers and addresses into the manifest, for everybody to see.

        Raises:
            SigningError: the certificate is not valid now, the key or the time-stamp authority failed, the file is not
                an unsigned file of `media_type`, an ingredient is no file of its media type or its manifest is invalid,
                or the result does not read back as Trusted with the same assertion and all its ingredients.
        """
        check_validity(self._path, self._clock())
        self._check_unsigned(content, media_type)
        found = [(file, self._ingredient_label(file)) for file in ingredients]
        definition = {
            **manifest,
            "ingredients": [*_listed(manifest), *(f.ingredient for f, label in found if not label)],
        }
        signed = self._sign(content, media_type, definition, [file for file, label in found if label])
        report = self.read(signed)
        self._check(report, manifest, {label for _, label in found if label})
        return SignedContent(signed, report)

    def _ingredient_label(self, file: IngredientFile) -> str:
        """The label of an ingredient's own manifest; empty if it has none."""
        if media_type_of(file.content) != file.media_type:
            raise SigningError(
                f"An ingredient is no file of type {file.media_type}.", remedy="Give PNG, JPEG or WebP files as inputs."
            )
        report = self.read(file.content)
        if report.state is ManifestState.INVALID:  # c2pa-rs would add it, and the result would read Trusted
            raise SigningError(
                f"An ingredient's own manifest does not hold: {', '.join(report.problems)}.",
                remedy="Get the input file again from where it was published, and pass it unchanged.",
            )
        return report.label

    def _check_unsigned(self, content: bytes, media_type: str) -> None:
        if media_type_of(content) != media_type:
            raise SigningError(
                f"The content is not a file of type {media_type} that can be signed.",
                remedy="Encode it as PNG, JPEG, WebP, MP4 or WAV first.",
            )
        if self.read(content).state is not ManifestState.MISSING:
            # c2pa-rs would drop the old manifest without a word.
            raise SigningError(
                "The file carries a manifest already, or cannot be read.", remedy="Sign a freshly encoded file."
            )

    def _sign(
        self, content: bytes, media_type: str, manifest: Mapping[str, Json], ingredients: Sequence[IngredientFile]
    ) -> bytes:
        try:
            definition = json.loads(canonical_bytes(manifest))
            added = [(canonical_bytes(file.ingredient).decode(), file) for file in ingredients]
        except CanonicalError as error:
            raise SigningError(f"The manifest cannot be written: {error}", remedy="Use manifest_definition.") from error
        target = io.BytesIO()
        call = SigningCall(self._identity, self._tsa_url)
        try:
            with (
                _context(self._settings) as context,
                call.signer() as signer,
                c2pa.Builder(definition, context=context) as builder,
            ):
                for ingredient, file in added:
                    builder.add_ingredient(ingredient, file.media_type, io.BytesIO(file.content))
                builder.sign(signer, media_type, io.BytesIO(content), target)
        except c2pa.C2paError as error:
            raise call.explained(error) from (call.failure or error)
        return target.getvalue()

    def _check(self, report: ManifestReport, manifest: Mapping[str, Json], chained: AbstractSet[str]) -> None:
        if report.state is not ManifestState.TRUSTED:
            raise SigningError(
                f"The signed file reads back as {report.state}: {', '.join(report.problems) or 'no reason given'}.",
                remedy="Check the certificate's profile and validity, and the trust roots.",
            )
        if self._tsa_url and not report.signed_at:
            raise SigningError(
                f"The time-stamp of {self._tsa_url} is not trusted: {', '.join(report.problems) or 'it is missing'}.",
                remedy="Add the authority's root to the time-stamp roots.",
            )
        if lost := chained - {each.label for each in report.ingredients}:
            raise SigningError(
                f"The signed file lost the manifests of its ingredients: {', '.join(sorted(lost))}.",
                remedy="Report this, with the version of c2pa-python.",
            )
        wanted = provenance_of(manifest)
        if wanted is not None and canonical_bytes(wanted) != canonical_bytes(report.provenance):
            raise SigningError(
                "The signed file's provenance assertion is not the one that was asked for.",
                remedy="Report this, with the version of c2pa-python.",
            )


def _listed(manifest: Mapping[str, Json]) -> Sequence[Json]:
    """The ingredients that a definition lists."""
    listed = manifest.get("ingredients", ())
    return listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ()


def _check_time_stamping(trust: TrustRoots, tsa_url: str | None) -> None:
    if tsa_url is None:
        return
    if not tsa_url.startswith(("http://", "https://")):
        raise SigningError(
            f"{tsa_url} is not the address of a time-stamp authority.", remedy="Use http:// or https://."
        )
    if not trust.time_stamp_certificates():
        raise SigningError(
            "A time-stamp authority is set but none of its roots, so nobody could check the time-stamps.",
            remedy="Pass the authority's root as TrustRoots.time_stamp.",
        )


def _context(settings: str) -> Any:
    try:
        return c2pa.Context.from_json(settings)
    except c2pa.C2paError as error:
        raise SigningError(f"c2pa-rs refuses the trust roots: {error}.", remedy="Check the PEM bundles.") from error
