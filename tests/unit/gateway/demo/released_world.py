"""A dataset that was released, made by hand: its papers as the gateway writes them, their leaves in a log on chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from anchoring.merkle import MerkleTree, hash_leaf
from gateway import eip712, jsontext
from gateway.demo.answers import Anchor, Named, Proof
from gateway.demo.datasets.answers import Dataset, Opened, Paper, Profile
from gateway.demo.datasets.answers import File as AnsweredFile
from gateway.demo.datasets.deciding import Asked, Decided
from gateway.demo.datasets.walk import Company
from gateway.demo.opening_files import EncryptionKey
from gateway.demo.roles import Person
from gateway.demo.wallet import Wallet
from gateway.ids import ActorId, ReleaseId
from gateway.releases import papers
from gateway.releases.keeping import leaf_values
from gateway.releases.model import Decision, ReleaseFile, SignedDecision, Verdict
from gateway.releases.request import parse_request
from tests.unit.gateway.deid.releases import definitions
from tests.unit.gateway.demo.anchored_world import BLOCK, DEPLOYMENT, LOG, TRANSACTION, hexed

LEAF = ["bytes16", "uint32", "bytes32", "bytes32"]
RELEASE, NOW = ReleaseId(b"\x21" * 16), 1_800_000_000
DOMAIN = eip712.domain(chain_id=DEPLOYMENT.chain_id, contract=DEPLOYMENT.consent)
TABLES = {name: view for name, view in definitions().items() if name in ("people", "conditions")}
REQUEST = parse_request(
    {
        "title": "By hand",
        "purpose": "HRESCH",
        "dataUse": ["DUO:0000042"],
        "cohort": {},
        "tables": TABLES,
        "profile": "safe-harbor",
        "format": "parquet",
        "days": 30,
    }
)


def person(name: str, number: int) -> Person:
    actor = ActorId(bytes([number]) * 32)
    return Person(wallet=Wallet.new(), token="t", id=name, actor=hexed(actor), name=name)


COMPANY = Company(
    registrar=person("registrar", 1),
    researcher=person("researcher", 2),
    key=EncryptionKey.new(),
    steward=person("steward", 3),
    stranger=person("stranger", 4),
)


def request_paper() -> bytes:
    requester = ActorId(bytes.fromhex(COMPANY.researcher.actor[2:]))
    return papers.request_paper(REQUEST, release=RELEASE, requester=requester, salt=b"s" * 32, at=NOW)


def decision_paper(signer: Wallet = COMPANY.steward.wallet, reason: str = "As agreed.") -> tuple[bytes, Decided]:
    decision = Decision(
        release=RELEASE,
        request=papers.digest_of(request_paper()),
        verdict=Verdict.APPROVED,
        reason=reason,
        departures=(),
        steward=ActorId(bytes.fromhex(COMPANY.steward.actor[2:])),
        at=NOW,
    )
    full = papers.decision_typed_data(decision, DOMAIN)
    signature = signer.sign_typed_data(full)
    signed = SignedDecision(decision=decision, typed_data=full, signature=bytes.fromhex(signature[2:]))
    return papers.decision_paper(signed, at=NOW), Decided(typed_data=full, signature=signature)


FILES = (
    ReleaseFile(name="people/part-00000.parquet", table="people", rows=2, size=40, sha256=b"\x05" * 32, cid="b"),
    ReleaseFile(
        name="conditions/part-00000.parquet", table="conditions", rows=3, size=50, sha256=b"\x06" * 32, cid="b"
    ),
)


def manifest_text(**changes: jsontext.JsonValue) -> str:
    """As the gateway writes it, with other members where `changes` say so."""
    tree: dict[str, jsontext.JsonValue] = {
        "kind": "dataset-manifest",
        "release": RELEASE.hex(),
        "edition": 1,
        "recipient": {"actor": COMPANY.researcher.actor[2:], "encryptionKey": COMPANY.key.public.hex()},
        "decision": papers.digest_of(decision_paper()[0]).hex(),
        "requestDigest": REQUEST.digest.hex(),
        "counts": {"released": 2, "suppressedAtMost": 0},
        "anonymity": {"k": 2, "l": 1, "classes": 1},
        "tables": [
            {
                "name": table.name,
                "resource": table.view.resource,
                "rows": {"people": 2, "conditions": 3}[table.name],
                "columns": [
                    {"name": one.name, "type": one.type or "", "readFrom": sorted(one.reads), "done": ""}
                    for one in table.view.columns
                ],
            }
            for table in REQUEST.tables
        ],
        "files": [
            {"name": one.name, "table": one.table, "rows": one.rows, "size": one.size, "sha256": one.sha256.hex()}
            for one in FILES
        ],
        "tombstones": [],
    }
    return jsontext.canonical({**tree, **changes}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Papers in order, and the root of the tree of their leaves."""

    papers: tuple[Paper, ...]
    root: bytes


