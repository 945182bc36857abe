"""A real Chromium, spoken to over its DevTools protocol: pages, clicks, and an authenticator in software (WebAuthn)."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-popup-blocking",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE_SECONDS = 30.0


class Page:
    """One tab."""

    def __init__(self, browser: "Browser", target: str) -> None:
        self._browser = browser
        self._session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **given: Any) -> Any:
        return self._browser.call(method, session=self._session, **given)

    def run(self, script: str) -> Any:
        """The value of an expression, or of the promise that it is; as if a person had just clicked."""
        done = self.call("Runtime.evaluate", expression=script, userGesture=True, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str, *, seconds: float = PATIENCE_SECONDS) -> Any:
        """The first value that is true."""
        deadline = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, f"never came true: {script}"
            time.sleep(0.05)
        return found

    def authenticator(self) -> None:
        """A passkey device that always finds its person present and verified."""
        self.call("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        self.call("WebAuthn.addVirtualAuthenticator", options={**options, "isUserVerified": True})


class Browser:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0

    def call(self, method: str, *, session: str | None = None, **given: Any) -> Any:
        self._asked += 1
        asked = {"id": self._asked, "method": method, "params": given, **({"sessionId": session} if session else {})}
        self._socket.send(json.dumps(asked))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == self._asked:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def open(self, url: str) -> Page:
        page = Page(self, self.call("Target.createTarget", url=url)["targetId"])
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def opened(self, url: str) -> Page:
        """The newest tab at a URL, which another page opened."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            targets = self.call("Target.getTargets")["targetInfos"]
            here = [one for one in targets if one["type"] == "page" and one["url"].startswith(url)]
            if here:
                return Page(self, here[0]["targetId"])
            time.sleep(0.05)
        raise AssertionError(f"no tab at {url}")

    def close_all(self, url: str) -> None:
        for one in self.call("Target.getTargets")["targetInfos"]:
            if one["type"] == "page" and one["url"].startswith(url):
                self.call("Target.closeTarget", targetId=one["targetId"])


@contextmanager
def running_browser(program: Path, folder: Path) -> Iterator[Browser]:
    process = subprocess.Popen(
        [program, *QUIET, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = folder / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (port.exists() and port.read_text().count("\n")):
            assert time.monotonic() < deadline, "the browser does not come up"
            time.sleep(0.05)
        number, path = port.read_text().splitlines()[:2]
        with connect(f"ws://127.0.0.1:{number}{path}", max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(20)
