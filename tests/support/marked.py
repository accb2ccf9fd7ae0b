"""A line whose marks are all real - label, watermark, encoder, XMP, C2PA - and whose policy, ledger and model are fakes."""

from __future__ import annotations

from dataclasses import replace

from governance.governor import Governor
from governance.marks import MarkReader
from governance.testing import FakePipeline, FakePolicyEngine, example_request, fake_parts
from governance.testing.certificates import FakeAuthority
from governance.types import Outcome, Stage
from governance.verification import Verifier
from governance.watermark import MarkKey
from governance_adapters.marking.c2pa import C2paSigner
from governance_adapters.marking.credentials import PemCredentials, TrustRoots
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.marking.label import TextLabeller
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.marking.xmp import XmpWriter

MARK_KEY = MarkKey(b"a watermark key for these tests!")
CLAIMS, STAMPS = FakeAuthority("Claim root"), FakeAuthority("Time-stamp root")
LABEL = "AI生成"


def obliging(**obligations):
    """A policy that allows everything and obliges this at release."""
    engine = FakePolicyEngine()
    return FakePolicyEngine({Stage.RELEASE: lambda s, _: engine.answer(s, Outcome.ALLOW, **obligations)})


def real_marks(url=None, **obligations):
    """Parts that mark for real; `url` is a time-stamp authority of `STAMPS`."""
    issued = CLAIMS.issue()
    trust = TrustRoots(CLAIMS.root, STAMPS.root if url else None)
    signer = C2paSigner(PemCredentials(issued.chain, issued.private_key), trust, tsa_url=url)
    return fake_parts(
        policy=obliging(**obligations),
        watermarker=TiledWatermarker(MARK_KEY),
        mark_key=MARK_KEY,
        labeller=TextLabeller(),
        encoder=ImageEncoder(),
        fingerprinter=PdqFingerprinter(),
        signer=signer,
        metadata=XmpWriter(),
        provider="Example Provider",
    )


def release(parts, picture, **request):
    """The asset of `picture`, down the whole line."""
    height, width = picture.shape[:2]
    asked = example_request(width=width, height=height, images=1, **request)
    (item,) = (
        Governor(parts).generate(asked, FakePipeline(spoil=lambda drafts: [replace(drafts[0], media=picture)])).items
    )
    return item.asset


def verifier(parts):
    """With everything that `parts` know."""
    marks = MarkReader((parts.watermarker,), parts.mark_key, parts.codecs, parts.fingerprinter)
    return Verifier(parts.signer, parts.log_key, metadata=parts.metadata, ledger=parts.ledger, marks=marks)