def written(
    texts: Sequence[tuple[str, bytes]], *, values_of: Callable[..., tuple[bytes, ...]] = leaf_values
) -> Written:
    """`texts`: kind and octets. `values_of`: how a leaf is made of (release, number, octets, previous)."""
    values, previous = [], bytes(32)
    for number, (_, octets) in enumerate(texts):
        values.append(values_of(RELEASE, number, octets, previous))
        previous = papers.digest_of(octets)
    leaves = [hash_leaf(LEAF, one) for one in values]
    tree = MerkleTree(leaves)
    made = []
    for number, (kind, octets) in enumerate(texts):
        proof = Proof(
            log=hexed(LOG),
            leaf_encoding=list(LEAF),
            leaf_values=[hexed(value) for value in values[number]],
            path=[hexed(node) for node in tree.path(leaves[number])],
            root=hexed(tree.root),
            chain_id=DEPLOYMENT.chain_id,
            contract=DEPLOYMENT.anchor,
            transaction_hash=TRANSACTION,
            block_number=BLOCK,
        )
        shown = None if kind in ("DELIVERY", "END") else octets.decode()
        anchor = Anchor(status="ANCHORED", proof=proof)
        made.append(Paper(number=number, kind=kind, sha256=hexed(papers.digest_of(octets)), text=shown, anchor=anchor))
    return Written(papers=tuple(made), root=tree.root)


def first_edition() -> list[tuple[str, bytes]]:
    return [
        ("REQUEST", request_paper()),
        ("DECISION", decision_paper()[0]),
        ("MANIFEST", manifest_text().encode()),
        ("DELIVERY", b"a steward's figures"),
    ]


def dataset(written: Written, **changes: Any) -> Dataset:
    fields: dict[str, Any] = {
        "id": "dataset",
        "state": "RELEASED",
        "edition": 1,
        "progress": 1,
        "failed": [],
        "title": REQUEST.title,
        "tables": TABLES,
        "tombstones": [],
        "profile": Profile(name="safe-harbor", departures=[], definition=None),
        "requester": Named(id=COMPANY.researcher.id),
        "papers": list(written.papers),
        "files": [
            AnsweredFile(
                name=one.name,
                table=one.table,
                rows=one.rows,
                size=one.size,
                sha256=hexed(one.sha256),
                path=f"/datasets/dataset/{one.name}",
            )
            for one in FILES
        ],
    }
    return Dataset(**{**fields, **changes})


def opened(text: str | None = None, **changes: Any) -> Opened:
    manifest = manifest_text() if text is None else text
    papers_ = written([*first_edition()[:2], ("MANIFEST", manifest.encode()), ("DELIVERY", b"figures")])
    return Opened(manifest=manifest, wrapped_key="0x", gateway_half="0x", dataset=dataset(papers_, **changes))


ASKED = Asked(id="dataset", release=RELEASE, digest=papers.digest_of(request_paper()), tables=TABLES)
