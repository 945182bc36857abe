"""Releases of data from their papers, which go to IPFS once they are durable: so each that is there was acknowledged.

What was gathered is not there again: a build that was under way begins anew, and so does an edition that a withdrawal
asks for.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Final

from anchoring.stores.columns import join_values
from gateway.errors import BlockMissingError, IntegrityError
from gateway.ports.releases import ReleaseStage
from gateway.releases import papers
from gateway.releases.keeping import FIRST, REQUESTER, leaf_values
from gateway.releases.model import Verdict
from gateway.releases.papers import Kind
from gateway.releases.segments import sealed_people
from gateway.storage.service import Blocks
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import FoundRelease, Scratch
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.upkeep import Manifest

Rows = list[dict[str, object]]
_DECIDED: Final = {
    Verdict.APPROVED: ReleaseStage.BUILDING,
    Verdict.REFUSED: ReleaseStage.REFUSED,
    Verdict.CHANGES_WANTED: ReleaseStage.CHANGES_WANTED,
}


class Releases:
    """Every paper that a walk found, by release, in their order; a chain that has a hole ends before it."""

    def __init__(self, scratch: Scratch, report: RebuildReport, anchors: AnchorsPort) -> None:
        self._scratch = scratch
        self._report = report
        self._anchors = anchors
        self._ticketed: set[bytes] = set()

    @cached_property
    def _chains(self) -> Mapping[bytes, Sequence[FoundRelease]]:
        chains: dict[bytes, Sequence[FoundRelease]] = {}
        for release, found in groupby(self._scratch.releases(), key=lambda one: one.release):
            by_number = {one.number: one for one in reversed(list(found))}
            chain: list[FoundRelease] = []
            while len(chain) in by_number:
                chain.append(by_number[len(chain)])
            if len(chain) < len(by_number):
                self._report.lost.append(f"papers of release {release.hex()} after number {len(chain) - 1}")
            chains[release] = chain
        return chains

    @cached_property
    def _values(self) -> Mapping[bytes, tuple[bytes, ...]]:
        """Of each leaf."""
        values: dict[bytes, tuple[bytes, ...]] = {}
        for release, chain in self._chains.items():
            previous = FIRST
            for one in chain:
                own = leaf_values(release, one.number, one.octets, previous)
                values[self._anchors.leaf(own, kind="releases")] = own
                previous = own[2]
        return values

    def values_of(self, manifest: Manifest) -> dict[bytes, tuple[bytes, ...]]:
        """The leaves of a batch that are papers found here."""
        found = {leaf: self._values[leaf] for leaf, _, _ in manifest.entries if leaf in self._values}
        self._ticketed |= found.keys()
        return found

    def rows(self, token: Callable[[bytes, bytes], bytes]) -> Sequence[tuple[str, Rows]]:
        """Of each table; papers that no batch has wait for one again. `token`: the keyed token of a name for a use."""
        releases: Rows = []
        named: Rows = []
        tickets: Rows = []
        leaves = {values[:2]: leaf for leaf, values in self._values.items()}
        for release, chain in sorted(self._chains.items(), key=lambda item: _asked_at(item[1])):
            if not chain:
                continue
            releases.append(_row(release, chain, token(REQUESTER, chain[0].requester)))
            for one in chain:
                named.append({"release": release, "number": one.number, "kind": one.kind, "digest": one.digest})
                leaf = leaves[(release, one.number.to_bytes(4, "big"))]
                if leaf not in self._ticketed:
                    tickets.append(self._ticket(one, leaf))
        self._report.restored["releases"] += len(releases)
        return (("releases", releases), ("release_papers", named), ("tickets", tickets))

    async def people(self, blocks: Blocks) -> Rows:
        """Whose rows left, of each edition: later releases are compared with it."""
        rows: Rows = []
        for release, chain in self._chains.items():
            for one in chain:
                if papers.kind_of(one.octets) is not Kind.DELIVERY:
                    continue
                delivery = papers.read_delivery(one.octets)
                try:
                    sealed = await sealed_people(bytes.fromhex(delivery.people), blocks)
                except (BlockMissingError, IntegrityError):
                    self._report.lost.append(f"whose rows left with edition {delivery.edition} of {release.hex()}")
                    continue
                rows.append({"release": release, "edition": delivery.edition, "sealed": sealed})
        return rows

    def _ticket(self, one: FoundRelease, leaf: bytes) -> dict[str, object]:
        return {
            "log": self._anchors.releases_log,
            "leaf": leaf,
            "values_": join_values(self._values[leaf]),
            "cid_digest": one.digest,
            "locator": one.locator,
            "batch": None,
        }


def _asked_at(chain: Sequence[FoundRelease]) -> tuple[int, bytes]:
    return (papers.read_request(chain[0].octets)[2], chain[0].release) if chain else (0, b"")


def _row(release: bytes, chain: Sequence[FoundRelease], requester: bytes) -> dict[str, object]:
    stage, edition, expires_at = ReleaseStage.REQUESTED, 0, 0
    for one in chain:
        match papers.kind_of(one.octets):
            case Kind.DECISION:
                stage = _DECIDED[papers.read_verdict(one.octets)]
                edition = int(stage is ReleaseStage.BUILDING)
            case Kind.MANIFEST:
                stage, expires_at = ReleaseStage.RELEASED, papers.read_expiry(one.octets)
            case Kind.WITHDRAWAL:
                stage, edition = ReleaseStage.BUILDING, edition + 1
            case Kind.END:
                stage = ReleaseStage[papers.read_end(one.octets).stage]
            case Kind.REQUEST | Kind.DELIVERY:
                pass
    return {
        "release": release,
        "requester": requester,
        "stage": int(stage),
        "edition": edition,
        "cursor": b"",
        "looked_at": 0,
        "kept": 0,
        "builder": b"",
        "held_until": 0,
        "expires_at": expires_at,
    }
