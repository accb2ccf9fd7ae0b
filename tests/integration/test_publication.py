"""Publishing checkpoints: to files, to a webhook, with a time stamp; and what is left when one of them fails."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from governance.checkpoint import LogSigner, verify_checkpoint
from governance.cosignature import Cosigner
from governance.errors import ConfigurationError, ProofError, PublicationError
from governance.merkle import leaf_hash
from governance.testing.certificates import FakeAuthority
from governance_adapters.commands import publication
from governance_adapters.publishing.certificate_order import certificates_in_order
from governance_adapters.publishing.files import Published, PublishedFile, published_at
from governance_adapters.publishing.time_stamps import TimeStampAuthority, check_time_stamp
from support.bad_server import answer, bad_server, says
from support.outside import operator_at
from support.real import require
from support.time_stamps import serving, time_stamp_authority

STAMPS, OTHERS = FakeAuthority("Time-stamp root"), FakeAuthority("Another root")
ROOTS, OTHER_ROOTS = (tuple(x509.load_pem_x509_certificates(each.root)) for each in (STAMPS, OTHERS))
NOTE = LogSigner.generate("log.example.org/test").sign_checkpoint(7, leaf_hash(b"root"))
TAKEN = says(answer(b""))


@pytest.fixture
def operator(settings, tmp_path):
    made = operator_at(settings, tmp_path / "operator")
    made.append(2)  # the third is the registration of what ships
    return made


@pytest.fixture
def authority(tmp_path):
    folder = tmp_path / "authority"
    folder.mkdir()
    with time_stamp_authority(folder, STAMPS) as url:
        yield url


@pytest.fixture
def trusting(operator):
    """The installation trusts the time-stamp authority."""
    roots = operator.settings.keys_path / "tsa-roots.pem"
    roots.write_bytes(STAMPS.root)
    roots.chmod(0o600)
    return operator


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestCommand:
    def test_the_newest_checkpoint_is_printed(self, operator):
        printed = operator.shell("ledger", "checkpoint").succeeded().out
        assert verify_checkpoint(printed, operator.key).size == 3
        said = operator.shell("ledger", "checkpoint", "--json").succeeded().json
        assert (said["checkpoint"], said["entries"], said["published"]) == (printed, 3, [])

    def test_everywhere_at_once_and_other_programs_read_it(self, trusting, authority):
        shell, folder = trusting.shell, trusting.shell.folder
        with bad_server(TAKEN) as hook:
            places = (
                "--publish",
                "newest",
                "--publish",
                "all.jsonl",
                "--publish",
                hook.url + "/hook",
                "--tsa",
                authority,
            )
            note = shell("ledger", "checkpoint", *places).succeeded().out
            assert hook.requests[0].partition(b"\r\n\r\n")[2].decode() == note
        assert (folder / "newest").read_text() == note
        (line,) = lines(folder / "all.jsonl")
        assert line["checkpoint"] == note
        assert check_time_stamp(base64.b64decode(line["timestamp"]), note.encode(), ROOTS) <= datetime.now(UTC)
        openssl = shutil.which("openssl")
        require("openssl", openssl, "time stamps were not checked by another program")
        (folder / "root.pem").write_bytes(STAMPS.root)
        words = [openssl, "ts", "-verify", "-data", "newest", "-in", "newest.tsr", "-CAfile", "root.pem"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout + done.stderr
        said = shell("ledger", "verify", "--since", "newest").succeeded().out
        assert "extends 1 checkpoints, of 3 to 3 entries" in said
        assert said.count("time stamp of") == 1
        found = shell("ledger", "verify", "--since", "all.jsonl", "--json").succeeded().json["since"]
        assert (found["checkpoints"], len(found["time_stamps"]), found["unchecked_time_stamps"]) == (1, 1, 0)

    def test_a_file_of_lines_grows_and_another_holds_the_newest(self, operator):
        shell, folder = operator.shell, operator.shell.folder
        for more, size in ((0, 3), (2, 5), (0, 5), (2, 7)):
            operator.append(more)
            shell("ledger", "checkpoint", "--publish", "newest", "--publish", "all.jsonl").succeeded()
            assert verify_checkpoint((folder / "newest").read_text(), operator.key).size == size
        sizes = [verify_checkpoint(line["checkpoint"], operator.key).size for line in lines(folder / "all.jsonl")]
        assert sizes == [3, 5, 7]
        shell("ledger", "verify", "--since", "all.jsonl").succeeded()

    def test_a_webhook_that_fails_is_named_and_the_rest_is_published(self, operator):
        folder = operator.shell.folder
        with bad_server(says(answer(b"", status="500 Oops"))) as hook:
            places = ("--publish", hook.url, "--publish", "newest", "--publish", "all.jsonl")
            said = operator.shell("ledger", "checkpoint", *places).failed(1, "not published", hook.url, "answered 500")
        assert "newest: published" in said.err
        assert (folder / "newest").read_text() == lines(folder / "all.jsonl")[0]["checkpoint"] == said.out
        failed = operator.shell("ledger", "checkpoint", "--publish", hook.url, "--json")
        assert (failed.code, failed.json["error"]) == (1, "PublicationError")

    def test_nothing_is_sent_anywhere_if_a_place_cannot_be_one(self, operator):
        with bad_server(TAKEN) as hook:
            for bad, words in (
                (("--publish", "http://hooks.example.org/"), "not encrypted"),
                (("--publish", "."), "no file"),
                (("--publish", "missing/file"), "no file"),
                (("--tsa", "http://127.0.0.1:1/", "--publish", "newest"), "no root"),
                (("--token-file", "missing"), "cannot be read"),
            ):
                operator.shell("ledger", "checkpoint", "--publish", hook.url, *bad).failed(1, words)
            assert hook.requests == []
        operator.shell("ledger", "checkpoint", "--token-file", "x", "--publish", "f").failed(1, "no webhook")

    def test_a_time_stamp_needs_a_file(self, trusting, authority):
        trusting.shell("ledger", "checkpoint", "--tsa", authority).failed(1, "needs a file")

    def test_an_authority_that_fails_is_named_and_asked_again(self, trusting, authority):
        shell, folder = trusting.shell, trusting.shell.folder
        places = ("--publish", "newest", "--publish", "all.jsonl")
        with serving(lambda _: (500, b"")) as broken:
            said = shell("ledger", "checkpoint", *places, "--tsa", broken).failed(1, "no time stamp", "answered 500")
        assert "published without a time stamp" in said.err
        assert (folder / "newest").read_text() == said.out
        assert not (folder / "newest.tsr").exists()
        shell("ledger", "checkpoint", *places, "--tsa", authority).succeeded()
        assert check_time_stamp((folder / "newest.tsr").read_bytes(), said.out.encode(), ROOTS)
        assert ["timestamp" in line for line in lines(folder / "all.jsonl")] == [False, True]
        before = (folder / "newest.tsr").read_bytes()
        assert (
            shell("ledger", "checkpoint", *places, "--tsa", authority).succeeded().err.count("was there already") == 2
        )
        assert (folder / "newest.tsr").read_bytes() == before

    def test_a_time_stamp_of_another_checkpoint_is_found_and_replaced(self, trusting, authority):
        shell, folder = trusting.shell, trusting.shell.folder
        places = ("--publish", "newest", "--tsa", authority)
        shell("ledger", "checkpoint", *places).succeeded()
        (folder / "newest.tsr").write_bytes(TimeStampAuthority(authority, ROOTS).stamp(b"something else"))
        shell("ledger", "verify", "--since", "newest").failed(1, "time stamp does not hold")
        shell("ledger", "checkpoint", *places).succeeded()
        shell("ledger", "verify", "--since", "newest").succeeded()
        trusting.append(1)
        # The next checkpoint without a stamp of its own does not keep that of the one before.
        shell("ledger", "checkpoint", "--publish", "newest").succeeded()
        assert not (folder / "newest.tsr").exists()

    def test_the_roots_may_be_set(self, operator, authority, tmp_path):
        places = ("ledger", "checkpoint", "--publish", "newest", "--tsa", authority)
        (tmp_path / "roots.pem").write_bytes(STAMPS.root)
        (tmp_path / "others.pem").write_bytes(OTHERS.root)
        (tmp_path / "garbled.pem").write_bytes(b"x")
        for name, words in (
            ("others.pem", "does not verify"),
            ("garbled.pem", "cannot be used"),
            ("none.pem", "cannot be"),
        ):
            replace(operator.shell, variables={"GOVERNANCE_TSA_ROOT": str(tmp_path / name)})(*places).failed(1, words)
        shell = replace(operator.shell, variables={"GOVERNANCE_TSA_ROOT": str(tmp_path / "roots.pem")})
        shell(*places).succeeded()
        assert "time stamp of" in shell("ledger", "verify", "--since", "newest").succeeded().out

    def test_time_stamps_that_nobody_can_judge_are_said_to_be_unchecked(self, trusting, authority):
        shell = trusting.shell
        shell("ledger", "checkpoint", "--publish", "newest", "--tsa", authority).succeeded()
        (trusting.settings.keys_path / "tsa-roots.pem").unlink()
        assert "1 time stamps not checked" in shell("ledger", "verify", "--since", "newest").succeeded().out

    def test_cosignatures_in_a_published_file_stay(self, operator):
        shell, file = operator.shell, operator.shell.folder / "newest"
        note = shell("ledger", "checkpoint", "--publish", "newest").succeeded().out
        cosigned = Cosigner.generate("witness.example.org/1").cosign(note, 1_800_000_000)
        file.write_text(cosigned)
        assert "was there already" in shell("ledger", "checkpoint", "--publish", "newest").succeeded().err
        assert file.read_text() == cosigned

    def test_who_waited_while_another_published_a_later_one_leaves_it(self, operator):
        file = operator.shell.folder / "newest"
        with operator.ledger() as ledger:
            earlier = publication.Newest(ledger, operator.key, ledger.checkpoint(), None, ())
            operator.append(1)
            later = operator.shell("ledger", "checkpoint", "--publish", file).succeeded().out
            ((_, place),) = publication._places([str(file)], None, stamped=False)
            assert place(earlier) == "a later one was there already"
        assert file.read_text() == later

    def test_what_was_altered_after_it_was_published_is_refused(self, operator):
        shell, file = operator.shell, operator.shell.folder / "newest"
        note = shell("ledger", "checkpoint", "--publish", "newest").succeeded().out
        for altered in (note.replace("\n3\n", "\n2\n"), "", "no note\n", note[:-3] + "A=\n"):
            file.write_text(altered)
            shell("ledger", "verify", "--since", "newest").failed(1)
            shell("ledger", "checkpoint", "--publish", "newest").failed(1)
            assert file.read_text() == altered
        shell("ledger", "verify", "--since", "missing").failed(1, "no file")
        (operator.shell.folder / "empty.jsonl").touch()
        shell("ledger", "verify", "--since", "empty.jsonl").failed(1, "holds no checkpoint")
        shell("ledger", "verify", "--witness", "x").failed(1, "--since")

    def test_a_line_that_was_cut_off_is_named_and_nothing_goes_behind_it(self, operator):
        shell, file = operator.shell, operator.shell.folder / "all.jsonl"
        shell("ledger", "checkpoint", "--publish", file).succeeded()
        file.write_bytes(file.read_bytes()[:-5])
        operator.append(1)
        for command in (("checkpoint", "--publish"), ("verify", "--since")):
            before = file.read_bytes()
            shell("ledger", *command, file).failed(1, "cut off")
            assert file.read_bytes() == before


class TestFile:
    @hypothesis_settings(deadline=None)
    @given(st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(min_size=1, max_size=20)), max_size=4))
    def test_what_is_published_in_lines_is_read_again(self, tmp_path_factory, items):
        file = PublishedFile(tmp_path_factory.mktemp("published") / "all.jsonl")
        items = [Published(note, stamp) for note, stamp in items]
        for item in items:
            file.add(item)
        assert list(file.read()) == items

    @pytest.mark.parametrize(
        "line",
        ["", "x", "[]", "null", "{}", '{"checkpoint": 1}', '{"checkpoint": "a", "timestamp": "*"}', "[" * 99_999],
    )
    def test_lines_that_are_none(self, tmp_path, line):
        (tmp_path / "all.jsonl").write_text(f"{line}\n")
        with pytest.raises(PublicationError, match="line 1 is no checkpoint"):
            PublishedFile(tmp_path / "all.jsonl").read()

    def test_what_is_no_text(self, tmp_path):
        (tmp_path / "newest").write_bytes(b"\xff")
        with pytest.raises(PublicationError, match="no text"):
            PublishedFile(tmp_path / "newest").read()

    @pytest.mark.parametrize("name", ["newest", "all.jsonl"])
    def test_a_disk_that_refuses_leaves_what_was_there(self, tmp_path, name):
        file = published_at(tmp_path / name)
        file.add(Published(NOTE))
        folder = tmp_path / "gone"
        tmp_path.joinpath(name).rename(tmp_path / "kept")
        (tmp_path / name).mkdir()  # nothing can be written to this name
        with pytest.raises(PublicationError):
            file.add(Published(NOTE))
        assert not folder.exists()
        assert NOTE.splitlines()[0] in (tmp_path / "kept").read_text()

    def test_a_full_disk_leaves_no_half_line(self, tmp_path):
        (tmp_path / "all.jsonl").symlink_to("/dev/full")
        with pytest.raises(PublicationError, match="No space left"):
            PublishedFile(tmp_path / "all.jsonl").add(Published(NOTE))

    def test_a_folder_that_takes_no_lock(self, tmp_path):
        with pytest.raises(PublicationError), PublishedFile(tmp_path / "missing" / "newest").locked():
            pass

    def test_a_time_stamp_that_is_too_large(self, tmp_path):
        (tmp_path / "newest").write_text(NOTE)
        (tmp_path / "newest.tsr").write_bytes(bytes(300_000))
        with pytest.raises(PublicationError, match="more than"):
            PublishedFile(tmp_path / "newest").read()

    def test_publishers_wait_for_each_other(self, tmp_path):
        file, order = published_at(tmp_path / "newest"), []
        entered = threading.Event()

        def second():
            entered.wait(10)
            with file.locked():
                order.append("second")

        thread = threading.Thread(target=second)
        thread.start()
        with file.locked():
            entered.set()
            thread.join(0.2)
            order.append("first")
        thread.join(10)
        assert order == ["first", "second"]


class TestTimeStamps:
    def test_it_is_for_this_content_and_under_this_root(self, authority):
        stamp = TimeStampAuthority(authority, ROOTS).stamp(NOTE.encode())
        assert check_time_stamp(stamp, NOTE.encode(), (*OTHER_ROOTS, *ROOTS)) <= datetime.now(UTC)
        for content, roots in ((b"another", ROOTS), (NOTE.encode(), OTHER_ROOTS)):
            with pytest.raises(ProofError):
                check_time_stamp(stamp, content, roots)
        with pytest.raises(ConfigurationError, match="no root"):
            check_time_stamp(stamp, NOTE.encode(), ())

    def test_no_altered_byte_gives_another_time(self, authority):
        stamp = TimeStampAuthority(authority, ROOTS).stamp(NOTE.encode())
        when, refused = check_time_stamp(stamp, NOTE.encode(), ROOTS), 0
        for at in range(len(stamp)):
            altered = stamp[:at] + bytes([stamp[at] ^ 1]) + stamp[at + 1 :]
            try:
                # What is not signed may change: the status text, and certificates that nothing stands on.
                assert check_time_stamp(altered, NOTE.encode(), ROOTS) == when
            except ProofError:
                refused += 1
        assert refused > len(stamp) // 2
        for cut in (b"", stamp[:-1], stamp[: len(stamp) // 2], stamp + b"\0", b"\0" * 300_000, b"0\x03\x02\x01\x02"):
            with pytest.raises(ProofError):
                check_time_stamp(cut, NOTE.encode(), ROOTS)

    def test_an_authority_under_another_root_stamps_nothing(self, authority):
        with pytest.raises(PublicationError, match="does not verify"):
            TimeStampAuthority(authority, OTHER_ROOTS).stamp(NOTE.encode())

    def test_an_old_answer_is_none_to_a_new_question(self, authority):
        """The nonce: whoever answers for the authority cannot date a checkpoint back."""
        old = TimeStampAuthority(authority, ROOTS).stamp(NOTE.encode())
        replay = says(answer(old, kind="application/timestamp-reply"))
        with bad_server(replay) as server, pytest.raises(PublicationError, match="Nonce"):
            TimeStampAuthority(server.url, ROOTS).stamp(NOTE.encode())

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (answer(b"x", kind="text/html"), "text/html"), (answer(b"", kind="application/timestamp-reply"), "verify"),
            (answer(b"0" * 300_000, kind="application/timestamp-reply"), "more than"),
        ],
    )  # fmt: skip
    def test_answers_that_are_none(self, content, words):
        with bad_server(says(content)) as server, pytest.raises(PublicationError, match=words):
            TimeStampAuthority(server.url, ROOTS).stamp(NOTE.encode())

    def test_a_refusal_is_none(self, tmp_path):
        with time_stamp_authority(tmp_path, STAMPS) as url:
            (tmp_path / "tsa.cnf").write_text(
                (tmp_path / "tsa.cnf").read_text().replace("digests = sha256, ", "digests = ")
            )
            with pytest.raises(PublicationError):
                TimeStampAuthority(url, ROOTS).stamp(NOTE.encode())

    @given(st.binary(max_size=200))
    def test_sorting_certificates_changes_nothing_else_and_stumbles_over_nothing(self, content):
        assert sorted(certificates_in_order(content)) == sorted(content)
