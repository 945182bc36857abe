"""Where an import's time goes, inside one process: validation, sealing, storing and acknowledging by 1,000 records; and
for how long at most the event loop was held meanwhile (the bar: 100 ms).

The services' own steps are timed by wrapping them; nothing else of them is changed.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gateway.demo.bundles import Bundle
from gateway.identity.model import Role
from gateway.records import writing
from gateway.records.model import NewBundle
from tests.attacks.inside import Inside, inside

TICK_SECONDS = 0.001


def import_inside(bundles: Sequence[Bundle], folder: Path) -> dict[str, object]:
    """Milliseconds by 1,000 records of each step, records a second, and the longest hold of the loop."""
    return asyncio.run(_import(bundles, folder))


async def _import(bundles: Sequence[Bundle], folder: Path) -> dict[str, object]:
    spent: dict[str, float] = {}
    async with inside(folder) as site:
        await _once(site, bundles[0])
        with _timed(spent):
            gaps: list[float] = []
            ticking = asyncio.create_task(_tick(gaps))
            records = seconds = 0.0
            for bundle in bundles:
                took, count = await _once(site, bundle)
                seconds, records = seconds + took, records + count
            ticking.cancel()
    return {
        "records": int(records),
        "recordsPerSecond": round(records / seconds, 1),
        "millisecondsPer1000": {name: round(1e6 * one / records, 1) for name, one in sorted(spent.items())},
        "loopHeldMilliseconds": round(1_000 * max(gaps), 1),
    }


async def _once(site: Inside, bundle: Bundle) -> tuple[float, int]:
    owner = await site.person(Role.PATIENT)
    subject = await site.patient(owner)
    caller = await site.caller(owner)
    if caller is None:
        raise RuntimeError("the patient is not signed in")
    new = NewBundle(subject=subject, bundle=bundle.wire, idempotency_key=secrets.token_hex(16))
    began = time.perf_counter()
    stored = await site.gateway.records.import_bundle(caller, new)
    return time.perf_counter() - began, len(stored)


async def _tick(gaps: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        gaps.append(time.perf_counter() - before - TICK_SECONDS)


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Adds to `spent` what each step takes."""

    def plain(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return step(*given, **named)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

        return timed

    def awaited(name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return await step(*given, **named)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

        return timed

    made = writing.Writing
    with (
        patch.object(made, "_validate", awaited("validating", made._validate)),
        patch.object(writing, "seal_versions", plain("sealing", writing.seal_versions)),
        patch.object(made, "_store", awaited("storing", made._store)),
        patch.object(made, "_acknowledge", awaited("acknowledging", made._acknowledge)),
    ):
        yield
