"""Proof files from what a client has already: GraphQL answers and /.well-known/consentry. Pure; nothing is verified.

A file holds only what the verifier proves (`anchoring/verifier/verify.py` has the form), so what an answer has besides
(labels, author, times) is left out.
"""

from collections.abc import Mapping
from typing import Final

from gateway import jsontext
from gateway.errors import CallerError

FORMAT: Final = "consentry-proof/1"
RECORD: Final = ("id", "version", "content", "contentSalt", "cid")
RECEIPT: Final = ("payload", "signer", "signature")
ENTRY: Final = ("writer", "seq", "decision", "previous", "public", "private", "subjectToken", "receiptDigest")
PROOF: Final = (
    *("log", "leafEncoding", "leafValues", "path", "root", "chainId", "contract", "transactionHash", "blockNumber"),
)
DEPLOYMENT: Final = ("chainId", "genesis", "gateway")
CONTRACTS: Final = ("identity", "consent", "anchor")
RECORD_QUERY: Final = f"""query Proof($id: ID!, $purpose: PurposeOfUse! = TREAT) {{
  record(id: $id, purpose: $purpose) {{ ... on Record {{
    {" ".join(RECORD)} anchor {{ proof {{ {" ".join(PROOF)} }} }}
    receipt {{ decisionId {" ".join(RECEIPT)} }} }} }} }}"""
"""What a client asks for the record; once it is anchored."""
ENTRY_QUERY: Final = f"""query Entry($id: ID!) {{ node(id: $id) {{ ... on AuditEntry {{
    {" ".join(ENTRY)} anchor {{ proof {{ {" ".join(PROOF)} }} }} }} }} }}"""
"""And for its receipt's audit entry, by the receipt's `decisionId`, some seconds later."""

Json = jsontext.JsonValue


def proof_file(facts: Json, answer: Json, *, entry: Json = None) -> dict[str, Json]:
    """The file of a record as it was answered. `facts`: /.well-known/consentry; `entry`: the answer to `ENTRY_QUERY`.
    Raises CallerError naming what is missing, as the proof of a record that is not anchored yet."""
    record = _holding(answer, "contentSalt")
    if record is None:
        raise CallerError("no record with its contentSalt in this answer", field=("answer",))
    file: dict[str, Json] = {
        "format": FORMAT,
        "deployment": deployment_of(facts),
        "record": {
            **_picked(record, RECORD, "record"),
            "anchor": _anchor(record),
            "receipt": _picked(_object(record, "receipt"), RECEIPT, "receipt"),
        },
    }
    if entry is not None:
        found = _holding(entry, "receiptDigest")
        if found is None:
            raise CallerError("no audit entry in this answer", field=("entry",))
        file["auditEntry"] = {**_picked(found, ENTRY, "entry"), "anchor": _anchor(found)}
    return file


def deployment_of(facts: Json) -> dict[str, Json]:
    """What a verifier compares with the chain."""
    if not isinstance(facts, dict):
        raise CallerError("not what /.well-known/consentry answers", field=("facts",))
    return {
        **_picked(facts, DEPLOYMENT, "facts"),
        "contracts": _picked(_object(facts, "contracts"), CONTRACTS, "contracts"),
        "codes": _picked(_object(facts, "codes"), CONTRACTS, "codes"),
    }


def _anchor(node: Mapping[str, Json]) -> dict[str, Json]:
    proof = _object(node, "anchor").get("proof")
    if not isinstance(proof, dict):
        raise CallerError("not anchored yet: ask again in some seconds", field=("anchor", "proof"))
    return {"proof": _picked(proof, PROOF, "proof")}


def _object(value: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise CallerError(f"no {name} in this answer", field=(name,))
    return found


def _picked(value: Mapping[str, Json], names: tuple[str, ...], what: str) -> dict[str, Json]:
    missing = [name for name in names if value.get(name) is None]
    if missing:
        raise CallerError(f"{missing[0]} is missing from the {what}", field=(what, missing[0]))
    return {name: value[name] for name in names}


def _holding(value: Json, member: str) -> Mapping[str, Json] | None:
    """The first object, outermost first, that has this member."""
    queue: list[Json] = [value]
    while queue:
        at = queue.pop(0)
        if isinstance(at, dict):
            if member in at:
                return at
            queue.extend(at.values())
        elif isinstance(at, list):
            queue.extend(at)
    return None
