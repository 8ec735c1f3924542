"""What can go wrong when a preprocessing path is executed or asked."""

from __future__ import annotations

from dataguard.core.errors import DataguardError


class UndeterminedError(DataguardError):
    """A path cannot be executed, because something of it is not known or decided by chance."""


class MissingLibraryError(DataguardError):
    """A path names a library that is not installed here."""


class DeclarationError(DataguardError):
    """A file or an object that declares a preprocessing path cannot be read, or is of no kind that is known."""
