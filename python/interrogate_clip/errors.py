"""The exceptions of this package. All of them are an `InterrogateError`, which has a `hint`."""

from __future__ import annotations


class InterrogateError(Exception):
    """An error. `message` begins with the path or the item; `hint` says what to do, or is None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class ArgumentError(InterrogateError, ValueError):
    """An argument is invalid."""


class FileError(InterrogateError, OSError):
    """The operating system refused a file operation."""


class ModelError(InterrogateError):
    """A model is unknown, or its files are incomplete, damaged or unsupported."""


class DownloadError(InterrogateError):
    """A download failed or is not allowed."""


class DeviceError(InterrogateError):
    """A device is missing, unsupported or out of memory."""


class ImageError(InterrogateError, ValueError):
    """An image cannot be decoded, or an argument is not an image."""


class FeaturesError(InterrogateError, ValueError):
    """Features are zero, not finite, or of another width than the index."""


class LabelIndexError(InterrogateError):
    """An index is missing, unfinished, damaged, or of another model."""


class TableNotFoundError(LabelIndexError, KeyError):
    """The index has no table of this name."""


class DictionaryError(InterrogateError):
    """A dictionary cannot be read, or has no label."""


class BuildError(InterrogateError):
    """An index cannot be built."""


class PromptError(InterrogateError, ValueError):
    """A prompt is too long, or a template or a deny list is invalid."""


class CaptionError(InterrogateError):
    """A caption cannot be generated."""


class ForkError(InterrogateError, RuntimeError):
    """The process was forked after it had used this package, whose threads do not survive."""
