"""The examples of schema/GUIDE.md: taken from its text, asked of a gateway in their order, and compared.

An example is a fenced block `graphql as=NAME` with `json variables` and `json answer` after it, or a block `sh` with
`text answer`. In them `<name>` stands for a value: given, or found where it first stood in an answer; `<…>` is any;
`<signature>` is made by who asks, of the message or typed data that was answered last; `<signature of name>` of what
that name stands for.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.demo.wallet import Wallet
from tests.journeys.people import Person
from tests.journeys.sockets import subscribed

GUIDE = Path(__file__).resolve().parents[2] / "schema" / "GUIDE.md"
TEXT = GUIDE.read_text()
ANYTHING = "<…>"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
_NAMED = re.compile(r"<([a-z][a-zA-Z ]*)>")
_SIGNED = re.compile(r"<signature of ([a-z][a-zA-Z ]*)>")
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """`asker`: who asks; "" of a shell's. `line`: where it stands."""

    asker: str
    text: str
    variables: str
    answer: str
    line: int


def examples() -> list[Example]:
    """In order. Raises AssertionError for a block that is no part of one."""
    found: list[Example] = []
    blocks = [(one[1], one[2], TEXT.count("\n", 0, one.start()) + 1) for one in _BLOCK.finditer(TEXT)]
    while blocks:
        kind, text, line = blocks.pop(0)
        assert kind == "sh" or kind.startswith("graphql as="), f"line {line}: no example begins with {kind}"
        variables = blocks.pop(0)[1] if blocks and blocks[0][0] == "json variables" else "{}"
        wanted = "text answer" if kind == "sh" else "json answer"
        assert [one[0] for one in blocks[:1]] == [wanted], f"line {line}: an example without its answer"
        asker = kind.partition("as=")[2]
        found.append(Example(asker=asker, text=text, variables=variables, answer=blocks.pop(0)[1], line=line))
    return found


@dataclass(slots=True, kw_only=True)
class Reader:
    """Somebody who tries the guide, line by line. `tokens`: by name; `known`: what names stand for."""

    base: str
    folder: Path
    wallets: Mapping[str, Wallet]
    sign_in: Callable[[Wallet], Person]
    known: dict[str, Any]
    tokens: dict[str, str] = field(default_factory=dict)
    signable: Any = None

    def try_out(self, example: Example) -> None:
        if example.asker:
            self._ask(example)
        else:
            self._run(example)

    def _ask(self, example: Example) -> None:
        variables = self._filled(json.loads(example.variables), example.asker)
        wanted = json.loads(example.answer)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            answer = self._answer(example, variables)
            try:
                self._compare(wanted, answer, "answer")
                return
            except AssertionError:
                # What is not anchored yet will be.
                if time.monotonic() > deadline or '"proof": {' not in example.answer:
                    raise
            time.sleep(0.5)

    def _answer(self, example: Example, variables: Any) -> Any:
        if example.text.lstrip().startswith("subscription"):
            person = self.sign_in(self.wallets[example.asker])
            with subscribed(person, example.text, variables) as subscription:
                return subscription.next()
        headers = {} if example.asker == "nobody" else {"authorization": f"Bearer {self._token(example.asker)}"}
        body = {"query": example.text, "variables": variables}
        answer = httpx.post(f"{self.base}/graphql", json=body, headers=headers, timeout=60).json()
        return answer if "errors" in answer else answer["data"]

    def _token(self, name: str) -> str:
        if f"{name} token" in self.known:
            return str(self.known[f"{name} token"])
        if name not in self.tokens:
            self.tokens[name] = self.sign_in(self.wallets[name]).token
        return self.tokens[name]

    def _run(self, example: Example) -> None:
        names = {name.upper().replace(" ", "_"): str(value) for name, value in self.known.items()}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", example.text],
            cwd=self.folder,
            env={**os.environ, **names, "GATEWAY": self.base},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        wanted = re.escape(example.answer.strip()).replace(re.escape(ANYTHING), ".*")
        assert re.fullmatch(wanted, done.stdout.replace("\r", "").strip(), re.S), done.stdout

    def _filled(self, value: Any, asker: str) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(part, asker) for name, part in value.items()}
        if isinstance(value, list):
            return [self._filled(part, asker) for part in value]
        if value == "<signature>":
            wallet = self.wallets[asker if asker != "nobody" else "patient"]
            return (
                wallet.sign_text(self.signable)
                if isinstance(self.signable, str)
                else wallet.sign_typed_data(self.signable)
            )
        signed = _SIGNED.fullmatch(value) if isinstance(value, str) else None
        if signed:
            return self.wallets[asker].sign_typed_data(self.known[signed[1]])
        named = _NAMED.fullmatch(value) if isinstance(value, str) else None
        return self.known[named[1]] if named else value

    def _compare(self, wanted: Any, found: Any, place: str) -> None:
        if wanted == ANYTHING:
            assert found is not None, place
        elif isinstance(wanted, str) and (named := _NAMED.fullmatch(wanted)):
            assert found is not None, place
            assert self.known.setdefault(named[1], found) == found, place
            if named[1].endswith(("message", "typed data", "revocation")):
                self.signable = found
        elif isinstance(wanted, dict) and isinstance(found, dict):
            assert list(wanted) == list(found), (place, found)
            for name, part in wanted.items():
                self._compare(part, found[name], f"{place}.{name}")
        elif isinstance(wanted, list) and isinstance(found, list):
            assert len(wanted) == len(found), (place, found)
            for number, (part, other) in enumerate(zip(wanted, found, strict=True)):
                self._compare(part, other, f"{place}.{number}")
        else:
            assert wanted == found, (place, found)
