"""What patients told stands sealed: no word of it in any file, log, database or cache of a gateway, in no encoding.

Bar B14 in the form that CI runs; `make campaign ARGS=B14` and `make release-B14` print its figures.
"""

from collections.abc import Iterator

import pytest

from tests.campaigns.personal import PLACES, REAL_PLACES, Left, found_in, left_behind, planted
from tests.journeys.pytest_fixtures import COLUMNS
from tests.journeys.sites import Servers

NOTES = 20
"""Of the whole check."""


@pytest.fixture(scope="module", params=COLUMNS)
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    servers: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    with left_behind(tmp_path_factory.mktemp("told"), servers=servers, notes=NOTES) as behind:
        yield behind


def _in(left: Left, *places: str) -> list[str]:
    parts = [part for part in left.parts if part.place in places]
    return found_in(parts, left.canaries)


def test_no_file_of_the_data_folder_tells(left: Left) -> None:
    assert sum(part.place == "data folder" for part in left.parts) >= 5
    assert _in(left, "data folder", "temporary files") == []


def test_the_log_does_not_tell(left: Left) -> None:
    assert "request" in left.site.gateway.text
    assert _in(left, "log and output", "what anybody is told", "processes") == []


def test_the_cache_does_not_tell(left: Left) -> None:
    assert _in(left, "redis", "redis' files") == []


def test_the_database_does_not_tell(left: Left) -> None:
    assert _in(left, "database", "the database's files") == []


def test_kubo_does_not_tell(left: Left) -> None:
    assert _in(left, "Kubo's repository") == []


def test_the_chain_does_not_tell(left: Left) -> None:
    assert any(part.name.startswith("calldata") for part in left.parts)
    assert _in(left, "chain", "the chain's files") == []


def test_a_backup_does_not_tell(left: Left) -> None:
    assert any(part.place == "backup" for part in left.parts)
    assert _in(left, "backup") == []


def test_no_process_may_leave_a_core(left: Left) -> None:
    assert left.cores == ()


def test_a_canary_that_lies_in_a_place_is_found_there(left: Left) -> None:
    """The last: what is planted stays."""
    seen = planted(left)
    assert [place for place in (PLACES if left.site.servers is None else REAL_PLACES) if not seen[place]] == []
