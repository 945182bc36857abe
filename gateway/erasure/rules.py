"""The certificate of an erasure: one text for one row, so that whoever writes it writes the same. Pure.

It is public: it holds random names, digests, times and kinds of places, and nothing of a patient but that they erased.
"""

from datetime import UTC, datetime

from gateway import jsontext
from gateway.erasure.model import ErasureStatus, ErasureView, Places
from gateway.ids import SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.rows import ErasureRow, ErasureState

FORMAT = "consentry.erasure/1"
_STATUS = {
    ErasureState.REFUSED: ErasureStatus.REFUSED,
    ErasureState.BEGUN: ErasureStatus.BEGUN,
    ErasureState.SHREDDED: ErasureStatus.DESTROYED,
    ErasureState.EMPTIED: ErasureStatus.DESTROYED,
    ErasureState.CERTIFYING: ErasureStatus.DESTROYED,
    ErasureState.CERTIFIED: ErasureStatus.CERTIFIED,
    ErasureState.FINALIZING: ErasureStatus.DESTROYED,
    ErasureState.FINAL: ErasureStatus.FINAL,
}
_KEY_STORE = {
    "sqlite": "rows overwritten, the journal emptied; what the file system keeps of freed octets is out of reach",
    "postgresql": "rows deleted, the tables written anew; the write-ahead log keeps pages until it is recycled",
}
_BLOCKS = {
    "packs": "the octets of each block given back or overwritten with zeros; copies that others hold stay ciphertext",
    "kubo": "unpinned and removed from the node; copies that others hold stay ciphertext",
}


def view(row: ErasureRow) -> ErasureView:
    """A durable row as it is shown."""
    return ErasureView(
        subject=SubjectId(row.subject),
        status=_STATUS[row.state],
        begun_at=_moment(row.begun_at),
        destroyed_at=_moment(row.shredded_at) if row.shredded_at else None,
        certificate=row.certificate or None,
        final_at=_moment(row.final_at) if row.final_at else None,
    )


def certificate(row: ErasureRow, places: Places, *, chain_id: int, registry: str, gateway: bytes, final: bool) -> bytes:
    """RFC 8785 text. `final`: the last backup of the destroyed epoch key is past."""
    asked: JsonValue = None
    if row.request:
        asked = {"signature": _hex(row.signature), "typedData": jsontext.loads(row.request)}
    return jsontext.canonical(
        {
            "backupsUntil": row.final_at,
            "begunAt": row.begun_at,
            "chainId": chain_id,
            "destroyedAt": row.shredded_at,
            "final": final,
            "format": FORMAT,
            "gateway": _hex(gateway),
            "kept": _kept(),
            "keyEpochDestroyed": _hex(row.key_epoch),
            "registry": registry,
            "request": asked,
            "shredded": _shredded(row, places, final=final),
            "subject": _hex(row.subject),
        }
    )


def _shredded(row: ErasureRow, places: Places, *, final: bool) -> list[JsonValue]:
    backups = (
        "none is made" if not places.backup_seconds else "the last is past" if final else "good until backupsUntil"
    )
    return [
        {
            "how": _KEY_STORE[places.key_store],
            "kind": places.key_store,
            "place": "key store",
            "what": f"every key of {row.domains} domains",
        },
        {
            "how": "replaced by a new one that wraps what is left; the old one stood in the key store alone",
            "kind": places.vault,
            "place": "epoch key",
            "what": "the key that wrapped them",
        },
        {"how": backups, "kind": "backup of keys", "place": "backups", "what": "what a backup holds of these keys"},
        {"how": _BLOCKS[places.blocks], "kind": places.blocks, "place": "blocks", "what": f"{row.blocks} blocks"},
        {
            "how": "rows deleted",
            "kind": places.index,
            "place": "index",
            "what": "records, versions, search tokens, consents, and the patient's sessions",
        },
        {
            "how": "dropped on a message, on the chain's event, and where the key store's revision is another",
            "kind": places.cache,
            "place": "memory of each replica",
            "what": "keys, facts, terms and standings",
        },
    ]


def _kept() -> list[JsonValue]:
    return [
        {"what": "audit entries, under keys of their own", "why": "who looked stays known"},
        {"what": "anchored leaves, manifests and proofs", "why": "they hold salted commitments, and still verify"},
        {"what": "events on chain", "why": "random names and salted commitments"},
    ]


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _hex(octets: bytes) -> str:
    return "0x" + octets.hex()
