"""Documents that are filed: made from the registers and the ledger, every gap marked as one, nothing made up."""
