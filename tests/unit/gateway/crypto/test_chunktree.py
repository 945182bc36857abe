"""The tree over chunks: each leaf joins the root by its own path, in its own place, and by no other."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.chunktree import chunk_salt, commit_chunk, path_of, root_by, root_of


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes([at % 256, at // 256])).digest() for at in range(count)]


def test_a_root_is_what_rfc_9162_makes_of_the_leaves() -> None:
    a, b, c = leaves(3)

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x07" + left + right).digest()

    assert root_of([a]) == a
    assert root_of([a, b, c]) == node(node(a, b), c)
    with pytest.raises(ValueError):
        root_of([])


@given(st.integers(1, 70), st.data())
def test_every_path_leads_to_the_root_from_its_own_place_alone(count: int, data: st.DataObject) -> None:
    all_leaves = leaves(count)
    number, other = (data.draw(st.integers(0, count - 1)) for _ in range(2))
    path = path_of(all_leaves, number)
    assert root_by(all_leaves[number], number, count, path) == root_of(all_leaves)
    if other != number:
        assert root_by(all_leaves[number], other, count, path) != root_of(all_leaves)
        assert root_by(all_leaves[other], number, count, path) != root_of(all_leaves)
    assert root_by(all_leaves[number], number, count, [*path, bytes(32)]) is None
    assert root_by(all_leaves[number], count, count, path) is None


def test_a_chunk_is_hidden_by_a_salt_of_its_own() -> None:
    salt = b"s" * 32
    assert chunk_salt(salt, 0) != chunk_salt(salt, 1)
    assert commit_chunk(salt, 2, b"x") == hashlib.sha256(b"\x06" + chunk_salt(salt, 2) + b"x").digest()
