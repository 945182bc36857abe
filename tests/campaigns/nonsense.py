"""B9: what no client should send, and what a lawful one might, thousands of times: nothing of it is answered with a 5xx
or with what nobody foresaw, nothing takes longer than a second, and the gateway is well afterwards.

Four kinds in turn: documents over the whole schema, drawn by hypothesis-graphql with hostile leaves; variables of real
operations with one place changed; bodies with octets changed; and signed EIP-712 texts with one place changed, whose
signature must then hold no more.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from graphql import (
    GraphQLSchema,
    Node,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    print_ast,
    visit,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, queries
from hypothesis_graphql.types import CustomScalarStrategies

from gateway import jsontext
from gateway.jsontext import Num
from schema.root import print_sdl
from tests.campaigns.model import Asked, Figure, Report, digest_of, none_of, told
from tests.campaigns.site import running_column
from tests.journeys import documents
from tests.journeys.people import Patient, Person, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import Site

PATIENCE_SECONDS: Final = 1.0
"""Of one answer that waits for no block of the chain."""
WAITS: Final = ("registerActor", "enrolPatient", "grantConsent", "setCredential", "addMember", "addDelegate")
"""What waits for the chain where it succeeds."""
ENDS_SESSIONS: Final = ("signOut", "endSession", "endOtherSessions", "refreshSession")
TELLTALE: Final = ("Traceback", "internal error", 'File "', "site-packages", "sqlalchemy", "psycopg")
HOSTILE: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, -0.0, Num(str(2**63)), Num(str(2**200)), Num("1e999999"), "", "\x00", "\ud7ff", "𝕏" * 40,
    "0x", "0x" + "f" * 63, "a" * 70_000, "9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    [], {}, [[]], {"": {}}, [None], {"__proto__": 1}, [1] * 2_000,
    "' or 1=1 --", "${jndi:ldap://x}", "../../etc/passwd", "{{7*7}}", "%s%n",
)  # fmt: skip
"""Put in the place of what belongs there."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What came back. `wrong`: answers that no client should ever get; `believed`: changed texts that were taken."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    believed: list[str] = field(default_factory=list)
    slowest: float = 0.0


