from __future__ import annotations

import functools
import io

import numpy as np
import pytest
from PIL import Image

from governance.testing.manifest import FakeManifestSigner, ManifestSignerContract
from governance_adapters.marking.authority import InsecureDevelopmentAuthority, InsecureKeyWarning
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots


@functools.cache
def png() -> bytes:
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@functools.cache
def development_signer(name: str) -> C2paSigner:
    del name  # tells one authority from another
    made = InsecureDevelopmentAuthority().issue()
    return C2paSigner(PemCredentials(made.chain, made.private_key), TrustRoots(made.root))


class TestFakeManifestSigner(ManifestSignerContract):
    def signer(self):
        return FakeManifestSigner()

    def stranger(self):
        return FakeManifestSigner(key=b"another key", signer="Stranger")

    def content(self):
        return png()

    def changed_positions(self, content, signed):
        return list(range(len(content) + 1, len(signed), 37)) + super().changed_positions(content, signed)


@pytest.mark.filterwarnings(f"ignore::{InsecureKeyWarning.__module__}.{InsecureKeyWarning.__qualname__}")
class TestC2paSigner(ManifestSignerContract):
    def signer(self):
        return development_signer("ours")

    def stranger(self):
        return development_signer("theirs")

    def content(self):
        return png()

    def changed_positions(self, content, signed):
        # The manifest is inserted behind PNG's header chunk (33 bytes), so the picture lies at the end.
        inserted = len(signed) - len(content)
        return list(range(33 + inserted, len(signed), 97))
