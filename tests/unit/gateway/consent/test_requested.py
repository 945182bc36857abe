"""What is sealed of a request is read back as it was, pads to few sizes, and stands as what became of it says."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.consent.model import Action, ConsentInput, Effect, Grant, Purpose, SealedDeny
from gateway.consent.requested import ConsentRequest, RequestState, granted, read, state_of, terms_of, written
from gateway.errors import IntegrityError
from gateway.ids import ActorId, ConsentId, RequestId, SubjectId

ID = RequestId(b"\x01" * 16)
TERMS = ConsentInput(
    subject=SubjectId(b"\x02" * 32),
    effect=Effect.PERMIT,
    grantee=ActorId(b"\x03" * 32),
    actions=(Action.READ, Action.WRITE),
    purposes=(Purpose.TREAT,),
    resource_types=("Observation",),
    codes=("http://loinc.org|8480-6",),
    authors=(ActorId(b"\x04" * 32),),
    records=(),
    labels=("HIV",),
    data_from=datetime(2020, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    data_to=None,
    data_use=(),
    not_before=None,
    not_after=datetime(2030, 1, 1, tzinfo=UTC),
    terms_hash=b"\x05" * 32,
)
REQUEST = ConsentRequest(
    id=ID,
    asker=ActorId(b"\x06" * 32),
    terms=TERMS,
    reason="To follow up\nyour surgery",
    salt=b"\x07" * 32,
    asked_at=1_800_000_000,
    expires_at=1_800_086_400,
)


def test_what_is_written_is_read_back_and_pads_to_few_sizes() -> None:
    assert read(ID, written(REQUEST)) == REQUEST
    sizes = {len(written(replace(REQUEST, reason="x" * size))) for size in range(10, 1001, 10)}
    assert len(sizes) == 2
    assert all(size % 1024 == 0 for size in sizes)


@pytest.mark.parametrize("octets", [b"", b"\x00\x00\x00\x05hello", written(REQUEST)[:300], bytes(1024)])
def test_what_no_request_has_is_an_integrity_error(octets: bytes) -> None:
    with pytest.raises(IntegrityError):
        read(ID, octets)


def test_terms_are_those_that_were_asked_for_with_the_requests_salt() -> None:
    terms = terms_of(REQUEST, now=1_800_000_500)
    assert (terms.scope.salt, terms.not_before, terms.scope.terms_hash) == (REQUEST.salt, 1_800_000_500, b"\x05" * 32)
    assert "2020-01-01T12:30:15.250Z" in terms.scope.statement
    assert terms_of(REQUEST, now=9e9).not_before < REQUEST.expires_at


def test_a_request_is_granted_by_the_consent_that_has_its_salt() -> None:
    mine = terms_of(REQUEST, now=1_800_000_500)
    grant = Grant(consent=ConsentId(b"\x08" * 32), terms=mine, confirmed=True, revoked=False)
    other = replace(grant, consent=ConsentId(b"\x09" * 32), terms=replace(mine, scope=replace(mine.scope, salt=ID * 2)))
    sealed = SealedDeny(consent=ConsentId(b"\x0a" * 32), not_before=0, not_after=1)
    assert granted(REQUEST, (sealed, other, grant)) == grant.consent
    assert granted(REQUEST, (replace(grant, revoked=True),)) == grant.consent
    assert granted(REQUEST, (sealed, other)) is None


STATES: dict[RequestState, dict[str, Any]] = {
    RequestState.OPEN: {},
    RequestState.EXPIRED: {"now": 1_800_086_400},
    RequestState.WITHDRAWN: {"withdrawn": True, "now": 1_800_086_400},
    RequestState.DECLINED: {"declined": True, "withdrawn": True},
    RequestState.GRANTED: {"consent": ConsentId(b"\x08" * 32), "declined": True, "withdrawn": True, "now": 2e9},
}


@pytest.mark.parametrize("state", STATES)
def test_what_counts_more_is_told(state: RequestState) -> None:
    plain: dict[str, Any] = {"consent": None, "declined": False, "withdrawn": False, "now": 1_800_000_001}
    assert state_of(REQUEST, **{**plain, **STATES[state]}) is state
