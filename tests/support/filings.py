"""Sources of documents, made by hand: full ones, bare ones, and ones whose every text and number can be told apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from governance.canonical import Digest
from governance.documents.figures import Figures
from governance.documents.sources import (
    AuditFile,
    Basis,
    Cited,
    ContractSource,
    DatasetSource,
    How,
    ModelSource,
    RunSource,
    Sources,
    Use,
    VendorSource,
)
from governance.registers.items import Contract, ModelSignature, RegisteredAdapter, RegisteredModel, Vendor


@dataclass
class Maker:
    """Makes texts, digests, numbers and times that occur nowhere else; another seed makes others in the same places."""

    seed: int = 0
    made: int = 0
    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def next(self) -> int:
        self.made += 1
        return self.made

    def text(self) -> str:
        word = f"q{self.seed:03d}z{self.next():03d}q"
        self.texts.append(word)
        return word

    def digest(self) -> Digest:
        value = Digest(hashlib.sha256(f"{self.seed}/{self.next()}".encode()).hexdigest())
        self.texts.append(value)
        return value

    def number(self) -> int:
        value = 1_000_000 + 1000 * self.next() + self.seed
        self.numbers.append(value)
        return value

    def time(self) -> str:
        at = self.next()
        value = f"20{10 + self.seed % 10}-{1 + at % 12:02d}-{1 + at % 28:02d}T{at % 24:02d}:{at % 60:02d}:07.{at:03d}Z"
        self.texts.append(value)
        return value

    def cited(self, kind: str) -> Cited:
        return Cited(f"entry-{self.text()}", kind, self.time(), self.digest())


ONE_IMAGE = Figures(
    records=1, contents=1, bytes=9, outcomes={"allow": 1}, licences={"CC0-1.0": 1}, contracts={},
    source_kinds={"own": 1}, consents={"not_needed": 1}, synthetic={"no": 1}, media_types={"image/png": 1}, opt_outs={},
    personal={}, problems={}, reasons={}, domains={}, domain_count=0, owners=0, first="", last="", undated=1, widths=(8, 8),
    heights=(8, 8),
)  # fmt: skip
"""The figures of a dataset of one picture."""


def some_figures(make: Maker, **changes: object) -> Figures:
    """Figures in which everything is known and every number is another."""
    figures = Figures(
        records=make.number(),
        contents=make.number(),
        bytes=make.number(),
        outcomes={"allow": make.number(), "review": make.number(), "deny": make.number()},
        licences={"CC-BY-4.0": make.number(), "MIT OR Apache-2.0": make.number(), "LicenseRef-house": make.number()},
        contracts={"house-contract": make.number()},
        source_kinds={kind: make.number() for kind in ("public", "licensed", "crawled", "user", "synthetic", "own")},
        consents={"given": make.number()},
        synthetic={"yes": make.number(), "stated": make.number(), "no": make.number()},
        media_types={"image/png": make.number(), "image/jpeg": make.number()},
        opt_outs={"robots": make.number(), "list_hash": make.number()},
        personal={"exif_gps": make.number()},
        problems={"bad_url": make.number()},
        reasons={"training.opt_out": make.number()},
        domains={name: make.number() for name in (f"{make.text()}.example.org", f"{make.text()}.example.org")},
        domain_count=make.number(),
        owners=make.number(),
        first=make.time(),
        last=make.time(),
        undated=make.number(),
        widths=(make.number(), make.number()),
        heights=(make.number(), make.number()),
    )
    return replace(figures, **changes)


def some_dataset(make: Maker, name: str = "", **changes: object) -> DatasetSource:
    """An audited and approved dataset of which everything is known."""
    dataset = DatasetSource(
        name=name or make.text(),
        audited=make.cited("dataset"),
        root=make.digest(),
        contents=make.number(),
        records=make.number(),
        state="approved",
        report=make.digest(),
        figures=some_figures(make),
        purpose=make.text(),
        source_kind="folder",
        fingerprint=make.digest(),
        detectors=(make.text(),),
        approvals=(make.cited("dataset"),),
        files=(AuditFile("records.parquet", make.digest(), "application/x-parquet"),),
    )
    return replace(dataset, **changes)


def some_basis(make: Maker) -> Basis:
    """What a document stands on."""
    return Basis(make.text(), make.number(), make.digest(), make.time(), f"diffusion-governance {make.text()}")


def full_model(make: Maker) -> ModelSource:
    """A registered model with everything that the register can hold."""
    item = RegisteredModel(
        name=make.text(),
        components={"unet": make.digest(), "vae": make.digest()},
        pipeline=make.text(),
        licence="Apache-2.0",
        data_origin=make.text(),
        intended_use=make.text(),
        out_of_scope=make.text(),
        expires=make.time(),
        vendor="house-vendor",
        contract="house-contract",
        datasets=("a-dataset",),
        released=make.time(),
        signature=ModelSignature("key", make.time(), make.digest(), make.digest()),
    )
    make.texts.append(item.key)
    return ModelSource(item, "registered", make.cited("register"))


def full_adapter(make: Maker, base: str) -> ModelSource:
    """A registered adapter that a governed run made."""
    item = RegisteredAdapter(
        name=make.text(),
        digest=make.digest(),
        base=base,
        licence="CC-BY-4.0",
        intended_use=make.text(),
        out_of_scope=make.text(),
        datasets=("a-dataset",),
        run=make.text(),
    )
    return ModelSource(item, "registered", make.cited("register"))


def some_run(make: Maker, lineage: str, base: str) -> RunSource:
    """A run that has a result."""
    return RunSource(
        id=f"run-{make.text()}",
        method="lora",
        lineage=lineage,
        purpose=make.text(),
        base=base,
        started=make.cited("training"),
        trained=make.cited("trained"),
        settings={"rank": make.number(), "seed": make.text()},
        file=make.digest(),
    )


def full_sources(seed: int = 0) -> Sources:
    """A LoRA from a witnessed run on one dataset, a declared one on another, and a third that only the register names."""
    make = Maker(seed)
    return made_sources(make)


def made_sources(make: Maker) -> Sources:
    """The sources of `full_sources`, whose texts and numbers `make` then knows."""
    base = full_model(make)
    model = full_adapter(make, base.item.key)
    contract = ContractSource(
        Contract(
            key="house-contract",
            vendor="house-vendor",
            title=make.text(),
            licence="LicenseRef-house",
            starts=make.time(),
            ends=make.time(),
            indemnity_scope=make.text(),
            indemnity_exclusions=make.text(),
            moderation_sla_hours=24,
            notice_days=30,
            document=make.digest(),
        ),
        make.cited("register"),
    )
    vendor = Vendor(
        "house-vendor", make.text(), jurisdiction=make.text(), website=f"https://{make.text()}.example.org/"
    )
    witnessed = Use(
        "witnessed-set",
        How.WITNESSED,
        make.cited("trained"),
        some_dataset(make, "witnessed-set"),
        some_run(make, "witnessed", base.item.key),
        make.number(),
        make.number(),
        some_figures(make),
    )
    declared = Use(
        "declared-set",
        How.DECLARED,
        make.cited("trained"),
        some_dataset(make, "declared-set"),
        some_run(make, "declared", base.item.key),
        make.number(),
        make.number(),
    )
    stated = Use("stated-set", How.STATED, model.entry, some_dataset(make, "stated-set"))
    return Sources(
        some_basis(make),
        model=model,
        uses=(witnessed, declared, stated),
        base=base,
        vendor=VendorSource(vendor, make.cited("register")),
        contract=contract,
        contracts=(contract,),
        provider=make.text(),
    )


def bare_sources(make: Maker) -> Sources:
    """A model of which the register knows a name and components, and nothing else."""
    item = RegisteredModel(name=make.text(), components={"unet": make.digest()})
    make.texts.append(item.key)
    return Sources(some_basis(make), model=ModelSource(item, "registered", make.cited("register")))


def dataset_sources(make: Maker, **changes: object) -> Sources:
    """One audited dataset, and nothing else."""
    return Sources(some_basis(make), dataset=some_dataset(make, "a-dataset", **changes))


PARTS = ("vendor", "contract", "contracts", "base", "provider", "uses", "runs", "datasets", "counted", "item")
"""What `without` can take away."""


def without(sources: Sources, parts: frozenset[str]) -> Sources:
    """The same sources without these parts."""
    changes: dict[str, object] = {name: None for name in ("vendor", "contract", "base") if name in parts}
    if "contracts" in parts:
        changes["contracts"] = ()
    if "provider" in parts:
        changes["provider"] = ""
    if "uses" in parts:
        changes["uses"] = ()
    else:
        changes["uses"] = tuple(_use_without(use, parts) for use in sources.uses)
    if "item" in parts and sources.model is not None:
        item = sources.model.item
        bare = RegisteredAdapter(name=item.name, digest=item.key)
        changes["model"] = replace(sources.model, item=bare)
    return replace(sources, **changes)


def _use_without(use: Use, parts: frozenset[str]) -> Use:
    if "runs" in parts:
        use = replace(use, run=None, how=How.STATED, contents=0, records=0, consumed=None)
    if "counted" in parts:
        use = replace(use, consumed=None)
    if "datasets" in parts:
        use = replace(use, dataset=None, consumed=None)
    return use
