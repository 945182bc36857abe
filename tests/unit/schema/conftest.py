"""An engine over the in-memory world, and a short way to ask it."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from gateway import jsontext
from schema.answers import Answer
from schema.execution import Engine
from schema.root import GatewaySchema, build_schema
from tests.unit.schema.services import World

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def schema() -> GatewaySchema:
    return build_schema()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engine(schema: GatewaySchema, world: World) -> Engine:
    return Engine(
        schema,
        world.services(),
    )


@pytest.fixture
def ask(engine: Engine, world: World) -> Ask:
    """Executes as the holder of a token and gives the payload as a client parses it."""

    async def run(query: str, *, token: str | None = None, operation: str | None = None, **variables: Any) -> Any:
        answer: Answer = await engine.execute(
            query,
            variables=variables,
            operation_name=operation,
            caller=await world.caller(token),
            token=token,
            correlation_id="c0ffee",
        )
        return orjson.loads(jsontext.dumps(answer.payload))

    return run
