"""What the application stands on."""

from __future__ import annotations

from dataclasses import dataclass

from governance.made import PictureFinder
from governance.ports import Ledger, PolicyEngine, Vault
from governance.review import ReviewDesk
from governance.verification import Verifier
from governance.work_making import WorkMaker
from governance.works import WorkRegister
from governance_adapters.storage.api_keys import ApiKeyFile
from governance_adapters.web.limits import Limits


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Every part that a request may need; each is for any number of threads. `version` is the product's."""

    desk: ReviewDesk
    ledger: Ledger
    vault: Vault
    policy: PolicyEngine
    verifier: Verifier
    finder: PictureFinder
    works: WorkRegister
    maker: WorkMaker
    keys: ApiKeyFile
    limits: Limits
    version: str
