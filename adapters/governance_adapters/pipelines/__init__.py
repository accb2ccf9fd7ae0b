"""Pipelines that can be governed."""
