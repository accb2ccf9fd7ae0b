"""Adapters for the registers: OpenSSF signatures of models."""
