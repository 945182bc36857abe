"""What was signed of an act: EIP-712, rebuilt from the act itself. Pure.

What TrialRegistry checks is signed as the contract has it; every other act as a `StudyAct`, with the plain words that
its signer was shown.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from anchoring.verifier.study.acts import Act
from anchoring.verifier.verify import canonical, keccak256, word

NOTHING: Final = bytes(32)
_DOMAIN: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_TYPES: Final[Mapping[str, bytes]] = {
    "register": b"Study(bytes32 sponsor,bytes32 salt,bytes32 gateway,bytes32 statistician)",
    "protocol": b"ProtocolVersion(bytes32 study,uint32 number,bytes32 content,bytes32 reason)",
    "allocate": b"Allocation(bytes32 study,bytes32 root,uint32 size,bytes32 by)",
    "open": b"Enrolment(bytes32 study,uint32 version,bytes32 allocation)",
    "freeze": b"Freeze(bytes32 study,bool frozen,uint64 seq)",
    "lock": b"Lock(bytes32 study,bytes32 head,uint64 records,uint32 assigned,uint64 seq)",
    "publish": b"Results(bytes32 study,uint32 number,bytes32 content)",
    "sign": b"TrialSignature(bytes32 study,bytes32 content,uint8 meaning,bytes32 signer,uint64 signedAt)",
    "unblind": b"Unblinding(bytes32 study,bytes32 subject,bytes32 reason,bytes32 by)",
}
_ACT: Final = b"StudyAct(bytes32 study,string statement,bytes32 content,bytes32 by,uint64 at)"


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def domain_of(chain_id: int, contract: bytes) -> bytes:
    """The separator of TrialRegistry's domain."""
    words = (keccak256(_DOMAIN), keccak256(b"Consentry"), keccak256(b"1"), word(chain_id), contract.rjust(32, b"\0"))
    return keccak256(b"".join(words))


def digest_of(act: Act, *, domain: bytes, gateway: bytes) -> bytes:
    """The 32 octets that its actor's key signed."""
    if act.tag in _TYPES:
        struct = keccak256(keccak256(_TYPES[act.tag]) + b"".join(_VALUES[act.tag](act, gateway)))
    else:
        shown = keccak256(statement(act).encode())
        struct = keccak256(b"".join((keccak256(_ACT), act.study, shown, act.content, act.by, word(act.at))))
    return keccak256(b"\x19\x01" + domain + struct)


def protocol_digest(act: Act) -> bytes:
    """sha-256(0x08 ‖ salt ‖ RFC 8785 form of the registration)."""
    return hashlib.sha256(b"\x08" + act.salt + canonical(act.said["registration"])).digest()


def reason_digest(act: Act) -> bytes:
    """sha-256(salt ‖ reason)."""
    return hashlib.sha256(act.salt + act.said["reason"].encode()).digest()


def amendment_reason(act: Act) -> bytes:
    """Of a protocol's version; zeros for the first."""
    return reason_digest(act) if act.said["number"] > 1 else NOTHING


_VALUES: Final[Mapping[str, Callable[[Act, bytes], tuple[bytes, ...]]]] = {
    "register": lambda act, gateway: (act.by, act.salt, gateway, act.octets("statistician") or NOTHING),
    "protocol": lambda act, _: (act.study, word(act.said["number"]), protocol_digest(act), amendment_reason(act)),
    "allocate": lambda act, _: (act.study, act.octets("root"), word(act.said["size"]), act.by),
    "open": lambda act, _: (act.study, word(act.said["version"]), act.octets("allocation")),
    "freeze": lambda act, _: (act.study, word(act.said["frozen"]), word(act.said["seq"])),
    "lock": lambda act, _: (
        act.study,
        act.octets("head"),
        word(act.said["records"]),
        word(act.said["assigned"]),
        word(act.said["seq"]),
    ),
    "publish": lambda act, _: (act.study, word(act.said["number"]), act.content),
    "sign": lambda act, _: (act.study, act.content, word(act.said["meaning"]), act.by, word(act.at)),
    "unblind": lambda act, _: (act.study, act.octets("name"), reason_digest(act), act.by),
}


def statement(act: Act) -> str:
    """What the signer of a `StudyAct` was shown."""
    said, of = act.said, f"study {act.study.hex()[:8]}"
    match act.tag:
        case "define":
            return f"Forms of {of}, number {said['number']}: {_quoted(said['name'])}, SHA-256 {said['sha256']}."
        case "describe":
            return f"Table {_quoted(said['table'])} of {of} is described."
        case "terms":
            stays = "stays" if said["keeps"] else "goes"
            return (
                f"From now on subjects of {of} agree to the form {said['terms']} (number {said['number']});"
                f" what was collected {stays} after a withdrawal."
            )
        case "site":
            return f"Site {_quoted(said['site'])} of {of}: {_quoted(said['name'])}."
        case "delegate":
            where = f"at {', '.join(map(_quoted, said['sites']))}" if said["sites"] else "at all sites"
            who = f"actor {said['actor'][:8]}"
            return f"In {of} {who} is {said['role']} {where} until {said['until']} (seconds since 1970)."
        case "enrol":
            return (
                f"Subject {_quoted(said['key'])} is enrolled in {of} at site {_quoted(said['site'])},"
                f" on consent {said['consent']}."
            )
        case "withdraw":
            then = "What was collected is destroyed." if said["goes"] else "What was collected stays."
            return f"Collection from a subject of {of} ends: {_quoted(said['reason'])}. {then}"
        case "recruit":
            return f"{of[0].upper()}{of[1:]} {'looks' if said['open'] else 'no longer looks'} for subjects."
    raise AssertionError("an act that nobody signs")


def _quoted(text: str) -> str:
    return f"“{text}”"
