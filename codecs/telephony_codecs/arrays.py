"""The three sample arrays this package passes around, and the check at its doors."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]  # PCM, full scale is 1.0
Int16 = npt.NDArray[np.int16]  # PCM, full scale is 32768
Uint8 = npt.NDArray[np.uint8]  # G.711 code words


def require(array: npt.NDArray[np.generic], *dtypes: type[np.generic]) -> None:
    """Raise TypeError unless `array` has one axis and one of `dtypes`, in native byte order."""
    if array.ndim != 1 or array.dtype not in dtypes:
        wanted = " or ".join(dtype.__name__ for dtype in dtypes)
        raise TypeError(f"want a one-dimensional {wanted} array, got {array.dtype}{list(array.shape)}")
