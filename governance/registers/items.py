"""What the registers hold: models, adapters (LoRAs), vendors and contracts, each as a frozen value.

A model is known by the digest of its components' digests, an adapter by the digest of its weights, never by a name; vendors
and contracts by a short name of the operator's. Times are RFC 3339 in UTC to the millisecond, so that they compare as texts;
empty where there is none. Text is empty where nothing is known: nothing is invented in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Final, Self, TypeAlias

from governance.canonical import Digest, Json, canonical_digest
from governance.errors import RegisterError
from governance.registers.item_checks import (
    TIMES,
    RegisterName,
    check_field,
    checked_digest,
    moment,
    require_list,
    require_object,
)


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """An OpenSSF model signature that was verified before the model was registered.

    `method` is `key` or `certificate`; `verified` when that was; `signer` is the SHA-256 of the public key that signed, as
    SubjectPublicKeyInfo in DER; `manifest` the SHA-256 of the signed statement: the digests of the files of the model.
    """

    method: str
    verified: str
    signer: Digest
    manifest: Digest

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {each.name: str(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The signature that `as_json` wrote.

        Raises:
            RegisterError: it is none.
        """
        _require_members(cls, value, "A signature")
        if value["method"] not in ("key", "certificate"):
            raise RegisterError("A signature is made with a key or a certificate.", remedy="Verify it again.")
        return cls(
            value["method"],
            moment(value["verified"]),
            checked_digest(value["signer"]),
            checked_digest(value["manifest"]),
        )


@dataclass(frozen=True, slots=True)
class _Item:
    """What items have in common: as JSON and back, checked on the way in."""

    register: ClassVar[RegisterName]
    personal: ClassVar[tuple[str, ...]] = ()
    """The fields that may name a person: entries hold salted commitments to them."""

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The item of these values; what is not given is empty.

        Raises:
            RegisterError: a name is unknown, or a value not of its kind.
        """
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise RegisterError(
                f"The register of {cls.register} knows no {', '.join(map(repr, unknown))}.",
                remedy=f"It knows {', '.join(sorted(known))}.",
            )
        needed = [each.name for each in fields(cls) if each.default is MISSING]
        if missing := [name for name in needed if name not in value]:
            raise RegisterError(
                f"An item of the register of {cls.register} has no {', '.join(missing)}.",
                remedy="Give what is missing.",
            )
        return cls(**{name: _read(name, each) for name, each in value.items()})

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name != "signature":
                check_field(each.name, value)
            elif value is not None and not isinstance(value, ModelSignature):
                raise RegisterError("A signature is a verified one, or none.", remedy="Verify it first.")


@dataclass(frozen=True, slots=True)
class RegisteredModel(_Item):
    """A model: exactly these components. Its key is `canonical_digest(components)`, as in `data.models` of a bundle.

    `pipeline` is the class of the pipeline. `licence` is an SPDX expression. `data_origin` says where the training data comes
    from, `intended_use` and `out_of_scope` what the model is for and what not. `vendor` and `contract` are keys of those
    registers, `datasets` the names of datasets. `released` is when it was put on the market.
    """

    register: ClassVar[RegisterName] = RegisterName.MODELS

    name: str
    components: Mapping[str, Digest]
    pipeline: str = ""
    licence: str = ""
    data_origin: str = ""
    intended_use: str = ""
    out_of_scope: str = ""
    expires: str = ""
    vendor: str = ""
    contract: str = ""
    datasets: tuple[str, ...] = ()
    released: str = ""
    signature: ModelSignature | None = None

    @property
    def key(self) -> Digest:
        """What the register knows it by."""
        return model_key(self.components)


@dataclass(frozen=True, slots=True)
class RegisteredAdapter(_Item):
    """A LoRA or other adapter: exactly these weights, whatever its file or its slot is called.

    `digest` is as in `AdapterFacts`. `base` is the key of the model that it was made for; empty where it is known to fit any.
    `run` is the id of the governed training run that made it; empty where none did.
    """

    register: ClassVar[RegisterName] = RegisterName.ADAPTERS

    name: str
    digest: Digest
    base: str = ""
    licence: str = ""
    data_origin: str = ""
    intended_use: str = ""
    out_of_scope: str = ""
    expires: str = ""
    vendor: str = ""
    contract: str = ""
    datasets: tuple[str, ...] = ()
    run: str = ""
    signature: ModelSignature | None = None

    @property
    def key(self) -> Digest:
        """What the register knows it by."""
        return self.digest


@dataclass(frozen=True, slots=True)
class Vendor(_Item):
    """Who supplies models or data. `key` is a short name of the operator's; `jurisdiction` the law it is under."""

    register: ClassVar[RegisterName] = RegisterName.VENDORS
    personal: ClassVar[tuple[str, ...]] = ("contact",)

    key: str
    name: str
    jurisdiction: str = ""
    contact: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class Contract(_Item):
    """What was agreed with a vendor.

    `licence` is the SPDX expression (or `LicenseRef-...`) that it grants. It is in force from `starts` up to `ends`; one that
    is empty sets no limit. `shutdown` is when the vendor ends the service. `indemnity_scope` and `indemnity_exclusions` say
    what the vendor answers for and what not. `moderation_sla_hours` is within how many hours the vendor answers what is
    reported to it, 0 where nothing is agreed; `notice_days` how many days before `ends` notice must be given, 0 where none.
    `document` is the SHA-256 of the signed file. `datasets` are the names of the datasets that it covers; empty for any.
    """

    register: ClassVar[RegisterName] = RegisterName.CONTRACTS

    key: str
    vendor: str
    title: str
    licence: str = ""
    starts: str = ""
    ends: str = ""
    shutdown: str = ""
    indemnity_scope: str = ""
    indemnity_exclusions: str = ""
    moderation_sla_hours: int = 0
    notice_days: int = 0
    document: str = ""
    datasets: tuple[str, ...] = ()

    def covers(self, dataset: str) -> bool:
        """Whether records of the dataset of this name may be under it: a record says so itself, and is not believed alone."""
        return not self.datasets or dataset in self.datasets


