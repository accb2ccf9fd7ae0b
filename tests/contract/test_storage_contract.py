"""Each vault and each quarantine keeps its contract."""

from __future__ import annotations

import uuid

import fsspec
import pytest

from governance.errors import ConfigurationError, ProofError, StorageError
from governance.testing.erasure_log import ErasureLogContract, FakeErasureLog, example_receipts
from governance.testing.storage import FakeQuarantine, FakeVault, QuarantineContract, VaultContract
from governance_adapters.storage.erasure_log import FileErasureLog
from governance_adapters.storage.quarantine import FileQuarantine
from governance_adapters.storage.vault import FsspecVault


class TestLocalVaultKeepsTheContract(VaultContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path / "vault"

    def new_vault(self):
        return FsspecVault(self.folder)

    def damage(self, vault, content_digest):
        (self.folder / "assets" / content_digest).write_bytes(b"contenT")

    def test_nothing_but_the_two_folders_and_their_files_is_left(self):
        self.test_publishing_and_putting_again_changes_nothing()
        assert sorted(path.name for path in self.folder.iterdir()) == ["assets", "staged"]
        assert list((self.folder / "staged").iterdir()) == []
        assert (self.folder / "staged").stat().st_mode & 0o077 == 0

    def test_a_half_written_file_is_not_staged(self):
        vault = self.new_vault()
        (self.folder / "staged" / ".half.tmp").write_bytes(b"x")
        assert vault.staged() == []

    def test_a_folder_that_cannot_be_made_is_an_error(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(StorageError):
            FsspecVault(tmp_path / "file" / "vault")

    def test_a_vanished_folder_is_an_error(self):
        vault = self.new_vault()
        (self.folder / "staged").rmdir()
        with pytest.raises(StorageError):
            vault.staged()


class TestMemoryVaultKeepsTheContract(VaultContract):
    @pytest.fixture(autouse=True)
    def _url(self):
        self.url = f"memory://{uuid.uuid4()}"

    def new_vault(self):
        return FsspecVault(self.url)

    def damage(self, vault, content_digest):
        with fsspec.open(f"{self.url}/assets/{content_digest}", "wb") as file:
            file.write(b"contenT")


class TestFakeVaultKeepsTheContract(VaultContract):
    def new_vault(self):
        return FakeVault()

    def damage(self, vault, content_digest):
        vault.published[content_digest] = b"contenT"


def test_a_url_that_nothing_serves_is_an_error():
    with pytest.raises(StorageError):
        FsspecVault("no-such-protocol://vault")


class TestFileQuarantineKeepsTheContract(QuarantineContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path / "quarantine"

    def new_quarantine(self):
        return FileQuarantine(self.folder, b"k" * 32)

    def test_nothing_of_the_content_is_readable_in_the_folder(self):
        self.new_quarantine().seal("hold", b"recognisable content")
        stored = b"".join(path.read_bytes() for path in self.folder.iterdir())
        assert b"recognisable" not in stored

    @pytest.mark.parametrize("name", ["hold.sealed", "hold.key"])
    def test_any_altered_byte_is_detected(self, name):
        quarantine = self.new_quarantine()
        quarantine.seal("hold", b"draft")
        path = self.folder / name
        whole = path.read_bytes()
        for position in range(len(whole)):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            with pytest.raises(StorageError):
                quarantine.open("hold")
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(StorageError):
                quarantine.open("hold")
        path.write_bytes(whole)
        assert quarantine.open("hold") == b"draft"

    def test_a_hold_does_not_open_as_another(self):
        quarantine = self.new_quarantine()
        quarantine.seal("one", b"draft")
        for suffix in (".sealed", ".key"):
            (self.folder / f"two{suffix}").write_bytes((self.folder / f"one{suffix}").read_bytes())
        with pytest.raises(StorageError):
            quarantine.open("two")

    def test_another_wrapping_key_opens_nothing(self):
        self.new_quarantine().seal("hold", b"draft")
        with pytest.raises(StorageError, match="another quarantine key"):
            FileQuarantine(self.folder, b"l" * 32).open("hold")

    def test_a_key_of_another_length_is_refused(self):
        with pytest.raises(ConfigurationError):
            FileQuarantine(self.folder, b"short")

    def test_destroying_removes_every_file(self):
        quarantine = self.new_quarantine()
        quarantine.seal("hold", b"draft")
        quarantine.destroy("hold")
        assert list(self.folder.iterdir()) == []

    def test_bytes_whose_key_was_never_written_are_sealed_anew(self):
        quarantine = self.new_quarantine()
        quarantine.seal("hold", b"draft")
        (self.folder / "hold.key").unlink()
        quarantine.seal("hold", b"second draft")
        assert quarantine.open("hold") == b"second draft"


class TestFakeQuarantineKeepsTheContract(QuarantineContract):
    def new_quarantine(self):
        return FakeQuarantine()


def test_the_fakes_raise_what_they_are_told_to():
    error = StorageError("full", remedy="free some space")
    with pytest.raises(StorageError, match="full"):
        FakeVault(errors={"put": error}).put("0" * 64, b"")
    with pytest.raises(StorageError, match="full"):
        FakeQuarantine(errors={"seal": error}).seal("hold", b"")


class TestFileErasureLogKeepsTheContract(ErasureLogContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "folder" / "erasures.jsonl"

    def new_log(self):
        return FileErasureLog(self.path)

    def opened_again(self, log):
        return FileErasureLog(log.path)

    def test_only_its_owner_reads_the_file(self):
        self.new_log().append(example_receipts(1)[0])
        assert self.path.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("left", [1, 10, 70_000])
    def test_what_a_crash_left_of_a_line_is_passed_over_and_replaced(self, left):
        receipts = example_receipts(2)
        log = self.new_log()
        log.append(receipts[0])
        with self.path.open("ab") as file:
            file.write(b"{" * left)
        assert list(log.receipts()) == receipts[:1]
        log.append(receipts[1])
        assert list(log.receipts()) == receipts

    def test_a_file_of_nothing_but_what_a_crash_left_is_empty(self):
        log, (receipt,) = self.new_log(), example_receipts(1)
        self.path.parent.mkdir()
        self.path.write_bytes(b"{")
        assert list(log.receipts()) == []
        log.append(receipt)
        assert list(log.receipts()) == [receipt]

    @pytest.mark.parametrize("line", [b"{}\n", b"\n", b"\xff\n", b"[1]\n"])
    def test_a_line_that_is_no_receipt_is_named(self, line):
        log, receipts = self.new_log(), example_receipts(2)
        for receipt in receipts:
            log.append(receipt)
        first, second = self.path.read_bytes().splitlines(keepends=True)
        self.path.write_bytes(first + line + second)
        with pytest.raises(ProofError, match="Line 2"):
            list(log.receipts())

    def test_a_file_that_cannot_be_used_is_an_error(self):
        self.path.mkdir(parents=True)
        with pytest.raises(StorageError):
            self.new_log().append(example_receipts(1)[0])
        with pytest.raises(StorageError):
            list(self.new_log().receipts())


class TestFakeErasureLogKeepsTheContract(ErasureLogContract):
    def new_log(self):
        return FakeErasureLog()

    def opened_again(self, log):
        return log
