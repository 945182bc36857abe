"""Every example of schema/GUIDE.md is asked of a gateway, and its answer is the one that is shown."""

import re
import time
from collections.abc import Iterator

import pytest

from gateway import eip712
from gateway.demo.wallet import Wallet
from gateway.identity.rules import encryption_key_typed_data
from schema.errors import RefusalCode
from tests.docs.guide import GUIDE, TEXT, Example, Reader, examples
from tests.journeys.people import instant, sign_in
from tests.journeys.sites import Site, running_site

EXAMPLES = examples()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with running_site(tmp_path_factory.mktemp("guide")) as site:
        wallets = {name: Wallet.new() for name in ("patient", "clinician", "researcher", "steward", "sponsor")}
        wallets["registrar"] = Wallet.of_hex(site.gateway.registrar_key)
        known: dict[str, object] = {"in an hour": instant(time.time() + 3600)}
        for name, wallet in wallets.items():
            known |= {f"{name} address": wallet.address, f"{name} key": wallet.signer}
        known |= encryption_key(site, wallets["researcher"])
        yield Reader(
            base=site.gateway.base,
            folder=tmp_path_factory.mktemp("reader"),
            wallets=wallets,
            sign_in=lambda wallet: sign_in(site.door, wallet),
            known=known,
        )


def encryption_key(site: Site, wallet: Wallet) -> dict[str, object]:
    """An X25519 key whose private half nobody needs here, signed by the wallet's."""
    facts = site.door.http.get(f"{site.gateway.base}/.well-known/consentry").json()
    domain = eip712.domain(chain_id=facts["chainId"], contract=facts["contracts"]["identity"])
    key, public = bytes.fromhex(wallet.signer[2:]), b"\x09" + bytes(31)
    full = encryption_key_typed_data(key=key, encryption_key=public, domain=domain)
    return {
        "researcher encryption key": "0x" + public.hex(),
        "researcher encryption key signature": wallet.sign_typed_data(full),
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"line {one.line}")
def test_an_example_is_answered_as_it_is_shown(example: Example, reader: Reader) -> None:
    reader.try_out(example)


def test_there_are_examples_of_each_kind() -> None:
    texts = " ".join(example.text for example in EXAMPLES)
    assert all(word in texts for word in ("query", "mutation", "subscription", "curl"))
    assert len(EXAMPLES) >= 25


def test_every_code_of_a_refusal_has_its_row() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", TEXT, re.M)
    assert set(rows) == {code.value for code in RefusalCode}


def test_every_link_leads_somewhere() -> None:
    for path, _, anchor in (link.partition("#") for link in re.findall(r"\]\((?!https)([^)]+)\)", TEXT)):
        target = GUIDE.parent / path
        assert target.is_file(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if anchor else []
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], anchor
