"""Large content over HTTP as a client of tus 1.0.0 and of RFC 9110 moves it: plain httpx, nothing of the gateway."""

import base64
from collections.abc import Iterable, Iterator

import httpx

from tests.journeys.people import Door, Person

PIECE = 256 * 1024


def metadata(**told: str) -> str:
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}".strip() for name, text in told.items())


def signed(person: Person | None, **headers: str) -> dict[str, str]:
    named = {"Tus-Resumable": "1.0.0", **headers}
    return named if person is None else {**named, "Authorization": f"Bearer {person.token}"}


def begin(
    person: Person | None, door: Door, patient: str, size: int | str, *, kind: str = "application/dicom", **told: str
) -> httpx.Response:
    headers = signed(
        person,
        **{"Upload-Length": str(size), "Upload-Metadata": metadata(patientId=patient, contentType=kind, **told)},
    )
    return door.http.post(f"{door.base}/content", headers=headers)


def go_on(
    person: Person | None, door: Door, where: str, octets: bytes | Iterable[bytes], *, offset: int | str
) -> httpx.Response:
    headers = signed(person, **{"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"})
    content = octets if isinstance(octets, bytes) else iter(octets)
    return door.http.patch(door.base + where, headers=headers, content=content)


def offset_of(person: Person | None, door: Door, where: str) -> httpx.Response:
    return door.http.head(door.base + where, headers=signed(person))


def upload(person: Person, patient: str, octets: bytes, *, kind: str = "application/dicom", **told: str) -> str:
    """The id of the new record."""
    door = person.door
    begun = begin(person, door, patient, len(octets), kind=kind, **told)
    assert begun.status_code == 201, begun.text
    done = go_on(person, door, begun.headers["location"], octets, offset=0)
    assert done.status_code == 204, done.text
    assert done.headers["upload-offset"] == str(len(octets))
    return done.headers["consentry-record"]


def download(
    person: Person | None, door: Door, record: str, *, purpose: str = "TREAT", method: str = "GET", **headers: str
) -> httpx.Response:
    named = {"Consentry-Purpose": purpose, **headers}
    if person is not None:
        named["Authorization"] = f"Bearer {person.token}"
    return door.http.request(method, f"{door.base}/content/{record}", headers=named)


def pieces(octets: bytes, size: int = PIECE) -> Iterator[bytes]:
    for at in range(0, len(octets), size):
        yield octets[at : at + size]
