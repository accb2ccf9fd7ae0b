"""Shadow mode over HTTP: the mode, the records of entries and files, searches, and what a file reads as."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.entries import EntryKind
from governance.governor import Governor
from governance.testing import FakePipeline, example_request
from governance.types import Mode, Prompt
from support.api import Office, client

HIDDEN = "a red seven on a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def auditor(office):
    with office.served() as url, client(url, office.key("auditor").text) as opened:
        yield opened


def test_what_was_released_in_shadow_mode_says_so_wherever_it_is_read(office, auditor):
    assert auditor.get("/mode").json() == {"mode": "enforce", "entry": None, "since": None}
    enforced = office.released()
    line = replace(office.line, mode=Mode.SHADOW)
    request = replace(example_request(), prompts=(Prompt(HIDDEN),), seeds=(2,), height=64, width=64)
    (item,) = Governor(line).generate(request, FakePipeline()).items
    ((_, switch),) = line.ledger.entries(kind=EntryKind.MODE)
    assert auditor.get("/mode").json() == {"mode": "shadow", "entry": switch.id, "since": switch.time}

    would = item.shadow.as_json()
    assert would["verdict"] == "denied"
    assert "prompt.blocked_term" in would["stages"][0]["codes"]
    assert auditor.get(f"/entries/{item.entry.id}").json()["shadow"] == would
    record = auditor.get(f"/assets/{item.asset.digest}").json()
    assert (record["mode"], record["shadow"]) == ("shadow", would)
    file = {"file": ("seven.png", item.asset.content, "image/png")}
    verified = auditor.post("/verify", files=file).json()
    assert (verified["mode"], verified["shadow"]) == ("shadow", would)

    def found(shadow):
        return [each["id"] for each in auditor.get("/search", params={"shadow": shadow}).json()["items"]]

    assert found("denied")[-1] == item.entry.id
    assert len(found("any")) == 2
    assert found("held") == []
    assert auditor.get("/search", params={"shadow": "maybe"}).status_code == 422

    before = auditor.get(f"/assets/{enforced.asset.digest}").json()
    assert (before["mode"], before["shadow"]) == ("enforce", None)
    assert auditor.get(f"/entries/{enforced.entry.id}").json()["shadow"] is None
