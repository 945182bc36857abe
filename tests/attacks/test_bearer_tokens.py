"""An identity provider becomes no actor that did not link it, and its tokens do no more than their scopes say; whatever
does not hold is answered as no token is."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.wallet import Wallet
from tests.journeys import documents
from tests.journeys.identities import bearer, draft, link, submit
from tests.journeys.keys import P256Key
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import condition, observation
from tests.journeys.sites import Site, running_site
from tests.journeys.sockets import subscribed
from tests.ports.databases import query
from tests.servers.identity_provider import IdentityProvider, identity_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="module")
def trusting(provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("trusting")
    with running_site(folder, settings={"OIDC_ISSUERS": provider.setting()}) as running:
        yield running


@pytest.fixture
def person(trusting: Site) -> Person:
    return trusting.crowd.clinician("Dr. Bearer")


@pytest.fixture
def user() -> str:
    """Somebody at the provider."""
    return f"user-{secrets.token_hex(4)}"


@pytest.fixture
def patient(trusting: Site, person: Person) -> Patient:
    """One who lets the person read and write for treatment."""
    made = trusting.crowd.patient()
    made.consent(person.id, actions=["READ", "WRITE"])
    return made


def is_nobody(one: Person) -> bool:
    read = one.once(documents.READ, {"id": unknown_id("Record", 16)})
    assert (read.code, read.message) in {("UNAUTHENTICATED", "sign in first"), ("NOT_PERMITTED", "not permitted")}
    return one.once(documents.VIEWER).found is None and read.code == "UNAUTHENTICATED"


# ---- who stands for whom


def test_somebody_whom_nobody_linked_is_nobody(person: Person, provider: IdentityProvider, user: str) -> None:
    assert is_nobody(bearer(person, provider, user))


def test_a_provider_that_names_an_actor_is_not_believed(person: Person, provider: IdentityProvider, user: str) -> None:
    """Whatever it claims: a subject that is the actor's name, id, key or token, or claims of its own."""
    link(person, provider, user)
    for subject in (person.actor, person.id, person.wallet.address, person.name, user.upper(), user + " "):
        named = {"actor": person.actor, "actor_id": person.id, "act": {"sub": user}, "fhirUser": person.id}
        assert is_nobody(person.bearing(provider.sign(provider.claims(subject, **named))))
    assert not is_nobody(bearer(person, provider, user))


def test_another_issuer_of_the_same_subject_is_nobody(person: Person, provider: IdentityProvider, user: str) -> None:
    link(person, provider, user)
    with identity_provider() as other:
        assert is_nobody(person.bearing(other.token(user, "user/*.rs")))
        assert is_nobody(person.bearing(other.sign(other.claims(user, iss=provider.issuer))))


def test_nobody_is_linked_without_the_actors_signature(person: Person, provider: IdentityProvider, user: str) -> None:
    token = provider.token(user)
    typed = draft(person, token).value["typedData"]
    refused = submit(person, typed, token, signer=Wallet.new())
    assert (refused.code, refused.field) == ("INVALID", ("signature",))
    assert is_nobody(bearer(person, provider, user))


