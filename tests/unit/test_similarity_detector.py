"""What the similarity detector says of a picture, over registers in memory and an embedding that needs no weights."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from governance.canonical import digest
from governance.errors import DetectorError, WorkError
from governance.testing.works import KEEPER, FakeWorkRegister
from governance.types import Finding
from governance.works import EMBEDDING_SIGNAL, PDQ_SIGNAL, WorkAction
from governance_adapters.detectors.similarity.detector import SimilarityDetector
from governance_adapters.detectors.similarity.prints import SimilarityPrinter
from support.similarity import ColourEmbedder, add_work, drawing, picture, registered

PRINTER = SimilarityPrinter(ColourEmbedder())
NOTHING = Finding("similarity", SimilarityDetector(FakeWorkRegister(), ColourEmbedder()).digest, "copy", 0.0)


def labelled(findings, label):
    return [one for one in findings if one.label == label]


def detector(register, folder=None):
    return SimilarityDetector(register, ColourEmbedder(), folder=folder)


def test_with_an_empty_register_there_is_one_finding_of_nothing():
    embedder = ColourEmbedder()
    assert SimilarityDetector(FakeWorkRegister(), embedder).detect([drawing((9, 9, 9), (0, 0, 0))]) == [(NOTHING,)]
    assert embedder.seen == 0


def test_a_copy_names_its_work_its_action_and_its_distance():
    register, (work, other) = registered(picture(1), picture(2), action=WorkAction.DENY)
    (findings,) = detector(register).detect([picture(1)])
    assert findings[0] == replace(
        NOTHING, score=1.0, work=work, action="deny", evidence={"hamming": 0, "variant": "as_is", "quality": 100}
    )
    nearest, further = labelled(findings, "derivative")
    assert (nearest.work, further.work) == (work, other)
    assert nearest.score > 0.99 > further.score
    assert nearest.evidence == {"cosine_millionths": round(nearest.score * 1_000_000), "variant": "as_is"}
    assert {one.label for one in findings} == {"copy", "derivative"}


@pytest.mark.parametrize(
    ("change", "variant"),
    [
        (np.fliplr, "mirror"),
        (np.flipud, "upside_down"),
        (np.rot90, "turn_90"),
        (lambda one: one[12:108, 16:144], "centre_80"),
        (lambda one: one[:60, :80], "top_left_50"),
        (lambda one: np.pad(one, ((9, 9), (9, 9), (0, 0)), constant_values=30), "as_is (trimmed)"),
    ],
)
def test_a_changed_copy_says_how_it_was_changed(change, variant):
    register, (work,) = registered(picture(1))
    (found,) = labelled(detector(register).detect([change(picture(1))])[0], "copy")
    assert (found.work, found.evidence["variant"]) == (work, variant)
    assert found.score == 1 - found.evidence["hamming"] / 256 >= 225 / 256


def test_another_picture_is_no_copy_and_that_is_said():
    register, _ = registered(*(picture(number) for number in range(5)))
    (findings,) = detector(register).detect([picture(99)])
    assert labelled(findings, "copy") == [NOTHING]
    assert len(labelled(findings, "derivative")) == 3


def test_at_most_three_works_are_named_under_a_label():
    slightly = [np.clip(picture(1).astype(int) + step, 0, 255).astype(np.uint8) for step in range(5)]
    register, works = registered(*slightly)
    (findings,) = detector(register).detect([slightly[0]])
    copies = labelled(findings, "copy")
    assert len(copies) == len(labelled(findings, "derivative")) == 3
    assert len({one.work for one in copies}) == 3
    assert {one.work for one in copies} <= set(works)


def test_the_best_image_of_a_work_counts():
    register = FakeWorkRegister()
    work = add_work(register, PRINTER, picture(1), picture(2))
    (findings,) = detector(register).detect([picture(2)])
    assert [one.work for one in labelled(findings, "copy")] == [work]
    assert len(labelled(findings, "derivative")) == 1


def test_a_flat_drawing_is_found_unsurely_and_its_hash_is_called_poor():
    register, (work,) = registered(drawing((200, 30, 40), (30, 60, 190)))
    (findings,) = detector(register).detect([drawing((200, 30, 40), (30, 60, 190))])
    assert labelled(findings, "copy") == []
    (unsure,) = labelled(findings, "copy_unsure")
    assert (unsure.work, unsure.score) == (work, 1.0)
    (poor,) = labelled(findings, "low_quality_hash")
    assert poor.work == poor.action == ""
    assert poor.evidence == {"quality": unsure.evidence["quality"]}
    assert poor.score == 1 - unsure.evidence["quality"] / 100 > 0.5


def test_the_same_drawing_in_other_colours_is_no_copy():
    # PDQ sees brightness only: these two have the same hash, or nearly.
    register, _ = registered(drawing((200, 30, 40), (30, 60, 190)))
    (findings,) = detector(register).detect([drawing((90, 90, 10), (10, 100, 20))])
    assert labelled(findings, "copy_unsure") == []
    assert labelled(findings, "copy") == [NOTHING]


def test_a_cosine_below_zero_is_no_risk():
    register, _ = registered(np.full((64, 64, 3), 255, np.uint8))
    (findings,) = detector(register).detect([np.zeros((64, 64, 3), np.uint8)])
    (found,) = labelled(findings, "derivative")
    assert found.score == 0.0
    assert found.evidence["cosine_millionths"] < -990_000


def test_what_others_add_change_and_remove_counts_from_the_next_picture_on():
    register, (first,) = registered(picture(1))
    watching = detector(register)
    assert labelled(watching.detect([picture(2)])[0], "copy") == [NOTHING]
    second = add_work(register, PRINTER, picture(2))
    assert labelled(watching.detect([picture(2)])[0], "copy")[0].work == second
    register.change(replace(register.show(second), action=WorkAction.ALLOW), KEEPER)
    assert labelled(watching.detect([picture(2)])[0], "copy")[0].action == "allow"
    register.remove(second, KEEPER)
    assert labelled(watching.detect([picture(2)])[0], "copy") == [NOTHING]
    assert labelled(watching.detect([picture(1)])[0], "copy")[0].work == first


def test_works_that_could_not_be_found_stop_the_check():
    register, _ = registered(picture(1))
    with pytest.raises(DetectorError, match="governance works reindex"):
        SimilarityDetector(register, ColourEmbedder(model=digest(b"another model")))


@pytest.mark.parametrize("method", ["revision", "prints", "unprinted"])
def test_a_register_that_cannot_be_read_stops_the_check(method):
    register, _ = registered(picture(1))
    watching = detector(register)
    add_work(register, PRINTER, picture(2))
    register.errors[method] = WorkError("The disk is gone.", remedy="Mount it.")
    with pytest.raises(DetectorError, match="The disk is gone"):
        watching.detect([picture(1)])
    register.errors.clear()
    assert len(labelled(watching.detect([picture(2)])[0], "copy")) == 1


@pytest.mark.parametrize(
    ("signal", "value"),
    [(PDQ_SIGNAL, b"\0" * 31), ("embedding", b"\0" * 96), ("embedding", b"\xff" * 96), ("embedding", b"\0" * 12)],
)
def test_damaged_prints_stop_the_check(signal, value):
    register, (work,) = registered(picture(1))
    image = register.show(work).images[0]
    prints = PRINTER.prints(picture(1))
    kept = [one for one in prints if not one.signal.startswith(signal)]
    broken = next(one for one in prints if one.signal.startswith(signal))
    register.reprint({image: [*kept, replace(broken, value=value)]})
    with pytest.raises(DetectorError):
        detector(register)


def test_threads_may_share_it_while_the_register_changes():
    register, (work,) = registered(picture(1))
    watching = detector(register)
    found: list[str] = []

    def look():
        found.extend(labelled(watching.detect([picture(1)])[0], "copy")[0].work for _ in range(5))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    add_work(register, PRINTER, picture(2))
    for thread in threads:
        thread.join()
    assert found == [work] * 20


def test_the_printer_prints_both_signals():
    prints = PRINTER.prints(picture(1))
    assert {one.signal for one in prints} == set(PRINTER.signals)
    assert PRINTER.signals == (PDQ_SIGNAL, EMBEDDING_SIGNAL + ColourEmbedder().model)
    hashes, embeddings = ([one for one in prints if one.signal == signal] for signal in PRINTER.signals)
    assert (len(hashes), len(embeddings)) == (38, 6)
    assert {len(one.value) for one in hashes} == {32}
    assert {len(one.value) for one in embeddings} == {96}


def test_only_pictures_are_printed():
    with pytest.raises(DetectorError, match="uint8"):
        PRINTER.prints(np.zeros((64, 64), np.float32))
    with pytest.raises(DetectorError, match="too small"):
        PRINTER.prints(np.zeros((8, 64, 3), np.uint8))


class TestFilesBetweenStarts:
    """Indexes are kept on disk; a file that is damaged or of another state is never believed."""

    def test_the_next_start_reads_no_print(self, tmp_path):
        register, (work,) = registered(picture(1))
        detector(register, tmp_path)
        register.errors["prints"] = WorkError("Prints were read.", remedy="Use the file.")
        again = detector(register, tmp_path)
        del register.errors["prints"]
        assert again.detect([picture(1)]) == detector(register).detect([picture(1)])
        assert labelled(again.detect([picture(1)])[0], "copy")[0].work == work

    def test_files_of_an_older_state_are_not_used(self, tmp_path, caplog):
        register, _ = registered(picture(1))
        detector(register, tmp_path)
        second = add_work(register, PRINTER, picture(2))
        assert labelled(detector(register, tmp_path).detect([picture(2)])[0], "copy")[0].work == second
        assert not caplog.records

    @pytest.mark.parametrize("name", ["hashes.checked", "vectors.checked"])
    @pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty", "noise", "head"])
    def test_a_damaged_file_is_made_again_with_one_warning(self, tmp_path, caplog, name, damage):
        register, _ = registered(picture(1), picture(2))
        before = detector(register, tmp_path).detect([picture(1)])
        whole = (tmp_path / name).read_bytes()
        middle = len(whole) // 2
        damaged = {
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut": whole[:-1],
            "longer": whole + b"\0",
            "empty": b"",
            "noise": bytes(range(256)) * 16,
            "head": b"0" + whole[1:] if whole[:1] != b"0" else b"1" + whole[1:],
        }
        (tmp_path / name).write_bytes(damaged[damage])
        with caplog.at_level(logging.WARNING):
            assert detector(register, tmp_path).detect([picture(1)]) == before
        assert [name in record.getMessage() for record in caplog.records] == [True]
        assert (tmp_path / name).read_bytes() == whole

    def test_a_folder_that_cannot_be_written_costs_only_time(self, tmp_path, caplog):
        blocked = tmp_path / "file"
        blocked.write_text("not a folder")
        register, (work,) = registered(picture(1))
        with caplog.at_level(logging.WARNING):
            watching = detector(register, blocked / "index")
        assert labelled(watching.detect([picture(1)])[0], "copy")[0].work == work
        assert caplog.records
