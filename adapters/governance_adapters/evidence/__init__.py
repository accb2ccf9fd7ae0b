"""The evidence of a released file as a PDF."""
