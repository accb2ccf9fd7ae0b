"""The contracts of vault and quarantine, and fakes of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from governance.canonical import Digest, digest
from governance.errors import StorageError
from governance.ports import Quarantine, Vault
from governance.testing.expect import expect
from governance.types import new_id


@dataclass
class FakeVault:
    """A vault in memory. `errors`: what a method raises whenever it is called, by its name."""

    errors: dict[str, BaseException] = field(default_factory=dict)
    in_staging: dict[Digest, bytes] = field(default_factory=dict)
    published: dict[Digest, bytes] = field(default_factory=dict)

    def put(self, content_digest: Digest, content: bytes) -> None:
        """See `Vault.put`."""
        self._fail("put")
        _require_digest(content_digest)
        if digest(content) != content_digest:
            raise StorageError("The content has another digest.", remedy="Put it under its own digest.")
        if content_digest not in self.published:
            self.in_staging[content_digest] = content

    def publish(self, content_digest: Digest) -> None:
        """See `Vault.publish`."""
        self._fail("publish")
        if content_digest in self.in_staging:
            self.published[content_digest] = self.in_staging.pop(content_digest)
        elif content_digest not in self.published:
            raise StorageError(f"{content_digest} is not in the vault.", remedy="Put it first.")

    def discard(self, content_digest: Digest) -> None:
        """See `Vault.discard`."""
        self._fail("discard")
        self.in_staging.pop(content_digest, None)

    def get(self, content_digest: Digest) -> bytes:
        """See `Vault.get`."""
        self._fail("get")
        _require_digest(content_digest)
        if content_digest not in self.published:
            raise StorageError(f"{content_digest} is not published.", remedy="Publish it first.")
        if digest(self.published[content_digest]) != content_digest:
            raise StorageError(f"{content_digest} was altered.", remedy="Restore it.")
        return self.published[content_digest]

    def erase(self, content_digest: Digest) -> None:
        """See `Vault.erase`."""
        self._fail("erase")
        _require_digest(content_digest)
        self.in_staging.pop(content_digest, None)
        self.published.pop(content_digest, None)

    def staged(self) -> Sequence[Digest]:
        """See `Vault.staged`."""
        self._fail("staged")
        return sorted(self.in_staging)

    def contents(self) -> Sequence[Digest]:
        """See `Vault.contents`."""
        self._fail("contents")
        return sorted(self.published)

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]


@dataclass
class FakeQuarantine:
    """A quarantine in memory, without the encryption. `errors`: what a method raises, by its name."""

    errors: dict[str, BaseException] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)

    def seal(self, hold_id: str, content: bytes) -> None:
        """See `Quarantine.seal`."""
        self._fail("seal")
        if hold_id in self.sealed or "/" in hold_id or not hold_id:
            raise StorageError(f"Hold {hold_id!r} cannot be sealed.", remedy="Use a fresh hold id.")
        self.sealed[hold_id] = content

    def open(self, hold_id: str) -> bytes:
        """See `Quarantine.open`."""
        self._fail("open")
        if hold_id not in self.sealed:
            raise StorageError(f"There is no hold {hold_id!r}.", remedy="Check the id.")
        return self.sealed[hold_id]

    def destroy(self, hold_id: str) -> None:
        """See `Quarantine.destroy`."""
        self._fail("destroy")
        self.sealed.pop(hold_id, None)

    def holds(self) -> Sequence[str]:
        """See `Quarantine.holds`."""
        self._fail("holds")
        return sorted(self.sealed)

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]


def _require_digest(name: str) -> None:
    if len(name) != 64 or set(name) - set("0123456789abcdef"):
        raise StorageError(f"{name!r} is no SHA-256 digest.", remedy="Use 64 lowercase hexadecimal digits.")


class VaultContract:
    """What every vault does. A subclass says how to make one, and how its published bytes can be damaged."""

    def new_vault(self) -> Vault:
        """A new, empty vault."""
        raise NotImplementedError

    def damage(self, vault: Vault, content_digest: Digest) -> None:
        """Change the published bytes behind the vault's back."""
        raise NotImplementedError

    def test_staged_content_is_unreadable_until_published(self) -> None:
        vault, name = self.new_vault(), digest(b"content")
        vault.put(name, b"content")
        assert list(vault.staged()) == [name]
        with expect(StorageError):
            vault.get(name)
        vault.publish(name)
        assert vault.get(name) == b"content"
        assert list(vault.staged()) == []

    def test_publishing_and_putting_again_changes_nothing(self) -> None:
        vault, name = self.new_vault(), digest(b"content")
        for _ in range(2):
            vault.put(name, b"content")
        for _ in range(2):
            vault.publish(name)
        vault.put(name, b"content")
        assert list(vault.staged()) == []
        assert vault.get(name) == b"content"

    def test_discarding_forgets_what_is_staged_and_nothing_else(self) -> None:
        vault, staged, published = self.new_vault(), digest(b"staged"), digest(b"published")
        vault.put(staged, b"staged")
        vault.put(published, b"published")
        vault.publish(published)
        for name in (staged, published, digest(b"never seen")):
            vault.discard(name)
        assert vault.get(published) == b"published"
        with expect(StorageError):
            vault.publish(staged)

    def test_erasing_forgets_what_is_staged_and_what_is_published(self) -> None:
        vault, staged, published, kept = self.new_vault(), digest(b"staged"), digest(b"published"), digest(b"kept")
        for name, content in ((staged, b"staged"), (published, b"published"), (kept, b"kept")):
            vault.put(name, content)
        vault.publish(published)
        vault.publish(kept)
        for name in (staged, published, published, digest(b"never seen")):
            vault.erase(name)
        assert list(vault.staged()) == []
        for name in (staged, published):
            with expect(StorageError):
                vault.get(name)
            with expect(StorageError):
                vault.publish(name)
        assert vault.get(kept) == b"kept"
        vault.put(published, b"published")
        vault.publish(published)
        assert vault.get(published) == b"published"

    def test_what_is_published_is_listed(self) -> None:
        vault = self.new_vault()
        contents = (b"one", b"two", b"three")
        names = [digest(content) for content in contents]
        for name, content in zip(names, contents, strict=True):
            vault.put(name, content)
        assert list(vault.contents()) == []
        for name in names[:2]:
            vault.publish(name)
        assert list(vault.contents()) == sorted(names[:2])
        vault.erase(names[0])
        assert list(vault.contents()) == [names[1]]

    def test_what_was_never_put_is_an_error(self) -> None:
        vault = self.new_vault()
        with expect(StorageError):
            vault.get(digest(b"unknown"))
        with expect(StorageError):
            vault.publish(digest(b"unknown"))

    def test_content_under_another_digest_is_refused(self) -> None:
        vault = self.new_vault()
        with expect(StorageError):
            vault.put(digest(b"this"), b"that")
        assert list(vault.staged()) == []

    def test_names_that_are_no_digests_never_become_paths(self) -> None:
        vault = self.new_vault()
        for name in ("", "..", "../escape", "a" * 63, "A" * 64, "a" * 64 + "\n", "/etc/hostname"):
            with expect(StorageError):
                vault.get(Digest(name))
            with expect(StorageError):
                vault.put(Digest(name), b"content")
            with expect(StorageError):
                vault.erase(Digest(name))

    def test_altered_bytes_are_not_handed_out(self) -> None:
        vault, name = self.new_vault(), digest(b"content")
        vault.put(name, b"content")
        vault.publish(name)
        self.damage(vault, name)
        with expect(StorageError):
            vault.get(name)


