"""B5, B6, B19 and B20 in the form that CI runs; `make release-B5` and its like are the long ones."""

from pathlib import Path

import pytest

from tests.campaigns.catalogue import CATALOGUE
from tests.campaigns.links import break_links
from tests.campaigns.model import Asked
from tests.campaigns.overload import overload
from tests.campaigns.proxy import FAULTS, Fault, Proxy
from tests.campaigns.reorgs import reorganize
from tests.campaigns.stuck import starve
from tests.campaigns.verdicts import accept
from tests.servers.http import post
from tests.servers.kubo import Kubo

SEED = 20_261_123


@pytest.mark.services
@pytest.mark.parametrize("fault", [Fault.NONE, *FAULTS])
def test_the_proxy_breaks_a_link_and_lets_it_be_whole_again(kubo: Kubo, fault: Fault) -> None:
    url = "http://127.0.0.1:{}/api/v0/version"
    whole = post(url.format(kubo.url.rsplit(":", 1)[1]))
    with Proxy(int(kubo.url.rsplit(":", 1)[1])) as proxy:
        asked = url.format(proxy.port)
        with proxy.broken(fault):
            assert (_asked(asked) == whole) is (fault is Fault.NONE)
        assert proxy.struck or fault is Fault.NONE
        assert _asked(asked) == whole


def _asked(url: str) -> bytes | None:
    """None: no answer that is HTTP, or none in time."""
    try:
        return post(url, timeout=1.0)
    except (OSError, ValueError):
        return None
    except Exception as error:
        if type(error).__module__ != "http.client":
            raise
        return None


@pytest.mark.services
@pytest.mark.timeout(300)
def test_reorganizations_lose_nothing_double_nothing_and_unsay_nothing(tmp_path: Path) -> None:
    accept(reorganize(Asked(rounds=CATALOGUE["B5"].short, seed=SEED, servers="real", folder=tmp_path)))


@pytest.mark.services
@pytest.mark.timeout(300)
def test_all_lands_after_a_stuck_chain(tmp_path: Path) -> None:
    accept(starve(Asked(rounds=CATALOGUE["B6"].short, seed=SEED, servers="real", folder=tmp_path)))


@pytest.mark.services
@pytest.mark.timeout(400)
def test_a_broken_link_gives_the_written_outcome_in_time_and_is_recovered_from(tmp_path: Path) -> None:
    accept(break_links(Asked(rounds=CATALOGUE["B19"].short, seed=SEED, servers="real", folder=tmp_path)))


@pytest.mark.timeout(300)
def test_what_is_admitted_keeps_its_pace_under_three_times_the_load(tmp_path: Path) -> None:
    accept(overload(Asked(rounds=CATALOGUE["B20"].short, seed=SEED, servers="embedded", folder=tmp_path)))
