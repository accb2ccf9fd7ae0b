"""C2PA manifests through c2pa-python (c2pa-rs 0.91): signing, reading, and never a released file that reads otherwise.

What the signature covers: every byte of the picture and of our assertions. It does not cover the padding behind itself
(about 1 KB, 10 KB with a callback or a time-stamp) nor some type bytes of JUMBF boxes; that is how C2PA is made. The
ledger commits the SHA-256 of the whole file and so notices those, too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import c2pa

from governance.canonical import Json, canonical_bytes
from governance.errors import CanonicalError, SigningError
from governance.manifest import provenance_of
from governance.ports import ManifestReport, ManifestState, SignedContent
from governance_adapters.marking.authority import warn_insecure
from governance_adapters.marking.certificates import TrustRoots, check_validity, is_insecure, utc_clock
from governance_adapters.marking.credentials import Credentials, SigningIdentity
from governance_adapters.marking.reports import (
    GENERAL_ERROR,
    INACCESSIBLE,
    c2pa_settings,
    manifest_report,
    media_type_of,
)


class C2paReader:
    """Reads C2PA manifests of PNG, JPEG and WebP files with our own trust roots, and no network.

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
        media_type = media_type_of(content)
        if media_type is None:
            return ManifestReport(ManifestState.MISSING)
        with _context(self._settings) as context:
            try:
                reader = c2pa.Reader.try_create(media_type, io.BytesIO(content), context=context)
                if reader is None:
                    return ManifestReport(ManifestState.MISSING)
                with reader:
                    return manifest_report(str(reader.get_validation_state()), json.loads(reader.json()))
            except c2pa.C2paError as error:
                if str(error).startswith("Remote"):
                    # The file only says where a manifest may lie; nothing is ever fetched for a file.
                    return ManifestReport(ManifestState.MISSING, problems=(INACCESSIBLE,))
                # Whatever c2pa-rs cannot make sense of carries no proof.
                return ManifestReport(ManifestState.INVALID, problems=(GENERAL_ERROR,))


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

    def sign(self, content: bytes, media_type: str, manifest: Mapping[str, Json]) -> SignedContent:
        """Sign `manifest` into `content`, an unsigned PNG, JPEG or WebP file, and read it back.

        Raises:
            SigningError: the certificate is not valid now, the key or the time-stamp authority failed, the file is not
                an unsigned image of `media_type`, or the result does not read back as Trusted with the same assertion.
        """
        check_validity(self._path, self._clock())
        self._check_unsigned(content, media_type)
        signed = self._sign(content, media_type, manifest)
        report = self.read(signed)
        self._check(report, manifest)
        return SignedContent(signed, report)

    def _check_unsigned(self, content: bytes, media_type: str) -> None:
        if media_type_of(content) != media_type:
            raise SigningError(
                f"The content is not a file of type {media_type} that can be signed.",
                remedy="Encode the image as PNG, JPEG or WebP first.",
            )
        if self.read(content).state is not ManifestState.MISSING:
            # c2pa-rs would drop the old manifest without a word.
            raise SigningError(
                "The file carries a manifest already, or cannot be read.", remedy="Sign a freshly encoded image."
            )

    def _sign(self, content: bytes, media_type: str, manifest: Mapping[str, Json]) -> bytes:
        try:
            definition = json.loads(canonical_bytes(manifest))
        except CanonicalError as error:
            raise SigningError(f"The manifest cannot be written: {error}", remedy="Use manifest_definition.") from error
        target = io.BytesIO()
        call = _SigningCall(self._identity, self._tsa_url)
        try:
            with (
                _context(self._settings) as context,
                call.signer() as signer,
                c2pa.Builder(definition, context=context) as builder,
            ):
                builder.sign(signer, media_type, io.BytesIO(content), target)
        except c2pa.C2paError as error:
            raise call.explained(error) from (call.failure or error)
        return target.getvalue()

    def _check(self, report: ManifestReport, manifest: Mapping[str, Json]) -> None:
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
        wanted = provenance_of(manifest)
        if wanted is not None and canonical_bytes(wanted) != canonical_bytes(report.provenance):
            raise SigningError(
                "The signed file's provenance assertion is not the one that was asked for.",
                remedy="Report this, with the version of c2pa-python.",
            )


class _SigningCall:
    """One signature: the native signer, and what its callback raised (c2pa-rs would only say "signature invalid")."""

    def __init__(self, identity: SigningIdentity, tsa_url: str | None) -> None:
        self._identity = identity
        self._tsa_url = tsa_url
        self.failure: BaseException | None = None

    def signer(self) -> Any:
        identity, chain = self._identity, self._identity.chain_pem
        if identity.private_key is not None:
            info = c2pa.C2paSignerInfo(identity.algorithm, chain, identity.private_key, self._tsa_url)
            return c2pa.Signer.from_info(info)
        algorithm = c2pa.C2paSigningAlg[identity.algorithm.upper()]
        return c2pa.Signer.from_callback(self._callback, algorithm, chain.decode(), self._tsa_url)

    def _callback(self, data: bytes) -> bytes:
        try:
            signature = self._identity.sign(data)  # type: ignore[misc]
            if not isinstance(signature, bytes) or not signature:
                raise TypeError(f"the callback returned {type(signature).__name__}, not a signature in bytes")
        except BaseException as failure:  # noqa: BLE001 - kept and raised again as the cause; empty makes c2pa-rs fail
            self.failure = failure
            return b""
        else:
            return signature

    def explained(self, error: c2pa.C2paError) -> SigningError:
        """Our error for what c2pa-rs said. An interrupt inside the callback goes on as itself."""
        if self.failure is not None and not isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return SigningError(
                f"The signing callback failed: {type(self.failure).__name__}: {self.failure}.",
                remedy="Check that the key service is reachable and that this process may sign with the key.",
            )
        said = str(error)
        if self._tsa_url and "internal error" in said:  # c2pa-rs's word for everything between it and the authority
            return SigningError(
                f"The time-stamp authority {self._tsa_url} gave no time-stamp: {said}.",
                remedy="Check its address and that this machine may reach it; nothing was signed.",
            )
        if "does not match the provided" in said:
            return SigningError(
                "The signature does not verify with the certificate: another key signed.",
                remedy="Give the certificate that belongs to the signing key.",
            )
        return SigningError(
            f"c2pa-rs would not sign: {said}.",
            remedy="Check the certificate's profile: digitalSignature, emailProtection, subject and authority key ids.",
        )


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
