"""Evidence packs of a really released file: what an outsider can check, and that nothing that was altered passes."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path

import pytest

from governance.canonical import digest
from governance.checkpoint import LogSigner
from governance.evidence import verify
from governance.evidence.verify import read_pack
from support.packs import (
    COMMENT,
    PROMPT,
    REQUESTER,
    REVIEWERS,
    extracted,
    judged,
    outsider,
    pdf_text,
    released,
    with_new_index,
)

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")
LISTED = {verify.README, verify.PROGRAM, verify.PDF, verify.VERIFICATION}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def key(made):
    return made.key


@pytest.fixture(scope="module")
def pack(made):
    return made.pack()


@pytest.fixture(scope="module")
def files(pack):
    return read_pack(pack)


def altered(content):
    """`content` with one byte changed, somewhere."""
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ random.randrange(1, 256)]) + content[place + 1 :]


def test_an_outsider_verifies_it_with_python_alone_and_no_network(pack, key, made, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ran = outsider(folder, "--key", key).succeeded()
    assert ran.out.splitlines()[-1] == "verdict: verified"
    assert f"asset {made.asset.id} (SHA-256 {made.asset.digest}) was released" in ran.out
    assert "2 approvals by people" in ran.out
    assert "not checked  the C2PA signature" in ran.out
    assert "governance verify asset/" in ran.out
    assert "not bound    README.txt, asset/verification.json, evidence.pdf, verify.py, pack.json" in ran.out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before  # nothing is written
    assert outsider(folder, "--key", key, pack).succeeded().out == ran.out  # the ZIP file itself says the same


def test_without_a_key_the_verdict_is_at_most_self_consistent(pack, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    ran = outsider(folder)
    assert (ran.code, "verdict: self-consistent" in ran.out) == (3, True)
    assert "signed by the key that the pack brings along" in ran.out
    assert "record/log-key.txt" in next(line for line in ran.out.splitlines() if "not bound" in line)


def test_a_wrong_key_is_refused(pack, key, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    same_name = LogSigner.generate(key.split("+")[0])
    for wrong in (str(same_name.key), str(LogSigner.generate("other.example.org/log").key)):
        ran = outsider(folder, "--key", wrong)
        assert (ran.code, ran.out.splitlines()[-1]) == (1, "verdict: refused")
        assert "PROBLEM      record/checkpoint.txt: " in ran.out


def test_what_is_no_key_or_no_pack_is_said_to_be_none(pack, key, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    for arguments in (
        ("--key", "nonsense"),
        ("--key", key, "absent.zip"),
        ("--key", key, "record"),
        ("--file", "absent"),
    ):
        ran = outsider(folder, *arguments)
        assert ran.code == 2
        assert ran.err.startswith("verify.py: ")
    assert outsider(folder, "--key", key, "README.txt").code == 1  # there, and no archive


def test_the_key_may_lie_in_a_file_and_the_answer_be_json(pack, key, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    (tmp_path / "key.txt").write_text(f"{key}\n")
    said = outsider(folder, "--json", "--key", tmp_path / "key.txt").succeeded().json
    assert (said["verdict"], said["problems"], said["exit_code"]) == ("verified", [], 0)
    assert set(said["not_bound_by_the_log"]) == {*LISTED, verify.INDEX}


def test_it_is_asked_about_a_file_at_hand(pack, key, made, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    assert (
        "the file that was given is the released one"
        in outsider(folder, "--key", key, "--file", made.folder / "seven.png").succeeded().out
    )
    (tmp_path / "other.png").write_bytes(altered(made.asset.content))
    ran = outsider(folder, "--key", key, "--file", tmp_path / "other.png")
    assert (ran.code, "the file that was given is not the one that was released" in ran.out) == (1, True)


@pytest.mark.parametrize("trusted", [True, False])
def test_one_altered_byte_of_any_file_is_refused_and_named(files, key, trusted):
    assert judged(files, key).verdict == "verified"
    for path in files:
        for _ in range(3):
            report = judged({**files, path: altered(files[path])}, key if trusted else None)
            assert report.verdict == "refused", path
            assert any(path in problem for problem in report.problems), (path, report.problems)


def test_one_altered_byte_of_the_archive_is_refused(pack, key, tmp_path):
    content = pack.read_bytes()
    for place in [*random.sample(range(len(content)), 300), *range(40), *range(len(content) - 60, len(content))]:
        changed = content[:place] + bytes([content[place] ^ random.randrange(1, 256)]) + content[place + 1 :]
        (tmp_path / "pack.zip").write_bytes(changed)
        try:
            report = judged(read_pack(tmp_path / "pack.zip"), key)
        except verify.RefusedError:
            continue
        assert report.verdict == "refused", place


def test_a_file_more_or_less_is_refused_and_named(files, key):
    assert "more.txt lies in the pack" in " ".join(judged({**files, "record/more.txt": b"x"}, key).problems)
    for path in files:
        report = judged({name: content for name, content in files.items() if name != path}, key)
        assert report.verdict == "refused"
        assert any(path in problem for problem in report.problems), path


def test_who_makes_the_index_anew_can_change_what_the_log_does_not_bind_and_nothing_else(files, key):
    assert judged(with_new_index(files), key).verdict == "verified"
    for path in files.keys() - {verify.INDEX}:
        report = judged(with_new_index({**files, path: altered(files[path])}), key)
        assert (report.verdict == "verified") == (path in LISTED), (path, report.problems)
    assert set(judged(files, key).unbound) == {*LISTED, verify.INDEX}


def test_a_file_left_out_must_be_said_to_be_missing(files, key):
    # The index is made anew without it, and says nothing: but entries commit to it.
    for path in files.keys() - LISTED - {verify.INDEX, verify.MANIFEST}:
        if path.startswith(verify.FIELDS):
            continue  # withheld is what any field may be
        rest = {name: content for name, content in files.items() if name != path}
        assert judged(with_new_index(rest), key).verdict == "refused", path


def test_leaving_out_an_entry_that_others_name_is_refused_and_of_the_rest_it_says_that_it_cannot_know(files, key):
    kinds = {}
    for path in (path for path in files if path.startswith(verify.ENTRIES)):
        proofs = json.loads(files[verify.PROOFS])
        proofs["entries"] = [each for each in proofs["entries"] if each["path"] != path]
        index = json.loads(files[verify.INDEX])
        number = int(path.removeprefix(verify.ENTRIES)[:8])
        index["fields"] = [each for each in index["fields"] if each["index"] != number]
        forged = {**files, verify.PROOFS: verify.canonical_bytes(proofs), verify.INDEX: verify.spelt(index)}
        gone = {path, f"{verify.FIELDS}{number:08d}.json"}
        rest = {name: content for name, content in forged.items() if name not in gone}
        decided = json.loads(files[path])["body"].get("decision", {}).get("input")
        rest.pop(f"{verify.DOCUMENTS}{decided}.json", None)
        kinds[path.rpartition("-")[2]] = judged(with_new_index(rest), key)
    assert {kind for kind, report in kinds.items() if report.verdict == "verified"} == {"viewed.json"}
    assert any("more entries about this release" in what for what, _ in kinds["viewed.json"].not_checked)


@pytest.mark.parametrize(
    "spoil", [lambda value: None, lambda value: [], lambda value: {}, lambda value: -1, lambda value: "x"]
)
def test_a_malformed_index_is_refused_and_never_stumbled_over(files, key, spoil):
    index = json.loads(files[verify.INDEX])
    for name in index.keys() - {"made", "maker", "digest"}:
        for other in ({**index, name: spoil(index[name])}, {key: value for key, value in index.items() if key != name}):
            if other == index:
                continue
            unsigned = {key: value for key, value in other.items() if key != "digest"}
            unsigned["digest"] = digest(verify.canonical_bytes(unsigned))
            report = judged({**files, verify.INDEX: verify.spelt(unsigned)}, key)
            assert report.verdict == "refused", name
            assert "\n".join(report.lines())


def test_the_index_marks_what_is_bound_and_the_verifier_checks_that(files, key):
    index = json.loads(files[verify.INDEX])
    assert {each["path"] for each in index["files"] if each["bound"] == "listed"} == LISTED
    for each in index["files"]:
        if each["path"] == verify.PDF:
            each["bound"] = "log"
    lie = {**files, verify.INDEX: verify.spelt(index)}
    assert f"{verify.PDF} that it is bound otherwise" in " ".join(judged(with_new_index(lie), key).problems)


def test_it_holds_what_is_asked_of_a_pack(files, made):
    index = json.loads(files[verify.INDEX])
    assert {each["path"]: (each["sha256"], each["bytes"]) for each in index["files"]} == {
        path: (digest(content), len(content)) for path, content in files.items() if path != verify.INDEX
    }
    kinds = [path.rpartition("-")[2] for path in sorted(files) if path.startswith(verify.ENTRIES)]
    assert kinds == [
        f"{kind}.json" for kind in ("policy", "intent", "held", "viewed", "approved", "viewed", "approved", "released")
    ]
    assert files[f"asset/{made.asset.id}.png"] == made.asset.content
    assert files[verify.MANIFEST] in made.asset.content
    assert json.loads(files[verify.VERIFICATION])["manifest"]["state"] == "trusted"
    opened = json.loads(files[f"{verify.FIELDS}00000003.json"])
    assert (opened["/prompts/0"]["value"]["text"], opened["/principal/id"]["value"]) == (PROMPT, REQUESTER.id)
    (revision,) = {path.split("/")[1] for path in files if path.startswith(verify.POLICY)}
    assert f"policy/{revision}/data.json" in files
    assert index["missing"] == []
    assert files[verify.PROGRAM] == Path(verify.__file__).read_bytes()
    assert not any(str(made.folder).encode() in content for content in files.values())


def test_our_own_verify_reads_asset_and_receipt_of_a_pack(pack, key, made, tmp_path):
    folder = extracted(pack, tmp_path / "pack")
    root = made.settings.keys_path / "c2pa-roots.pem"
    roots = root if root.exists() else next(made.settings.keys_path.glob("*root*.pem"))
    (file,) = (folder / "asset").glob("*.png")
    made.shell("verify", file, "--root", roots, "--log-key", key).succeeded()


def test_the_same_record_gives_the_same_files(made, files):
    again = read_pack(made.pack(name="again.zip"))
    assert {path for path in files if files[path] != again[path]} == {verify.INDEX, verify.README, verify.PDF}
    with zipfile.ZipFile(made.folder / "again.zip") as opened:
        assert {member.date_time for member in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_pdf_tells_it_to_people(files, made):
    text = pdf_text(files[verify.PDF])
    for words in (
        "Evidence about a released picture", "What this is", "What is proven, and what is not", "What happened, in the order",
        "Decisions of policy", "What automatic checks found", "What people decided", "Marks in the file",
        "Receipt and checkpoints", "Personal data", "Policy bundles that decided", "what nobody checked",
        PROMPT, REQUESTER.id, COMMENT, made.asset.id, made.asset.digest, "work.review", "1 of 2 approvals are given.",
        "similarity: copy (work work-1)", "970000", "python -I -S verify.py --key", *(who.id for who in REVIEWERS),
    ):  # fmt: skip
        assert words in text or words.replace(" ", "") in text.replace(" ", ""), words
