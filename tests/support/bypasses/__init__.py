"""Attempts to get a picture out of a governed pipeline past the line: each takes a `Target` and gives what it got hold of."""

from support.bypasses.arguments import ByArguments
from support.bypasses.beside import BesideACall
from support.bypasses.callbacks import AttemptsWithCallbacks
from support.bypasses.copies import ByCopies
from support.bypasses.down_the_line import Governed
from support.bypasses.edits import ByEdits
from support.bypasses.left_open import Open
from support.bypasses.loading import ByLoading
from support.bypasses.modules import ByModules
from support.bypasses.target import SIDE, Target, style, target

__all__ = ["SIDE", "Attempts", "AttemptsWithCallbacks", "Governed", "Open", "Target", "attempts", "style", "target"]


class Attempts(ByModules, ByCopies, BesideACall, ByLoading, ByArguments, ByEdits):
    """The attempts that are turned down: by their names, in the order of the table."""


def attempts(kind):
    """(name, act) of every attempt of one class, in order."""
    own = kind()
    names = [name for owner in kind.__mro__ if owner is not object for name in vars(owner)]
    return [(name, getattr(own, name)) for name in names if not name.startswith("_")]
