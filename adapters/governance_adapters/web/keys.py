"""Making and revoking API keys. Both are entries of the ledger: whoever audits it sees who could do what, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from governance.canonical import Json, commitment, new_salt
from governance.entries import Entry, EntryKind, PersonalField, Record
from governance.errors import ConfigurationError
from governance.ports import Ledger
from governance.review_facts import Act
from governance.types import Assurance, Principal, utc_now
from governance_adapters.storage.api_keys import ApiKey, ApiKeyFile, NewKey

MAX_DAYS: Final = 366
MAX_NAME: Final = 256
PRINCIPAL_FIELD: Final = "/principal/id"
_BODY_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key, and the text that opens the API with it: shown once, kept nowhere."""

    key: ApiKey
    text: str


def create_key(
    keys: ApiKeyFile, ledger: Ledger, principal: str, roles: Sequence[str], scopes: Sequence[Act], days: int
) -> CreatedKey:
    """Make a key for `principal` that lasts `days` (1 to 366). The entry comes first: no key without one.

    Raises:
        ConfigurationError: no principal, role or scope, a name that is empty, too long, unprintable or has space around
            it (two people would share what reads as one name), or too long a life.
        LedgerError: the entry cannot be written; there is no key then.
        StorageError: the key cannot be kept.
    """
    for name in (principal, *roles):
        if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
            raise ConfigurationError(
                f"The name {name[:64]!r} is empty, too long, unprintable, or has space around it.",
                remedy=f"Give 1 to {MAX_NAME} printable characters.",
            )
    if not roles or not scopes:
        raise ConfigurationError("A key without a role or a scope opens nothing.", remedy="Give --role and --scope.")
    if not 1 <= days <= MAX_DAYS:
        raise ConfigurationError(f"A key cannot last {days} days.", remedy=f"Give 1 to {MAX_DAYS} days.")
    now = utc_now()
    drawn = NewKey.draw()
    expires = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    unique_roles, unique_scopes = tuple(sorted(set(roles))), tuple(sorted(set(scopes)))
    key = ApiKey(drawn.id, drawn.digest, principal, unique_roles, unique_scopes, now, expires)
    _record(ledger, key, "created")
    keys.add(key)
    return CreatedKey(key, drawn.text)


def revoke_key(keys: ApiKeyFile, ledger: Ledger, key_id: str) -> ApiKey:
    """Revoke a key: it opens nothing from now on, also where the entry cannot be written.

    Where a former revocation found no ledger, its entry is written now.

    Raises:
        StorageError: there is no such key, or the file cannot be written.
        LedgerError: the key is revoked, but the entry cannot be written.
    """
    key = keys.revoke(key_id, utc_now())
    if not key.revocation:
        keys.recorded(key_id, _record(ledger, key, "revoked").id)
    return key


def principal_of(key: ApiKey) -> Principal:
    """Who acts with this key."""
    return Principal(key.principal, key.roles, issuer=f"api-key:{key.id}", assurance=Assurance.AUTHENTICATED)


def _record(ledger: Ledger, key: ApiKey, change: str) -> Entry:
    field = PersonalField(PRINCIPAL_FIELD, new_salt(), key.principal)
    body: dict[str, Json] = {
        "version": _BODY_VERSION,
        "change": change,
        "roles": list(key.roles),
        "scopes": [scope.value for scope in key.scopes],
        "expires": key.expires,
        "fields": {field.name: commitment(field.name, field.value, field.salt)},
    }
    entry = Entry(EntryKind.ACCESS, key.id, body)
    ledger.append(Record(entry, (field,)))
    return entry
