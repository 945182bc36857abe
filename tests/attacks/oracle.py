"""What a prober asks who looks for what exists: each way with names that somebody has and the prober may not see, and
with names in their form that nobody has. Of refusals, which the prober may keep, those of the one and of the other.

Consents and emergencies are not among them: their names stand on chain for all to read.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.consent.model import Action
from gateway.identity.model import Role
from gateway.ids import parse_global, to_global
from schema.execution import Engine
from tests.attacks.inside import Inside, Somebody, engine_of, inside
from tests.journeys import documents
from tests.journeys.resources import bundle, observation

PATIENTS, RECORDS = 4, 8
OCTETS: Final = {"Record": 16, "Patient": 32}
_OWN_REFUSALS: Final = ("AccessEvent", "Decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`there`: by kind, what is there and hidden from both; `gone`: what is not. `prober` was never named; `narrow` may
    read, and amend, one other record of each of the same patients."""

    world: Inside
    engine: Engine
    prober: Somebody
    narrow: Somebody
    there: dict[str, list[str]]
    gone: dict[str, list[str]]

    async def ask(self, way: "Way", id: str) -> str:
        """All that is answered, as text."""
        who = self.narrow if way.narrow else self.prober
        answers = self.engine.stream(
            way.document,
            variables=way.given(id),
            operation_name=None,
            caller=await self.world.caller(who),
            token=who.token,
            correlation_id="oracle",
        )
        return "".join([str(answer.payload) async for answer in answers])


def plain(answer: str) -> str:
    """Without its decision's name, which is random in each."""
    return _DECISION.sub("", answer)


def absent(kind: str, count: int, *, below: str) -> list[str]:
    """Global ids in their right form that nobody was ever given. Below the greatest that somebody has: past it a look
    costs one statement more, which of all absent names tells one in as many as there are."""
    greatest = parse_global(below)[1]
    made: list[str] = []
    while len(made) < count:
        name = secrets.token_bytes(OCTETS[kind])
        made += [to_global(kind, name)] * (name < greatest)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One question that names something. `narrow`: asked by who may see something else of the same patient."""

    kind: str
    document: str
    given: Callable[[str], dict[str, Any]]
    narrow: bool = False


def _by_id(id: str) -> dict[str, Any]:
    return {"id": id}


_ENTRY: Final = """query ($id: ID!) { node(id: $id) { __typename ... on AuditEntry {
  writer seq previous public private subjectToken receiptDigest } } }"""
_DECISION: Final = re.compile("'decisionId': '([^']*)'")
_STREAM: Final = "subscription ($id: ID!) { recordAdded(patientId: $id%s) { id } }"
_NODE: Final = "query ($id: ID!) { node(id: $id) { __typename id } }"
_AMENDED: Final = observation(value="99")


def _amended(id: str) -> dict[str, Any]:
    return {"input": {"recordId": id, "expectedVersion": 1, "resource": _AMENDED}}


def _broken(id: str) -> dict[str, Any]:
    return {"input": {"recordId": id, "expectedVersion": 7, "resource": {"resourceType": "Nonsense"}}}


def _consented(id: str) -> dict[str, Any]:
    asked = {
        "granteeId": to_global("Actor", bytes(31) + b"\1"),
        "purposes": ["TREAT"],
        "notAfter": "2099-01-01T00:00:00Z",
    }
    return {"input": {"patientId": id, **asked}}


WAYS: Final = {
    "record": Way(kind="Record", document=documents.READ, given=_by_id),
    "record, narrowly": Way(kind="Record", document=documents.READ, given=_by_id, narrow=True),
    "node, a record": Way(kind="Record", document=documents.NODE, given=_by_id),
    "node, a patient": Way(kind="Patient", document=_NODE, given=_by_id),
    "node, an own refusal's event": Way(kind="AccessEvent", document=_NODE, given=_by_id),
    "node, an own refusal's entry": Way(kind="Decision", document=_ENTRY, given=_by_id),
    "patient": Way(kind="Patient", document=documents.RECORDS, given=_by_id),
    "create": Way(
        kind="Patient",
        document=documents.CREATE,
        given=lambda id: {"input": {"patientId": id, "resource": observation()}},
    ),
    "create, no resource": Way(
        kind="Patient", document=documents.CREATE, given=lambda id: {"input": {"patientId": id, "resource": {}}}
    ),
    "import": Way(
        kind="Patient",
        document=documents.IMPORT,
        given=lambda id: {"input": {"patientId": id, "bundle": bundle(observation())}},
    ),
    "amend": Way(kind="Record", document=documents.AMEND, given=_amended),
    "amend, narrowly": Way(kind="Record", document=documents.AMEND, given=_amended, narrow=True),
    "amend with nonsense": Way(kind="Record", document=documents.AMEND, given=_broken),
    "amend with nonsense, narrowly": Way(kind="Record", document=documents.AMEND, given=_broken, narrow=True),
    "stream": Way(kind="Patient", document=_STREAM % "", given=_by_id),
    "stream, urgently": Way(kind="Patient", document=_STREAM % ", purpose: ETREAT", given=_by_id),
    "record, urgently": Way(
        kind="Record", document="query ($id: ID!) { record(id: $id, purpose: ETREAT) { __typename } }", given=_by_id
    ),
    "a consent's draft": Way(kind="Patient", document=documents.DRAFT_CONSENT, given=_consented),
    "an erasure's draft": Way(
        kind="Patient",
        document="mutation ($id: ID!) { draftErasure(patientId: $id) { __typename ... on Refusal { code message } } }",
        given=_by_id,
    ),
}


@asynccontextmanager
async def probed_ground(folder: Path) -> AsyncIterator[Ground]:
    """Patients with records, each of one size, none of them the prober's."""
    async with inside(folder, request_rate=0) as world:
        prober, narrow = await world.person(Role.CLINICIAN), await world.person(Role.CLINICIAN)
        owner = await world.person(Role.PATIENT)
        there: dict[str, list[str]] = {"Patient": [], "Record": []}
        for _ in range(PATIENTS):
            subject = await world.patient(owner)
            one = await world.store(owner, subject, observation())
            await world.consent(owner, subject, narrow.actor, actions=tuple(Action), records=(one,))
            there["Patient"].append(to_global("Patient", subject))
            for at in range(RECORDS):
                made = await world.store(owner, subject, observation(value=str(at)), labels=("HIV",))
                there["Record"].append(to_global("Record", made))
        gone = {kind: absent(kind, len(names), below=max(names, key=parse_global)) for kind, names in there.items()}
        ground = Ground(
            world=world, engine=engine_of(world.gateway), prober=prober, narrow=narrow, there=there, gone=gone
        )
        for names in (there, gone):
            refusals = [await _refusal(ground, id) for id in names["Record"]]
            names.update({kind: [to_global(kind, one) for one in refusals] for kind in _OWN_REFUSALS})
        yield ground


async def _refusal(ground: Ground, id: str) -> bytes:
    """The decision that refused the prober a record."""
    said = await ground.ask(WAYS["record"], id)
    found = _DECISION.search(said)
    assert found is not None, said
    return parse_global(found.group(1))[1]
