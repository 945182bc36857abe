"""A study's file against itself, and against the chain where an RPC endpoint is named. One pass, line by line.

1. each line     its form; entries numbered from 0 without a gap; each names the SHA-256 of the one before
2. each entry    text, leaf and path to an anchored root; its act's form, signature, place and right to stand there
3. each form     its text against the commitment, its version against the one before
4. roots         of data, their head, the lock over both; the list of arms, drawn again once it is opened
5. the end       how many entries, the last one, SHA-256 of all lines
6. the chain     genesis and contracts, each act that TrialRegistry knows, every root, how the study stands now
"""

from collections.abc import Callable
from typing import Any, Final

from anchoring.verifier.study import signed
from anchoring.verifier.study.acts import ABOUT_SOMEBODY, KINDS, UNSIGNED, Act, read_act
from anchoring.verifier.study.chain import SKEW, StudyChain
from anchoring.verifier.study.curve import recover
from anchoring.verifier.study.data import Data, entry_leaf
from anchoring.verifier.study.forms import Forms
from anchoring.verifier.study.lines import (
    AllocationLine,
    Anchor,
    EndLine,
    EntryLine,
    FormLine,
    Header,
    Lines,
    Readable,
    Signer,
)
from anchoring.verifier.study.lists import Drawn, place_leaf
from anchoring.verifier.study.order import Order
from anchoring.verifier.study.people import Behalf
from anchoring.verifier.study.report import Flaw, Report
from anchoring.verifier.study.standing import compare
from anchoring.verifier.verify import Refused, follow

__all__ = ["Check", "check_file"]
TOLD_EVERY: Final = 1 << 20
"""Octets between two words of progress."""
KEY: Final = 20
"""Octets of a wallet's key: its address."""
Progress = Callable[[int], None]


def check_file(
    file: Readable, *, rpc: str | None = None, known: object = None, progress: Progress | None = None
) -> Report:
    """Raises Refused for what is no such file, or is of another deployment than the known one; Unchecked where the RPC
    gives no answer. `progress`: octets that were read since it was told last."""
    lines = Lines(file)
    checking: Check | None = None
    told = 0
    for line in lines:
        if checking is None:
            if not isinstance(line, Header):
                raise line if isinstance(line, Refused) else Refused("the file does not begin with its header")
            if known is not None and not _agrees(known, line.deployment):
                raise Refused("the file names another deployment than the one that you know")
            checking = Check(line, None if rpc is None else StudyChain(rpc, line.deployment, line.study))
        else:
            checking.take(line)
        if progress is not None and lines.octets - told >= TOLD_EVERY:
            progress(lines.octets - told)
            told = lines.octets
    if checking is None:
        raise Refused("the file is empty")
    if progress is not None:
        progress(lines.octets - told)
    return checking.finish()


def _agrees(known: Any, deployment: Any) -> bool:
    """Whether all that the file names is what is known; more may be known."""
    if not isinstance(deployment, dict):
        return bool(known == deployment)
    return isinstance(known, dict) and all(_agrees(known.get(name), one) for name, one in deployment.items())


