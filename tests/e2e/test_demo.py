"""`governance demo` as a stranger sees it: what it releases holds, and whatever is done to a released file shows."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import encypher_c2pa
import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

from governance.assets import receipt_path
from governance.canonical import commitment, digest
from governance.datasets.membership import verify_proof
from governance.datasets.proof import DatasetProof
from governance.documents.answers import DocumentKind
from governance.entries import EntryKind
from governance.errors import StorageError
from governance.merkle import leaf_hash
from governance.training.entries import Trained
from governance_adapters.commands.demo_review import REVIEWERS
from governance_adapters.documents.validation import validate
from governance_adapters.marking.encoding import ImageEncoder
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.marking.tiled import TiledWatermarker
from governance_adapters.storage.ledger import SqliteLedger
from governance_adapters.storage.quarantine import FileQuarantine
from support.command import Shell
from support.real import require

WEIGHTS = Path("adapters/governance_adapters/reference/weights/model_index.json")
QUESTIONS = ("manifest", "metadata", "watermark", "attribution", "entry", "inclusion proof", "recall")
IMAGES = 5
ENTRIES = {
    "policy": 1,
    "intent": IMAGES + 1,
    "released": IMAGES,
    "denied": 1,
    "work": 1,
    "held": 2,
    "access": 3,
    "viewed": 3,
    "approved": 2,
    "rejected": 1,
    "register": 1,
}
TRAINING = {
    "policy": 3,
    "intent": 1,
    "released": 1,
    "register": 1,
    "dataset": 4,
    "training_denied": 1,
    "training": 1,
    "trained": 1,
    "recalled": 3,
}
"""What the act about training data adds."""

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


@dataclass(frozen=True, slots=True)
class Demo:
    """What one run of the demo left and said, and a shell on its installation."""

    told: dict
    files: list[Path]
    shell: Shell

    @property
    def root(self) -> Path:
        """The C2PA root that a stranger is given."""
        return self.shell.home / "keys" / "c2pa-roots.pem"

    def ledger(self) -> SqliteLedger:
        """Its ledger, for reading."""
        keys = KeyFolder(self.shell.home / "keys")
        return SqliteLedger.open_read_only(self.shell.home / "ledger.sqlite3", keys.log_public())

    def verified(self, content: bytes) -> tuple[int, dict[str, str], dict[str, str]]:
        """What `governance verify` makes of these bytes: exit code, statuses and details by question."""
        file = self.shell.folder / "looked-at"
        file.write_bytes(content)
        ran = self.shell("verify", file, "--json")
        checks = ran.json["checks"]
        assert ran.code == ran.json["exit_code"]
        assert tuple(check["name"] for check in checks) == QUESTIONS
        return ran.code, *({check["name"]: check[what] for check in checks} for what in ("status", "detail"))

    def independently(self, content: bytes) -> str:
        """What the other C2PA engine says: `Trusted`, or something else."""
        try:
            report = encypher_c2pa.verify(content, "image/png", trust_pem=self.root.read_text(), no_default_trust=True)
        except ValueError:
            return "unreadable"
        return report["validation_state"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    present = (Path(__file__).resolve().parents[2] / WEIGHTS).is_file()
    require("weights", present, "the reference model's weights are not here, so the demo did not run")
    folder = tmp_path_factory.mktemp("demo")
    shell = Shell(folder, folder / "out" / "installation")
    told = shell.process("demo", "--folder", "out", "--json").succeeded().json
    return Demo(told, [folder / item["file"] for item in told["released"]], shell)


@pytest.fixture(params=range(IMAGES), ids="image {}".format)
def file(demo, request):
    return demo.files[request.param]


def pixels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def chunks_of(content: bytes) -> dict[bytes, tuple[int, int]]:
    """Where the data of each kind of PNG chunk begins and ends; of several of one kind, the last."""
    found, at = {}, 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        found[content[at + 4 : at + 8]] = (at + 8, at + 8 + length)
        at += 12 + length
    return found


def padding_of(content: bytes) -> int:
    """A byte amid the zeros behind the signature, which C2PA does not cover."""
    zeros = max(re.finditer(rb"\0+", content[slice(*chunks_of(content)[b"caBX"])]), key=lambda run: len(run[0]))
    return chunks_of(content)[b"caBX"][0] + (zeros.start() + zeros.end()) // 2


def flipped(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def test_releases_five_denies_one_and_verifies_everything(demo):
    assert len(demo.told["released"]) == IMAGES
    assert [item["exit_code"] for item in demo.told["released"]] == [0] * IMAGES
    assert {check["status"] for item in demo.told["released"] for check in item["checks"]} == {"holds"}
    assert any(reason.startswith("prompt.blocked_term") for reason in demo.told["denied"])
    assert demo.told["problems"] == []
    kinds = Counter(item["kind"] for item in demo.shell("ledger", "list", "--json").succeeded().json)
    assert kinds == Counter(ENTRIES) + Counter(TRAINING)
    assert kinds.total() == demo.told["entries"]
    demo.shell("ledger", "verify").succeeded()


def test_a_copy_of_a_registered_work_leaves_with_two_approvals_in_its_record(demo):
    reviewed, ledger = demo.told["reviewed"], demo.ledger()
    (released,) = [entry for _, entry in ledger.entries(kind=EntryKind.RELEASED) if "review" in entry.body]
    assert (demo.shell.folder / reviewed["file"]).resolve() == demo.files[-1].resolve()
    assert released.body["asset"]["digest"] == digest(demo.files[-1].read_bytes())
    assert reviewed["findings"]
    named = released.body["review"]["approvals"]
    assert [one["commitment"] for one in reviewed["approvals"]] == [one["reviewer"] for one in named]
    assert {one["reviewer"] for one in reviewed["approvals"]} == set(REVIEWERS)
    for approval, told in zip(named, reviewed["approvals"], strict=True):
        approved = ledger.entry(approval["entry"])
        (name,) = [field for field in ledger.fields(approved.id) if field.name == "/reviewer/id"]
        assert approved.kind is EntryKind.APPROVED
        assert approval["leaf"] == leaf_hash(approved.leaf()).hex()
        assert (name.value, commitment(name.name, name.value, name.salt)) == (told["reviewer"], told["commitment"])


def test_the_other_copy_was_rejected_and_never_decrypts_again(demo):
    assert demo.told["reviewed"]["rejected"] == "rejected"
    ledger = demo.ledger()
    (rejected,) = [entry for _, entry in ledger.entries(kind=EntryKind.REJECTED)]
    hold = rejected.body["hold"]["id"]
    quarantine = FileQuarantine(demo.shell.home / "quarantine", KeyFolder(demo.shell.home / "keys").quarantine())
    assert hold in demo.told["reviewed"]["gone"]
    assert quarantine.holds() == []
    with pytest.raises(StorageError):
        quarantine.open(hold)
    assert not [entry for _, entry in ledger.entries(subject=rejected.subject, kind=EntryKind.RELEASED)]


def test_the_training_data_are_audited_and_a_lora_trained_on_them_through_the_gate(demo):
    told, ledger = demo.told["training"], demo.ledger()
    assert told["dataset"]["records"] == told["dataset"]["outcomes"]["allow"] == 883
    assert told["house"]["records"] == told["house"]["outcomes"]["allow"] == 80
    assert "training.not_approved" in told["refused"][0]
    (run,) = [Trained.of(entry) for _, entry in ledger.entries(kind=EntryKind.TRAINED)]
    assert (run.run, run.lineage, run.result.digest) == (told["run"], "witnessed", told["adapter"])
    (part,) = run.consumed
    assert (part.root, part.contents) == (told["house"]["root"], told["consumed"])
    assert told["in_house_style"] is True


def test_a_picture_leads_back_to_each_licence_and_is_recalled_with_that_of_its_lora(demo):
    told = demo.told["training"]
    picture = demo.shell.folder / told["picture"]
    theirs, house = "CC-BY-4.0", "LicenseRef-house-style"
    assert set(told["licences"]) == {"Apache-2.0", theirs, house, f"{theirs} AND {house}"}
    assert told["run"] in " ".join(told["tree"])
    code, statuses, details = demo.verified(picture.read_bytes())
    assert (code, statuses.pop("recall"), set(statuses.values())) == (1, "fails", {"holds"})
    assert details["recall"] == told["recalled"]
    assert (picture.parent / "lineage.svg").read_text().startswith("<svg")


def test_the_model_alone_leads_back_to_its_own_training_set_and_is_not_recalled(demo):
    tree = demo.shell("lineage", demo.files[0]).succeeded().out
    assert "is stated to come from dataset reference-digits [stated]" in tree
    assert "883 allowed records under licence CC-BY-4.0 [audited]" in tree
    assert "house-style" not in tree
    recall = ("recall", "--reason", "A trial.", "--dry-run", "--licence")
    assert demo.shell(*recall, "CC-BY-4.0", "--json").succeeded().json["descendants"]["assets"] == IMAGES + 1
    assert demo.shell(*recall, "LicenseRef-house-style", "--json").succeeded().json["descendants"]["assets"] == 1


def test_a_digit_is_proved_in_and_a_photograph_out(demo):
    told, folder = demo.told["training"], demo.shell.folder / "out"
    key = KeyFolder(demo.shell.home / "keys").log_public()
    proofs = [DatasetProof.from_json((folder / f"{each['file']}.proof.json").read_text()) for each in told["proofs"]]
    digit, photograph = (verify_proof(each, key) for each in proofs)
    assert (digit.present, photograph.present) == (True, False)
    assert {each.root.hex() for each in proofs} == {told["dataset"]["root"]}
    assert "if it is sorted" in photograph.statement


def test_documents_are_filed_of_model_lora_and_data(demo):
    folder = demo.shell.folder / "out"
    told = {each["file"]: each["gaps"] for each in demo.told["training"]["documents"]}
    models = ("model-card.md", "eu-summary.pdf", "ab2013.md", "cyclonedx.json", "spdx.json")
    data = ("croissant.json", "spdx.json")
    subjects = {
        "reference-model": models,
        "house-style": models,
        "reference-digits": data,
        "house-style-pictures": data,
    }
    assert set(told) == {f"documents/{subject}/{file}" for subject, files in subjects.items() for file in files}
    assert min(told.values()) > 0, "nobody stated everything"
    card = (folder / "documents/reference-model/model-card.md").read_text()
    assert "reference-digits" in card
    assert demo.told["training"]["dataset"]["root"] in card
    assert (folder / "documents/reference-model/eu-summary.pdf").read_bytes().startswith(b"%PDF-")
    for name in (each for each in told if each.endswith(".json")):
        validate(DocumentKind(Path(name).stem), json.loads((folder / name).read_text()))


def test_says_the_same_to_people(demo, tmp_path):
    ran = Shell(tmp_path, tmp_path / "nowhere").process("demo", "--folder", "out", "--no-training").succeeded()
    lines = ran.out.splitlines()
    assert sum(line.startswith("released ") for line in lines) == IMAGES
    assert sum(line.startswith("denied ") for line in lines) == 1
    assert [line.split()[0] for line in lines if "  holds  " in line].count("watermark") == IMAGES
    assert f"ledger {sum(ENTRIES.values())} entries, verified" in lines
    assert sum(line.strip().startswith(REVIEWERS) for line in lines) == len(REVIEWERS)
    assert not (tmp_path / "nowhere").exists()


def test_each_file_holds_by_command_and_by_another_engine(demo, file):
    content = file.read_bytes()
    code, statuses, _ = demo.verified(content)
    assert (code, set(statuses.values())) == (0, {"holds"})
    assert demo.independently(content) == "Trusted"


def test_each_receipt_verifies_in_an_empty_folder(demo, file, tmp_path):
    for source in (file, receipt_path(file), demo.root):
        shutil.copy(source, tmp_path)
    key = demo.shell("keys", "show", "--json").succeeded().json["log_key"]
    stranger = Shell(tmp_path, tmp_path / "nowhere")
    ran = stranger("verify", file.name, "--root", demo.root.name, "--log-key", key, "--json").succeeded()
    assert [check["status"] for check in ran.json["checks"]] == [
        "holds",
        "holds",
        "not checked",
        "not checked",
        "holds",
        "holds",
        "not checked",
    ]
    assert not (tmp_path / "nowhere").exists()


def test_one_changed_byte_anywhere_shows(demo, file):
    content = file.read_bytes()
    chunks = chunks_of(content)
    (manifest, _), (pixels, end) = chunks[b"caBX"], chunks[b"IDAT"]
    covered = {
        "width": 8 + 8 + 3,
        "our assertion": content.index(b"org.diffusion-governance.provenance", manifest) + 60,
        "first pixels": pixels + 40,
        "middle pixels": (pixels + end) // 2,
        "last pixels": end - 8,
    }
    uncovered = {"padding": padding_of(content), "chunk's checksum": chunks[b"caBX"][1], "last byte": len(content) - 1}
    for place, position in (covered | uncovered).items():
        changed = flipped(content, position)
        code, statuses, _ = demo.verified(changed)
        assert (code, statuses["entry"]) == (1, "fails"), place
        if place in covered:
            assert statuses["manifest"] == "fails", place
            assert demo.independently(changed) != "Trusted", place
    code, statuses, _ = demo.verified(content + b"\0")
    assert (code, statuses["entry"]) == (1, "fails")


def test_what_c2pa_does_not_cover_the_ledger_does(demo, file):
    """A byte of the padding changed and the PNG chunk's checksum mended: both C2PA engines still trust it."""
    content = flipped(file.read_bytes(), padding_of(file.read_bytes()))
    begin, end = chunks_of(content)[b"caBX"]
    checksum = struct.pack(">I", zlib.crc32(content[begin - 4 : end]))
    changed = content[:end] + checksum + content[end + 4 :]
    code, statuses, details = demo.verified(changed)
    assert (statuses["manifest"], demo.independently(changed)) == ("holds", "Trusted")
    assert (code, statuses["entry"]) == (1, "fails")
    assert "as other bytes than these" in details["entry"]


