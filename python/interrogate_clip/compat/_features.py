"""Features of one image as an argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FeaturesError


def row(features: Any) -> npt.NDArray[np.float32]:
    """Returns the features of one image as an array (dim): of an array or a torch tensor, (1, dim)
    or (dim), on any device and of any precision.
    """
    if hasattr(features, "detach"):
        features = features.detach().float().cpu().numpy()
    array = np.asarray(features, dtype=np.float32)
    if array.ndim == 1:
        return array
    if array.ndim == 2 and len(array) == 1:
        return array.reshape(-1)
    raise FeaturesError(
        f"features: expected (1, dim) of one image, found {array.shape}",
        "pass features[:1], or call this for each image",
    )
