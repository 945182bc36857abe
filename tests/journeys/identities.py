"""Identities at an identity provider, linked by an actor's key over the public API."""

from typing import Any

from tests.journeys import documents
from tests.journeys.people import Answer, Person
from tests.servers.identity_provider import IdentityProvider


def draft(person: Person, token: str) -> Answer:
    return person.once(documents.DRAFT_IDENTITY, {"token": token})


def submit(person: Person, typed: Any, token: str, *, signer: Any = None) -> Answer:
    """`signer`: who signs, if not the person's own wallet."""
    signature = (signer or person.wallet).sign_typed_data(typed)
    given = {"typedData": typed, "signature": signature, "token": token}
    return person.once(documents.LINK_IDENTITY, {"input": given})


def link(person: Person, provider: IdentityProvider, user: str) -> str:
    """The id of the linked identity: who is `user` there stands for the person here."""
    token = provider.token(user)
    made = submit(person, draft(person, token).value["typedData"], token).value
    assert (made["issuer"], made["subject"], made["holds"]) == (provider.issuer, user, True)
    return str(made["id"])


def bearer(person: Person, provider: IdentityProvider, user: str, scope: str = "user/*.rs") -> Person:
    """The same person, as they come with the provider's token."""
    return person.bearing(provider.token(user, scope))