def test_nobody_is_linked_without_a_token_of_theirs(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    """Whom one does not have in hand one cannot make one's own: they would act as somebody else without knowing."""
    typed = draft(person, provider.token(user)).value["typedData"]
    other = submit(person, typed, provider.token("mallory"))
    assert (other.code, other.field) == ("INVALID", ("token",))
    for token in ("", "x", person.token, provider.sign(provider.claims(user, exp=int(time.time()) - 100))):
        assert submit(person, typed, token).code == "UNAUTHENTICATED"
    assert is_nobody(bearer(person, provider, user))


def test_another_actors_text_links_nobody(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    thief = trusting.crowd.clinician("Dr. Thief")
    token = provider.token(user)
    typed = draft(person, token).value["typedData"]
    assert submit(thief, typed, token, signer=person.wallet).code == "NOT_PERMITTED"
    typed["message"]["actor"] = thief.actor
    assert submit(thief, typed, token, signer=person.wallet).code == "INVALID"


def test_one_identity_stands_for_one_actor(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    link(person, provider, user)
    other, token = trusting.crowd.clinician(), provider.token(user)
    assert submit(other, draft(other, token).value["typedData"], token).code == "CONFLICT"
    assert bearer(person, provider, user).once(documents.VIEWER).value["id"] == person.id
    link(person, provider, user)  # the same again is no conflict


@pytest.mark.parametrize("days", [-1, 400])
def test_a_link_has_an_end_within_a_year(person: Person, provider: IdentityProvider, user: str, days: int) -> None:
    token = provider.token(user)
    typed = draft(person, token).value["typedData"]
    typed["message"]["notAfter"] = int(time.time()) + days * 86_400
    refused = submit(person, typed, token)
    assert (refused.code, refused.field) == ("INVALID", ("typedData", "message", "notAfter"))


def test_so_many_identities_stand_for_one_actor_and_no_more(
    person: Person, provider: IdentityProvider, user: str
) -> None:
    for number in range(8):
        link(person, provider, f"{user}-{number}")
    token = provider.token(user)
    assert submit(person, draft(person, token).value["typedData"], token).code == "LIMIT"
    assert len(person.once(documents.LINKED_IDENTITIES).value) == 8


def test_who_writes_into_the_database_lets_nobody_in(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    """A row of somebody's, its actor edited; and one that was copied under another's name."""
    thief = trusting.crowd.clinician("Dr. Thief")
    link(thief, provider, user)
    url = trusting.gateway.index_url
    mine, theirs = person.actor[2:].upper(), thief.actor[2:].upper()
    query(url, f"update identities set actor = x'{mine}' where hex(actor) = '{theirs}'")
    assert is_nobody(bearer(thief, provider, user))
    names = [f"{user}-{letter}" for letter in "ab"]
    for name in names:
        link(person, provider, name)
    query(
        url,
        f"update identities set sealed = (select min(sealed) from identities where hex(actor) = '{mine}')"
        f" where hex(actor) = '{mine}'",
    )
    assert sum(not is_nobody(bearer(person, provider, name)) for name in (user, *names)) <= 1, "each text is its name's"


def test_the_name_at_the_provider_lies_nowhere_in_clear(
    trusting: Site, person: Person, provider: IdentityProvider
) -> None:
    name = "zebrafish-" + secrets.token_hex(8)
    link(person, provider, name)
    one = bearer(person, provider, name)
    assert not is_nobody(one)
    told = trusting.gateway.text.encode()
    for file in (found for found in trusting.gateway.data.rglob("*") if found.is_file()):
        told += file.read_bytes()
    assert name.encode() not in told
    assert one.token[:60].encode() not in told


def test_a_key_that_controls_a_patient_and_is_no_wallet_signs_nobody_in(
    trusting: Site, provider: IdentityProvider, user: str
) -> None:
    found = json.loads((trusting.gateway.data / "deployment.json").read_text())
    key = P256Key(bytes.fromhex(found["p256_verifier"][2:]))
    registrar, door = trusting.crowd.registrar, trusting.door
    asked = {"key": key.signer, "roles": ["PATIENT"], "name": "Somebody with a key"}
    registrar.ask(documents.REGISTER, {"input": asked}).must()
    message = door.ask(documents.CHALLENGE, {"address": key.address}).value["message"]
    given = {"message": message, "signature": key.sign_text(message), "signer": key.signer}
    session = door.ask(documents.SIGN_IN, {"input": given}).value
    one = registrar.bearing(session["accessToken"])
    token = provider.token(user)
    typed = draft(one, token).value["typedData"]
    assert submit(one, typed, token, signer=key).code == ""
    assert not is_nobody(bearer(one, provider, user))
    registrar.ask(documents.ENROL, {"input": {"controller": key.signer}}).must()
    assert is_nobody(bearer(one, provider, user))
    assert draft(one, provider.token(user + "-2")).code == "NOT_PERMITTED"


# ---- what a token may


def test_a_token_reads_and_writes_within_its_scopes(
    person: Person, patient: Patient, provider: IdentityProvider, user: str
) -> None:
    seen, other = patient.store(observation()), patient.store(condition())
    link(person, provider, user)
    reads = bearer(person, provider, user, "user/Observation.rs")
    assert reads.read(seen).value["content"] == observation()
    assert reads.read(other).code == "NOT_PERMITTED"
    assert reads.seen(patient.id) == [seen]
    assert set(person.seen(patient.id)) == {seen, other}
    assert reads.store(patient.id, observation()).code == "NOT_PERMITTED"
    writes = bearer(person, provider, user, "user/Observation.cu")
    assert writes.store(patient.id, observation()).code == ""
    assert writes.store(patient.id, condition()).code == "NOT_PERMITTED"
    assert writes.read(seen).code == "NOT_PERMITTED"


def test_what_no_scope_reaches_is_told_as_what_is_not_there(
    person: Person, patient: Patient, provider: IdentityProvider, user: str
) -> None:
    record = patient.store(observation())
    link(person, provider, user)
    narrow = bearer(person, provider, user, "user/Condition.rs")
    there, absent = narrow.read(record), narrow.read(unknown_id("Record", 16))
    assert (there.code, there.message) == (absent.code, absent.message) == ("NOT_PERMITTED", "not permitted")


def test_scopes_add_nothing_to_what_the_patient_permitted(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    stranger = trusting.crowd.patient()
    record = stranger.store(observation())
    link(person, provider, user)
    provider.purposes[user] = ["TREAT", "ETREAT", "HOPERAT", "PATRQT"]
    for scope in ("user/*.cruds", "patient/*.cruds", "system/*.cruds", "user/*.* system/*.* patient/*.*"):
        assert bearer(person, provider, user, scope).read(record).code == "NOT_PERMITTED"


def test_a_patients_own_app_reads_their_own(trusting: Site, provider: IdentityProvider, user: str) -> None:
    patient = trusting.crowd.patient()
    record = patient.store(observation())
    link(patient.person, provider, user)
    own = bearer(patient.person, provider, user, "patient/*.rs")
    assert own.read(record, purpose="PATRQT").value["id"] == record
    assert bearer(patient.person, provider, user, "user/*.rs").read(record, purpose="PATRQT").code == "NOT_PERMITTED"


def test_a_token_signs_lists_and_ends_nothing(trusting: Site, provider: IdentityProvider, user: str) -> None:
    """The patient's own, and the registrar's: of what either may do by key nothing is left but records."""
    patient = trusting.crowd.patient()
    link(patient.person, provider, user)
    one = Patient(
        person=bearer(patient.person, provider, user, "patient/*.cruds"), id=patient.id, subject=patient.subject
    )
    assert one.draft(trusting.crowd.clinician().id).code == "NOT_PERMITTED"
    assert one.person.once(documents.ACCESS_LOG, {"id": patient.id}).value["accessLog"]["edges"] == []
    assert one.person.once(documents.SESSIONS).value["edges"] == []
    assert one.person.once(documents.LINKED_IDENTITIES).value == []
    for document in (documents.END_OTHER_SESSIONS, documents.SIGN_OUT):
        assert one.person.once(document).code == "NOT_PERMITTED"
    assert one.person.once(documents.REFRESH).code == "UNAUTHENTICATED"
    assert draft(one.person, provider.token(user + "-2")).code == "NOT_PERMITTED"
    assert one.person.once(documents.DRAFT_ERASURE, {"patientId": patient.id}).code == "NOT_PERMITTED"
    registrar = trusting.crowd.registrar
    link(registrar, provider, user + "-registrar")
    asked = {"key": Wallet.new().signer, "roles": ["CLINICIAN"], "name": "Nobody"}
    made = bearer(registrar, provider, user + "-registrar", "system/*.cruds user/*.cruds")
    assert made.once(documents.REGISTER, {"input": asked}).code == "NOT_PERMITTED"


# ---- the end


def test_an_identity_that_is_unlinked_is_nobody_at_once(
    person: Person, patient: Patient, provider: IdentityProvider, user: str
) -> None:
    record = patient.store(observation())
    name = link(person, provider, user)
    one = bearer(person, provider, user)
    assert one.read(record).code == ""
    with subscribed(one, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        assert person.once(documents.UNLINK_IDENTITY, {"id": name}).value["holds"] is False
        assert one.read(record).code == "UNAUTHENTICATED"
        assert is_nobody(one)
        assert subscription.closed_with(seconds=5) == 4403
    assert is_nobody(bearer(person, provider, user))
    assert person.once(documents.UNLINK_IDENTITY, {"id": name}).code == "NOT_PERMITTED"


def test_what_was_ended_does_not_come_back_with_a_new_link(
    person: Person, provider: IdentityProvider, user: str
) -> None:
    """Whoever lost a token ends all, unlinks and links anew: the lost one stays lost."""
    now = int(time.time())
    lost = person.bearing(provider.sign(provider.claims(user, iat=now - 20)))
    linked = link(person, provider, user)
    assert is_nobody(lost), "older than what the link was made with"
    held = bearer(person, provider, user)
    assert not is_nobody(held)
    person.once(documents.UNLINK_IDENTITY, {"id": linked}).must()
    assert is_nobody(held)
    time.sleep(1.1)
    link(person, provider, user)
    assert is_nobody(held)
    assert not is_nobody(bearer(person, provider, user))


def test_a_token_takes_no_label_away(trusting: Site, provider: IdentityProvider, user: str) -> None:
    """Labels decide who reads: an app of the patient's writes, and leaves them."""
    patient = trusting.crowd.patient()
    link(patient.person, provider, user)
    app = patient.person.bearing(provider.token(user, "patient/*.cruds"))
    record = patient.store(observation(), labels=["PSY"])
    app.amend(record, observation(value="121"), version=1, labels=[]).must()
    assert patient.person.read(record, purpose="PATRQT").value["labels"] == ["PSY"]
    patient.person.amend(record, observation(value="122"), version=2, labels=[]).must()
    assert patient.person.read(record, purpose="PATRQT").value["labels"] == []


def test_a_token_without_a_scope_is_not_told_that_there_is_a_patient(
    patient: Patient, person: Person, provider: IdentityProvider, user: str
) -> None:
    link(person, provider, user)
    scoped, bare = (person.bearing(provider.token(user, scope)) for scope in ("user/*.rs", "openid"))
    assert scoped.once(documents.PATIENT, {"id": patient.id}).found is not None
    assert bare.once(documents.PATIENT, {"id": patient.id}).found is None
    with subscribed(bare, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        assert subscription.next() is None


def test_a_socket_of_a_token_outlives_the_sessions_of_others(
    trusting: Site, person: Person, patient: Patient, provider: IdentityProvider, user: str
) -> None:
    link(person, provider, user)
    with subscribed(bearer(person, provider, user), documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        trusting.crowd.clinician().once(documents.SIGN_OUT).must()
        record = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == record


def test_the_end_of_all_other_sessions_is_that_of_older_tokens(
    person: Person, patient: Patient, provider: IdentityProvider, user: str
) -> None:
    record = patient.store(observation())
    link(person, provider, user)
    one = bearer(person, provider, user)
    assert one.read(record).code == ""
    person.once(documents.END_OTHER_SESSIONS).must()
    assert one.read(record).code == "UNAUTHENTICATED"
    assert is_nobody(one)
    later = provider.claims(user, "user/*.rs", iat=int(time.time()) + 20, exp=int(time.time()) + 320)
    assert is_nobody(person.bearing(provider.sign(later))), "a clock that is ahead makes no older token younger"


def test_another_ones_identity_is_not_unlinked(
    trusting: Site, person: Person, provider: IdentityProvider, user: str
) -> None:
    name = link(person, provider, user)
    stranger = trusting.crowd.clinician()
    theirs = stranger.once(documents.UNLINK_IDENTITY, {"id": name})
    nothing = stranger.once(documents.UNLINK_IDENTITY, {"id": unknown_id("Identity", 16)})
    assert (theirs.code, theirs.message) == (nothing.code, nothing.message) == ("NOT_PERMITTED", "not permitted")
    assert not is_nobody(bearer(person, provider, user))


# ---- what is no token


def test_whatever_does_not_hold_is_answered_as_no_token_is(
    person: Person, provider: IdentityProvider, user: str
) -> None:
    link(person, provider, user)
    now = int(time.time())
    bad = [
        provider.sign(provider.claims(user, exp=now - 60, iat=now - 300)),
        provider.sign(provider.claims(user, aud="https://elsewhere.example")),
        provider.sign(provider.claims(user, exp=now + 3_600)),
        provider.sign(provider.claims(user), header={"typ": "JWT"}),
        provider.sign(provider.claims(user), header={"kid": "another"}),
        provider.sign(provider.claims(user), alg="PS256"),
        provider.token(user)[:-8] + "AAAAAAAA",
        "a.b.c",
        "..",
        f"{'x' * 3000}.{'y' * 3000}.{'z' * 3000}",
    ]
    assert not is_nobody(bearer(person, provider, user))
    assert all(is_nobody(person.bearing(token)) for token in bad)


def test_where_no_provider_is_trusted_no_such_token_is_looked_at(quick: Site, provider: IdentityProvider) -> None:
    person = quick.crowd.clinician()
    provider.asked.clear()
    assert is_nobody(person.bearing(provider.token("alice", "user/*.rs")))
    assert draft(person, provider.token("alice")).code == "UNAUTHENTICATED"
    assert provider.asked == {}
