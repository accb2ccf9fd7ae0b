"""Similarity to a register of protected works: copies by perceptual hash, derivatives by embedding."""
