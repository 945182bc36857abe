"""The ledger as the gateway holds it: asks the notary, and starts the next one when it has died.

What was asked of a notary that died is in doubt and fails; nothing is asked twice. Appends made while the next one
starts wait for it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.notary.keyfile import read_public
from gateway.adapters.notary.life import Life, begin_life, fits
from gateway.adapters.notary.wire import Able, Answer, Append, Failed, KeyTaken, Outdated, Probe, Start, Written
from gateway.adapters.sql.statements import plan
from gateway.audit.rules import complete_receipt
from gateway.errors import IntegrityError, LimitError, UpstreamError
from gateway.ports.clock import Clock
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import EntryRow, Guard, Row

_DRAIN = 15.0
"""Seconds that `close` waits for what is unanswered."""
_PAUSE = 0.5
"""Seconds between one start and the next, at least."""
_LARGE = 1 << 20
"""Octets of an entry, from which on it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotarySettings:
    """`instance`: 32 bytes that name this replica, no two alike; `audit_log`: the log on chain that its entries go to.

    `url` as for `migrate`, already migrated; `key_path`: made by `keyfile.create`; `patience`: seconds to wait for the
    instance's last notary to end.
    """

    url: str
    key_path: Path
    passphrase_path: Path
    instance: bytes
    audit_log: bytes
    patience: float = 10.0


class NotaryLedger:
    """`gateway.ports.ledger.Ledger` by a child process. `await NotaryLedger.start(…)`, and `close` at the end."""

    def __init__(self, settings: NotarySettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._public = read_public(settings.key_path)
        self._life: Life | None = None
        self._writer = b""
        self._birth: asyncio.Task[None] | None = None
        self._born_at = float("-inf")
        self._closing = False

    @classmethod
    async def start(cls, settings: NotarySettings, *, clock: Clock) -> "NotaryLedger":
        """Returns once the notary can append. SettingsError: key, passphrase. UpstreamError: database, other notary."""
        ledger = cls(settings, clock=clock)
        await ledger._living()
        return ledger

    @property
    def receipt_key(self) -> bytes:
        return self._public

    @property
    def pid(self) -> int | None:
        """Of the living child."""
        return self._life.pid if self._life is not None else None

    async def append(
        self, entry: EntryRow, *, guards: Sequence[Guard], rows: Sequence[Row] = ()
    ) -> Appended | Stale | Taken:
        """As the port has it. ValueError for a receipt that is no JSON object; LimitError past 64 MiB."""
        request = self._request(entry, guards, rows)
        life = self._life or await self._living()
        writer = self._writer
        return _told(await life.ask(request), writer=writer, receipt=entry.receipt)

    async def append_each(self, entries: Sequence[tuple[EntryRow, Sequence[Guard]]]) -> list[Appended | Stale | Taken]:
        """As the port has it; raises as `append` does."""
        requests = [self._request(entry, guards, ()) for entry, guards in entries]
        life = self._life or await self._living()
        writer = self._writer
        answers = await asyncio.gather(*[life.ask(request) for request in requests])
        return [
            _told(answer, writer=writer, receipt=entry.receipt)
            for answer, (entry, _) in zip(answers, entries, strict=True)
        ]

    def _request(self, entry: EntryRow, guards: Sequence[Guard], rows: Sequence[Row]) -> Append:
        receipt = entry.receipt
        if receipt and (receipt[:1] != b"{" or receipt[-1:] != b"}" or len(receipt) < 5):
            raise ValueError("a receipt is a JSON object with members")
        request = Append(
            entry.decision,
            entry.public,
            entry.private,
            entry.subject_token,
            receipt,
            tuple((guard.name, guard.version) for guard in guards),
            plan(rows, now=int(self._clock.now())) if rows else (),
        )
        if (rows or len(receipt) + len(entry.private) + len(entry.public) > _LARGE) and not fits(request):
            raise LimitError("too much for one transaction")
        return request

    async def check(self) -> None:
        life = self._life or await self._living()
        answer = await life.ask(Probe())
        if not isinstance(answer, Able):
            raise UpstreamError("the ledger cannot append")

    async def close(self) -> None:
        self._closing = True
        if self._birth is not None:
            await asyncio.wait([self._birth])
        if self._life is not None:
            await self._life.end(drain=_DRAIN)

    async def _living(self) -> Life:
        """The child that lives, or the next."""
        if self._closing:
            raise UpstreamError("the ledger is closed")
        await asyncio.shield(self._birth or self._conceive())
        if self._life is None:
            raise UpstreamError("the notary is gone")
        return self._life

    def _conceive(self) -> asyncio.Task[None]:
        self._birth = asyncio.create_task(self._bear())
        self._birth.add_done_callback(_seen)
        return self._birth

    async def _bear(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self._settings
        start = Start(
            url=settings.url,
            key_path=str(settings.key_path),
            passphrase_path=str(settings.passphrase_path),
            instance=settings.instance,
            audit_log=settings.audit_log,
            patience=settings.patience,
        )
        try:
            await asyncio.sleep(max(0.0, self._born_at + _PAUSE - loop.time()))
            life, started = await begin_life(start, on_end=self._ended)
            if started.public != self._public:
                await life.end(drain=0)
                raise IntegrityError("the notary holds another key")
            if life.alive:
                self._life, self._writer = life, started.writer
        finally:
            self._born_at = loop.time()
            self._birth = None

    def _ended(self, life: Life) -> None:
        """The next life begins at once, so that later appends find it; if that fails, the next append tries again."""
        if life is not self._life:
            return
        self._life = None
        if not self._closing and self._birth is None:
            self._conceive()


def _seen(birth: asyncio.Task[None]) -> None:
    if not birth.cancelled():
        birth.exception()  # whoever waits for it is told; nobody may


def _told(answer: Answer, *, writer: bytes, receipt: bytes) -> Appended | Stale | Taken:
    match answer:
        case Written(seq, own_hash, signature):
            text = complete_receipt(receipt, writer=writer, seq=seq)
            return Appended(writer=writer, seq=seq, entry_hash=own_hash, receipt=text, signature=signature)
        case Outdated(name):
            return Stale(name=name)
        case KeyTaken(table):
            return Taken(table=table)
        case Failed(message):
            raise UpstreamError(f"the ledger refuses ({message})")
        case Able():
            raise IntegrityError("the notary answers another question")
