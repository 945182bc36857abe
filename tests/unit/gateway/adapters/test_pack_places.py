"""Places of blocks against a dict, with tables so few that they fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import pack_places
from gateway.adapters.pack_places import Places
from gateway.storage.model import Cid, Codec

CIDS = [str(Cid.of(bytes([at]), codec=codec)) for at in range(30) for codec in Codec]
PLACES = st.integers(min_value=0, max_value=(1 << 96) - 1)
DEEDS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from(CIDS), PLACES), max_size=200)


@pytest.mark.parametrize("tables", [1, 2, 7])
@given(deeds=DEEDS)
def test_places_are_those_of_a_dict(tables: int, deeds: list[tuple[str, str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_places, "TABLES", tables)
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
