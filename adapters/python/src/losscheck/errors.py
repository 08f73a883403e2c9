"""The exceptions of this package."""


class Unsupported(Exception):  # noqa: N818 (reads as a statement: raise Unsupported("no `weight`"))
    """Says that the library has no such loss, option or dtype; a case that raises it neither agrees nor differs."""


class ProtocolError(Exception):
    """Says what is wrong with a line that an adapter has read."""


class LibraryError(Exception):
    """Carries an exception out of the one library call that a case is about."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.error = error


class AdapterError(Exception):
    """Says how an adapter is set up wrongly, in words for its author."""
