"""Where records and bytes are kept: ledger, vault, quarantine."""
