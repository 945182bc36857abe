"""A whole gateway, once it is open: what its web door is given, what it says of its state, how it is closed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from anchoring.chain.abi import ANCHOR, BUDGET, CONSENT, EMERGENCY, IDENTITY, TRIAL
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.emergency.service import Emergencies
from gateway.erasure.service import Erasures
from gateway.errors import ConsentryError
from gateway.identity.service import Identity
from gateway.ports.bus import Bus
from gateway.records.contents import Contents
from gateway.records.explaining import Explaining
from gateway.records.service import Records
from gateway.records.uploads import Uploads
from gateway.releases.aggregates import Aggregates
from gateway.releases.service import Releases
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.web.options import WebOptions
from gateway.web.trusted import read_trusted
from gateway.wiring import chain as chain_wiring
from gateway.wiring.consents import ConsentRooms
from gateway.wiring.control import Control
from gateway.wiring.duties import Duties, Troubles
from gateway.wiring.secrets import Secrets
from gateway.wiring.studying import StudyRooms

SHOWN = {
    "identity": IDENTITY,
    "consent": CONSENT,
    "anchor": ANCHOR,
    "emergency": EMERGENCY,
    "budget": BUDGET,
    "trial": TRIAL,
}
"""The contracts that a client may want to look at itself, as it is told them."""


class Gateway:
    """`gateway.asgi.Wired`. Made by `open_gateway`, ended by `close`."""

    def __init__(
        self,
        *,
        settings: Settings,
        secrets: Secrets,
        identity: Identity,
        rooms: ConsentRooms,
        control: Control,
        records: Records,
        explaining: Explaining,
        contents: Contents,
        uploads: Uploads,
        erasures: Erasures,
        emergencies: Emergencies,
        releases: Releases,
        aggregates: Aggregates,
        studying: StudyRooms,
        standings: Standings,
        keys: KeyRing,
        blocks: Blocks,
        bus: Bus,
        chain: chain_wiring.ChainParts,
        chain_url: str,
        checks: Mapping[str, Callable[[], Awaitable[None]]],
        closing: AsyncExitStack,
    ) -> None:
        self.settings = settings
        self.secrets = secrets
        self.identity = identity
        self.sessions = identity.sessions
        self.identities = identity.bearers
        self.consents = rooms.consents
        self.shown_consents = rooms.shown
        self.credentials = rooms.credentials
        self.consent_requests = rooms.requests
        self.forms = rooms.forms
        self.delegates = rooms.delegates
        self.audit = rooms.access_log
        self.mine = rooms.mine
        self.listings = rooms.listings
        self.guardianships = control.guardianships
        self.recoveries = control.recoveries
        self.handover = control.handover
        self.records = records
        self.explaining = explaining
        self.contents = contents
        self.uploads = uploads
        self.erasures = erasures
        self.emergencies = emergencies
        self.releases = releases
        self.aggregates = aggregates
        self.trials = studying.trials
        self.allocations = studying.allocations
        self.capturing = studying.capturing
        self.study_showing = studying.showing
        self.recruiting = studying.recruiting
        self.trail_files = studying.trail_files
        self.blocks = blocks
        self.bus: Bus | None = bus
        self.chain = chain
        self.chain_url = chain_url
        self.duties = Duties()
        self._standings = standings
        self._keys = keys
        self._checks = checks
        self._closing = closing

    @property
    def options(self) -> WebOptions:
        settings = self.settings
        return WebOptions(
            max_body_bytes=settings.max_body_mib * 1024 * 1024,
            max_answer_bytes=settings.max_answer_mib * 1024 * 1024,
            console=settings.console,
            introspection=settings.introspection,
            trusted_documents=read_trusted(settings.trusted_documents),
            trusted_only=settings.trusted_documents_only,
            cors_origins=settings.cors_origins,
            socket_origins=settings.cors_origins,
            rate=settings.request_rate or None,
            burst=settings.request_burst,
            answer_seconds=settings.answer_seconds,
            most_underway=settings.most_underway,
            most_transfers=settings.most_transfers,
            transfers_each=settings.transfers_each,
        )

    @property
    def deployment_facts(self) -> dict[str, object]:
        """What a client needs to check the gateway without it."""
        found = self.chain.deployment
        standing = found.by_name()
        named = {name: contract for name, contract in SHOWN.items() if contract in standing}
        return {
            "chainId": found.chain_id,
            "genesis": found.genesis,
            "rpc": None if self.settings.chain_url else self.chain_url,
            "gateway": found.gateway,
            "contracts": {name: standing[contract] for name, contract in named.items()},
            "codes": {name: found.codes[contract] for name, contract in named.items()},
        }

    async def counts(self) -> Mapping[str, int]:
        """Bare numbers for operators; none where they cannot be told now."""
        with contextlib.suppress(ConsentryError):
            return {"emergenciesOverdue": await self.emergencies.overdue()}
        return {}

    async def readiness(self) -> Mapping[str, str]:
        """Each part that answers need: "ok", or a kind of error."""
        names = list(self._checks)
        answers = await asyncio.gather(*(self._state(self._checks[name]) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _state(self, check: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(3):
                await check()
        except ConsentryError as error:
            return error.code
        except TimeoutError:
            return "UNAVAILABLE"
        return "ok"

    async def start(self) -> None:
        """The parts run already; a server's lifespan has nothing to add."""

    async def stop(self) -> None:
        """Closing is the opener's: answers under way still need the parts."""

    async def close(self) -> None:
        """Ends every part, the newest first. What was acknowledged is durable already."""
        await self._closing.aclose()

    async def watch(self) -> None:
        """Once a second: drops keys that were changed or destroyed elsewhere; where there are new blocks, compares what
        is kept with the chain; logs what is in the way."""
        seen = -1
        said = Troubles()
        while True:
            await asyncio.sleep(1.0)
            with contextlib.suppress(ConsentryError):
                await self._keys.refresh()
            troubles = self.chain.troubles() | self.duties.troubles()
            if (stale := self._standings.trouble()) is not None:
                troubles["decisions"] = stale
            said.tell(troubles)
            number = self.chain.follower.head().number
            if number != seen:
                with contextlib.suppress(ConsentryError):
                    await self._standings.compare()
                    seen = number
