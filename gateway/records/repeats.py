"""The same key and the same content are answered alike; the same key and other content is a conflict.

Keys are an actor's own, and lie in the index as tokens under the actor's domain. What was answered is read again from
its block, which names the key, so that an edited row answers nothing.
"""

from collections.abc import Sequence

from gateway.crypto.keys import KeyRing
from gateway.crypto.model import actor_domain
from gateway.errors import CallerError, ConflictError, IntegrityError, UpstreamError
from gateway.identity.model import Caller
from gateway.ids import RecordId
from gateway.ports.anchors import Anchors
from gateway.ports.index import Index
from gateway.records.incoming import Seen, Target, ValidResource
from gateway.records.model import StoredRecord
from gateway.records.opening import Opening

LONGEST_KEY = 200


class Repeats:
    """See the module."""

    def __init__(self, *, index: Index, opening: Opening, anchors: Anchors, keys: KeyRing) -> None:
        self._index = index
        self._opening = opening
        self._anchors = anchors
        self._keys = keys

    async def seen(
        self, caller: Caller, target: Target, valid: Sequence[ValidResource], idempotency_key: str | None
    ) -> Seen | None:
        """What the key and the request come to; None without a key. CallerError naming `idempotencyKey`."""
        if idempotency_key is None:
            return None
        if not 1 <= len(idempotency_key) <= LONGEST_KEY:
            raise CallerError(f"1 to {LONGEST_KEY} characters", field=("idempotencyKey",))
        key = await self._keys.of(actor_domain(caller.actor.id))
        asked = [target.subject, target.record or b"", target.expected.to_bytes(4, "big"), repr(target.given).encode()]
        if target.study is not None:
            asked += [target.study, target.reason.encode()]
        return Seen(
            key=key.token(b"idempotency", caller.actor.id, idempotency_key.encode()),
            request=key.token(b"request", *asked, *(one.octets for one in valid)),
        )

    async def answered(self, seen: Seen | None) -> tuple[StoredRecord, ...] | None:
        """What was answered under the same key. ConflictError when it was asked for something else."""
        before = None if seen is None else await self._index.idempotency(seen.key)
        if before is None or seen is None:
            return None
        if before.request != seen.request:
            raise ConflictError("this key was used for other content", field=("idempotencyKey",))
        answers: list[StoredRecord] = []
        for at in range(0, len(before.result), 20):
            record, version = before.result[at : at + 16], int.from_bytes(before.result[at + 16 : at + 20], "big")
            row = await self._index.version(record, version)
            if row is None:
                raise UpstreamError("the index does not hold what it acknowledged; it must be rebuilt")
            found = await self._opening.find(row)
            if found.known.facts.idempotency != seen.key:
                raise IntegrityError("the index names a record that was not written under this key")
            (state,) = await self._anchors.states((self._opening.leaf(row, found.known),))
            answers.append(StoredRecord(record=RecordId(record), version=version, cid=found.known.cid, anchor=state))
        return tuple(answers)
