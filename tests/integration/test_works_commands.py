"""`governance works` from outside: pictures of every sort, what is said of them, and what is left behind."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from governance.entries import EntryKind
from governance.testing.works import KEEPER, example_work
from governance.work_records import OWNER_FIELD, PRINCIPAL_FIELD, TITLE_FIELD, disagreements
from governance.works import PDQ_SIGNAL
from governance_adapters.installation import existing_keys
from governance_adapters.settings import Settings
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.storage.works_reader import SqliteWorksReader
from governance_adapters.wiring import open_ledger, open_work_maker
from support.command import Shell

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")

SAID = ("--owner", "Example house", "--licence", "LicenseRef-ours", "--action", "deny")
BY = ("--principal", "counsel@example.org")
FORMULA = '=HYPERLINK("x";"[red]<script>alert(1)</script>[/red]")'


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A home whose models are made: every installation of these tests starts as a copy of it."""
    shell = Shell(tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("made") / "home")
    shell("init").succeeded()
    open_work_maker(Settings.load(home=shell.home))
    return shell.home / "models"


@pytest.fixture
def shell(tmp_path, models):
    """A fresh installation."""
    shell = Shell(tmp_path, tmp_path / "home")
    shell("init").succeeded()
    (shell.home / "models").symlink_to(models)
    return shell


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder with three photographs, one in a folder of its own, and a file that nobody sees."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    save(folder / "astronaut.png", data.astronaut())
    save(folder / "coffee.jpg", data.coffee())
    save(folder / "more" / "rocket.webp", data.rocket())
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


def register(shell):
    return SqliteWorksReader(shell.home / "works.sqlite3")


def entries(shell):
    return [entry for _, entry in open_ledger(Settings.load(home=shell.home)).entries(kind=EntryKind.WORK)]


def nothing_half_done(shell, works):
    assert register(shell).count() == works
    assert register(shell).unsettled() == []
    assert list(disagreements(register(shell), open_ledger(Settings.load(home=shell.home)))) == []
    assert "verified" in shell("ledger", "verify").succeeded().out


def test_a_work_is_added_listed_shown_changed_and_removed(shell, pictures):
    work = shell("works", "add", pictures, "--title", FORMULA, *SAID, *BY, "--json").succeeded().json
    assert (work["title"], work["owner"], work["action"], len(work["images"])) == (FORMULA, "Example house", "deny", 3)
    assert shell("works", "list", "--json").succeeded().json == [work]
    assert shell("works", "show", work["id"], "--json").succeeded().json == work
    for said in (shell("works", "list"), shell("works", "show", work["id"])):
        assert all(text in said.succeeded().out for text in (FORMULA, "Example house", "LicenseRef-ours", "deny"))
    images = list(register(shell).prints(PDQ_SIGNAL))
    assert [row.work_id for row in images] == [work["id"]] * 3
    assert all(len(row.values) == 32 * len(row.variants) > 32 * 8 for row in images)
    changed = shell("works", "change", work["id"], "--action", "review", *BY, "--json").succeeded().json
    assert changed == {**work, "action": "review"}
    assert {row.action.value for row in register(shell).prints(PDQ_SIGNAL)} == {"review"}
    assert shell("works", "remove", work["id"], *BY, "--json").succeeded().json == {"removed": changed}
    shell("works", "show", work["id"]).failed(1, "There is no work")
    assert [entry.body["change"] for entry in entries(shell)] == ["added", "changed", "removed"]
    nothing_half_done(shell, 0)


def test_the_entry_says_who_and_hides_it(shell, pictures):
    shell("works", "add", pictures / "coffee.jpg", "--title", "Coffee", *SAID, *BY).succeeded()
    (entry,) = entries(shell)
    leaf = entry.leaf().decode()
    assert not any(text in leaf for text in ("Coffee", "Example house", "counsel@example.org"))
    (shown,) = shell("ledger", "show", entry.subject, "--json").succeeded().json
    personal = {TITLE_FIELD: "Coffee", OWNER_FIELD: "Example house", PRINCIPAL_FIELD: "counsel@example.org"}
    assert shown["personal"] == personal
    assert "Coffee" in shell("ledger", "show", entry.subject).succeeded().out


