"""Settings: from `GOVERNANCE_*` in the environment, then `governance.toml` in the working folder, then defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from governance.errors import ConfigurationError
from governance.types import Mode

TOML_FILE: Final = "governance.toml"
PREFIX: Final = "GOVERNANCE_"
TEST_VARIABLES: Final = frozenset({"GOVERNANCE_REQUIRE", "GOVERNANCE_TEST_VECTORS"})
"""Variables of this prefix that the tests read; they set nothing."""


_CLASSIFIER_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class WatermarkBackend(StrEnum):
    """Which watermark goes into the pixels."""

    TILED = "tiled"
    DWTDCTSVD = "dwtdctsvd"


class DetectorName(StrEnum):
    """Detectors that come with this package."""

    NSFW = "nsfw"
    SIMILARITY = "similarity"


class ClassifierKind(StrEnum):
    """What a classifier of yours is: a Hugging Face image classifier, or the safety checker of diffusers."""

    IMAGE_CLASSIFIER = "image-classifier"
    SAFETY_CHECKER = "safety-checker"


class ClassifierSettings(BaseModel):
    """One detector of your own: a folder of weights, and the digest that pins it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassifierKind = Field(description="`image-classifier` or `safety-checker`.")
    path: Path = Field(description="Folder of the model: safetensors and its JSON files.")
    digest: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="What `governance detectors digest` prints of that folder. Required.",
    )
    benign: tuple[str, ...] = Field(
        (), description="Classes that mean no risk: recorded as `not_` the class, with 1 minus the probability."
    )
    threads: int | None = Field(None, ge=1, le=64, description="Threads of this detector. Default: `threads`.")

    @model_validator(mode="after")
    def _benign_classes_have_names(self) -> ClassifierSettings:
        if self.benign and self.kind is ClassifierKind.SAFETY_CHECKER:
            raise ValueError("benign: no concept of a safety checker is benign")
        return self


class EngineName(StrEnum):
    """What evaluates the policy bundle."""

    REGORUS = "regorus"
    OPA = "opa"


