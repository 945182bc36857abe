"""A chain's profile by its name, or in its own words."""

import pytest

from anchoring.chain.profile import CLIQUE, ChainProfile, profile_named


def test_a_known_name_is_that_profile() -> None:
    assert profile_named("clique") is CLIQUE


def test_own_words_give_a_profile_of_their_own() -> None:
    own = ChainProfile(name="own", block_period=0.5, confirmations=2, finality=16)
    assert profile_named("period=0.5,confirmations=2,finality=16") == own


@pytest.mark.parametrize(
    "text", ["", "besu", "period=1", "period=1,confirmations=3,finality=2", "period=-1,confirmations=0,finality=0"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        profile_named(text)
