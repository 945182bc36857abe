"""What is signed of an answer: all that binds it to its record, its reader, what it stands on and the block. Pure; the
notary, which signs, adds its own name and sequence."""

from gateway import jsontext
from gateway.consent.model import Permit
from gateway.ids import DecisionId
from gateway.ports.chain import ChainFacts
from gateway.ports.rows import RecordRow
from gateway.records.opening import Found


def receipt_text(
    deployment: ChainFacts, decision: DecisionId, permit: Permit, found: Found, row: RecordRow
) -> dict[str, jsontext.JsonValue]:
    """Members of the receipt, yet to be written as RFC 8785. In an emergency also which one, and whether the index was
    further behind the chain than ordinary decisions may stand."""
    facts = found.known.facts
    emergency = permit.emergency
    broken: dict[str, jsontext.JsonValue] = {}
    if emergency is not None:
        broken = {"emergency": "0x" + emergency.emergency.hex(), "stale": not permit.as_of.fresh}
    return {
        **broken,
        "actor": "0x" + permit.requester.hex(),
        "asOfBlock": permit.as_of.block_number,
        "basis": permit.basis.value,
        "blockHash": "0x" + permit.as_of.block_hash.hex(),
        "chainId": deployment.chain_id,
        "cid": found.known.cid,
        "consents": ["0x" + consent.hex() for consent in permit.consents],
        "contentCommitment": "0x" + facts.content_commitment.hex(),
        "decidedAt": int(permit.decided_at * 1000),
        "decision": "0x" + decision.hex(),
        "epoch": permit.epoch,
        "factsCommitment": "0x" + found.known.facts_commitment.hex(),
        "gateway": "0x" + deployment.gateway.hex(),
        "obligations": list(permit.obligations),
        "purpose": permit.purpose.value,
        "record": "0x" + row.record.hex(),
        "registry": deployment.consent_registry,
        "seq": permit.seq,
        "subject": "0x" + permit.subject.hex(),
        "version": row.version,
    }