class _Sender:
    """Sends one case and judges its answer."""

    def __init__(self, site: Site, patient: Patient, clinician: Person) -> None:
        self.site = site
        self.patient = patient
        self.clinician = clinician
        self.spare = site.crowd.clinician()
        self.seen = _Seen()
        self.url = f"{site.door.base}/graphql"
        self.http = httpx.Client(timeout=30.0, trust_env=False)
        self.tokens = [patient.person.token, clinician.token, site.crowd.registrar.token, None]

    def send(self, kind: str, body: bytes, *, turn: int, name: str) -> httpx.Response | None:
        """`turn` picks who asks; what may end sessions is asked with one of its own."""
        ends = name in ENDS_SESSIONS
        token = sign_in(self.site.door, self.spare.wallet).token if ends else self.tokens[turn % len(self.tokens)]
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        self.seen.kinds[kind] += 1
        began = time.perf_counter()
        try:
            answer = self.http.post(self.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            self.seen.wrong.append(f"{kind} {name}: no answer ({type(error).__name__})")
            return None
        took = time.perf_counter() - began
        self.seen.slowest = max(self.seen.slowest, took)
        if took > PATIENCE_SECONDS and not any(word in name for word in WAITS):
            self.seen.slow.append(f"{kind} {name}: {took:.2f} s")
        self._judge(kind, name, answer)
        return answer

    def _judge(self, kind: str, name: str, answer: httpx.Response) -> None:
        self.seen.statuses[answer.status_code] += 1
        text = answer.text
        if answer.status_code >= 500:
            self.seen.wrong.append(f"{kind} {name}: HTTP {answer.status_code}")
        if any(word in text for word in TELLTALE):
            self.seen.wrong.append(f"{kind} {name}: {text[:120]}")
        self.seen.codes.update(_codes(text))


def _codes(text: str) -> list[str]:
    """Every code that an answer refuses with."""
    try:
        answer: Any = jsontext.loads(text)
    except ValueError:
        return ["no JSON"]
    found = [str((error.get("extensions") or {}).get("code", "none")) for error in answer.get("errors") or ()]
    members = (answer.get("data") or {}).values() if isinstance(answer.get("data"), dict) else ()
    return found + [str(one["code"]) for one in members if isinstance(one, dict) and isinstance(one.get("code"), str)]


def send_nonsense(asked: Asked) -> Report:
    """B9: `rounds` cases."""
    began = time.monotonic()
    with running_column(asked.folder, "embedded", {"REQUEST_RATE": "0"}) as column:
        clinician = column.site.crowd.clinician()
        patient = column.site.crowd.patient()
        sender = _Sender(column.site, patient, clinician)
        record = patient.store(observation())
        patient.consent(clinician.id)
        share = asked.rounds // 4
        for kinds, run in (
            ("documents", lambda: _documents(sender, asked.seed, share, record)),
            ("variables", lambda: _variables(sender, asked.seed, share, record)),
            ("octets", lambda: _octets(sender, asked.seed, share, record)),
            ("signed texts", lambda: _signed(sender, asked.seed, asked.rounds - 3 * share)),
        ):
            run()
            asked.say(f"B9: {kinds} sent, {time.monotonic() - began:.0f} s")
        column.await_well()
        still = clinician.read(record)
        unforeseen = [
            line[:200] for line in column.gateway.log.read_text().splitlines() if "unexpected failure" in line
        ]
    figures = (
        *_figures(sender.seen),
        none_of("failures in the log that nobody foresaw", unforeseen),
        none_of("a consented record that is not read as before", [] if still.code == "" else [str(still)]),
    )
    return Report(
        bar="B9",
        asked=asked,
        figures=figures,
        plan=digest_of([asked.rounds, asked.seed]),
        history=digest_of([one.met for one in figures]),
        seconds=time.monotonic() - began,
    )


def _figures(seen: _Seen) -> tuple[Figure, ...]:
    return (
        told("cases", "; ".join(f"{kind} {count}" for kind, count in seen.kinds.items())),
        told("HTTP statuses", dict(sorted(seen.statuses.items()))),
        told("codes", dict(seen.codes.most_common(12))),
        none_of("answers with a 5xx, a traceback or nothing", seen.wrong),
        none_of(f"answers after more than {PATIENCE_SECONDS:g} s", seen.slow),
        told("slowest, s", round(seen.slowest, 3)),
        none_of("changed texts that were believed", seen.believed),
    )


# ---- documents over the whole schema


def _leaf(draw: st.SearchStrategy[str]) -> st.SearchStrategy[StringValueNode]:
    return draw.map(lambda text: StringValueNode(value=text))


def _scalars(known: Mapping[str, str]) -> CustomScalarStrategies:
    """Of each scalar something lawful, something nearly so, and something else."""
    hexes = st.one_of(
        st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
        st.binary(max_size=80).map(lambda raw: "0x" + raw.hex()),
        st.sampled_from(["0x", "0xZZ", ""]),
    )
    times = st.one_of(st.datetimes().map(lambda one: one.isoformat() + "Z"), st.sampled_from(["2026", "", "now"]))
    return {
        "Hex": _leaf(hexes),
        "Address": _leaf(st.one_of(st.just(known["address"]), st.text(max_size=45))),
        "DateTime": _leaf(times),
        "CID": _leaf(st.text(max_size=60)),
        "JSON": _leaf(st.text(max_size=50)),
    }


class _Real:
    """Puts the id of something that is there in the place of most ids: what is drawn names nothing."""

    def __init__(self, schema: GraphQLSchema, chance: random.Random, ids: Sequence[str]) -> None:
        self._schema = schema
        self._chance = chance
        self._ids = ids

    def written(self, node: Node) -> str:
        types = TypeInfo(self._schema)
        return print_ast(visit(node, TypeInfoVisitor(types, _RealIds(types, self._chance, self._ids))))


class _RealIds(Visitor):
    def __init__(self, types: TypeInfo, chance: random.Random, ids: Sequence[str]) -> None:
        super().__init__()
        self._types = types
        self._chance = chance
        self._ids = ids

    def enter_string_value(self, node: StringValueNode, *_: Any) -> StringValueNode | None:
        kind = self._types.get_input_type()
        if kind is None or get_named_type(kind).name != "ID" or self._chance.random() < 0.2:
            return None
        return StringValueNode(value=self._chance.choice(self._ids))


def _documents(sender: _Sender, number: int, count: int, record: str) -> None:
    """As many of each field of the roots."""
    schema: GraphQLSchema = build_schema(print_sdl())
    scalars = _scalars({"address": sender.patient.person.wallet.address})
    real = _Real(schema, random.Random(number), [record, sender.patient.id, sender.clinician.id])
    roots = [(queries, schema.query_type), (mutations, schema.mutation_type)]
    strategies = [
        (name, draw(schema, fields=[name], custom_scalars=scalars, print_ast=real.written))
        for draw, root in roots
        if root is not None
        for name in root.fields
    ]
    turns = iter(range(10**9))
    for at, (name, strategy) in enumerate(strategies):
        share = count * (at + 1) // len(strategies) - count * at // len(strategies)
        if share:
            _draw(strategy, number + at, share, lambda document, name=name: _one(sender, document, next(turns), name))


def _one(sender: _Sender, document: str, turn: int, name: str) -> None:
    sender.send("document", json.dumps({"query": document}).encode(), turn=turn, name=name)


def _draw(strategy: st.SearchStrategy[str], number: int, count: int, send: Callable[[str], None]) -> None:
    """Some examples of a strategy, the same for the same number."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(document: str) -> None:
        send(document)

    each()


# ---- real operations, changed in one place


def _operations(sender: _Sender, record: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(name, document, variables) as a client would send them."""
    patient, clinician = sender.patient, sender.clinician
    consent = {
        "patientId": patient.id,
        "granteeId": clinician.id,
        "purposes": ["TREAT"],
        "labels": ["HIV"],
        "codes": ["http://loinc.org|8480-6"],
        "notAfter": "2027-01-01T00:00:00Z",
    }
    return [
        ("record", documents.READ, {"id": record, "purpose": "TREAT"}),
        ("records", documents.RECORDS, {"id": patient.id, "filter": {"code": "a|b", "from": "2020-01-01T00:00:00Z"}}),
        ("consents", documents.CONSENTS, {"id": patient.id, "first": 3, "after": "00"}),
        ("accessLog", documents.ACCESS_LOG, {"id": patient.id, "first": 3}),
        ("node", documents.NODE, {"id": record}),
        ("createRecord", documents.CREATE, {"input": {"patientId": patient.id, "resource": observation()}}),
        ("draftConsent", documents.DRAFT_CONSENT, {"input": consent}),
        ("enrolPatient", documents.ENROL, {"input": {"controller": "0x" + "11" * 20}}),
        ("signIn", documents.SIGN_IN, {"input": {"message": "hello", "signature": "0x00"}}),
    ]  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from _places(member, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(value[path[0]], path[1:], new)
    return copy


def _variables(sender: _Sender, number: int, count: int, record: str) -> None:
    chance = random.Random(number)
    operations = _operations(sender, record)
    for turn in range(count):
        name, document, given_variables = operations[turn % len(operations)]
        place = chance.choice(list(_places(given_variables)))
        changed = _changed(given_variables, place, chance.choice(HOSTILE))
        sender.send("variables", jsontext.dumps({"query": document, "variables": changed}), turn=turn // 3, name=name)


# ---- bodies, changed in some octets


def _octets(sender: _Sender, number: int, count: int, record: str) -> None:
    chance = random.Random(number + 1)
    bodies = [
        (name, jsontext.dumps({"query": document, "variables": given_variables}))
        for name, document, given_variables in _operations(sender, record)
    ]
    acts: tuple[Callable[[bytearray], None], ...] = (
        lambda raw: raw.__setitem__(chance.randrange(len(raw)), chance.randrange(256)),
        lambda raw: raw.insert(chance.randrange(len(raw)), chance.randrange(256)),
        lambda raw: raw.__delitem__(chance.randrange(len(raw))),
        lambda raw: raw.__delitem__(slice(chance.randrange(len(raw)), None)),
        lambda raw: raw.extend(raw[: chance.randrange(len(raw))]),
    )
    for turn in range(count):
        name, body = bodies[turn % len(bodies)]
        raw = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            if raw:
                chance.choice(acts)(raw)
        sender.send("octets", bytes(raw), turn=turn // 3, name=name)


# ---- signed texts, changed in one place


def _signed(sender: _Sender, number: int, count: int) -> None:
    """The patient's own signature over a consent that they drafted; then one place of it is another."""
    chance = random.Random(number + 2)
    draft = sender.patient.draft(sender.clinician.id, resourceTypes=["Observation"]).value["typedData"]
    signature = sender.patient.person.wallet.sign_typed_data(draft)
    places = [place for place in _places(draft) if place[0] != "types" or len(place) > 1]
    for _ in range(count):
        place = chance.choice(places)
        changed = _changed(draft, place, chance.choice(HOSTILE))
        if changed == draft:
            continue
        body = jsontext.dumps(
            {"query": documents.GRANT, "variables": {"input": {"typedData": changed, "signature": signature}}}
        )
        answer = sender.send("signed text", body, turn=0, name=f"grantConsent {'.'.join(map(str, place))}")
        if answer is not None and '"__typename":"Consent"' in answer.text:
            sender.seen.believed.append(".".join(map(str, place)))
