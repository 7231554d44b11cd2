"""The weights of interrogate-clip's starter model."""

from pathlib import Path


def folder() -> str:
    """Returns the folder of the weights."""
    return str(Path(__file__).parent / "weights")
