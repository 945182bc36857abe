"""The signing page in a real browser with a passkey: what is shown is what is signed, for those alone who may ask."""

import copy
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from gateway import eip712, erc7913
from gateway.consent import messages
from gateway.consent.model import NO_END, Effect, Scope, Terms
from gateway.ids import ActorId, RecordId, SubjectId
from tests.journeys.browser import Browser, Page, running_browser
from tests.journeys.sites import running_site
from tests.servers.process import free_port
from tests.servers.pytest_fixtures import require_program

pytestmark = pytest.mark.services
VERIFIERS = erc7913.Verifiers(p256=b"\x01" * 20, webauthn=b"\x02" * 20)
DOMAIN = eip712.domain(chain_id=31_337, contract="0x" + "5a" * 20)
LISTEN = """window.answers = {}; window.ready = 0; addEventListener("message", (event) => {
  if (event.data.kind === "consentry/ready") window.ready += 1; else window.answers[event.data.id] = event.data; })"""


class Blank(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@dataclass(frozen=True)
class Desk:
    """A browser, the signing page's URL, and a front end that may ask it."""

    browser: Browser
    signing: str
    app: int

    def ask_from(self, host: str) -> tuple[Page, Page]:
        """(opener, signing page), freshly opened from an origin at this host."""
        self.browser.close_all(self.signing)
        opener = self.browser.open(f"http://{host}:{self.app}/")
        opener.run(LISTEN)
        opener.run(f"window.page = window.open({json.dumps(self.signing + '/')}); true")
        page = self.browser.opened(self.signing)
        page.until("document.readyState === 'complete'")
        page.authenticator()
        return opener, page

    def answer(self, opener: Page, page: Page, *, id: str, press: bool = True, **asked: Any) -> dict[str, Any]:
        message = json.dumps({"id": id, **asked})
        opener.run(f"window.page.postMessage({message}, {json.dumps(self.signing)}); true")
        if press:
            page.until("!document.getElementById('act').hidden")
            page.run("document.getElementById('act').click()")
        found: dict[str, Any] = opener.until(f"window.answers[{json.dumps(id)}]")
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    program = require_program("chromium")
    port, folder = free_port(), tmp_path_factory.mktemp("signing")
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("<!doctype html><title>A front end</title>")
    front = ThreadingHTTPServer(("127.0.0.1", 0), partial(Blank, directory=str(folder / "www")))
    threading.Thread(target=front.serve_forever, daemon=True).start()
    app = front.server_address[1]
    signing = f"http://signing.localhost:{port}"
    settings = {
        "PUBLIC_URL": "http://gateway.localhost",
        "SIGNING_URL": signing,
        "SIGNING_PORT": str(port),
        "SIGNING_OPENERS": json.dumps([f"http://app.localhost:{app}"]),
    }
    with running_site(folder / "site", None, settings), running_browser(program, folder / "profile") as browser:
        yield Desk(browser, signing, app)
    front.shutdown()


def terms(chance: random.Random) -> Terms:
    def texts() -> tuple[str, ...]:
        return tuple(
            chance.choice(["Observation", "a|b", "naïve 👩‍⚕️", "0x12", ""]) for _ in range(chance.randint(0, 3))
        )

    return Terms(
        subject=SubjectId(chance.randbytes(32)),
        effect=chance.choice(list(Effect)),
        scope=Scope(
            grantee=ActorId(chance.randbytes(32)),
            actions=("READ",),
            purposes=("TREAT",),
            resource_types=texts(),
            codes=texts(),
            labels=texts(),
            authors=tuple(ActorId(chance.randbytes(32)) for _ in range(chance.randint(0, 2))),
            records=tuple(RecordId(chance.randbytes(16)) for _ in range(chance.randint(0, 2))),
            data_from="",
            data_to="2026-01-01T00:00:00Z",
            data_use=texts(),
            context="",
            terms_hash=bytes(32),
            salt=chance.randbytes(32),
            statement="I allow Dr. <b>Ada</b> to read my records for treatment.",
        ),
        not_before=chance.choice([0, 1_700_000_000, 2**53]),
        not_after=chance.choice([NO_END, 2_000_000_000]),
        epoch=chance.randint(0, 9),
    )


def consent(seed: int = 1) -> dict[str, Any]:
    return messages.consent_typed_data(terms(random.Random(seed)), DOMAIN)


def test_a_passkey_made_here_signs_what_the_page_shows(desk: Desk) -> None:
    opener, page = desk.ask_from("app.localhost")
    opener.until("window.ready")
    made = desk.answer(opener, page, id="1", kind="consentry/enrol", verifier="0x" + "02" * 20, name="Pat")
    signer = bytes.fromhex(made["signer"][2:])
    typed = consent()
    signed = desk.answer(opener, page, id="2", kind="consentry/sign", typedData=typed, credential=made["credential"])
    assert page.run("document.getElementById('statement').textContent") == typed["message"]["scope"]["statement"]
    digest, signature = eip712.digest(typed), bytes.fromhex(signed["signature"][2:])
    assert signed["digest"] == "0x" + digest.hex()
    assert erc7913.judge(signer, digest, signature, VERIFIERS) is True
    assert erc7913.rp_id_hash(signature) == sha256(b"signing.localhost").digest()


def test_the_pages_digest_is_the_gateways_and_any_change_makes_another(desk: Desk) -> None:
    _, page = desk.ask_from("app.localhost")
    texts = [consent(seed) for seed in range(40)]
    texts += [
        messages.revocation_typed_data(b"\x11" * 32, b"\x12" * 32, DOMAIN),
        messages.revoke_all_typed_data(b"\x11" * 32, 7, DOMAIN),
        messages.credential_typed_data(b"\x11" * 32, b"\x12" * 32, linked=True, nonce=3, domain=DOMAIN),
    ]
    for path, value in (
        ("effect", 1 - consent()["message"]["effect"]),
        ("epoch", 8),
        ("notAfter", 5),
        ("scope.statement", "x"),
        ("scope.labels", ["HIV"]),
    ):
        changed = copy.deepcopy(consent())
        at: Any = changed["message"]
        *inner, last = path.split(".")
        for name in inner:
            at = at[name]
        at[last] = value
        texts.append(changed)
    digests = page.run(
        f"import('/typed_data.js').then((m) => {json.dumps(texts)}.map((t) => m.hex(m.digestOf(m.understood(t)))))"
    )
    assert digests == ["0x" + eip712.digest(text).hex() for text in texts]
    assert len(set(digests)) == len(texts)


@pytest.mark.parametrize(
    "change",
    [
        lambda typed: typed["message"].update(more="x"),
        lambda typed: typed["message"]["scope"].pop("salt"),
        lambda typed: typed.update(primaryType="Permit"),
        lambda typed: typed["domain"].update(name="Elsewhere"),
        lambda typed: typed["domain"].update(salt="0x" + "11" * 32),
        lambda typed: typed["message"].update(subject="0x11"),
        lambda typed: typed["message"].update(epoch=-1),
        lambda typed: typed["message"].update(epoch=1.5),
        lambda typed: typed["message"]["scope"].update(labels="HIV"),
    ],
)
def test_what_the_page_cannot_show_it_does_not_sign(desk: Desk, change: Any) -> None:
    opener, page = desk.ask_from("app.localhost")
    opener.until("window.ready")
    typed = consent()
    change(typed)
    refused = desk.answer(opener, page, id="1", kind="consentry/sign", typedData=typed, press=False)
    assert refused["error"] == "not understood"
    assert page.run("document.getElementById('act').hidden")


def test_types_that_the_asker_brings_are_not_the_pages(desk: Desk) -> None:
    """A wallet would hash by them; the page hashes by its own, so what it signs is the gateway's text or none."""
    _, page = desk.ask_from("app.localhost")
    typed = consent()
    typed["types"]["Scope"] = [{"name": "statement", "type": "string"}]
    digest = page.run(f"import('/typed_data.js').then((m) => m.hex(m.digestOf(m.understood({json.dumps(typed)}))))")
    assert digest == "0x" + eip712.digest(consent()).hex()


@pytest.mark.parametrize("host", ["evil.localhost", "localhost", "app.localhost.evil.localhost"])
def test_a_page_that_is_not_on_the_list_is_not_answered(desk: Desk, host: str) -> None:
    opener, page = desk.ask_from(host)
    asked = json.dumps({"id": "1", "kind": "consentry/sign", "typedData": consent()})
    opener.run(f"window.page.postMessage({asked}, '*'); new Promise((done) => setTimeout(done, 500, true))")
    assert page.run("document.getElementById('text').hidden && document.getElementById('act').hidden")
    assert opener.run("[window.ready, Object.keys(window.answers).length]") == [0, 0]


def test_markup_in_a_statement_stays_text(desk: Desk) -> None:
    opener, page = desk.ask_from("app.localhost")
    opener.until("window.ready")
    asked = json.dumps({"id": "1", "kind": "consentry/sign", "typedData": consent()})
    opener.run(f"window.page.postMessage({asked}, {json.dumps(desk.signing)}); true")
    page.until("!document.getElementById('text').hidden")
    assert page.run("document.querySelectorAll('#text b').length") == 0


def test_the_page_keeps_nothing_and_lets_nobody_frame_it(desk: Desk) -> None:
    port = desk.signing.rpartition(":")[2]
    for path in ("/", "/page.js", "/noble/sha3.js"):
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200
        assert "frame-ancestors 'none'" in policy
        assert "connect-src 'none'" in policy
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
    for path in ("/graphql", "/health", "/noble/../page.html", "/page.html", "/?x=1"):
        assert httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 404
