"""Shares reach a sealed gateway over its own socket: one file a line, mode 0600, wrong ones told by number."""

import asyncio
import json
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.shares import SharesVault, split
from gateway.adapters.unsealing import NAME, give_shares, taking_shares
from gateway.errors import CallerError, UpstreamError

ROOT = bytes(range(32))


async def test_m_shares_given_by_m_people_unseal(tmp_path: Path) -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    vault = SharesVault(splitting)
    async with taking_shares(vault, tmp_path) as unsealed:
        assert await asyncio.to_thread(give_shares, tmp_path, shares[:1]) == 1
        assert not unsealed.is_set()
        assert await asyncio.to_thread(give_shares, tmp_path, shares[2:]) == 0
        async with asyncio.timeout(5):
            await unsealed.wait()
    assert await vault.check() is None


async def test_the_socket_is_the_owners_alone_and_goes_with_the_seal(tmp_path: Path) -> None:
    splitting, _ = split(ROOT, threshold=2, total=3)
    async with taking_shares(SharesVault(splitting), tmp_path):
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


async def test_a_wrong_share_is_told_by_its_number(tmp_path: Path) -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    vault = SharesVault(splitting)
    async with taking_shares(vault, tmp_path):
        with pytest.raises(CallerError, match="share 2"):
            await asyncio.to_thread(give_shares, tmp_path, [replace(shares[1], value=bytes(32))])
    assert vault.missing == 2


async def test_a_socket_that_a_killed_gateway_left_is_no_hindrance(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / NAME))
    splitting, shares = split(ROOT, threshold=2, total=3)
    async with taking_shares(SharesVault(splitting), tmp_path):
        assert await asyncio.to_thread(give_shares, tmp_path, shares[:2]) == 0


async def test_a_deep_folder_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    splitting, shares = split(ROOT, threshold=2, total=3)
    async with taking_shares(SharesVault(splitting), folder):
        assert await asyncio.to_thread(give_shares, folder, shares[:2]) == 0


def test_where_none_waits_it_says_so(tmp_path: Path) -> None:
    _, shares = split(ROOT, threshold=2, total=3)
    with pytest.raises(UpstreamError, match="no sealed gateway waits"):
        give_shares(tmp_path, shares[:1])


@pytest.mark.parametrize("line", [b"\n", b"null\n", b"x" * 100_000 + b"\n", b"\xff\xfe\n"])
async def test_nonsense_is_answered_or_cut_off_and_the_door_stays_open(tmp_path: Path, line: bytes) -> None:
    splitting, shares = split(ROOT, threshold=2, total=3)
    async with taking_shares(SharesVault(splitting), tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
        writer.write(line)
        async with asyncio.timeout(5):
            answer = await reader.readline()
        writer.close()
        assert not answer or json.loads(answer)["missing"] == 2
        assert await asyncio.to_thread(give_shares, tmp_path, shares[:2]) == 0
