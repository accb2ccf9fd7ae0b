"""Governed training: a run that hands out audited records, commits to those it consumed, and digests what came of them."""
