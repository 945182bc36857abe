"""Bar B15 without a clock: what is forbidden and what is absent are answered in the same words and for the same work,
warm and cold, by every way that names something; and each control's absence shows."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from gateway.adapters.sql.index import SqlIndex
from gateway.audit.model import SealedEntry
from gateway.consent.standing import Standings
from gateway.crypto.audit_keys import AuditKeys
from gateway.records.opening import Opening
from tests.attacks.oracle import WAYS, Ground, Way, plain, probed_ground
from tests.attacks.work import count_all, worked

SEED = 20_261_128
PROBES = 5
"""Of each kind; there is no noise in them."""
COLD = ("record", "record, narrowly", "node, a patient", "create", "amend, narrowly")
"""Ways that are asked once more with nothing in memory; the others look things up by the same steps."""
pytestmark = pytest.mark.asyncio(loop_scope="module")
Told = Counter[tuple[str, frozenset[tuple[tuple[str, str], int]]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with probed_ground(tmp_path_factory.mktemp("work") / "data") as found:
        yield found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    count_all(monkeypatch)
    return monkeypatch


async def probed(ground: Ground, way: Way, *, cold: bool = False) -> tuple[Told, Told]:
    """What was told, and for what work, of what is there and of what is not; asked in turns."""
    chance = random.Random(SEED)
    told: tuple[Told, Told] = (Counter(), Counter())
    for warm in (False, True):
        for _ in range(PROBES):
            for side, names in enumerate((ground.there, ground.gone)):
                id = chance.choice(names[way.kind])
                if cold:
                    ground.world.forget()
                    await ground.world.caller(ground.narrow if way.narrow else ground.prober)
                answer, work = await worked(partial(ground.ask, way, id))
                if warm:
                    told[side][plain(answer), frozenset(work.items())] += 1
    return told


@pytest.mark.parametrize("name", WAYS)
async def test_what_is_forbidden_and_what_is_absent_cost_the_same(
    ground: Ground, counted: pytest.MonkeyPatch, name: str
) -> None:
    there, gone = await probed(ground, WAYS[name])
    assert set(there) == set(gone)
    assert len(there) == 1, "one answer, for one work"


@pytest.mark.parametrize("name", COLD)
async def test_they_cost_the_same_when_nothing_is_in_memory(
    ground: Ground, counted: pytest.MonkeyPatch, name: str
) -> None:
    there, gone = await probed(ground, WAYS[name], cold=True)
    # Of most: now and then one of them finds something that work beside it had loaded.
    assert there.most_common(1)[0][0] == gone.most_common(1)[0][0]


async def _no_glance(self: Opening, row: object) -> None:
    return None


async def _head(self: SqlIndex, record: bytes) -> object:
    return await self.head(record)


async def _of(self: Standings, subject: Any) -> object:
    return await self.of(subject)


async def _itself(self: SqlIndex, subject: bytes) -> bytes:
    return subject


_sealed: Callable[..., Any] = AuditKeys.seal_private


async def _unlike(self: AuditKeys, subject: Any, plaintext: bytes, *, context: bytes, like: object = None) -> Any:
    return await _sealed(self, subject, plaintext, context=context, like=None)


CONTROLS = [
    (Opening, "glance", _no_glance, ("record, narrowly", "amend, narrowly")),
    (SqlIndex, "nearest", _head, ("record", "node, a record", "record, narrowly", "amend, narrowly")),
    (SqlIndex, "nearest_subject", _itself, ("create", "import")),
    (Standings, "nearest", _of, ("patient", "a consent's draft", "an erasure's draft", "stream")),
    (SealedEntry, "receipted", property(lambda self: True), ("node, an own refusal's entry",)),
]


@pytest.mark.parametrize(("owner", "control", "without", "names"), CONTROLS, ids=[row[1] for row in CONTROLS])
async def test_without_its_control_it_shows(
    ground: Ground, counted: pytest.MonkeyPatch, owner: type, control: str, without: Any, names: tuple[str, ...]
) -> None:
    counted.setattr(owner, control, without)
    for name in names:
        there, gone = await probed(ground, WAYS[name])
        assert set(there) != set(gone), name
