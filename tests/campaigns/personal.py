"""B14: canaries told by every path, and then looked for in everything that a gateway and its servers left behind.

True here: the gateway logs at DEBUG, is killed in the middle and started again, and is backed up; afterwards the very
same look finds canaries that are planted in each place, or its silence would mean nothing.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.canaries import Canaries, hits
from tests.campaigns.model import Asked, Figure, Report, none_of, told
from tests.campaigns.places import Part, backup_of, core_limits, files_of, of_site, plant
from tests.campaigns.site import running_servers
from tests.campaigns.telling import Told, tell
from tests.journeys.sites import Servers, Site, running_site

PLACES = ("data folder", "temporary files", "log and output", "chain")
REAL_PLACES = (*PLACES, "database", "the database's files", "redis", "redis' files", "Kubo's repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was told, and what each place held then."""

    site: Site
    canaries: Canaries
    told: Told
    parts: tuple[Part, ...]
    cores: tuple[str, ...]
    scratch: Path

    def found(self) -> list[str]:
        """Where a canary is."""
        return found_in(self.parts, self.canaries)


def found_in(parts: Sequence[Part], canaries: Canaries) -> list[str]:
    forms = canaries.forms()
    return [f"{part.place}: {part.name}: {hit}" for part in parts for hit in hits(part.octets, forms)]


@contextmanager
def left_behind(folder: Path, *, servers: Servers | None, notes: int) -> Iterator[Left]:
    """A gateway of its own that was told everything, killed, started again and backed up; it still runs."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    canaries = Canaries.new()
    # Rates are counted, so that redis has something to say.
    settings = {"LOG_LEVEL": "debug", "REQUEST_RATE": "1000", "REQUEST_BURST": "5000"}
    with running_site(folder / "site", servers, settings, outside={"TMPDIR": str(scratch)}) as site:
        done = tell(site, canaries, notes=notes)
        site.gateway.kill()
        site.gateway.start()
        with backup_of(site, folder / "backup") as backup:
            parts = (*of_site(site, scratch=scratch), *files_of("backup", backup))
        cores = tuple(core_limits(site.gateway.process.pid))
        yield Left(site=site, canaries=canaries, told=done, parts=parts, cores=cores, scratch=scratch)


def planted(left: Left) -> Counter[str]:
    """The same look, once a canary lies in each place: how often it is found in which."""
    plant(left.site, left.canaries.text("planted").encode(), scratch=left.scratch)
    parts = list(of_site(left.site, scratch=left.scratch))
    return Counter(line.partition(":")[0] for line in found_in(parts, left.canaries))


def look(asked: Asked) -> Report:
    """B14: `rounds` notes."""
    began = time.monotonic()
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers()) if asked.servers == "real" else None
        left = stack.enter_context(left_behind(asked.folder, servers=servers, notes=asked.rounds))
        found = left.found()
        seen = planted(left)
    sizes = Counter[str]()
    for part in left.parts:
        sizes[part.place] += len(part.octets)
    blind = [place for place in (PLACES if servers is None else REAL_PLACES) if not seen[place]]
    return Report(
        bar="B14",
        asked=asked,
        figures=(
            told("notes with canaries", left.told.notes),
            told("paths of telling", len(set(left.told.paths))),
            told("looked through", " ".join(f"{place} {size >> 10} KiB;" for place, size in sizes.items())),
            none_of("canaries found", found),
            none_of("processes that may leave a core", left.cores),
            Figure(name="places where a planted one was not found", value=str(len(blind)), demand="0", met=not blind),
        ),
        seconds=time.monotonic() - began,
    )
