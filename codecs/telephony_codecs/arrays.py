"""The three sample arrays this package passes around, how one becomes another, and the check at its doors."""

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


def as_float(pcm: Int16 | Float32) -> Float32:
    """PCM as float32[n]; int16[n] is exact in it. TypeError on any other array."""
    require(pcm, np.int16, np.float32)
    if pcm.dtype == np.int16:
        return np.multiply(pcm, np.float32(1 / 32768), dtype=np.float32)
    return pcm.astype(np.float32, copy=False)


def as_int16(pcm: Float32) -> Int16:
    """float32[n] as the nearest int16[n], halves to the even one, clipped at full scale. TypeError as above."""
    require(pcm, np.float32)
    wave: Float32 = np.rint(pcm * np.float32(32768))
    return np.clip(wave, -32768, 32767, out=wave).astype(np.int16)
