"""A reference means what is called so and nothing else; what is looked up is sealed with the record, and only grew."""

import msgspec
import pytest

from gateway.crypto.model import RecordFacts
from gateway.records.naming import LONGEST, is_called, joined, key_of, named_by, names_of

URN = "urn:uuid:7a9a1c52-6f0e-4c7c-8a58-0d4f5a1b2c3d"
URL = "https://a.example/fhir/Encounter/e"


def test_a_resource_is_called_by_its_type_and_id_and_by_its_full_url() -> None:
    assert names_of("Encounter", "e", URN) == ("Encounter/e", URN)
    assert names_of("Encounter", None, URN) == (URN,)
    assert names_of("Encounter", "e", None) == ("Encounter/e",)
    assert names_of("Encounter", None, "x" * (LONGEST + 1)) == ()


def test_an_amendment_keeps_the_names_of_before() -> None:
    assert joined(("Encounter/e",), ("Encounter/e", URN)) == ("Encounter/e", URN)


@pytest.mark.parametrize(
    ("reference", "names", "is_meant"),
    [
        ("Encounter/e", ("Encounter/e",), True),
        ("Encounter/e/_history/2", ("Encounter/e",), True),
        ("Encounter/e", (URL,), True),
        (URL, (URL,), True),
        (URN, ("Encounter/x", URN), True),
        ("Encounter/e", ("Condition/e",), False),
        ("Encounter/e", ("Encounter/ee",), False),
        ("Encounter/e", ("Encounter/E",), False),
        (URL, ("Encounter/e",), False),
        (URL, ("https://b.example/fhir/Encounter/e",), False),
        ("e", (URL, "Encounter/e"), False),
        (URN, ("Encounter/7a9a1c52-6f0e-4c7c-8a58-0d4f5a1b2c3d",), False),
    ],
)
def test_reference_means_what_is_called_so(reference: str, names: tuple[str, ...], is_meant: bool) -> None:
    name = named_by(reference)
    assert name is not None
    assert is_called(name, names) is is_meant
    if is_meant:
        assert key_of(name) in {key_of(one) for one in names}


@pytest.mark.parametrize("reference", ["", "#e", "#", "Practitioner?identifier=http://x|7", "x" * (LONGEST + 1)])
def test_what_can_name_no_record_names_none(reference: str) -> None:
    assert named_by(reference) is None


def test_facts_of_before_names_were_kept_still_open() -> None:
    now = RecordFacts(
        b"", b"", b"", 1, "Encounter", (), (), (), (), (), None, {}, (), b"", b"", b"", b"", b"", b"", 0,
        names=("Encounter/e",),
    )  # fmt: skip
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(now))[:-4])
    read = msgspec.msgpack.decode(old, type=RecordFacts)
    assert read.names == ()
    assert msgspec.structs.replace(read, names=now.names) == now