def test_previews_are_small_and_look_like_the_image(shell, tmp_path):
    save(tmp_path / "large.png", np.kron(data.astronaut(), np.ones((2, 2, 1), np.uint8)))
    work = shell("works", "add", tmp_path / "large.png", "--title", "t", *SAID, *BY, "--json").succeeded().json
    preview = register(shell).preview(work["images"][0])
    (tmp_path / "preview").write_bytes(preview.content)
    with Image.open(tmp_path / "preview") as picture:
        assert picture.get_format_mimetype() == preview.media_type
        assert picture.size == (512, 512)
        apart = np.abs(np.asarray(picture.convert("RGB")).astype(int) - data.astronaut())
    assert apart.mean() < 4


def test_the_same_picture_is_refused_naming_the_work_that_has_it(shell, pictures, tmp_path):
    added = shell("works", "add", pictures / "astronaut.png", "--title", "one", *SAID, *BY, "--json").succeeded().json
    save(tmp_path / "again.png", data.astronaut(), compress_level=1)
    save(tmp_path / "lossless.webp", data.astronaut(), lossless=True)
    (tmp_path / "copy.png").write_bytes((pictures / "astronaut.png").read_bytes())
    for name in ("again.png", "lossless.webp", "copy.png"):
        refused = shell("works", "add", pictures / "coffee.jpg", tmp_path / name, "--title", "two", *SAID, *BY)
        refused.failed(1, "in the register already", added["id"])
    same = shell("works", "add", pictures / "coffee.jpg", pictures / "coffee.jpg", "--title", "two", *SAID, *BY)
    same.failed(1, "are the same picture")
    nothing_half_done(shell, 1)


