"""Which files are images, by their names."""

from __future__ import annotations

from typing import Final

IMAGES: Final = frozenset({"png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "tif", "tiff"})
"""Endings of the files that are records of a folder or a tar."""


def ending(name: str) -> str:
    """The ending of a file's name in small letters, without the point; empty where there is none."""
    return name.rpartition("/")[2].rpartition(".")[2].lower() if "." in name.rpartition("/")[2].lstrip(".") else ""


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image."""
    return ending(name) in IMAGES


def as_ignored(name: str) -> str:
    """How `Source.ignored` names a file that is not read: by its ending, so that the list stays short."""
    return f"*.{ending(name)}" if ending(name) else "*"
