"""Trainers that run under governance."""
