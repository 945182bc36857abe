"""Nothing that a client sends makes the gateway call anybody (server-side request forgery): an address in every place
of every query and mutation, and a listener that hears nothing."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from gateway import jsontext
from gateway.jsontext import JsonValue
from tests.journeys.people import Person
from tests.journeys.sites import Site

SCHEMA = build_schema((Path(__file__).parents[2] / "schema" / "schema.graphql").read_text())
FORMS = (
    "http://127.0.0.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0x7f.1:{port}/",
    "http://2130706433:{port}/",
    "http://localhost:{port}@127.0.0.1:{port}/",
    "//127.0.0.1:{port}/x",
    "http://169.254.169.254/latest/meta-data/",
    "ipfs://127.0.0.1:{port}/ipfs/bafkqaaa",
    "/ip4/127.0.0.1/tcp/{port}",
    "file:///etc/passwd",
    "did:web:127.0.0.1%3A{port}",
)
_PLAIN: dict[str, JsonValue] = {"Int": 1, "Float": 1, "Boolean": True, "DateTime": "2030-01-01T00:00:00Z"}


class Listener:
    """A port of loopback, and how often it was called."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = int(self._socket.getsockname()[1])
        self.heard = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.heard += 1
            connection.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def value(kind: GraphQLInputType, text: str) -> JsonValue:
    """A value of the type with the text wherever text may stand."""
    if isinstance(kind, GraphQLNonNull):
        return value(kind.of_type, text)
    if isinstance(kind, GraphQLList):
        return [value(kind.of_type, text)]
    if isinstance(kind, GraphQLInputObjectType):
        return {name: value(field.type, text) for name, field in kind.fields.items()}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if kind.name == "JSON":
        return {"resourceType": "Binary", "contentType": "x", "url": text, "reference": text, "primaryType": text,
                "message": {"subject": text}, "domain": {"verifyingContract": text}}  # fmt: skip
    return _PLAIN.get(kind.name, text)


def request(kind: str, name: str, field: GraphQLField, text: str) -> bytes:
    given = {arg: value(about.type, text) for arg, about in field.args.items()}
    head = ", ".join(f"${arg}: {about.type}" for arg, about in field.args.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in field.args)
    chosen = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    query = f"{kind}{f' ({head})' if head else ''} {{ {name}{f'({passed})' if passed else ''}{chosen} }}"
    return jsontext.dumps({"query": query, "variables": given})


def fields() -> Iterator[tuple[str, str, GraphQLField]]:
    for kind, of in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert of is not None
        for name, field in of.fields.items():
            if field.args:
                yield kind, name, field


@pytest.mark.parametrize("form", FORMS)
def test_no_address_that_is_sent_is_called(quick: Site, listener: Listener, form: str) -> None:
    text = form.format(port=listener.port)
    people: list[Person] = [quick.crowd.patient().person, quick.crowd.clinician()]
    asked = 0
    for kind, name, field in fields():
        body = request(kind, name, field, text)
        for person in people:
            reply = quick.door.post(body, token=person.token)
            assert reply.status_code in {200, 400}, name
            asked += 1
    assert asked >= 80
    assert listener.heard == 0


def test_the_listener_hears(listener: Listener) -> None:
    for _ in range(3):
        socket.create_connection(("127.0.0.1", listener.port), timeout=5).close()
    for _ in range(50):
        if listener.heard == 3:
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"heard {listener.heard} of 3")