class Settings(BaseSettings):
    """Everything that can be set. Paths that are not set lie in `home`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=TOML_FILE, extra="forbid", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("diffusion-governance"),
        description="Folder of the embedded ledger, the vault, the quarantine, the keys and the policy bundle.",
    )
    ledger: Path | None = Field(
        None, description="The SQLite database of the ledger. Default: `ledger.sqlite3` in home."
    )
    database_url: str | None = Field(
        None,
        description="PostgreSQL database of the ledger, in place of `ledger`: `postgresql://user@host/database`; the password belongs in a password file (PGPASSFILE).",
    )
    vault: str | None = Field(
        None, description="Folder or fsspec URL where released files are kept. Default: `vault` in home."
    )
    quarantine: Path | None = Field(None, description="Folder of encrypted held drafts. Default: `quarantine` in home.")
    keys: Path | None = Field(None, description="Folder of the keys. Default: `keys` in home.")
    works: Path | None = Field(
        None, description="The SQLite database of the register of protected works. Default: `works.sqlite3` in home."
    )
    api_keys: Path | None = Field(
        None, description="The SQLite database of the review API's keys. Default: `api-keys.sqlite3` in home."
    )
    datasets: Path | None = Field(
        None, description="Folder of the audits of training data. Default: `datasets` in home."
    )
    alert_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days ahead that `registers due` and `doctor` warn of what ends in the registers.",
    )
    erasure_log: Path | None = Field(
        None,
        description="File of what was erased, outside the database, for backups that are restored. Default: `erasures.jsonl` in home.",
    )
    upload_limit: int = Field(
        32 * 1024 * 1024, ge=1024, le=1024**3, description="Bytes of the largest file that the review API takes."
    )
    bundle: Path | None = Field(None, description="Folder of the policy bundle. Default: `policies` in home.")
    engine: EngineName = Field(
        EngineName.REGORUS, description="What decides: `regorus` (embedded), or `opa` (the server at `opa_url`)."
    )
    opa_url: str | None = Field(None, description="URL of the policy server, such as `https://opa.example.org:8181`.")
    opa_token_file: Path | None = Field(None, description="File that holds the bearer token for the policy server.")
    opa_ca: Path | None = Field(
        None, description="PEM roots that the policy server must chain to. Default: the public ones."
    )
    opa_certificate: Path | None = Field(None, description="PEM certificate to show to the policy server (mutual TLS).")
    opa_key: Path | None = Field(None, description="PEM private key of that certificate.")
    policy_timeout: float = Field(5, gt=0, le=600, description="Seconds that one decision may take.")
    policy_engines: int = Field(2, ge=1, le=64, description="Processes of the embedded policy engine.")
    reload_seconds: float = Field(
        0,
        ge=0,
        le=86_400,
        description="Look for a new bundle at most every so many seconds; 0: at the next start only.",
    )
    mode: Mode = Field(
        Mode.ENFORCE,
        description="`enforce`, or `shadow`: every decision of policy is recorded and none is obeyed. Failures still release nothing.",
    )
    candidate: Path | None = Field(
        None, description="Folder of a bundle on trial: evaluated beside the one in force, recorded, never obeyed."
    )
    certificate: Path | None = Field(
        None, description="PEM chain of the C2PA signing certificate. Default: the one in the key folder."
    )
    private_key: Path | None = Field(
        None, description="PEM private key of that certificate. Default: the one in the key folder."
    )
    trust_root: Path | None = Field(
        None, description="PEM roots that signers must chain to. Default: the root in the key folder."
    )
    tsa_url: str | None = Field(None, description="RFC 3161 time-stamp authority for manifests. Default: none.")
    tsa_root: Path | None = Field(None, description="PEM roots that the time-stamp authority must chain to.")
    watermark: WatermarkBackend = Field(
        WatermarkBackend.TILED, description="Watermark backend: `tiled` (64 bits) or `dwtdctsvd` (32 bits)."
    )
    detectors: tuple[str, ...] = Field(
        (DetectorName.NSFW.value, DetectorName.SIMILARITY.value),
        description="Detectors that score every image: `nsfw`, `similarity`, keys of `classifiers`. An empty list is refused.",
    )
    classifiers: dict[str, ClassifierSettings] = Field(
        {}, description="Detectors of your own by name: a table of `kind`, `path`, `digest`, `benign`, `threads` each."
    )
    detector_seconds: float = Field(
        60, gt=0, le=3600, description="Seconds that one detector may take for one image or frame."
    )
    embedding: Path | None = Field(
        None,
        description="ONNX file, or folder of a transformers vision model, that finds derivatives of protected works. Default: efficientnet-lite0.",
    )
    principal: str | None = Field(None, description="Who asks, where the call does not say.")
    roles: tuple[str, ...] = Field((), description="The roles of that principal.")
    purpose: str = Field("", description="What images are made for, where the call does not say.")
    markets: tuple[str, ...] = Field(
        (), description="Where images will be used, where the call does not say. None: everywhere."
    )
    system: str = Field("diffusion-governance", description="The name of this system in manifests and metadata.")
    provider: str = Field("", description="Who answers for this system, as the metadata of released files name it.")
    label_font: Path | None = Field(
        None, description="The font of visible labels (.ttf or .otf). Default: those that are installed."
    )
    threads: int = Field(1, ge=1, le=64, description="Threads of each detector.")

    @model_validator(mode="after")
    def _detectors_exist(self) -> Settings:
        shipped = {name.value for name in DetectorName}
        for name in self.classifiers:
            if not _CLASSIFIER_NAME.fullmatch(name) or name in shipped:
                raise ValueError(f"classifiers: {name!r} is no name for one; take a small letter, then a-z, 0-9 and _")
        for name in self.detectors:
            if name not in shipped and name not in self.classifiers:
                known = ", ".join(sorted(shipped | set(self.classifiers)))
                raise ValueError(f"detectors: there is no {name!r}; there are {known}")
        if len(set(self.detectors)) != len(self.detectors):
            raise ValueError("detectors: one is named twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then `governance.toml`."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @classmethod
    def load(cls, **overrides: object) -> Settings:
        """Read the settings; `overrides` win.

        Raises:
            ConfigurationError: an unknown setting or variable, a wrong value, or a `governance.toml` that is not TOML.
        """
        _refuse_unknown(os.environ)
        try:
            return cls(**overrides)  # type: ignore[arg-type]
        except (ValueError, OSError) as error:
            raise ConfigurationError(
                f"The settings cannot be used: {_problems(error)}.",
                remedy=f"Correct {TOML_FILE} or the GOVERNANCE_* variables.",
            ) from error

    @classmethod
    def from_folder(cls) -> frozenset[str]:
        """The settings that `governance.toml` in the working folder decides: they stand there, and no variable wins."""
        return frozenset(TomlConfigSettingsSource(cls)()) - frozenset(EnvSettingsSource(cls)())

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.ledger or self.home / "ledger.sqlite3"

    @property
    def vault_url(self) -> str:
        """Where released files are."""
        return self.vault or str(self.home / "vault")

    @property
    def quarantine_path(self) -> Path:
        """Where held drafts are."""
        return self.quarantine or self.home / "quarantine"

    @property
    def works_path(self) -> Path:
        """Where the register of protected works is."""
        return self.works or self.home / "works.sqlite3"

    @property
    def keys_path(self) -> Path:
        """Where the keys are."""
        return self.keys or self.home / "keys"

    @property
    def api_keys_path(self) -> Path:
        """Where the API keys are."""
        return self.api_keys or self.home / "api-keys.sqlite3"

    @property
    def datasets_path(self) -> Path:
        """Where audits of training data are kept."""
        return self.datasets or self.home / "datasets"

    @property
    def erasure_log_path(self) -> Path:
        """Where it is logged what was erased."""
        return self.erasure_log or self.home / "erasures.jsonl"

    @property
    def bundle_path(self) -> Path:
        """Where the policy bundle is."""
        return self.bundle or self.home / "policies"


def _refuse_unknown(variables: Iterable[str]) -> None:
    """A misspelt variable would leave a default in force that nobody chose: no trust root, another home."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(variables):
        spelt = name.upper()  # as pydantic reads them
        if spelt.startswith(PREFIX) and spelt not in known | TEST_VARIABLES:
            (nearest,) = get_close_matches(spelt, known, n=1, cutoff=0)
            raise ConfigurationError(
                f"{name} is no setting.", remedy=f"Unset it, or spell it right: {nearest} is the nearest that there is."
            )


def _problems(error: Exception) -> str:
    """What is wrong, setting by setting, without pydantic's headings and links."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