def unreadable(folder):
    """Files that are no image to protect, by name, with a word of why."""
    rng = np.random.default_rng(1)
    astronaut = data.astronaut()
    whole = save(folder / "whole.png", astronaut).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("<html>no picture</html>")
    save(folder / "pixel.png", astronaut[:1, :1])
    save(folder / "bomb.png", np.zeros((20_000, 20_000), np.uint8))
    save(folder / "line.png", np.repeat(astronaut[:20, :, :], 40, axis=1)[:, :20_000])
    frames = [Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)) for _ in range(2)]
    frames[0].save(folder / "animated.png", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "animated.webp", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    save(folder / "scan.tif", astronaut)
    return {
        "truncated.png": "not a readable",
        "empty.png": "not a readable",
        "text.png": "not a readable",
        "pixel.png": "1 x 1 px: too small",
        "bomb.png": "exceeds",
        "line.png": "too small or too narrow",
        "animated.png": "is an animation",
        "animated.webp": "is an animation",
        "frames.gif": "not a readable",
        "scan.tif": "not a readable",
    }


def test_what_cannot_be_protected_is_refused_and_nothing_is_left_of_it(shell, tmp_path):
    (tmp_path / "bad").mkdir()
    for name, words in unreadable(tmp_path / "bad").items():
        given = (tmp_path / "bad" / "whole.png", tmp_path / "bad" / name)
        shell("works", "add", *given, "--title", "t", *SAID, *BY).failed(1, name, words)
    nothing_half_done(shell, 0)
    assert entries(shell) == []


@pytest.mark.parametrize("words", [("--title", "t"), ("--each",)])
def test_a_file_name_that_means_harm_reaches_no_terminal(shell, tmp_path, words):
    folder = tmp_path / "bad"
    folder.mkdir()
    for name in (b"\x1b[2J\x1b]0;owned\x07.png", b"\xc2\x9b31m.png", b"\xff.png"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(b"no picture")
    ran = shell("works", "add", folder, *words, *SAID, *BY, "--json")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "\\x1b" in ran.err
    for text in (ran.err, *strings(ran.json)):
        assert all(line.isprintable() for line in text.splitlines()), text


def strings(value):
    """Every text in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


def test_unusual_pictures_are_read(shell, tmp_path):
    astronaut = data.astronaut()
    grey = astronaut[:, :, 0].astype(np.uint16) * 257
    save(tmp_path / "sixteen.png", grey)
    Image.fromarray(data.coffee()).convert("CMYK").save(tmp_path / "cmyk.jpg")
    alpha = np.dstack([data.rocket(), np.full(data.rocket().shape[:2], 200, np.uint8)])
    save(tmp_path / "alpha.png", alpha)
    save(tmp_path / "wide.png", np.repeat(data.retina()[:800], 15, axis=1)[:, :20_000])
    names = ("sixteen.png", "cmyk.jpg", "alpha.png", "wide.png")
    said = shell("works", "add", *(tmp_path / name for name in names), "--each", *SAID, *BY, "--json").succeeded().json
    assert [tuple(one["file"].split("/")[-1:]) for one in said["added"]] == [(name,) for name in names]
    assert [work.title for work in register(shell).list()] == ["sixteen", "cmyk", "alpha", "wide"]


def test_each_image_can_be_a_work_of_its_own_and_the_bad_ones_are_named(shell, pictures):
    (pictures / "notes.txt").write_text("not a picture")
    ran = shell("works", "add", pictures, pictures / "coffee.jpg", "--each", *SAID, *BY)
    assert ran.code == 1
    assert "3 works added, 2 not" in ran.out
    assert any("notes.txt" in line and "not a readable" in line for line in ran.complaints)
    assert any("coffee.jpg" in line and "in the register already" in line for line in ran.complaints)
    assert [work.title for work in register(shell).list()] == ["astronaut", "coffee", "rocket"]
    nothing_half_done(shell, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.png", "--title", "t", *SAID], "does not exist"),
        (["empty", "--title", "t", *SAID], "no file in"),
        (["pictures", *SAID], "one title"),
        (["pictures", "--title", "t", "--each", *SAID], "one title"),
        (["pictures", "--title", "a\x1b[2Jb", *SAID], "cannot be printed"),
        (["pictures", "--title", "", *SAID], "title is empty"),
        (["pictures", "--title", "t", "--owner", "o", "--licence", "x" * 201, "--action", "deny"], "licence has 201"),
    ],
)
def test_a_wrong_call_is_one_line(shell, pictures, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    shell("works", "add", *arguments, *BY).failed(1, words)
    nothing_half_done(shell, 0)


def test_nobody_is_not_a_principal(shell, pictures):
    (shell.folder / "governance.toml").unlink()
    shell("works", "add", pictures, "--title", "t", *SAID).failed(1, "Nobody asks")


def test_an_unknown_work_is_one_line(shell):
    for arguments in (["show", "x"], ["remove", "x", *BY], ["change", "x", "--title", "y", *BY]):
        shell("works", *arguments).failed(1, "There is no work 'x'")
    shell("works", "show", "\udcff").failed(1, "register")


def test_a_changed_model_is_reindexed_from_the_previews(shell, pictures):
    added = shell("works", "add", pictures, "--title", "t", *SAID, *BY, "--json").succeeded().json
    before = {row.values for row in register(shell).prints(PDQ_SIGNAL)}
    assert shell("works", "reindex", "--json").succeeded().json == {"printed": 0}
    ledger = open_ledger(Settings.load(home=shell.home))
    other = example_work(1).images[0].prints
    SqliteWorks(shell.home / "works.sqlite3", ledger).reprint(
        {added["images"][0]: [replace(one, signal=f"embedding:{one.signal[:3]}") for one in other]}
    )
    assert shell("works", "reindex", "--json").succeeded().json == {"printed": 1}
    assert register(shell).unprinted(PDQ_SIGNAL) == []
    assert shell("works", "reindex", "--all", "--json").succeeded().json == {"printed": 3}
    after = {row.values for row in register(shell).prints(PDQ_SIGNAL)}
    assert len(after) == 3
    assert len(before) == 3


def test_the_doctor_says_whether_register_and_ledger_agree(shell):
    def said():
        return next(part for part in shell("doctor", "--json").json if part["part"] == "works")

    assert said() == {"part": "works", "sound": True, "detail": "0 works, as the ledger says"}
    made = Settings.load(home=shell.home)
    path, aside = made.works_path, shell.home / "aside.sqlite3"
    with SqliteLedger.open(made.ledger_path, existing_keys(made).log()) as ledger:
        work = SqliteWorks(path, ledger).add(example_work(), KEEPER)
    assert said()["detail"] == "1 works, as the ledger says"
    path.rename(aside)
    assert said()["sound"] is False
    shell("init").failed(1, "is missing, and the ledger knows")
    aside.rename(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE work SET action = 'allow'")
    assert said()["sound"] is False
    assert work.id in said()["detail"]