class Check:
    """Lines of one file, in their order."""

    def __init__(self, header: Header, chain: StudyChain | None) -> None:
        self.report = Report(
            study=header.study.hex(),
            made=f"told at {header.made_at} (seconds since 1970) to actor {header.made_by.hex()}",
            on_chain=chain is not None,
        )
        self._header = header
        self._chain = chain
        self._domain = signed.domain_of(header.chain_id, header.contract)
        self._order, self._forms, self._data = Order(header.study), Forms(), Data()
        self._number = 0
        self._entry = bytes(32)
        self._keys: dict[bytes, tuple[bytes, ...]] = {}
        self._anchors: dict[tuple[bytes, bytes, int, bytes], int | None] = {}
        self._bare: list[int] = []
        self._scheme: Any = None
        self._places: list[tuple[int, Act]] = []
        self._opened = self._ended = False
        self._unjudged = self._behalves = 0

    def take(self, line: Any) -> None:
        if self._ended:
            self.report.add(Flaw.END, None, "a line behind the last one")
        match line:
            case EntryLine():
                self._next(line)
            case FormLine():
                self._tell(line.entry, self._forms.take(line))
            case Signer():
                self._keys[line.actor] = line.keys
                if self._chain is not None and not set(line.keys) <= set(self._chain.keys(line.actor)):
                    self.report.add(
                        Flaw.CHAIN, None, f"actor {line.actor.hex()} never had a key that it is told to have"
                    )
            case AllocationLine():
                self._open(line)
            case EndLine():
                self._end(line)
            case Refused():
                self.report.add(Flaw.FORM, None, f"behind entry {self._number - 1}: {line}")
            case _:
                self.report.add(Flaw.FORM, None, "a header within the file")

    # ---- entries

    def _next(self, line: EntryLine) -> None:
        self._tell(self._number - 1, self._forms.end())
        report = self.report
        if line.number != self._number:
            report.add(Flaw.NUMBER, line.number, f"where {self._number} is next")
        if line.previous != self._entry:
            report.add(Flaw.LINK, line.number, "does not follow the entry before it")
        self._number, self._entry = line.number + 1, line.sha256
        if line.number >= 1 << 32:
            report.add(Flaw.NUMBER, line.number, "more than a study may have")
            return
        report.counts["entries"] += 1
        leaf = entry_leaf(self._header.study, line.number, line.sha256, line.previous)
        act = self._read(line)
        # The root that an entry tells of is not over itself.
        if act is not None:
            self._judge(line.number, act)
        self._data.add(line.number, leaf, line.kind)
        since = self._anchored(line.number, line.anchor, leaf)
        if act is not None and since is not None and act.at > since + SKEW:
            report.add(Flaw.TIME, line.number, "names a time past the block that has it")

    def _read(self, line: EntryLine) -> Act | None:
        """The act, where it is there and its own."""
        report = self.report
        if line.kind not in KINDS.values():
            report.add(Flaw.FORM, line.number, "of a kind that no act is of")
        if line.text is None:
            report.counts["erased entries"] += 1
            if line.kind not in ABOUT_SOMEBODY:
                report.add(Flaw.ORDER, line.number, "passes for erased, and is about nobody")
            self._tell(line.number, self._order.erase(line.kind))
            return None
        if signed.sha256(line.text) != line.sha256:
            report.add(Flaw.HASH, line.number, "its text is not what its SHA-256 says")
            return None
        try:
            act = read_act(line.text)
        except (Refused, RecursionError) as error:
            report.add(Flaw.FORM, line.number, f"{error}")
            return None
        if act.kind != line.kind:
            report.add(Flaw.FORM, line.number, f"{act.tag} is said to be of kind {line.kind[:32]}")
        return act

    def _judge(self, number: int, act: Act) -> None:
        try:
            self._tell(number, self._order.take(number, act))
            if act.at > self._header.made_at + SKEW:
                self.report.add(Flaw.TIME, number, "names a time past the making of the file")
            self._signature(number, act)
            self._follow(number, act)
            if self._chain is not None:
                self._chain.check_act(act)
        except (Refused, RecursionError) as error:
            flaw = Flaw.CHAIN if self._chain is not None else Flaw.FORM
            self.report.add(flaw, number, f"{error}")

    def _follow(self, number: int, act: Act) -> None:
        """What an act means beside its order."""
        match act.tag:
            case "capture":
                self._tell(number, self._forms.capture(number, act))
            case "raise-query":
                self._tell(number, self._forms.ask(act))
            case "sign":
                self._tell(number, self._forms.sign(act))
            case "record-data":
                self._tell(number, self._data.record(number, act))
                self._bare = [one for one in self._bare if one >= self._data.recorded]
            case "lock":
                self._tell(number, self._data.lock(act))
            case "allocate":
                self._scheme = act.said["scheme"]
            case "assign":
                self._assign(number, act)

    def _assign(self, number: int, act: Act) -> None:
        said = act.said
        path = [bytes.fromhex(one) for one in said["path"]]
        if follow(place_leaf(said["stratum"], said["position"], act.octets("arm")), path) != self._order.allocation[0]:
            self.report.add(Flaw.ALLOCATION, number, "a place that is not in the list that was committed to")
        self._places.append((number, act))

    def _signature(self, number: int, act: Act) -> None:
        if act.tag in UNSIGNED:
            if act.signature:
                self.report.add(Flaw.SIGNATURE, number, "an act that nobody signs has a signature")
            return
        digest = signed.digest_of(act, domain=self._domain, gateway=self._header.gateway)
        keys = self._keys.get(act.by, ()) if self._chain is None else self._chain.keys(act.by)
        signed_it = recover(digest, act.signature) in keys
        if not signed_it and self._chain is not None:
            signed_it = any(self._chain.validates(key, digest, act.signature) for key in keys)
        if signed_it:
            self.report.counts["signatures"] += 1
        elif self._chain is None and any(len(key) != KEY for key in keys):
            self._unjudged += 1
        else:
            self.report.add(Flaw.SIGNATURE, number, "not signed by a key of its actor, or not this act")

    # ---- anchors, the list of arms

    def _anchored(self, number: int, anchor: Anchor | None, leaf: bytes) -> int | None:
        """The time of its block, where it is known."""
        if anchor is None:
            self.report.counts["entries not anchored yet"] += 1
            self._bare.append(number)
            return None
        if follow(leaf, anchor.path) != anchor.root:
            self.report.add(Flaw.ANCHOR, number, "its path does not lead to the root")
            return None
        self.report.counts["anchored entries"] += 1
        if self._chain is None:
            return None
        place = (anchor.log, anchor.root, anchor.block, anchor.transaction)
        if place not in self._anchors:
            try:
                self._anchors[place] = self._chain.check_anchor(anchor)
            except Refused as error:
                self._anchors[place] = None
                self.report.add(Flaw.ANCHOR, number, f"{error}")
        return self._anchors[place]

    def _open(self, line: AllocationLine) -> None:
        root, size = self._order.allocation
        if not self._order.locked or not size or self._opened:
            self.report.add(Flaw.ALLOCATION, None, "a list of arms is opened that is none, or before the lock")
            return
        self._opened = True
        try:
            drawn = Drawn(line.seed, self._header.study, self._scheme)
            if (drawn.root, drawn.size) != (root, size):
                self.report.add(Flaw.ALLOCATION, None, "the seed's list is not the one that was committed to")
            for number, act in self._places:
                if drawn.commitment(act.said["stratum"], act.said["position"]) != act.octets("arm"):
                    self.report.add(Flaw.ALLOCATION, number, "assigns another arm than the list has")
            self.report.counts["places of the list"] = drawn.size
        except Refused as error:
            self.report.add(Flaw.ALLOCATION, None, f"{error}")

    # ---- the end

    def _end(self, line: EndLine) -> None:
        self._ended = True
        self._tell(self._number - 1, self._forms.end())
        if (line.entries, line.head) != (self._number, self._entry):
            self.report.add(Flaw.END, None, "ends with other entries than its last line says")
        if line.sha256 != line.before:
            self.report.add(Flaw.END, None, "its lines are not those that its last line is over")

    def finish(self) -> Report:
        """After the last line."""
        report, order, forms = self.report, self._order, self._forms
        if not self._ended:
            self._tell(self._number - 1, forms.end())
            report.add(Flaw.END, None, "the file is cut short")
        report.counts.update(
            {
                "subjects": len(order.subjects),
                "forms": forms.records,
                "versions of forms": forms.shown,
                "item values": forms.values,
                "roots of data": len(self._data.roots),
                "assignments": order.assigned,
            }
        )
        if erased := report.counts["erased entries"]:
            report.unknown.append(
                f"{erased} entries are said to be erased or withheld: "
                "their hashes stand, and nothing proves that their kinds are as told"
            )
        if self._bare:
            report.unknown.append(
                f"{len(self._bare)} entries from {self._bare[0]} on: neither anchored nor under a root yet, so nothing"
                " but the file says that they are as they were, and in this order"
            )
        if forms.withheld:
            report.unknown.append(f"{forms.withheld} versions of forms are withheld; their commitments stand")
        if order.locked and order.allocation[1] and not self._opened:
            report.unknown.append("the list of arms was not opened")
        if not order.locked:
            report.unknown.append("the study is not locked: what comes after the last entry is not in the file")
        if order.past:
            report.unknown.append(f"{order.past} freezes and thaws were not this gateway's")
        if self._chain is None:
            self._without_chain()
        else:
            compare(report, self._chain, order, self._data, gateway=self._header.gateway)
        return report

    def _without_chain(self) -> None:
        unknown = self.report.unknown
        unknown.append("the chain (no --rpc): roots, how the study stands there, whether the file reaches to its end")
        unknown.append("keys of signers: they are as the file tells them")
        if self._unjudged:
            unknown.append(f"{self._unjudged} signatures of contract wallets or passkeys")
        if self._behalves:
            unknown.append(f"{self._behalves} acts on behalf of an organization: whether they were its members")

    def _tell(self, number: int, found: Any) -> None:
        for one in found:
            if not isinstance(one, Behalf):
                self.report.add(one[0], number, one[1])
            elif not one.organizations or (self._chain is not None and not self._chain.had_member(one)):
                self.report.add(Flaw.AUTHORITY, number, "by nobody whom the study lets do it")
            elif self._chain is None:
                self._behalves += 1
