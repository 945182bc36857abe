"""Who signed a digest with secp256k1: ECDSA's public key recovery, as OpenZeppelin's ECDSA takes it (low s, 65 octets,
v of 27 or 28). In Python alone, a few milliseconds each; for checking public signatures, never for secrets.

Source: SEC 1, section 4.1.6; SEC 2, section 2.4.1; EIP-2.
"""

from typing import Final, TypeAlias

from anchoring.verifier.verify import keccak256

P: Final = 2**256 - 2**32 - 977
N: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G: Final = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_Point: TypeAlias = tuple[int, int, int]
"""x/z², y/z³; z 0: the point at infinity."""
_INFINITY: Final = (1, 1, 0)


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address that signed; None for any form that the contract would refuse."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < N and 0 < s <= N // 2):
        return None
    square = (pow(r, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    if y & 1 != signature[64] - 27:
        y = P - y
    inverse = pow(r, -1, N)
    x, y, z = _sum_of(-int.from_bytes(digest, "big") * inverse % N, _G, s * inverse % N, (r, y))
    if not z:
        return None
    back = pow(z, -1, P)
    key = (x * back * back % P).to_bytes(32, "big") + (y * back * back * back % P).to_bytes(32, "big")
    return keccak256(key)[12:]


def _sum_of(a: int, first: tuple[int, int], b: int, second: tuple[int, int]) -> _Point:
    """a · first + b · second, bit by bit together."""
    one, other = (*first, 1), (*second, 1)
    both = _add(one, other)
    table = (_INFINITY, one, other, both)
    found: _Point = _INFINITY
    for at in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        found = _double(found)
        which = (a >> at & 1) + 2 * (b >> at & 1)
        if which:
            found = _add(found, table[which])
    return found


def _double(point: _Point) -> _Point:
    x, y, z = point
    if not z or not y:
        return _INFINITY
    ysq = y * y % P
    s, m = 4 * x * ysq % P, 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * ysq * ysq) % P, 2 * y * z % P


def _add(one: _Point, other: _Point) -> _Point:
    if not one[2]:
        return other
    if not other[2]:
        return one
    (x1, y1, z1), (x2, y2, z2) = one, other
    z1s, z2s = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2s % P, x2 * z1s % P
    s1, s2 = y1 * z2s * z2 % P, y2 * z1s * z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hs = h * h % P
    hc, v = h * hs % P, u1 * hs % P
    x3 = (r * r - hc - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hc) % P, h * z1 * z2 % P
