"""`governance verify --profile` from outside: the fields of a rule, each with its clause, and the exit code."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from governance.governor import Governor
from governance.testing import FakeDetector, FakePipeline, example_request
from governance_adapters.installation import initialise
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_governor
from support.command import Shell
from support.marked import LABEL, STAMPS, obliging
from support.time_stamps import time_stamp_authority

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

EU, US, CN = "eu-ai-act-50", "us-ca-sb942", "cn-gb45438"


def released(settings, name, folder, **obligations):
    """A released file in `folder`, from a line of real parts with a policy that obliges this."""
    governor = open_governor(settings, policy=obliging(**obligations), detectors=(FakeDetector(),))
    (item,) = Governor(governor.parts).generate(example_request(id=name), FakePipeline()).items
    governor.parts.ledger.close()
    (folder / name).write_bytes(item.asset.content)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """An installation with a provider and a time-stamp authority, and two files: with a label, and without."""
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "authority").mkdir()
    with time_stamp_authority(folder / "authority", STAMPS) as url:
        given = {"provider": "Example Provider", "tsa_url": url, "tsa_root": folder / "authority" / "root.crt"}
        settings = Settings.load(home=folder / "home", **given)
        initialise(settings)
        released(settings, "labelled.png", folder, visible_label=LABEL, label_language="zh-Hans")
        released(settings, "plain.jpg", folder, output_formats=["image/jpeg"])
    root = (folder / "governance.toml").resolve()
    root.write_text(f'tsa_root = "{folder / "authority" / "root.crt"}"\n')
    return Shell(folder, folder / "home")


@pytest.mark.parametrize("profile", [EU, US, CN])
def test_a_file_with_every_mark(shell, profile):
    ran = shell("verify", "labelled.png", "--profile", profile).succeeded()
    assert "every required field is there (fields, not legal advice)" in ran.out
    assert "missing" not in ran.out
    told = shell("verify", "labelled.png", "--profile", profile, "--json").succeeded().json
    assert told["profile"]["holds"] is True
    assert {field["state"] for field in told["profile"]["fields"]} == {"there"}


def test_the_missing_field_is_named_with_its_clause(shell):
    ran = shell("verify", "plain.jpg", "--profile", CN)
    assert ran.code == 1
    (line,) = [line for line in ran.out.splitlines() if "missing" in line]
    assert line.split()[:2] == ["visible", "label"]
    assert "GB 45438-2025, 5.2" in line
    assert shell("verify", "plain.jpg", "--profile", EU).code == 0
    optional = shell("verify", "plain.jpg", "--profile", US).succeeded()
    assert "visible label (optional)" in optional.out


def test_a_file_saved_again(shell):
    file = io.BytesIO()
    Image.open(shell.folder / "labelled.png").convert("RGB").save(file, "PNG")
    (shell.folder / "again.png").write_bytes(file.getvalue())
    told = shell("verify", "again.png", "--profile", US, "--json")
    assert told.code == 1
    fields = {field["name"]: field["state"] for field in told.json["profile"]["fields"]}
    assert fields["name of the provider"] == "missing"
    assert fields["hard to remove"] == "there"


def test_an_unknown_profile(shell):
    ran = shell("verify", "labelled.png", "--profile", "uk")
    assert ran.code == 2
    assert EU in ran.err
