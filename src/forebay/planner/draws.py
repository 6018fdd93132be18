"""Random numbers that are the same on every machine, for ever: one stream for each name.

The bits are SHAKE-256 (FIPS 202) of the name. What is made of them uses only operations that IEEE 754 rounds in one
way (+, -, *, / and square root, and moving the exponent), one NumPy call each, so that neither the processor nor a
version of NumPy or of the C library has a say. For this reason logarithm and exponential are made here.

A longer stream begins like a shorter one. Vectors are float64 of one number for each scenario.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

#: Streams that are made at once: as many as stay in a processor's cache.
_AT_ONCE = 8

_LN2 = 0.6931471805599453
#: ln 2 in two parts: the first has so few bits that a small whole multiple of it is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10

# Wichura (1988), algorithm AS 241 (PPND16), Applied Statistics 37 (3): 477-484. Highest power first.
_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip
#: 1/(2k + 1), highest power first: the series of the inverse hyperbolic tangent.
_ATANH = tuple(1.0 / (2 * k + 1) for k in range(11, -1, -1))
#: 1/k!, highest power first.
_EXP = (
    1.6059043836821613e-10, 2.08767569878681e-09, 2.505210838544172e-08, 2.755731922398589e-07,
    2.7557319223985893e-06, 2.48015873015873e-05, 1.984126984126984e-04, 1.388888888888889e-03,
    8.333333333333333e-03, 4.1666666666666664e-02, 1.6666666666666666e-01, 0.5, 1.0, 1.0,
)  # fmt: skip


def uniform(seed: int, name: Sequence[str], count: int) -> Floats:
    """`count` numbers strictly between 0 and 1, each an odd multiple of 2^-53: the stream of this seed and name."""
    bits = hashlib.shake_256(repr((seed, *name)).encode("ascii")).digest(8 * count)
    whole = np.frombuffer(bits, dtype="<u8") >> np.uint64(12)
    return (whole.astype(np.float64) + 0.5) * 2.0**-52


def normal(seed: int, name: Sequence[str], count: int) -> Floats:
    """`count` numbers of the standard normal distribution: the stream of this seed and name.

    They come in pairs of a number and its negative, so that few scenarios have their median where it belongs.
    """
    return next(normals(seed, [name], count))


def normals(seed: int, names: Sequence[Sequence[str]], count: int) -> Iterator[Floats]:
    """The stream of each name, as `normal` gives it; several are made at once, which is quicker."""
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        half = normal_quantile(np.concatenate([uniform(seed, name, (count + 1) // 2) for name in some]))
        pairs = np.empty((len(half), 2))
        pairs[:, 0] = half
        np.negative(half, out=pairs[:, 1])
        for stream in pairs.reshape(len(some), -1):
            yield stream[:count]


def normal_quantile(p: Floats) -> Floats:
    """The number below which a standard normal one falls with probability `p`, 0 < p < 1; to about 16 digits."""
    q = p - 0.5
    r = 0.180625 - q * q
    z = q * _ratio(_MIDDLE, r)
    (tail,) = np.nonzero(r < 0.0)
    if tail.size:
        low = np.minimum(p[tail], 1.0 - p[tail])
        s = np.sqrt(-log(low))
        x = _ratio(_TAIL, s - 1.6)
        (far,) = np.nonzero(s > 5.0)
        x[far] = _ratio(_FAR_TAIL, s[far] - 5.0)
        z[tail] = np.where(q[tail] < 0.0, -x, x)
    return z


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], x: Floats) -> Floats:
    above, below = coefficients
    return _polynomial(above, x) / _polynomial(below, x)


def _polynomial(coefficients: Sequence[float], x: Floats) -> Floats:
    value = x * coefficients[0]
    value += coefficients[1]
    for coefficient in coefficients[2:]:
        value *= x
        value += coefficient
    return value


def log(x: Floats) -> Floats:
    """The natural logarithm of positive numbers; to about 16 digits."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * _LN2 + 2.0 * (s * _polynomial(_ATANH, s * s))


def exp(x: Floats) -> Floats:
    """e to the power of numbers up to about 700; to about 16 digits."""
    twos = np.rint(x / _LN2)
    rest = (x - twos * _LN2_HIGH) - twos * _LN2_LOW
    return np.ldexp(_polynomial(_EXP, rest), twos.astype(np.int32))
