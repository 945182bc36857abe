"""GraphiQL in a real browser: served by the gateway alone, under its own content security policy; a wallet signs in.

The wallet is an EIP-1193 provider in the page that hands each request to this test, which signs with a real key.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.wallet import Wallet
from tests.journeys.browser import Browser, Page, running_browser
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site
from tests.servers.pytest_fixtures import require_program

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
BUNDLE = Path(__file__).resolve().parents[2] / "gateway" / "web" / "graphiql"
WATCH = """window.broken = [];
addEventListener("securitypolicyviolation", (event) => window.broken.push(event.violatedDirective));"""
PROVIDER = """window.ethereum = {
  request: (asked) => new Promise((resolve) => { window.asked = { asked, resolve }; }),
};"""
EDITORS = "[...document.querySelectorAll('.CodeMirror')].map((one) => one.CodeMirror)"


@dataclass(frozen=True, slots=True)
class Console:
    """A page with the console, and a wallet that is asked through it."""

    page: Page
    wallet: Wallet | None

    def text(self, selector: str) -> str:
        return str(self.page.until(f"document.querySelector({json.dumps(selector)})?.textContent"))

    def press(self, selector: str) -> None:
        self.page.until(f"document.querySelector({json.dumps(selector)})?.disabled === false")
        self.page.run(f"document.querySelector({json.dumps(selector)}).click()")

    def asked(self) -> dict[str, Any]:
        """What the wallet is asked next."""
        found: dict[str, Any] = self.page.until("window.asked?.asked")
        return found

    def answer(self, value: Any) -> None:
        self.page.run(
            f"(() => {{ const {{ resolve }} = window.asked; window.asked = null; resolve({json.dumps(value)}); }})()"
        )

    def sign_in(self) -> str:
        """By the wallet. Returns the message that it was shown."""
        assert self.wallet is not None
        self.press("#sign-in")
        assert self.asked() == {"method": "eth_requestAccounts"}
        self.answer([self.wallet.address])
        self.page.until("window.asked?.asked.method === 'personal_sign'")
        octets, address = self.asked()["params"]
        message = bytes.fromhex(octets[2:]).decode()
        assert address == self.wallet.address
        self.answer(self.wallet.sign_text(message))
        self.text("#who")
        return message

    def show(self, example: str, variables: dict[str, Any]) -> None:
        """Chooses an example, and fills in its variables."""
        choose = f"""(() => {{ const menu = document.querySelector('.consentry-bar select');
          const at = [...menu.options].find((one) => one.text === {json.dumps(example)}).value;
          Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(menu, at);
          menu.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"""
        self.page.run(choose)
        self.page.run(f"{EDITORS}[1].setValue({json.dumps(json.dumps(variables))})")

    def execute(self) -> None:
        self.page.until("document.querySelector('.graphiql-execute-button') !== null")
        self.page.run("document.querySelector('.graphiql-execute-button').click()")

    def result(self, containing: str) -> str:
        shown = "[...document.querySelectorAll('.result-window .CodeMirror')][0]?.CodeMirror.getValue()"
        try:
            found = self.page.until(f"{shown}?.includes({json.dumps(containing)}) && {shown}")
        except AssertionError as never:
            raise AssertionError(self.page.run(f"{EDITORS}.map((one) => one.getValue()).join()")) from never
        return str(found)

    def kept(self) -> str:
        """Everything that this page has put where a browser keeps it, or shows it in its URL."""
        script = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, window.name])"
        return str(self.page.run(script))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # A browser beside it takes much of a small machine.
    with running_site(tmp_path_factory.mktemp("console"), settings={"ANSWER_SECONDS": "30"}) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(require_program("chromium"), tmp_path_factory.mktemp("chromium")) as running:
        yield running


def opened(browser: Browser, site: Site, wallet: Wallet | None, *, host: str = "127.0.0.1") -> Console:
    page = Page(browser, browser.call("Target.createTarget", url="about:blank")["targetId"])
    page.call("Page.enable")
    page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH + (PROVIDER if wallet else ""))
    page.call("Page.navigate", url=f"http://{host}:{site.gateway.port}/graphql")
    page.until(
        "document.querySelector('.consentry-bar') && document.querySelector('.graphiql-execute-button') !== null"
    )
    return Console(page, wallet)


@pytest.fixture(scope="module")
def patient(site: Site) -> Patient:
    return site.crowd.patient("Ada")


@pytest.fixture
def console(browser: Browser, site: Site, patient: Patient) -> Console:
    return opened(browser, site, patient.person.wallet)


def test_examples_are_ready_to_try_and_no_policy_is_broken(console: Console) -> None:
    names = console.page.run("[...document.querySelectorAll('.consentry-bar option')].map((one) => one.text)")
    for name in ("Who am I?", "A patient's records", "Store a record", "Draft a consent", "Draft a revocation"):
        assert name in names
    console.execute()
    assert json.loads(console.result("viewer")) == {"data": {"viewer": None}}
    assert console.page.run("window.broken") == []


def test_a_wallet_signs_in_and_out_and_the_token_is_kept_nowhere(console: Console, patient: Patient) -> None:
    message = console.sign_in()
    assert message.split("\n")[0].startswith(console.page.run("location.host") + " wants you to sign in")
    assert console.text("#who").startswith("Ada (PATIENT) until ")
    console.execute()
    assert json.loads(console.result('"Ada"'))["data"]["viewer"]["id"] == patient.person.id
    tokens = [one["id"] for one in patient.person.sessions() if one["device"] == "Console"]
    assert len(tokens) == 1
    kept = console.kept()
    assert json.loads(kept)[:3] == [{}, {}, ""]
    assert "Bearer" not in console.page.run(f"{EDITORS}.map((one) => one.getValue()).join()")
    console.press("#sign-out")
    console.text("#sign-in")
    assert [one for one in patient.person.sessions() if one["device"] == "Console"] == []
    console.execute()
    assert json.loads(console.result("null")) == {"data": {"viewer": None}}


def test_a_consent_is_drafted_signed_by_the_wallet_and_revoked(console: Console, site: Site, patient: Patient) -> None:
    grantee = site.crowd.clinician("Dr. Console")
    record = patient.store(observation())
    console.sign_in()
    terms = {
        "patientId": patient.id,
        "granteeId": grantee.id,
        "purposes": ["TREAT"],
        "notAfter": "2099-01-01T00:00:00Z",
    }
    console.show("Draft a consent", {"input": terms})
    console.execute()
    typed = json.loads(console.result("typedData"))["data"]["draftConsent"]["typedData"]
    sign_the_draft(console, typed)
    granted = json.loads(console.result('"ACTIVE"'))["data"]["grantConsent"]
    assert grantee.read(record).value["resourceType"] == "Observation"
    console.show("Draft a revocation", {"patientId": patient.id, "consentId": granted["consentId"]})
    console.execute()
    typed = json.loads(console.result('"Revocation"'))["data"]["draftRevocation"]["typedData"]
    sign_the_draft(console, typed)
    console.result('"REVOKED"')
    assert grantee.read(record).code == "NOT_PERMITTED"
    assert console.page.run("window.broken") == []


def sign_the_draft(console: Console, typed: dict[str, Any]) -> None:
    assert console.wallet is not None
    console.press("#sign-draft")
    console.page.until("window.asked?.asked.method === 'eth_requestAccounts'")
    console.answer([console.wallet.address])
    console.page.until("window.asked?.asked.method === 'eth_signTypedData_v4'")
    shown = console.asked()["params"][1]
    assert json.loads(shown) == typed
    console.answer(console.wallet.sign_typed_data(json.loads(shown)))
    console.page.until(f"{EDITORS}[1].getValue().includes('signature')")
    console.execute()


def test_records_arrive_under_the_token(console: Console, patient: Patient) -> None:
    console.sign_in()
    console.show("Records as they arrive", {"patientId": patient.id})
    time.sleep(3)  # GraphiQL reads what stands in the editor half a second later, and asks over HTTP until then
    console.execute()
    console.page.until(
        "document.querySelector('.graphiql-execute-button').getAttribute('aria-label').startsWith('Stop')"
    )
    for _ in range(3):
        record = patient.store(observation())
    assert record
    console.result("recordAdded")


def test_a_host_that_the_message_does_not_name_gets_no_signature(
    browser: Browser, site: Site, patient: Patient
) -> None:
    """A page at another host, behind which this very gateway is, has the wallet sign for that host nothing."""
    console = opened(browser, site, patient.person.wallet, host="localhost")
    console.press("#sign-in")
    console.asked()
    console.answer([patient.person.wallet.address])
    assert console.text("#said").startswith(f"not signed: the gateway is at 127.0.0.1:{site.gateway.port}")
    assert console.page.run("window.asked") is None


def test_what_the_gateway_refuses_is_said(browser: Browser, site: Site) -> None:
    console = opened(browser, site, Wallet.new())
    console.press("#sign-in")
    console.asked()
    assert console.wallet is not None
    console.answer([console.wallet.address])
    console.page.until("window.asked?.asked.method === 'personal_sign'")
    octets = console.asked()["params"][0]
    console.answer(console.wallet.sign_text(bytes.fromhex(octets[2:]).decode()))
    assert console.text("#said").startswith("UNAUTHENTICATED: ")


def test_a_token_may_be_pasted_where_there_is_no_wallet(browser: Browser, site: Site) -> None:
    person: Person = site.crowd.clinician("Dr. Paste")
    console = opened(browser, site, None)
    assert console.page.run("document.querySelector('#sign-in').disabled") is True
    console.press("#paste")
    console.page.until("document.querySelector('.consentry-bar input')?.type === 'password'")
    console.page.run(
        f"(() => {{ document.querySelector('.consentry-bar input').value = {json.dumps(person.token)};"
        "document.querySelector('.consentry-bar form').requestSubmit(); })()"
    )
    assert console.text("#who").startswith("Dr. Paste (CLINICIAN) until ")
    assert person.token not in console.kept() + console.page.run("document.documentElement.outerHTML")
    console.press("#sign-out")
    console.text("#sign-in")
    assert person.once("{ viewer { id } }").value is None


def test_the_bundle_is_what_its_sources_make(tmp_path: Path) -> None:
    npm = require_program("npm")
    source = tmp_path / "graphiql" / "source"
    shutil.copytree(BUNDLE / "source", source)
    for words in (
        ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
        ("run", "--silent", "build"),
    ):
        subprocess.run([npm, *words], cwd=source, check=True, capture_output=True, timeout=250)
    for name in ("console.js", "console.css", "LICENCES.txt"):
        assert (source.parent / name).read_bytes() == (BUNDLE / name).read_bytes(), name