class QuarantineContract:
    """What every quarantine does. A subclass says how to make one."""

    def new_quarantine(self) -> Quarantine:
        """A new, empty quarantine."""
        raise NotImplementedError

    def test_what_is_sealed_opens(self) -> None:
        quarantine, hold, other = self.new_quarantine(), new_id(), new_id()
        quarantine.seal(hold, b"a draft")
        quarantine.seal(other, b"")
        assert quarantine.open(hold) == b"a draft"
        assert quarantine.open(other) == b""

    def test_what_is_sealed_is_listed_until_it_is_destroyed(self) -> None:
        quarantine = self.new_quarantine()
        assert list(quarantine.holds()) == []
        for hold in ("hold-1", "hold-2"):
            quarantine.seal(hold, b"draft")
        assert list(quarantine.holds()) == ["hold-1", "hold-2"]
        quarantine.destroy("hold-1")
        assert list(quarantine.holds()) == ["hold-2"]

    def test_what_is_destroyed_never_opens_again(self) -> None:
        quarantine, hold = self.new_quarantine(), new_id()
        quarantine.seal(hold, b"a draft")
        for _ in range(2):
            quarantine.destroy(hold)
        with expect(StorageError):
            quarantine.open(hold)

    def test_a_hold_is_sealed_once(self) -> None:
        quarantine, hold = self.new_quarantine(), new_id()
        quarantine.seal(hold, b"a draft")
        with expect(StorageError):
            quarantine.seal(hold, b"another")
        assert quarantine.open(hold) == b"a draft"

    def test_unknown_and_impossible_ids_are_errors(self) -> None:
        quarantine = self.new_quarantine()
        for hold in (new_id(), "../escape", ""):
            with expect(StorageError):
                quarantine.open(hold)
        for hold in ("../escape", ""):
            with expect(StorageError):
                quarantine.seal(hold, b"a draft")
