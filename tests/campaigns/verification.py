"""After the faults: does everything that a client was told hold, and do database, IPFS and chain tell one story?

1. Acknowledged: every version that a client's log has is there, once, with the content that was sent.
2. Readable and true: it reads back, and content, path, root and receipt check out against the chain.
3. Anchored: it has exactly one leaf on chain.
4. Agreement: the database's batches are the chain's; every leaf's block is on IPFS; the audit's hashes chain.
"""

import base64
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway import jsontext
from gateway.audit.rules import verify_entries
from gateway.demo.answers import ReadRecord
from gateway.demo.checking import (
    check_chain,
    check_content,
    check_path,
    check_signature,
    leaf_values,
    same_json,
)
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.rpc import Chain
from gateway.jsontext import JsonValue
from tests.campaigns import evidence
from tests.campaigns.clients import Acknowledged, Client
from tests.campaigns.model import Figure, none_of, told
from tests.campaigns.plan import Kind
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Person
from tests.ports.databases import query
from tests.ports.notaries import lineage

ANCHORED_WITHIN_SECONDS = 90.0
PAGE = """query ($id: ID!, $after: String) { patient(id: $id) {
  records(purpose: PATRQT, first: 100, after: $after) { edges { node {
    id version resourceType labels content contentSalt cid author { id }
    anchor { status proof { log leafEncoding leafValues path root chainId contract transactionHash blockNumber } }
    receipt { consentId purpose asOfBlock obligations payload signer signature } } }
  pageInfo { hasNextPage endCursor } } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One version that a client was told of. `record`: 16 octets."""

    id: str
    record: bytes
    version: int
    cid: str
    content: JsonValue
    who: str


def verify(gateway: GatewayProcess, clients: Sequence[Client]) -> tuple[Figure, ...]:
    """All four, once what is under way has reached the chain."""
    toldof = [one for client in clients for one in _told(client)]
    waited = await_anchored(gateway)
    shown = {one.id: one for client in clients for one in shown_to(client.patient.person, client.patient.id)}
    return (
        told("operations acknowledged (clients' logs)", sum(len(client.acknowledged) for client in clients)),
        told("versions acknowledged (clients' logs)", len(toldof)),
        told("answers in doubt, retried", sum(client.doubts for client in clients)),
        none_of("wrong answers", [one for client in clients for one in client.wrong]),
        *_acknowledged(gateway, toldof, shown),
        none_of("acknowledged records that do not verify", untrue(gateway, list(shown.values()))),
        none_of("consents not as acknowledged", [one for client in clients for one in _consents(client)]),
        *agreement(gateway, {(one.record, one.version) for one in toldof}),
        told("seconds until all was anchored", round(waited, 1)),
        told("what waits for the chain then", waiting(gateway)),
    )


def waiting(gateway: GatewayProcess) -> str:
    """Leaves without a batch, batches that are not anchored and calls that have not landed, each with the oldest."""
    counted = {
        "leaves": "select count(*), min(seq) from tickets where batch is null",
        "batches": "select count(*), min(id) from batches where state not in ('ANCHORED', 'FINAL')",
        "calls": "select count(*), min(seq) from calls where state <> 'LANDED'",
    }
    found = {name: query(gateway.index_url, sql)[0] for name, sql in counted.items()}
    return ", ".join(f"{name} {count}" + (f" from {first}" if count else "") for name, (count, first) in found.items())


def _told(client: Client) -> list[Told]:
    return [
        Told(
            id=id,
            record=record_id(id),
            version=version,
            cid=cid,
            content=jsontext.loads(jsontext.dumps(content)),
            who=one.operation.name,
        )
        for one in client.acknowledged.values()
        for (id, version, cid), content in zip(one.records, client.content(one.operation), strict=False)
    ]


def record_id(id: str) -> bytes:
    """The 16 octets of a record's global id."""
    return base64.urlsafe_b64decode(id + "=" * (-len(id) % 4))[-16:]


def await_anchored(gateway: GatewayProcess) -> float:
    """Seconds until no record's leaf waits and every batch's event is indexed; past the bound, the checks show it."""
    started = time.monotonic()
    waiting = "select count(*) from tickets t left join batches b on b.id = t.batch where b.state is null or b.state"
    while time.monotonic() - started < ANCHORED_WITHIN_SECONDS:
        if query(gateway.index_url, f"{waiting} not in ('ANCHORED', 'FINAL')")[0][0] == 0:
            break
        time.sleep(0.25)
    return time.monotonic() - started


