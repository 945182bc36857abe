"""One gateway of each column for the whole session, and the people who stay. Tests that stop or starve a gateway take
one of their own from `tests.journeys.sites`."""

import time
from collections.abc import Iterator

import pytest

from tests.journeys.people import Patient, Person
from tests.journeys.recovering import set_guardians
from tests.journeys.sites import Servers, Site, running_site

SIGNING_URL = "http://signing.localhost"
"""Where passkeys that sign texts belong; nothing is served there."""
RECOVERY_SECONDS = 4
SETTINGS = {"SIGNING_URL": SIGNING_URL, "RECOVERY_DAYS": str(RECOVERY_SECONDS / 86_400)}
"""A recovery takes seconds, not days."""
COLUMNS = ["embedded", pytest.param("real", marks=pytest.mark.services)]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """The real column's servers; asked for by tests marked `services` alone."""
    return Servers(
        kubo=request.getfixturevalue("kubo"),
        chain=request.getfixturevalue("anvil"),
        postgres=request.getfixturevalue("postgres"),
        redis=request.getfixturevalue("redis_server"),
    )


@pytest.fixture(scope="session", params=COLUMNS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway of each column, shared."""
    real: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    with running_site(tmp_path_factory.mktemp(request.param), real, SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The embedded column alone, for what is the same in both."""
    with running_site(tmp_path_factory.mktemp("quick"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As `quick`, and a recovery takes a day: what is pending stays so, however slow the machine is."""
    settings = {**SETTINGS, "RECOVERY_DAYS": "1"}
    with running_site(tmp_path_factory.mktemp("slow"), settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def guardians(slow: Site) -> tuple[Person, ...]:
    return tuple(slow.crowd.clinician(f"Guardian {number}") for number in range(3))


@pytest.fixture
def guarded(slow: Site, guardians: tuple[Person, ...]) -> Patient:
    """A patient under a wallet whom two of three guardians can help."""
    patient = slow.crowd.patient()
    set_guardians(patient, guardians).must()
    return patient


@pytest.fixture
def stolen(guarded: Patient) -> Patient:
    """A thief has the patient's key, and signs in by it."""
    return guarded


@pytest.fixture(scope="session")
def clinician(site: Site) -> Person:
    """A clinician of the column, whom each test's own patient may name."""
    return site.crowd.clinician()


@pytest.fixture(scope="session")
def stranger(site: Site) -> Person:
    """A clinician whom nobody ever names."""
    return site.crowd.clinician("Dr. Stranger")


@pytest.fixture
def patient(site: Site) -> Patient:
    """A patient of the test's own, with no record. Another test may just have let the column's servers go on."""
    deadline = time.monotonic() + 30
    while site.gateway.ready()[0] != 200:
        assert time.monotonic() < deadline, "the gateway is not ready again"
        time.sleep(0.2)
    return site.crowd.patient()