Item: TypeAlias = RegisteredModel | RegisteredAdapter | Vendor | Contract

ITEMS: Final[Mapping[RegisterName, type[Item]]] = {
    RegisterName.MODELS: RegisteredModel,
    RegisterName.ADAPTERS: RegisteredAdapter,
    RegisterName.VENDORS: Vendor,
    RegisterName.CONTRACTS: Contract,
}
"""The kind of item of each register."""


def model_key(components: Mapping[str, Digest]) -> Digest:
    """What the register knows the model of these components by: SHA-256 of the RFC 8785 object of their digests."""
    return canonical_digest(dict(components))


def item_of(register: RegisterName, value: Mapping[str, Any]) -> Item:
    """The item of `register` of these values, as its `from_json` reads it.

    Raises:
        RegisterError: a name is unknown, or a value not of its kind.
    """
    return ITEMS[register].from_json(value)


def _read(name: str, value: Any) -> Any:
    """A value of a document as the field of an item holds it."""
    if name in TIMES:
        return moment(value) if value else ""
    if name == "datasets":
        return tuple(require_list(name, value))
    if name == "components":
        return dict(require_object(name, value))
    if name == "signature":
        return None if value is None else ModelSignature.from_json(require_object(name, value))
    return value


def _require_members(kind: type[ModelSignature], value: Mapping[str, Any], what: str) -> None:
    known = {each.name for each in fields(kind)}
    if set(value) != known:
        raise RegisterError(f"{what} has {', '.join(sorted(known))}.", remedy="Verify it again.")


def _plain(value: Any) -> Json:
    if isinstance(value, ModelSignature):
        return value.as_json()
    if isinstance(value, tuple):
        return list(value)
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value
