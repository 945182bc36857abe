"""A study's record opens under the subject's key in that study, for permits of that study and for its patient's own,
and is sealed for permits of that study alone."""

from typing import Any

import pytest
from msgspec import structs

from gateway.consent.model import Action, Permit
from gateway.crypto import envelope
from gateway.crypto.chunks import ChunkOpener, new_data_key
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import (
    DomainKind,
    LargeFacts,
    domains_of,
    record_domain,
    study_domain,
    subject_domain,
)
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from tests.unit.gateway.consent.cases import (
    NOW,
    OTHER_PATIENT,
    OTHER_STUDY,
    PATIENT,
    RECORD,
    STUDY,
    facts,
    in_study,
    informed,
    outcome,
    study_request,
)
from tests.unit.gateway.crypto.blocks import KEY, LOG, FixedEntropy, allowed, domain_key, record_facts

HERE = domain_key(study_domain(PATIENT, STUDY), b"S" * 32, b"s" * 16)
THERE = domain_key(study_domain(PATIENT, OTHER_STUDY), b"T" * 32, b"t" * 16)
ANOTHERS = domain_key(study_domain(OTHER_PATIENT, STUDY), b"A" * 32, b"a" * 16)
KEYS = {"the subject's": KEY, "another study's": THERE, "another subject's": ANOTHERS}
CONTENT = b'{"value":1.10}'


def permitted(action: Action, study: Any = STUDY) -> Permit:
    """A permit of the study's, on the patient's consent to it."""
    asked = study_request(action=action, study=in_study(study=study))
    grant = informed(context="study:" + study.hex())
    permit = outcome([grant], asked=asked, about=facts(study=study))
    assert isinstance(permit, Permit)
    return permit


def sealed(permit: Permit, key: DomainKey, study: bytes) -> envelope.Sealed:
    return envelope.seal_record(
        permit,
        facts=record_facts(content_size=len(CONTENT), study=study),
        content=CONTENT,
        record=RecordId(RECORD),
        version=1,
        key=key,
        log=LOG,
        entropy=FixedEntropy(),
    )


def opened(permit: Permit, key: DomainKey = HERE) -> bytes:
    block = sealed(permitted(Action.WRITE), HERE, STUDY).block
    found: Any = envelope.open_facts(envelope.locate(block, LOG), HERE)
    return envelope.open_content(permit, found, key, now=NOW)


def test_what_a_study_sealed_opens_for_it_and_for_the_patient() -> None:
    assert opened(permitted(Action.READ)) == CONTENT
    assert opened(allowed(Action.READ)) == CONTENT  # the patient's own


@pytest.mark.parametrize("name", KEYS)
def test_under_no_other_key_is_it_sealed_or_opened(name: str) -> None:
    with pytest.raises(IntegrityError, match="key"):
        sealed(permitted(Action.WRITE), KEYS[name], STUDY)
    with pytest.raises(IntegrityError, match="key"):
        opened(permitted(Action.READ), KEYS[name])


def test_a_permit_of_another_study_or_of_none_does_not_seal_it() -> None:
    with pytest.raises(IntegrityError, match="study"):
        sealed(permitted(Action.WRITE, OTHER_STUDY), HERE, STUDY)
    with pytest.raises(IntegrityError, match="study"):
        sealed(allowed(Action.WRITE), HERE, STUDY)  # nor the patient's own
    with pytest.raises(IntegrityError, match="study"):
        sealed(permitted(Action.WRITE), KEY, b"")


def test_a_permit_of_another_study_does_not_open_it() -> None:
    with pytest.raises(IntegrityError, match="study"):
        opened(permitted(Action.READ, OTHER_STUDY))


def test_a_study_s_permit_opens_no_ordinary_record() -> None:
    block = sealed(allowed(Action.WRITE), KEY, b"").block
    found: Any = envelope.open_facts(envelope.locate(block, LOG), KEY)
    with pytest.raises(IntegrityError, match="study"):
        envelope.open_content(permitted(Action.READ), found, KEY, now=NOW)
    assert envelope.open_content(allowed(Action.READ), found, KEY, now=NOW) == CONTENT


def test_facts_that_were_sealed_in_a_study_open_under_no_other_key() -> None:
    located = envelope.locate(sealed(permitted(Action.WRITE), HERE, STUDY).block, LOG)
    for other in KEYS.values():
        with pytest.raises(IntegrityError):
            envelope.open_facts(structs.replace(located, key_id=other.id), other)


def test_chunks_follow_the_study_of_their_permit() -> None:
    write, entropy = permitted(Action.WRITE), FixedEntropy()
    wrapped = new_data_key(write, RecordId(RECORD), HERE, entropy)
    large = LargeFacts(root=b"", size=1, key_id=HERE.id, wrapped=wrapped, salt=bytes(32), commitment=bytes(32))
    ChunkOpener(permitted(Action.READ), record=RecordId(RECORD), large=large, key=HERE)
    for permit, key in ((write, KEY), (write, THERE), (allowed(Action.WRITE), HERE)):
        with pytest.raises(IntegrityError):
            new_data_key(permit, RecordId(RECORD), key, entropy)
    for permit in (permitted(Action.READ, OTHER_STUDY), allowed(Action.READ)):
        with pytest.raises(IntegrityError):
            ChunkOpener(permit, record=RecordId(RECORD), large=large, key=HERE)


def test_a_record_s_domain_is_its_subject_s_or_the_subject_s_in_the_study() -> None:
    assert record_domain(PATIENT, b"") == subject_domain(PATIENT)
    assert record_domain(PATIENT, STUDY) == study_domain(PATIENT, STUDY)
    assert record_domain(PATIENT, STUDY).kind == DomainKind.STUDY.value
    assert record_domain(PATIENT, STUDY) in domains_of(PATIENT, [record_domain(PATIENT, STUDY)])


def test_reason_and_study_are_sealed_with_the_facts() -> None:
    said = record_facts(study=STUDY, reason="read off wrongly")
    one = envelope.seal_record(
        permitted(Action.WRITE),
        facts=said,
        content=b"",
        record=RecordId(RECORD),
        version=1,
        key=HERE,
        log=LOG,
        entropy=FixedEntropy(),
    )
    assert envelope.open_facts(envelope.locate(one.block, LOG), HERE).facts == said
    assert b"read off wrongly" not in one.block
    assert one.facts_commitment != sealed(permitted(Action.WRITE), HERE, STUDY).facts_commitment
