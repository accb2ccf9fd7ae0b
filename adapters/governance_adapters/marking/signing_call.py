"""One signature by c2pa-rs: its native signer, and our words for what it says when that fails."""

from __future__ import annotations

from typing import Any

import c2pa

from governance.errors import SigningError
from governance_adapters.marking.credentials import SigningIdentity


class SigningCall:
    """One signature: the native signer, and what its callback raised (c2pa-rs would only say "signature invalid")."""

    def __init__(self, identity: SigningIdentity, tsa_url: str | None) -> None:
        self._identity = identity
        self._tsa_url = tsa_url
        self.failure: BaseException | None = None

    def signer(self) -> Any:
        """A c2pa-rs signer, to be closed by its user."""
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
