"""The commands of `governance`, one module each; `governance_adapters.cli` puts them together."""
