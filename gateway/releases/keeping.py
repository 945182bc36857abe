"""Papers of a release as they are kept: each a sealed block, a row, and a leaf on its way to the chain; all of them
durable in one transaction with what they say.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.errors import BlockMissingError, IntegrityError, UpstreamError
from gateway.ids import ActorId, ReleaseId
from gateway.ports.anchors import Anchors
from gateway.ports.documents import Documents, SealedPaper
from gateway.ports.index import Index
from gateway.ports.releases import ReleasePaper, ReleasePaperRow, ReleaseRow
from gateway.ports.rows import Row, TicketRow
from gateway.ports.sealing import SealingKeys
from gateway.releases import papers
from gateway.releases.model import AnchoredPaper, SignedDecision, Verdict
from gateway.releases.papers import Delivery, End, Kind, Withdrawal
from gateway.releases.request import DatasetRequest

REQUESTER: Final = b"release/requester"
"""What a keyed token of a requester is for."""
FIRST: Final = bytes(32)
"""In the place of the paper before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRelease:
    """A release with all its papers, opened. `decision` and what follows: None where it has not come so far."""

    row: ReleaseRow
    requester: ActorId
    request: DatasetRequest = field(repr=False)
    asked_at: int
    octets: tuple[bytes, ...] = field(repr=False)
    decision: SignedDecision | None = None
    manifest: bytes | None = field(default=None, repr=False)
    delivery: Delivery | None = field(default=None, repr=False)
    withdrawals: tuple[Withdrawal, ...] = field(default=(), repr=False)
    end: End | None = field(default=None, repr=False)

    @property
    def release(self) -> ReleaseId:
        return ReleaseId(self.row.release)

    @property
    def is_approved(self) -> bool:
        """A steward's decision says so, of this very request; whatever stage the index has."""
        made = None if self.decision is None else self.decision.decision
        return (
            made is not None
            and made.verdict is Verdict.APPROVED
            and (made.release, made.request) == (self.release, papers.digest_of(self.octets[0]))
            and made.steward != self.requester
        )

    @property
    def expires_at(self) -> int:
        """As the manifest has it, seconds since 1970; 0 where there is none."""
        return 0 if self.manifest is None else papers.read_expiry(self.manifest)

    @property
    def manifests(self) -> tuple[bytes, ...]:
        """Of every edition."""
        return tuple(one for one in self.octets if papers.kind_of(one) is Kind.MANIFEST)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Of every edition."""
        return tuple(papers.read_delivery(one) for one in self.octets if papers.kind_of(one) is Kind.DELIVERY)

    @property
    def tombstones(self) -> tuple[str, ...]:
        """Of every edition so far."""
        return tuple(sorted({name for one in self.withdrawals for name in one.tombstones}))


class Papers:
    """Reads and adds. Who may see what is decided elsewhere."""

    def __init__(
        self,
        *,
        documents: Documents,
        index: Index,
        anchors: Anchors,
        keys: SealingKeys,
        domain: Mapping[str, Any],
    ) -> None:
        self._documents = documents
        self._index = index
        self._anchors = anchors
        self._keys = keys
        self._domain = domain

    def token(self, requester: ActorId) -> bytes:
        """By which the index finds what somebody asked for."""
        return self._keys.mark(REQUESTER, requester)

    async def pin(self, sealed: Sequence[SealedPaper]) -> None:
        """Papers that are durable, on IPFS: now, or as soon as it takes them."""
        for one in sealed:
            with contextlib.suppress(UpstreamError):
                await self._documents.pin(one.unpinned)

    async def held(self, release: ReleaseId) -> HeldRelease | None:
        """None where there is no such release. IntegrityError for papers that are not one chain of its own."""
        row = await self._index.release(release)
        return None if row is None else await self.of(row)

    async def of(self, row: ReleaseRow) -> HeldRelease:
        """As `held`, of a row that was found."""
        opened: list[tuple[bytes, bytes]] = []
        for number, paper in enumerate(await self._index.release_papers(row.release)):
            if paper.number != number:
                raise IntegrityError("a paper of a release is missing")
            opened.append(await self._opened(paper))
        if not opened:
            raise IntegrityError("a release has no papers")
        requester = ActorId(opened[0][0])
        if {one for one, _ in opened} != {requester} or self.token(requester) != row.requester:
            raise IntegrityError("papers of a release are of different people")
        return self._read(row, requester, tuple(octets for _, octets in opened))

    async def _opened(self, paper: ReleasePaperRow) -> tuple[bytes, bytes]:
        """Who asked for the release, and the paper's octets; put where it belongs first, if it waits for that."""
        named = {"number": paper.number, "kind": int(paper.kind)}
        try:
            return await self._documents.release(paper.release, paper.digest, **named)
        except BlockMissingError:
            waiting = await self._index.unpinned_block(paper.digest)
            if waiting is not None:
                await self._documents.pin(waiting)
            return await self._documents.release(paper.release, paper.digest, **named)

    def _read(self, row: ReleaseRow, requester: ActorId, octets: tuple[bytes, ...]) -> HeldRelease:
        request, asker, asked_at = papers.read_request(octets[0])
        if asker != requester:
            raise IntegrityError("a release was asked for by somebody else")
        decision, manifest, delivery, end = None, None, None, None
        withdrawals: list[Withdrawal] = []
        for one in octets[1:]:
            match papers.kind_of(one):
                case Kind.DECISION:
                    decision = papers.read_decision(one, self._domain)
                case Kind.MANIFEST:
                    manifest = one
                case Kind.DELIVERY:
                    delivery = papers.read_delivery(one)
                case Kind.WITHDRAWAL:
                    withdrawals.append(papers.read_withdrawal(one))
                case Kind.END:
                    end = papers.read_end(one)
                case Kind.REQUEST:
                    raise IntegrityError("a release is asked for once")
        return HeldRelease(
            row=row,
            requester=requester,
            request=request,
            asked_at=asked_at,
            octets=octets,
            decision=decision,
            manifest=manifest,
            delivery=delivery,
            withdrawals=tuple(withdrawals),
            end=end,
        )

    async def rows(
        self, release: ReleaseId, requester: ActorId, before: Sequence[bytes], added: Sequence[bytes]
    ) -> tuple[tuple[Row, ...], tuple[SealedPaper, ...]]:
        """Rows that add papers behind those of `before`, and the blocks to be pinned once they are durable."""
        rows: list[Row] = []
        sealed_papers = []
        previous = papers.digest_of(before[-1]) if before else FIRST
        for number, octets in enumerate(added, start=len(before)):
            kind = ReleasePaper(papers.KINDS.index(papers.kind_of(octets)))
            sealed = await self._documents.seal_release(
                requester, release, number=number, kind=int(kind), octets=octets
            )
            values = leaf_values(release, number, octets, previous)
            rows += [
                ReleasePaperRow(release=release, number=number, kind=kind, digest=sealed.unpinned.digest),
                sealed.unpinned,
                TicketRow(
                    log=self._anchors.releases_log,
                    leaf=self._anchors.leaf(values, kind="releases"),
                    values=values,
                    cid_digest=sealed.unpinned.digest,
                    locator=sealed.locator,
                ),
            ]
            sealed_papers.append(sealed)
            previous = values[2]
        return tuple(rows), tuple(sealed_papers)

    async def anchored(self, held: HeldRelease) -> tuple[AnchoredPaper, ...]:
        """Each paper with where its leaf is."""
        previous, leaves = FIRST, []
        for number, octets in enumerate(held.octets):
            values = leaf_values(held.release, number, octets, previous)
            leaves.append(self._anchors.leaf(values, kind="releases"))
            previous = values[2]
        states = await self._anchors.states(leaves)
        return tuple(
            AnchoredPaper(
                number=number,
                kind=papers.kind_of(octets).value,
                octets=octets,
                sha256=papers.digest_of(octets),
                anchor=state,
            )
            for number, (octets, state) in enumerate(zip(held.octets, states, strict=True))
        )


def leaf_values(release: bytes, number: int, octets: bytes, previous: bytes) -> tuple[bytes, ...]:
    """(release, number, SHA-256 of the paper, that of the one before)."""
    return (release, number.to_bytes(4, "big"), papers.digest_of(octets), previous)
