"""What an audit is asked to do, and what must not change between its beginning and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.canonical import Digest, Json, canonical_digest, parsed_json
from governance.datasets.rights import DoNotTrain
from governance.errors import DatasetError
from governance.registers.standing import ContractState
from governance_adapters.datasets.content.eyes import Eyes
from governance_adapters.datasets.rights.signals import Signals
from governance_adapters.datasets.sources.source import Source

JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What is audited, and by what.

    `options` are those that the source was opened with. `eyes` None: no image is read; `detectors` are those of the eyes, by
    name and digest. `as_of` (RFC 3339 in UTC) is the time that is judged at. `contracts` are the states of the registered
    contracts at that time, by key. `purpose` is what would be trained for.
    """

    name: str
    source: Source
    as_of: str
    options: Mapping[str, Json] = field(default_factory=dict)
    purpose: str = ""
    eyes: Eyes | None = None
    detectors: Sequence[Json] = ()
    listed: DoNotTrain = field(default_factory=DoNotTrain)
    signals: Signals | None = None
    contracts: Mapping[str, ContractState] = field(default_factory=dict)

    def digest(self) -> Digest:
        """SHA-256 over everything that a resumed audit must have alike; not the time, which its journal keeps."""
        return canonical_digest(
            {
                "kind": self.source.kind.value,
                "options": dict(self.options),
                "purpose": self.purpose,
                "looks": self.eyes is not None,
                "detectors": list(self.detectors),
                "do_not_train": self.listed.digest,
                "signals": None if self.signals is None else self.signals.digest,
            }
        )


@dataclass(frozen=True, slots=True)
class Journal:
    """What an audit wrote down at its beginning; one that is resumed goes by it.

    `plan` is `AuditPlan.digest`, `fingerprint` the source's. `root` and `location` say where its records are read again.
    """

    name: str
    audit: str
    as_of: str
    plan: Digest
    kind: str
    fingerprint: Digest
    root: str
    location: str
    contracts: Mapping[str, ContractState]

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {
            "version": JOURNAL_VERSION,
            "name": self.name,
            "audit": self.audit,
            "as_of": self.as_of,
            "plan": self.plan,
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "root": self.root,
            "location": self.location,
            "contracts": {key: state.value for key, state in sorted(self.contracts.items())},
        }

    @classmethod
    def parsed(cls, content: bytes, path: str) -> Journal:
        """The journal that `as_json` made.

        Raises:
            DatasetError: it is none of this version.
        """
        try:
            value: Any = parsed_json(content)
            if value["version"] != JOURNAL_VERSION:
                raise ValueError(f"version {value['version']!r}")
            texts = {name: str(value[name]) for name in ("name", "audit", "as_of", "kind", "root", "location")}
            contracts = {str(key): ContractState(state) for key, state in value["contracts"].items()}
            return cls(
                **texts, plan=Digest(value["plan"]), fingerprint=Digest(value["fingerprint"]), contracts=contracts
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(
                f"{path} is no journal of an audit: {error!r}.", remedy="Remove that folder, and audit again."
            ) from error
