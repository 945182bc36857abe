"""Any m shares open the root, fewer open nothing, and a wrong one is told by its number before m are there."""

import itertools
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.root import Root
from gateway.adapters.shares import Share, SharesVault, Splitting, combine, read_share, split, write_shares
from gateway.errors import CallerError, SettingsError

ROOT = bytes(range(32))


@pytest.mark.parametrize(("threshold", "total"), [(2, 2), (2, 3), (3, 5), (5, 7)])
def test_any_m_shares_give_the_root(threshold: int, total: int) -> None:
    splitting, shares = split(ROOT, threshold=threshold, total=total)
    for some in itertools.combinations(shares, threshold):
        assert combine(splitting, some).id == Root(ROOT).id


def test_fewer_shares_than_m_give_another_root() -> None:
    splitting, shares = split(ROOT, threshold=3, total=3)
    with pytest.raises(CallerError, match="do not give the root"):
        combine(splitting, shares[:2])


def test_no_share_holds_a_half_of_the_root() -> None:
    _, shares = split(ROOT, threshold=2, total=32)
    assert not any(half in share.value for share in shares for half in (ROOT[:16], ROOT[16:]))


@pytest.mark.parametrize(("threshold", "total"), [(1, 1), (1, 3), (0, 3), (3, 2), (2, 33)])
def test_one_share_alone_never_opens_a_root(threshold: int, total: int) -> None:
    with pytest.raises(CallerError):
        split(ROOT, threshold=threshold, total=total)


def test_a_damaged_share_is_told_by_its_number_at_once() -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    for at in range(32):
        value = bytearray(shares[1].value)
        value[at] ^= 1
        with pytest.raises(CallerError, match="share 2 is not the one"):
            SharesVault(splitting).give(replace(shares[1], value=bytes(value)))


def test_a_share_under_anothers_number_is_told() -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    with pytest.raises(CallerError, match="share 3 is not the one"):
        SharesVault(splitting).give(replace(shares[0], number=3))


def test_a_share_of_another_splitting_of_the_same_root_is_told() -> None:
    (splitting, _), (_, others) = split(ROOT, threshold=2, total=3), split(ROOT, threshold=2, total=3)
    with pytest.raises(CallerError, match="share 1 is of another splitting"):
        SharesVault(splitting).give(others[0])


def test_a_wrong_share_does_not_spoil_the_right_ones() -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    vault = SharesVault(splitting)
    vault.give(shares[0])
    with pytest.raises(CallerError):
        vault.give(replace(shares[1], value=bytes(32)))
    assert vault.give(shares[2]) == 0


def test_the_same_share_twice_counts_once() -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    vault = SharesVault(splitting)
    assert [vault.give(shares[0]), vault.give(shares[0]), vault.missing] == [1, 1, 1]


def test_a_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    paths = write_shares(shares, tmp_path / "out")
    (tmp_path / "root.split").write_bytes(splitting.encode())
    assert [read_share(path) for path in paths] == list(shares)
    assert Splitting.read(tmp_path / "root.split") == splitting
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_a_share_is_never_written_over_another(tmp_path: Path) -> None:
    _, shares = split(ROOT, threshold=2, total=3)
    write_shares(shares, tmp_path)
    with pytest.raises(SettingsError, match="exists already"):
        write_shares(shares, tmp_path)


def test_what_the_gateway_knows_of_its_shares_is_no_secret() -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    known = splitting.encode()
    assert not any(secret.hex().encode() in known for secret in (ROOT, *(share.value for share in shares)))


def test_no_share_is_printed() -> None:
    _, shares = split(ROOT, threshold=2, total=2)
    assert shares[0].value.hex() not in repr(shares[0])
    assert repr(shares[0].value) not in repr(shares[0])


@pytest.mark.parametrize("octets", [b"", b"{}", b"null", b"\xff", b"[]", b'{"format":"consentry.root-share/1"}'])
def test_what_is_no_share_is_refused(octets: bytes) -> None:
    with pytest.raises(CallerError):
        Share.decode(octets)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"number": 4},
        {"number": -1},
        {"threshold": 1},
        {"total": 99},
        {"value": "00"},
        {"value": "zz"},
        {"set": ""},
        {"root": "00"},
        {"format": "consentry.root-share/2"},
        {"more": 1},
    ],
)
def test_a_share_of_another_form_is_refused(changes: dict[str, object]) -> None:
    _, shares = split(ROOT, threshold=2, total=3)
    with pytest.raises(CallerError):
        Share.decode(json.dumps({**json.loads(shares[0].encode()), **changes}).encode())


@pytest.mark.parametrize(
    "changes", [{"threshold": 1}, {"threshold": 4}, {"checks": []}, {"root": "zz"}, {"format": ""}]
)
def test_a_damaged_splitting_is_a_setting_that_is_wrong(tmp_path: Path, changes: dict[str, object]) -> None:
    splitting, _ = split(ROOT, threshold=2, total=3)
    (tmp_path / "root.split").write_text(json.dumps({**json.loads(splitting.encode()), **changes}))
    with pytest.raises(SettingsError):
        Splitting.read(tmp_path / "root.split")
