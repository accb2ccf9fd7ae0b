"""Detectors: what scores an image."""
