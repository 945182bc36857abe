"""A stolen index with its blocks, without keys: no dictionary finds a word, patients do not compare, and how many
tokens a record has tells nothing.

What it tells nevertheless is measured here and said in SECURITY: how many records there are, how large, and how often a
token comes again. `CONSENTRY_FHIR_SAMPLE=all` takes all 439 patients of the sample.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.listing import CONSENTS
from gateway.crypto import hazmat
from gateway.identity.model import Role
from gateway.records.model import NewBundle
from gateway.records.opening import TOKENS
from tests.attacks.inside import inside
from tests.attacks.thief import DIAGNOSES, Seen, Truth, advantage, counted, marked, repeated, sized, stolen
from tests.journeys.resources import HIV_POSITIVE, LOINC, SNOMED, SYSTOLIC, WEIGHT, bundle, condition, observation

DATA = Path(os.environ.get("CONSENTRY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "fhir"
PATIENTS = 439 if os.environ.get("CONSENTRY_FHIR_SAMPLE") == "all" else 40
NOISE = 0.01
"""What chance does as well more often than so is within it."""
WORDS = [f"{SNOMED}|{code}" for code in (HIV_POSITIVE, "38341003")] + [f"{LOINC}|{code}" for code in (SYSTOLIC, WEIGHT)]


@pytest.fixture(scope="module")
def shipped() -> list[tuple[Seen, Truth]]:
    found = sorted(one.name for one in (files("gateway.demo") / "bundles").iterdir() if one.name.endswith(".json.gz"))
    seen = []
    for name in found:
        with as_file(files("gateway.demo") / "bundles" / name) as path:
            seen.append(stolen(path))
    return seen


@pytest.fixture(scope="module")
def many() -> list[tuple[Seen, Truth]]:
    """A sample of Synthea's patients."""
    if not DATA.is_dir():
        pytest.skip("the development data are not beside the checkout")
    paths = sorted(path for path in (DATA / "synthea-2019").iterdir() if "nformation" not in path.name)
    return [stolen(path) for path in paths[:: max(1, len(paths) // PATIENTS)][:PATIENTS]]


def test_no_record_tells_how_many_codes_it_has(shipped: list[tuple[Seen, Truth]]) -> None:
    seen = [one for one, _ in shipped]
    assert sum(len(one.tokens) for one in seen) > 100
    for one in seen:
        assert {len(tokens) % TOKENS for tokens in one.tokens} == {0}
        assert all(list(tokens) == sorted(tokens) for tokens in one.tokens), "the order tells which are of nothing"


def test_the_same_records_of_two_patients_have_nothing_in_common(shipped: list[tuple[Seen, Truth]]) -> None:
    """As if two patients had led one life: the shipped bundle is sealed twice."""
    name = sorted(one.name for one in (files("gateway.demo") / "bundles").iterdir() if one.name.endswith(".json.gz"))[0]
    with as_file(files("gateway.demo") / "bundles" / name) as path:
        again, _ = stolen(path)
    first = shipped[0][0]
    assert first.sizes == again.sizes
    assert not {token for one in first.tokens for token in one} & {token for one in again.tokens for token in one}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dump(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every table of an index in which two patients have the same records and let the same clinician in."""
    folder = tmp_path_factory.mktemp("stolen")
    async with inside(folder) as at:
        clinician = await at.person(Role.CLINICIAN)
        for _ in range(2):
            who = await at.person(Role.PATIENT)
            subject = await at.patient(who)
            caller = await at.caller(who)
            assert caller is not None
            told = bundle(
                observation(), observation(code=WEIGHT), condition(), condition(code=HIV_POSITIVE), observation()
            )
            new = NewBundle(subject=subject, bundle=told, idempotency_key=None)
            await at.gateway.records.import_bundle(caller, new)
            await at.consent(who, subject, clinician.actor)
        assert await at.gateway.listings.count(clinician.actor, CONSENTS) == 2
    connection = sqlite3.connect(folder / "index.db")
    names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    found = {name: connection.execute(f'select * from "{name}"').fetchall() for name in names}
    connection.close()
    return found


@pytest.mark.asyncio(loop_scope="module")
async def test_no_dictionary_finds_a_word_under_any_key_that_lies_in_the_index(
    dump: Mapping[str, list[tuple[Any, ...]]],
) -> None:
    tokens = {row[0] for row in dump["tokens"]}
    keys = {value for rows in dump.values() for row in rows for value in row if isinstance(value, bytes)}
    assert len(tokens) >= 2 * 4 * TOKENS
    assert len(keys) > 50
    guesses = {guess for word in (*WORDS, "Observation", "Condition") for guess in _guesses(word.encode(), keys)}
    assert not tokens & guesses


def _guesses(word: bytes, keys: set[bytes]) -> Iterator[bytes]:
    """A word as a token under no key, and under each value of the dump as a key, in the forms that tokens have."""
    kinds = (b"code", b"type")
    framed = [b"".join(len(part).to_bytes(4, "big") + part for part in (kind, word)) for kind in kinds]
    for message in (word, *framed):
        yield hazmat.sha256(message)[:16]
        for key in keys:
            if len(key) in (16, 32):
                yield hazmat.mac(key, message)[:16]
                yield hazmat.mac(hazmat.derive(key.ljust(32, b"\0"), "search"), message)[:16]


@pytest.mark.asyncio(loop_scope="module")
async def test_two_patients_with_the_same_records_share_no_value(dump: Mapping[str, list[tuple[Any, ...]]]) -> None:
    whose = {record: subject for _, record, subject, *_ in dump["records"]}
    subjects = sorted(set(whose.values()))
    assert len(subjects) == 2
    mine, theirs = ({token for token, record in dump["tokens"] if whose[record] == one} for one in subjects)
    assert len(mine) == len(theirs)
    assert not mine & theirs
    digests = [digest for _, _, digest, _ in dump["versions"]]
    assert len(set(digests)) == len(digests) == 10


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_tells_that_two_consents_name_the_same(dump: Mapping[str, list[tuple[Any, ...]]]) -> None:
    """Not what a list holds of them, nor what else lies beside them: but for numbers, no two of their rows have a value
    in common, and no token is made of what a thief has."""
    assert (len(dump["listings"]), len(dump["consents"])) == (2, 2)
    for table in ("listings", "consents"):
        first, second = ({value for value in row if isinstance(value, bytes)} for row in dump[table])
        assert not first & second
    tokens = {row[0] for row in dump["listings"]}
    values = [value for rows in dump.values() for row in rows for value in row if isinstance(value, bytes)]
    assert all(values.count(token) == 1 for token in tokens)
    keys = {value for value in values if len(value) in (16, 32)}
    places = [number.to_bytes(8, "big") for number in range(4)]
    messages = [b"".join(len(part).to_bytes(4, "big") + part for part in (CONSENTS, place)) for place in places]
    guesses = {
        hazmat.mac(key, said)[:16]
        for one in keys
        for key in (one, hazmat.derive(one.ljust(32, b"\0"), "search"))
        for said in (*messages, *places)
    }
    assert not tokens & guesses


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("what", ["sex", "birth decade", *DIAGNOSES])
def test_how_many_tokens_records_have_tells_nothing(many: list[tuple[Seen, Truth]], what: str) -> None:
    """The number of records, their sizes and repetitions do tell something: printed here, and said in SECURITY."""
    answers = [truth.answers[what] for _, truth in many]
    for see in (counted, sized, repeated, marked):
        right, lucky, p = advantage([see(seen) for seen, _ in many], answers, seed=1)
        print(f"{what} by what is {see.__name__}: {right:.3f}, by chance {lucky:.3f}, p {p:.3f}, of {len(many)}")
    assert p > NOISE, f"by the number of tokens {right:.3f} where chance has {lucky:.3f}"
