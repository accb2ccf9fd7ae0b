"""The engine of audits: Daft on one machine or on Ray, and DuckDB where SQL is all there is to do."""
