"""The registers of models, adapters, vendors and contracts: their changes are entries of the ledger, never edits."""
