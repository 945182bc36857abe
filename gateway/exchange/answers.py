"""The shapes of the gateway's answers about studies; see `gateway.demo.answers`."""

from typing import Any

import msgspec

from gateway.demo.answers import Named


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GraphQL names are in camel case; what was not asked for here is ignored."""


class Edge(_Answer, frozen=True):
    node: dict[str, Any]


class PageInfo(_Answer, frozen=True):
    has_next_page: bool
    end_cursor: str | None


class Connection(_Answer, frozen=True):
    edges: list[Edge]
    page_info: PageInfo


class PublishedForm(_Answer, frozen=True):
    terms_hash: str


class ActDraft(_Answer, frozen=True):
    """`act`: to be given back; `typed_data`: EIP-712 JSON."""

    id: str
    act: dict[str, Any]
    typed_data: dict[str, Any]
    statement: str


class SubmittedStudy(_Answer, frozen=True):
    id: str
    state: str


class CapturedForms(_Answer, frozen=True):
    records: list[dict[str, str]]
    queries: list[str]


class Definition(_Answer, frozen=True):
    name: str
    sha256: str = ""
    at: str = ""
    document: str | None = None


class Delegation(_Answer, frozen=True):
    actor: Named
    role: str
    sites: list[str] = []
    until: str = ""


class Site(_Answer, frozen=True):
    site: str
    name: str = ""


class Table(_Answer, frozen=True):
    name: str
    description: Any = None
    rows: Any = None


class Terms(_Answer, frozen=True):
    form_hash: str


class Standing(_Answer, frozen=True):
    """How far a study has come."""

    id: str
    title: str
    state: str
    protocols: list[dict[str, int]]
    definitions: list[Definition]
    tables: list[Table]
    terms: list[Terms]
    sites: list[Site]
    delegations: list[Delegation]
    trail: dict[str, list[Edge]]


class Place(_Answer, frozen=True):
    """Where in the study's definition a captured form belongs."""

    event: str
    form: str
    event_repeat_key: str | None
    form_repeat_key: str | None


class Places(_Answer, frozen=True):
    key: str
    forms: list[Place]


class Whole(_Answer, frozen=True):
    """A study, without its subjects."""

    id: str
    title: str
    registered_at: str
    sponsor: Named
    definitions: list[Definition]
    tables: list[Table]
    sites: list[Site]
    delegations: list[Delegation]


class Subject(_Answer, frozen=True):
    key: str
    patient_id: str
    site: str
    enrolled_at: str


class FormVersion(_Answer, frozen=True):
    version: int
    at: str
    reason: str
    digest: str
    by: Named


class Form(Place, frozen=True):
    record_id: str
    version: int
    definition: int
    versions: list[FormVersion]


class QueryWord(_Answer, frozen=True):
    act: str
    at: str
    text: str
    by: Named


class Query(_Answer, frozen=True):
    query: str
    record_id: str
    version: int
    item: str
    rule: str
    is_open: bool
    words: list[QueryWord]


class SubjectForms(_Answer, frozen=True):
    key: str
    forms: list[Form]
    queries: list[Query]


class TrailEntry(_Answer, frozen=True):
    """`text`: RFC 8785; None where it is not for the asker."""

    kind: str
    text: str | None
