"""What a thief of index and blocks sees of patients, and how well it tells who they are: counts, sizes, equal tokens.

True here: what is seen is made by the functions that make rows and blocks, under a key of each patient's own that the
thief does not have. A guess is drawn from the nearest neighbours in what is seen, each patient left out in turn; chance
is the same guess after the answers were dealt anew, which asks nothing of how the answers are spread.
"""

import gzip
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.crypto import envelope
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import Domain
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.ports.clock import SystemEntropy
from gateway.ports.keys import WrappedKey
from gateway.records.fhir import bundle_resources
from gateway.records.incoming import Target, draft_facts, octets_of, read_resource
from gateway.records.opening import search_tokens

NEIGHBOURS = 11
DEALS = 400
"""How often the answers are dealt anew."""
DIAGNOSES = {"hypertension": "http://snomed.info/sct|38341003", "diabetes": "http://snomed.info/sct|44054006"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One patient in a dump: for each record the size of its block and its tokens."""

    sizes: tuple[int, ...]
    tokens: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the thief would know."""

    answers: Mapping[str, object]


def stolen(path: Path) -> tuple[Seen, Truth]:
    """A Synthea bundle as a patient of a dump."""
    bundle = jsontext.loads(gzip.decompress(path.read_bytes()))
    log, key = _key(Domain(3, b"log")), _key(Domain(1, secrets.token_bytes(32)))
    sizes, tokens, answers = list[int](), list[tuple[bytes, ...]](), dict[str, object]()
    codes: set[str] = set()
    for entry in bundle_resources(bundle):
        one = read_resource(entry.resource, octets_of(entry.resource, ()), ())
        resource: Any = entry.resource
        if one.facts.resource_type == "Patient":
            answers |= {"sex": resource["gender"], "birth decade": resource["birthDate"][:3]}
        if one.facts.resource_type == "Condition":
            codes |= set(one.facts.codes)
        target = Target(subject=SubjectId(key.domain.name), row=None, previous=None, given=None, purpose=Purpose.TREAT)
        facts = draft_facts(
            one,
            target,
            author=ActorId(bytes(32)),
            seen=None,
            place=(0, 1),
            now=0,
            labels=(),
            entropy=SystemEntropy(),
        )
        sealed = envelope._seal(
            facts,
            one.octets,
            record=RecordId(secrets.token_bytes(16)),
            version=1,
            key=key,
            log=log,
            entropy=SystemEntropy(),
        )
        sizes.append(len(sealed.block))
        tokens.append(search_tokens(key, facts))
    answers |= {name: code in codes for name, code in DIAGNOSES.items()}
    return Seen(sizes=tuple(sizes), tokens=tuple(tokens)), Truth(answers=answers)


def _key(domain: Domain) -> DomainKey:
    stored = WrappedKey(
        key_id=secrets.token_bytes(16), kind=domain.kind, name=domain.name, version=1, epoch=b"", wrapped=b""
    )
    return DomainKey.of(stored, secrets.token_bytes(32))


Feature = Callable[[Seen], Sequence[float]]


def counted(seen: Seen) -> Sequence[float]:
    """How many records."""
    return (math.log(1 + len(seen.sizes)),)


def sized(seen: Seen) -> Sequence[float]:
    """The share of each size of block, whatever their number."""
    found = Counter(size.bit_length() for size in seen.sizes)
    return [found[bits] / len(seen.sizes) for bits in range(13, 20)]


def marked(seen: Seen) -> Sequence[float]:
    """How many tokens records have."""
    found = Counter(min(len(one), 8) for one in seen.tokens)
    return [found[count] / len(seen.tokens) for count in range(9)]


def repeated(seen: Seen) -> Sequence[float]:
    """How often the most frequent tokens come, as shares of the records."""
    found = Counter(token for one in seen.tokens for token in one).most_common(12)
    shares = [count / len(seen.tokens) for _, count in found]
    return [*shares, *[0.0] * (12 - len(shares))]


def advantage(
    features: Sequence[Sequence[float]], answers: Sequence[object], *, seed: int
) -> tuple[float, float, float]:
    """(share guessed right, the share that chance guesses right on average, p): p is how often chance does as well."""
    chance = random.Random(seed)
    near = _neighbours(_scaled(features))
    right = _right(near, answers)
    dealt = list(answers)
    lucky = []
    for _ in range(DEALS):
        chance.shuffle(dealt)
        lucky.append(_right(near, dealt))
    p = (1 + sum(one >= right for one in lucky)) / (1 + DEALS)
    return right, sum(lucky) / DEALS, p


def _right(near: Sequence[Sequence[int]], answers: Sequence[object]) -> float:
    """How often an answer drawn from a patient's neighbours is the patient's own: it sees what a rare answer tells,
    which the guess of the majority does not (Henze 1988, Schilling 1986: the test of nearest neighbours)."""
    right = sum(answers[at] == answer for others, answer in zip(near, answers, strict=True) for at in others)
    return right / (len(answers) * NEIGHBOURS)


def _neighbours(points: Sequence[Sequence[float]]) -> list[list[int]]:
    found = []
    for at, point in enumerate(points):
        far = sorted((math.dist(point, other), where) for where, other in enumerate(points) if where != at)
        found.append([where for _, where in far[:NEIGHBOURS]])
    return found


def _scaled(features: Sequence[Sequence[float]]) -> list[list[float]]:
    columns = list(zip(*features, strict=True))
    centre = [sum(column) / len(column) for column in columns]
    spread = [
        math.sqrt(sum((one - mean) ** 2 for one in column) / len(column)) or 1.0
        for column, mean in zip(columns, centre, strict=True)
    ]
    return [[(one - mean) / width for one, mean, width in zip(row, centre, spread, strict=True)] for row in features]