def shown_to(person: Person, patient: str) -> list[ReadRecord]:
    """All records of a patient as the gateway shows them to themselves."""
    found: list[ReadRecord] = []
    after = None
    while True:
        page = person.ask(PAGE, {"id": patient, "after": after}).value["records"]
        found += [msgspec.convert(edge["node"], ReadRecord) for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def _acknowledged(gateway: GatewayProcess, toldof: Sequence[Told], shown: dict[str, ReadRecord]) -> tuple[Figure, ...]:
    stored = {
        (bytes(record), version) for record, version in query(gateway.index_url, "select record, version from versions")
    }
    newest: dict[str, Told] = {}
    for one in toldof:
        if one.id not in newest or newest[one.id].version < one.version:
            newest[one.id] = one
    lost = [one.who for one in toldof if (one.record, one.version) not in stored or one.id not in shown]
    other = [
        one.who
        for one in newest.values()
        if one.id in shown
        and (
            shown[one.id].version != one.version
            or shown[one.id].cid != one.cid
            or not same_json(shown[one.id].content, one.content)
        )
    ]
    marks = Counter(str(one.content["identifier"][0]["value"]) + one.author.id for one in shown.values())
    twice = [mark for mark, count in marks.items() if count > 1]
    unknown = stored - {(one.record, one.version) for one in toldof}
    return (
        none_of("acknowledged versions lost", lost),
        none_of("acknowledged records that read back otherwise", other),
        none_of("duplicates", twice),
        none_of("versions that nobody was told of", sorted(unknown)),
    )


def untrue(gateway: GatewayProcess, records: Sequence[ReadRecord]) -> list[str]:
    """Which of these do not check out against the chain, and why."""
    facts = gateway.facts()
    contracts = facts["contracts"]
    deployment = Deployment(
        chain_id=facts["chainId"],
        rpc=None,
        identity=contracts["identity"].lower(),
        consent=contracts["consent"].lower(),
        anchor=contracts["anchor"].lower(),
        gateway=bytes.fromhex(facts["gateway"].removeprefix("0x")),
    )
    chain = Chain(gateway.rpc)
    faults = []
    for one in records:
        try:
            if one.anchor.proof is None:
                raise StepFailedError("it has no proof")
            values = leaf_values(one.anchor.proof)
            check_content(one, values)
            check_path(one.anchor.proof, values)
            check_chain(one.anchor.proof, chain=chain, deployment=deployment)
            check_signature(one.receipt)
        except StepFailedError as error:
            faults.append(f"{one.id}: {error}")
    return faults


def _consents(client: Client) -> list[str]:
    """Acknowledged grants and revocations that the patient is shown otherwise."""
    wanted: dict[str, str] = {}
    heard: dict[int, Acknowledged] = client.acknowledged
    for _, one in sorted(heard.items()):
        if one.consent:
            wanted[one.consent] = "REVOKED" if one.operation.kind is Kind.REVOKE else "ACTIVE"
    asked = {"id": client.patient.id, "first": 100}
    page = client.patient.person.ask(documents.CONSENTS, asked).value["consents"]
    found = {edge["node"]["consentId"]: edge["node"]["status"] for edge in page["edges"]}
    return [f"{one}: {found.get(one)}, not {status}" for one, status in wanted.items() if found.get(one) != status]


def _batches(url: str, only: str = "") -> set[tuple[bytes, bytes, bytes, int]]:
    """(log, root, digest of the manifest, count) of the batches that the database knows."""
    rows = query(url, f"select log, root, manifest_digest, count from batches {only}")
    return {(bytes(log), bytes(root), bytes(manifest), count) for log, root, manifest, count in rows}


def agreement(gateway: GatewayProcess, versions: set[tuple[bytes, int]]) -> tuple[Figure, ...]:
    """`versions`: (record, version) of each that was acknowledged and of no other."""
    url = gateway.index_url
    # Audit batches go on closing while this looks: what the database calls anchored comes before the chain's word,
    # and all that it has after it.
    landed = _batches(url, "where state in ('ANCHORED', 'FINAL')")
    chain = evidence.anchored_batches(gateway.rpc, gateway.facts()["contracts"]["anchor"])
    tickets = evidence.record_tickets(url)
    manifests: list[str] = []
    leaves: Counter[bytes] = Counter()
    with evidence.fetching(gateway) as fetch:
        for batch in chain:
            listed = evidence.leaves_of(batch, fetch)
            if isinstance(listed, str):
                manifests.append(listed)
            else:
                leaves.update(listed)
        absent = [one.record.hex() for one in tickets if not evidence.stands(fetch, one.digest)]
    known = {(one.record, one.version) for one in tickets}
    known_there = [(one.log, one.root, one.manifest_digest, one.count) for one in chain]
    apart = (landed - set(known_there)) | (set(known_there) - _batches(url))
    miscounted = [one.record.hex() for one in tickets if leaves[one.leaf] != 1]
    return (
        none_of("acknowledged versions without a leaf, and leaves of none", sorted(known ^ versions)),
        none_of("leaves that the chain has not exactly once", miscounted),
        none_of("batches that chain and database do not both have", sorted(apart)),
        none_of("batches anchored twice", [one for one, count in Counter(known_there).items() if count > 1]),
        none_of("logs whose head is not the fold of their batches", evidence.fold_faults(chain)),
        none_of("manifests that are not there or not their root's", manifests),
        none_of("blocks that are not on IPFS", absent),
        none_of("faults in the audit's chain of hashes", audit_faults(url)),
        told("batches on chain", len(chain)),
    )


def audit_faults(url: str) -> list[str]:
    """The first fault of each instance's lineage."""
    instances = [bytes(row[0]) for row in query(url, "select distinct instance from writers")]
    return [str(fault) for one in instances if (fault := verify_entries(lineage(url, one))) is not None]
