"""A study as the chain has it, through any RPC endpoint: TrialRegistry, IdentityRegistry, AnchorRegistry.

True here: keys and memberships are those that IdentityRegistry ever took, by its events, so that a signature of before
a change of keys still holds, and one of a key that nobody had does not.
"""

from dataclasses import dataclass
from typing import Any, Final

from anchoring.verifier.study.acts import Act
from anchoring.verifier.study.lines import Anchor
from anchoring.verifier.study.people import Behalf
from anchoring.verifier.study.signed import amendment_reason, protocol_digest, reason_digest
from anchoring.verifier.verify import Chain, Refused, octets, topic, word

CONTRACTS: Final = ("identity", "anchor", "trial")
SKEW: Final = 600
"""Seconds that an act's time may be ahead of the block that anchors it: as far as TrialRegistry takes it."""
REGISTERED: Final = topic("ActorRegistered(bytes32,address,bytes,uint32,bytes32,bytes)")
ROTATED: Final = topic("KeyRotated(bytes32,bytes,uint64)")
MEMBER: Final = topic("MembershipSet(bytes32,bytes32,uint8,uint64,uint64,uint64)")
SIGNED: Final = topic("SignatureRecorded(bytes32,bytes32,uint8,bytes32,uint64)")
_WORDS: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A study now, as TrialRegistry has it."""

    sponsor: bytes
    gateway: bytes
    statistician: bytes
    is_locked: bool
    allocation: bytes
    size: int
    assigned: int
    unblindings: int
    batches: int
    records: int
    frozen: bool
    head: bytes
    versions: int
    results: int
    enrolled_under: int
    seq: int


class StudyChain:
    """Of one study. Raises Unchecked where the endpoint gives no answer, Refused where it is of another deployment."""

    def __init__(self, url: str, deployment: object, study: bytes) -> None:
        self._chain = Chain(url, deployment, CONTRACTS)
        self._study = study
        self._logs: set[bytes] = set()
        self._keys: dict[bytes, tuple[bytes, ...]] = {}
        self._chain.check_deployment()

    def state(self) -> State | None:
        """None: no such study."""
        words = self._chain.call("trial", "studyOf(bytes32)", self._study)
        if len(words) != _WORDS or not any(words[0]):
            return None
        number = [int.from_bytes(one, "big") for one in words]
        return State(
            sponsor=words[0],
            gateway=words[1],
            statistician=words[2],
            is_locked=number[5] > 0,
            allocation=words[6],
            size=number[7],
            assigned=number[8],
            unblindings=number[9],
            batches=number[10],
            records=number[11],
            frozen=number[12] > 0,
            head=words[13],
            versions=number[14],
            results=number[15],
            enrolled_under=number[16],
            seq=number[17],
        )

    def check_act(self, act: Act) -> None:
        """What the registry has of an act by itself. Raises Refused; nothing is said of acts that it does not know."""
        said, study = act.said, self._study
        match act.tag:
            case "protocol":
                self._require(
                    "protocolOf(bytes32,uint32)",
                    (study, word(said["number"])),
                    (protocol_digest(act), amendment_reason(act)),
                )
            case "publish":
                self._require("resultsOf(bytes32,uint32)", (study, word(said["number"])), (act.content,))
            case "sign":
                signature = (study, act.content, word(said["meaning"]), act.by)
                self._require("signatureOf(bytes32,bytes32,uint8,bytes32)", signature, (word(act.at),))
            case "unblind":
                told = (study, act.octets("name"), act.by)
                self._require("unblindingOf(bytes32,bytes32,bytes32)", told, (reason_digest(act),))

    def check_assignment(self, act: Act) -> None:
        """Of each subject the last one: an earlier one at the same place was refused. Raises Refused."""
        place = (act.octets("arm"), word(act.said["stratum"]), word(act.said["position"]))
        self._require("assignmentOf(bytes32,bytes32)", (self._study, act.octets("name")), place)

    def check_root(self, root: bytes, *, index: int, count: int) -> None:
        """A root of data, the study's `index`-th. Raises Refused."""
        block, *told = self._chain.call("trial", "dataOf(bytes32,bytes32)", self._study, root)
        if not any(block) or told != [word(index), word(count)]:
            raise Refused("the registry has no such root of data in this place")

    def check_anchor(self, anchor: Anchor) -> int:
        """The root stands in a log of this gateway's studies. The time of its block. Raises Refused."""
        if anchor.log not in self._logs:
            self._chain.check_log(anchor.log, "studies")
            self._logs.add(anchor.log)
        self._chain.check_anchor(anchor.log, anchor.root, block=anchor.block, transaction=anchor.transaction)
        block = self._chain.ask("eth_getBlockByNumber", hex(anchor.block), False)
        return int(str(block["timestamp"]), 16)

    def keys(self, actor: bytes) -> tuple[bytes, ...]:
        """Every key that the actor ever had; none: nobody of that name."""
        if actor not in self._keys:
            born = self._chain.logs(REGISTERED, _hex(actor), contract="identity")
            later = self._chain.logs(ROTATED, _hex(actor), contract="identity")
            self._keys[actor] = tuple(_octets_at(octets(one["data"]), 0) for one in (*born, *later))
        return self._keys[actor]

    def validates(self, key: bytes, digest: bytes, signature: bytes) -> bool:
        """IdentityRegistry's own verdict: contract wallets, passkeys."""
        tails = (_padded(key), _padded(signature))
        heads = (word(96), digest, word(96 + len(tails[0])))
        (told, *_) = self._chain.call("identity", "validSignature(bytes,bytes32,bytes)", *heads, *tails)
        return any(told)

    def had_member(self, behalf: Behalf) -> bool:
        """Whether one of the organizations ever took them for longer than the act's time."""
        for organization in behalf.organizations:
            found = self._chain.logs(MEMBER, _hex(organization), _hex(behalf.by), contract="identity")
            if any(int.from_bytes(octets(one["data"])[32:64], "big") > behalf.at for one in found):
                return True
        return False

    def signatures(self) -> int:
        """How many the registry took of this study."""
        return len(self._chain.logs(SIGNED, _hex(self._study), contract="trial"))

    def _require(self, function: str, asked: tuple[bytes, ...], expected: tuple[bytes, ...]) -> None:
        told: list[Any] = self._chain.call("trial", function, *asked)
        if tuple(told[: len(expected)]) != expected:
            raise Refused(f"the registry has another answer, or none ({function.partition('(')[0]})")


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _padded(raw: bytes) -> bytes:
    """`bytes`, as ABI lays them: length, octets, zeros up to a word."""
    return word(len(raw)) + raw + bytes(-len(raw) % 32)


def _octets_at(data: bytes, place: int) -> bytes:
    """The `bytes` that the word in this place points to."""
    at = int.from_bytes(data[32 * place : 32 * place + 32], "big")
    size = int.from_bytes(data[at : at + 32], "big")
    return data[at + 32 : at + 32 + size]