def test_saved_again_as_jpeg_the_mark_leads_back(demo, file):
    saved = io.BytesIO()
    Image.fromarray(pixels_of(file.read_bytes())).save(saved, "JPEG")
    code, statuses, details = demo.verified(saved.getvalue())
    assert code == 1
    assert statuses == {
        "manifest": "fails",
        "metadata": "fails",
        "watermark": "holds",
        "attribution": "holds",
        "entry": "fails",
        "inclusion proof": "holds",
        "recall": "holds",
    }
    assert "there is none" in details["manifest"]
    assert details["attribution"].startswith("attributed to asset ")


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_the_mark_on_a_foreign_picture_is_no_attribution(demo, file, name):
    """Copied as well as can be: the same payload embedded with the installation's own key."""
    key = KeyFolder(demo.shell.home / "keys").mark()
    marker = TiledWatermarker(key)
    ours = pixels_of(file.read_bytes())
    payload = next(one for one in marker.extract(ours) if key.id_of(one, 64, marker.algorithm) is not None)
    photograph = getattr(photographs, name)()
    foreign = cv2.resize(photograph, ours.shape[1::-1], interpolation=cv2.INTER_AREA)
    copied = marker.embed(foreign, payload, max(marker.strengths))
    code, statuses, details = demo.verified(ImageEncoder().encode(copied, "image/png"))
    assert (code, statuses["watermark"], statuses["attribution"]) == (1, "holds", "fails")
    assert details["attribution"].startswith("mark present, picture differs")
    assert (statuses["manifest"], statuses["entry"]) == ("fails", "fails")


def test_a_copier_without_the_key_gets_no_attribution_either(demo, file):
    """The fine detail of a released picture, mark and all, laid over a photograph."""
    ours = pixels_of(file.read_bytes()).astype(np.float32)
    detail = ours - cv2.GaussianBlur(ours, (0, 0), 2)
    foreign = cv2.resize(photographs.chelsea(), ours.shape[1::-1], interpolation=cv2.INTER_AREA)
    laid = np.clip(foreign + detail, 0, 255).astype(np.uint8)
    code, statuses, details = demo.verified(ImageEncoder().encode(laid, "image/png"))
    assert (code, statuses["attribution"]) == (1, "fails")
    assert "attributed" not in details["attribution"]


def test_a_picture_that_is_not_ours_is_said_to_be_nothing(demo):
    foreign = cv2.resize(photographs.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    code, statuses, details = demo.verified(ImageEncoder().encode(foreign, "image/png"))
    assert (code, statuses["manifest"], statuses["watermark"]) == (1, "fails", "fails")
    assert "That alone proves nothing" in details["manifest"]
    assert "That alone proves nothing" in details["watermark"]
    assert not [word for word in ("human", "not AI", "authentic") if word in " ".join(details.values())]
