"""An audit in a process of its own, for a process has one engine: what is asked, as JSON, on the command line."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from governance.types import Principal
from governance_adapters.dataset_audits import Asked, audit_dataset
from governance_adapters.datasets.engine.runner import Engine
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings


def asked_of(said):
    """What an audit is asked, of values that JSON has."""
    places = {"opt_outs": tuple(map(Path, said["opt_outs"])), "signals": Path(said["signals"])}
    return Asked(**{**said, **places, "engine": Engine(said["engine"])})


def main():
    """Audit, and print the audit's id."""
    warnings.simplefilter("ignore")
    settings = Settings.load()
    with ledger_for_appending(settings) as ledger:
        standing = audit_dataset(settings, asked_of(json.loads(sys.argv[1])), Principal("auditor@example.org"), ledger)
    print(standing.audit)


if __name__ == "__main__":
    main()
