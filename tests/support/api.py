"""The review API over a line of fakes that writes real PNG, decided by the shipped bundle; and keys, holds and works for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from governance.canonical import digest
from governance.errors import HeldError
from governance.governor import Governor
from governance.made import PictureFinder
from governance.marks import MarkReader
from governance.parts import Parts
from governance.review import ReviewDesk
from governance.review_facts import Act
from governance.testing import EXAMPLE_MODEL, FakeDetector, FakePipeline, example_request, fake_parts
from governance.types import Pixels, Principal, new_id
from governance.verification import Verifier
from governance.work_making import WorkMaker
from governance.works import PDQ_SIGNAL, Work, WorkAction, WorkPrint
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.storage.api_keys import ApiKey, ApiKeyFile, NewKey
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.web.app import make_app
from governance_adapters.web.keys import CreatedKey, create_key
from governance_adapters.web.limits import Limits
from governance_adapters.web.parts import ApiParts
from governance_adapters.web.serving import running
from support.allowed import register

EVERYTHING = tuple(Act)
UPLOAD_LIMIT = 256 * 1024
HELD_SCORE = 0.5


class PixelPrinter:
    """Prints a picture as a digest of itself."""

    signals = (PDQ_SIGNAL,)

    def prints(self, pixels: Pixels) -> Sequence[WorkPrint]:
        return [WorkPrint(PDQ_SIGNAL, "as_is", bytes.fromhex(digest(pixels.tobytes())))]


@dataclass(eq=False)
class Office:
    """An API over fakes. `parts` is what it stands on; the helpers put things into it."""

    folder: Path
    line: Parts
    api: ApiParts

    @classmethod
    @contextmanager
    def at(cls, folder: Path, bundle: Bundle, *, limits: Limits | None = None, **changes: Any) -> Iterator[Office]:
        """Opened in `folder`, and closed again."""
        policy = RegorusEngine(bundle)
        detectors = (
            FakeDetector(lambda pixels: {"nsfw": HELD_SCORE if pixels[0, 0, 0] % 2 else 0.01}),
            FakeDetector({"copy": 0.0}, name="similarity"),
        )
        line = fake_parts(
            policy=policy,
            encoder=ImageEncoder(),
            detectors=detectors,
            **changes,
        )
        register(line.ledger, EXAMPLE_MODEL)
        marks = MarkReader((line.watermarker,), line.mark_key, line.codecs, line.fingerprinter)
        api = ApiParts(
            desk=ReviewDesk(line),
            ledger=line.ledger,
            vault=line.vault,
            policy=line.policy,
            verifier=Verifier(line.signer, line.log_key, ledger=line.ledger, marks=marks, metadata=line.metadata),
            finder=PictureFinder(line.ledger, marks),
            works=SqliteWorks(folder / "works.sqlite3", line.ledger, create=True),
            maker=WorkMaker(line.encoder, PixelPrinter()),
            keys=ApiKeyFile(folder / "api-keys.sqlite3"),
            limits=limits or Limits(UPLOAD_LIMIT),
            version="1",
        )
        try:
            yield cls(folder, line, api)
        finally:
            policy.close()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Its URL, while it is served."""
        with running(make_app(self.api)) as listening:
            yield listening.url

    def key(self, role: str, scopes: Sequence[Act] = EVERYTHING, *, name: str = "", days: int = 1) -> CreatedKey:
        """A key for `name`, by default one person of that role."""
        return create_key(self.api.keys, self.api.ledger, name or f"{role}@example.org", [role], scopes, days)

    def expired_key(self, role: str) -> str:
        """A key whose time is over."""
        drawn = NewKey.draw()
        made, over = ((datetime.now(UTC) - timedelta(days=n)).isoformat() for n in (2, 1))
        self.api.keys.add(ApiKey(drawn.id, drawn.digest, f"{role}@example.org", (role,), EVERYTHING, made, over))
        return drawn.text

    def released(self) -> Any:
        """A released item."""
        for seed in range(1, 50):
            try:
                return self._generate(seed).items[0]
            except HeldError:
                continue
        raise AssertionError("nothing was released")

    def hold(self) -> str:
        """The id of a new hold."""
        for seed in range(1, 50):
            try:
                self._generate(seed)
            except HeldError as error:
                entry: Any = error.result.items[0].entry.body
                return str(entry["hold"]["id"])
        raise AssertionError("nothing was held")

    def lease(self, role: str, hold: str) -> None:
        """Let the person of that role have the lease."""
        self.api.desk.lease(Principal(f"{role}@example.org", (role,)), hold)

    def work(self, title: str = "A lighthouse") -> Work:
        """A new work of one picture."""
        made = self.api.maker.make(
            [("picture", picture(new_seed()))],
            title=title, owner="Example Press", licence="LicenseRef-Example", action=WorkAction.REVIEW,
        )  # fmt: skip
        return self.api.works.add(made, Principal("counsel@example.org", ("counsel",)))

    def _generate(self, seed: int) -> Any:
        request = replace(example_request(), id=new_id(), seeds=(seed,), height=64, width=64)
        return Governor(self.line).generate(request, FakePipeline())


_seeds = iter(range(1, 1_000_000))
_seed_lock = threading.Lock()


def new_seed() -> int:
    """Another number each time."""
    with _seed_lock:
        return next(_seeds)


def picture(seed: int = 0, side: int = 32) -> bytes:
    """A PNG file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def client(url: str, key: str | None = None) -> httpx.Client:
    """A client that sends `key`."""
    headers: Mapping[str, str] = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"{url}/v1", headers=headers, timeout=30, trust_env=False)
