"""A patient with records and a consenting clinician, made by the demo's own client over the public API."""

import io
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from gateway import jsontext
from gateway.demo import documents as demo_documents
from gateway.demo.answers import ImportedAnswer
from gateway.demo.bundles import Bundle, load_bundle, load_shipped
from gateway.demo.client import Gateway, open_http, shaped
from gateway.demo.journey import Enrolled, Journey, enrol, grant, import_bundle
from gateway.demo.model import Deployment, octets
from gateway.demo.progress import Stages
from gateway.demo.roles import Cast, assemble, register
from gateway.demo.rpc import Chain
from gateway.demo.tally import Tally
from tests.benchmarks.documents import FILTERED, PAGE, PAGE_SIZE, READ
from tests.benchmarks.servers import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`ids`: of every record of the patient. `grant_transaction`: of the consent that the reads stand on."""

    gateway: Gateway
    deployment: Deployment
    cast: Cast
    chain: Chain
    stages: Stages
    patient: Enrolled
    ids: tuple[str, ...]
    token: str = field(repr=False)

    def journey(self, bundle: Bundle) -> Journey:
        """The demo's steps for one more bundle."""
        return Journey(
            gateway=self.gateway,
            chain=self.chain,
            deployment=self.deployment,
            cast=self.cast,
            bundle=bundle,
            tally=Tally(bundle=bundle.name, resources=len(bundle.resources)),
            stages=self.stages,
        )


@contextmanager
def make_world(served: Served) -> Iterator[World]:
    """Enrols the larger of the two shipped patients, imports, and grants the clinician READ for TREAT."""
    with open_http(served.base) as http:
        gateway = Gateway(served.base, http)
        said = shaped(gateway.page("/.well-known/consentry"), dict[str, Any])
        deployment = Deployment(
            chain_id=said["chainId"],
            rpc=said["rpc"],
            identity=said["contracts"]["identity"].lower(),
            consent=said["contracts"]["consent"].lower(),
            anchor=said["contracts"]["anchor"].lower(),
            gateway=octets(said["gateway"]),
        )
        cast = assemble(gateway, deployment, registrar_key=served.registrar_key)
        bundle = _largest()
        with Stages(Console(file=io.StringIO())) as stages:
            journey = Journey(
                gateway=gateway,
                chain=Chain(said["rpc"]),
                deployment=deployment,
                cast=cast,
                bundle=bundle,
                tally=Tally(bundle=bundle.name, resources=len(bundle.resources)),
                stages=stages,
            )
            patient = enrol(journey)
            stored = import_bundle(journey, patient)
            grant(journey, patient)
            yield World(
                gateway=gateway,
                deployment=deployment,
                cast=cast,
                chain=journey.chain,
                stages=stages,
                patient=patient,
                ids=tuple(one.id for one in stored),
                token=cast.clinician.token,
            )


def read_bodies(world: World) -> list[str]:
    """One request for each record: the token and the query are the same, the id is another."""
    return [json.dumps({"query": READ, "variables": {"id": each}}) for each in world.ids]


def page_bodies(world: World) -> list[str]:
    return [json.dumps({"query": PAGE, "variables": {"patient": world.patient.id, "first": PAGE_SIZE}})]


def filtered_bodies(world: World) -> list[str]:
    return [json.dumps({"query": FILTERED, "variables": {"patient": world.patient.id, "first": PAGE_SIZE}})]


def consenting_clinicians(world: World, count: int) -> list[str]:
    """Tokens of so many more clinicians who are let in to the patient's records."""
    tokens = []
    journey = world.journey(_largest())
    for number in range(count):
        registrar = world.cast.registrar
        made = register(
            world.gateway, world.deployment, registrar=registrar, role="CLINICIAN", name=f"Dr. Demo Clinician {number}"
        )
        grant(replace(journey, cast=replace(world.cast, clinician=made)), world.patient)
        tokens.append(made.token)
    return tokens


def _largest() -> Bundle:
    return max(load_shipped(), key=lambda one: len(one.resources))


def settle(world: World, *, seconds: float = 60.0) -> None:
    """Waits until every record's anchor is final, so that no answer's size changes during the run."""
    deadline = time.monotonic() + seconds
    waiting = set(world.ids)
    while waiting and time.monotonic() < deadline:
        waiting = {each for each in waiting if _answer(world, each)["anchor"]["status"] != "FINAL"}
        time.sleep(0.2)
    if waiting:
        raise RuntimeError(f"{len(waiting)} records are not anchored after {seconds:.0f} s")


def write_answers(world: World, path: Path) -> None:
    """What the gateway answers, for the yardstick to hold in memory. Numbers become floats there, as is usual."""
    page = _ask(world, PAGE, {"patient": world.patient.id, "first": PAGE_SIZE})["patient"]["records"]
    answers = {"records": [_answer(world, each) for each in world.ids], "page": page}
    path.write_bytes(jsontext.dumps(answers))


def _answer(world: World, record: str) -> dict[str, Any]:
    found = _ask(world, READ, {"id": record})["record"]
    if found["__typename"] != "Record":
        raise RuntimeError(f"the clinician is refused: {found}")
    return shaped(found, dict[str, Any])


def _ask(world: World, query: str, variables: dict[str, jsontext.JsonValue]) -> dict[str, Any]:
    return world.gateway.data(query, variables, token=world.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An importBundle that is ready to be sent."""

    base: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    records: int


def import_once(world: World, bundle: Bundle) -> float:
    """Seconds of one importBundle, for a patient enrolled just before; its body was written before the clock ran."""
    return send_import(prepare_import(world, bundle))


def prepare_import(world: World, bundle: Bundle) -> Prepared:
    """Enrols a patient for it."""
    journey = world.journey(bundle)
    patient = enrol(journey)
    made = {"patientId": patient.id, "bundle": bundle.wire, "idempotencyKey": secrets.token_hex(16)}
    body = jsontext.dumps({"query": demo_documents.IMPORT, "variables": {"input": made}})
    headers = {"content-type": "application/json", "authorization": f"Bearer {patient.person.token}"}
    return Prepared(base=world.gateway.base, body=body, headers=headers, records=len(bundle.resources))


def send_import(ready: Prepared) -> float:
    """Seconds from the first octet to the last."""
    with httpx.Client(trust_env=False, timeout=180.0) as http:
        http.get(f"{ready.base}/health")
        began = time.perf_counter()
        answer = http.post(f"{ready.base}/graphql", content=ready.body, headers=ready.headers)
        seconds = time.perf_counter() - began
    stored = shaped(answer.json()["data"]["importBundle"], ImportedAnswer)
    if len(stored.records) != ready.records:
        raise RuntimeError("an import stored another number of records than there were resources")
    return seconds


def create_one(world: World, resource: jsontext.JsonValue) -> None:
    """One more record, alone."""
    query = """mutation Create($input: CreateRecordInput!) { createRecord(input: $input) {
      __typename ... on StoredRecord { id version cid } ... on Refusal { code message } } }"""
    variables: dict[str, jsontext.JsonValue] = {"input": {"patientId": world.patient.id, "resource": resource}}
    found = world.gateway.data(query, variables, token=world.patient.person.token)["createRecord"]
    if found["__typename"] != "StoredRecord":
        raise RuntimeError(f"a record is refused: {found}")


def synthea(folder: Path | None, *, most: int) -> list[Bundle]:
    """Bundles to import: Synthea's of the shared data, or the two that the package ships."""
    paths = sorted((folder / "fhir" / "synthea-2019").glob("*.json.gz"))[:most] if folder else []
    return [load_bundle(path) for path in paths] or load_shipped()
