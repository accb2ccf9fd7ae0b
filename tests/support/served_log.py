"""A ledger served over HTTP by the real application, for whoever follows it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from governance.made import PictureFinder
from governance.marks import MarkReader
from governance.ports import Ledger
from governance.review import ReviewDesk
from governance.testing import FakePrinter, fake_parts
from governance.verification import Verifier
from governance.work_making import WorkMaker
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.web.app import make_app
from governance_adapters.web.limits import Limits
from governance_adapters.web.parts import ApiParts
from governance_adapters.web.serving import running


@contextmanager
def served_log(folder: Path, ledger: Ledger) -> Iterator[str]:
    """The prefix of the log that `ledger` is; the rest of the application stands on fakes."""
    line = fake_parts()
    marks = MarkReader((line.watermarker,), line.mark_key, line.codecs, line.fingerprinter)
    parts = ApiParts(
        desk=ReviewDesk(line),
        ledger=ledger,
        vault=line.vault,
        policy=line.policy,
        verifier=Verifier(line.signer, line.log_key, ledger=line.ledger, marks=marks, metadata=line.metadata),
        finder=PictureFinder(line.ledger, marks),
        works=SqliteWorks(folder / "works.sqlite3", line.ledger, create=True),
        maker=WorkMaker(line.encoder, FakePrinter()),
        keys=ApiKeyFile(folder / "api-keys.sqlite3"),
        limits=Limits(64 * 1024),
        version="1",
    )
    with running(make_app(parts)) as listening:
        yield listening.url
