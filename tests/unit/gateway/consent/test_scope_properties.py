"""Whatever scopes a bearer token has, nothing is permitted with it that is not permitted without."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.model import Action, Permit, Purpose
from gateway.identity.model import Reach
from tests.unit.gateway.consent.cases import doctor, emergency, outcome, owner, permit, request

PARTS = st.tuples(
    st.sampled_from([action.value for action in Action]),
    st.sampled_from([purpose.value for purpose in Purpose]),
    st.sampled_from(["*", "Observation", "Condition"]),
)


@given(
    st.frozensets(PARTS, max_size=6),
    st.sampled_from(list(Action)),
    st.sampled_from(list(Purpose)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_scopes_permit_nothing_that_is_not_permitted_without(
    parts: frozenset[tuple[str, str, str]], action: Action, purpose: Purpose, own: bool, granted: bool, broken: bool
) -> None:
    def decided(reach: Reach | None) -> Any:
        who = owner(reach=reach) if own else doctor(reach=reach)
        asked = request(who, action=action, purpose=purpose)
        return outcome([permit()] if granted else [], asked=asked, broken=emergency() if broken else None)

    with_scopes, without = decided(Reach(parts=parts)), decided(None)
    if isinstance(with_scopes, Permit):
        assert with_scopes == without
