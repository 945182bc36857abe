"""Places of blocks against a dict, with pages so small that they split; and on a disk that is full."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import pack_places
from gateway.adapters.pack_places import ENTRY_SIZE, Places
from gateway.storage.model import Cid, Codec

CIDS = [str(Cid.of(bytes([at]), codec=codec)) for at in range(30) for codec in Codec]
PLACES = st.integers(min_value=0, max_value=(1 << 96) - 1)
DEEDS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from(CIDS), PLACES), max_size=200)


@pytest.mark.parametrize("entries", [1, 2, 57])
@given(deeds=DEEDS)
def test_places_are_those_of_a_dict(entries: int, deeds: list[tuple[str, str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_places, "PAGE_SIZE", 2 + entries * ENTRY_SIZE)
        places, known = Places(), dict[str, int]()
        for deed, cid, place in deeds:
            if deed == "put":
                places.put(cid, place)
                known[cid] = place
            else:
                places.drop(cid)
                known.pop(cid, None)
            assert {cid: places.get(cid) for cid in CIDS} == {cid: known.get(cid) for cid in CIDS}
        assert sorted(places) == sorted(known)
        places.clear()
        assert list(places) == []
        assert places.get(CIDS[0]) is None
        places.close()


class FullDisk:
    """os.pwritev, of which call `failing` finds no space."""

    def __init__(self, failing: int) -> None:
        self._left, self._pwritev = failing, os.pwritev

    def __call__(self, fd: int, pieces: list[memoryview], at: int) -> int:
        self._left -= 1
        if self._left == -1:
            raise OSError(errno.ENOSPC, "no space")
        return self._pwritev(fd, pieces, at)


def test_a_page_that_cannot_be_written_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_places, "PAGE_SIZE", 2 + 2 * ENTRY_SIZE)
    places, known, failures = Places(), dict[str, int](), 0
    for number, cid in enumerate(CIDS):
        for failing in range(4):  # of a put: a page, or the one or the other of a split
            with monkeypatch.context() as patch:
                patch.setattr(os, "pwritev", FullDisk(failing))
                try:
                    places.put(cid, number)
                    known[cid] = number
                except OSError:
                    failures += 1
            assert {cid: places.get(cid) for cid in CIDS} == {cid: known.get(cid) for cid in CIDS}
            assert sorted(places) == sorted(known)
        places.put(cid, number)
        known[cid] = number
    assert sorted(known) == sorted(CIDS)
    assert failures > len(CIDS)
    places.close()


def test_the_table_has_no_name_and_is_gone_with_the_process(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.put(CIDS[0], 7)
    assert list(tmp_path.iterdir()) == []
    places.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        places.get(CIDS[0])
