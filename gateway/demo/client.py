"""GraphQL over HTTP, as any client would speak it: keep-alive, a token, typed answers.

True here: numbers keep their text both ways; a refusal surfaces with its code, message and field; LIMIT by rate and
STALE are waited out, nothing else is tried again. Source: GraphQL over HTTP; ARCHITECTURE, refusals.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from gateway import jsontext
from gateway.demo.model import StepFailedError, is_loopback
from gateway.errors import CallerError

Shape = TypeVar("Shape")
PATIENCE = 60
"""Times that a request waits out a rate limit or a stale index."""
ANSWER_SECONDS = 180.0
_TOO_MANY = 429


class RefusedError(StepFailedError):
    """The gateway said no: `code` is a RefusalCode."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(f"{code}: {message}" + (f" (at {field})" if field else ""))
        self.code = code


def open_http(url: str) -> httpx.Client:
    """Keep-alive connections; a proxy of the environment is never used for this machine itself."""
    return httpx.Client(
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=10.0),
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=20),
        trust_env=not is_loopback(url),
    )


class Gateway:
    """One gateway's public door. Safe to share between threads."""

    def __init__(self, base: str, http: httpx.Client) -> None:
        self.base = base
        self._http = http

    def data(
        self, document: str, variables: Mapping[str, jsontext.JsonValue], *, token: str | None = None
    ) -> dict[str, Any]:
        """The `data` of an answer without errors. Raises RefusedError, StepFailedError."""
        body = jsontext.dumps({"query": document, "variables": dict(variables)})
        headers = {"content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        for patience in range(PATIENCE, -1, -1):
            status, answer, pause = self._post(body, headers)
            refusal = _first_error(answer)
            if patience and (status == _TOO_MANY or (refusal is not None and refusal.code == "STALE")):
                time.sleep(pause)
                continue
            if refusal is not None:
                raise refusal
            break
        data = answer.get("data")
        if not isinstance(data, dict):
            raise StepFailedError(f"the gateway answers HTTP {status} without data")
        return data

    def result(
        self,
        document: str,
        variables: Mapping[str, jsontext.JsonValue],
        shape: type[Shape],
        *,
        token: str | None = None,
    ) -> Shape:
        """The member of the union that the document's one field answers with. Raises RefusedError for a Refusal."""
        for patience in range(PATIENCE, -1, -1):
            (value,) = self.data(document, variables, token=token).values()
            if not isinstance(value, dict) or value.get("__typename") != "Refusal":
                return shaped(value, shape)
            refusal = _refusal(value)
            if refusal.code != "STALE" or not patience:
                raise refusal
            time.sleep(0.25)
        raise AssertionError("the last turn returns or raises")

    def page(self, path: str) -> jsontext.JsonValue:
        """A JSON document beside GraphQL. Raises StepFailedError."""
        try:
            answer = self._http.get(self.base + path)
            if answer.status_code != 200:
                raise StepFailedError(f"{path} answers HTTP {answer.status_code}")
            return jsontext.loads(answer.content)
        except (httpx.HTTPError, CallerError) as error:
            raise StepFailedError(f"{path} does not answer as it must: {type(error).__name__}") from error

    def download(self, path: str, *, token: str) -> Iterator[bytes]:
        """The octets of a file beside GraphQL, as they come. Raises RefusedError, StepFailedError."""
        if not path.startswith("/"):
            raise StepFailedError("a file's path is none of this gateway's")
        try:
            for patience in range(PATIENCE, -1, -1):
                headers = {"authorization": f"Bearer {token}"}
                with self._http.stream("GET", self.base + path, headers=headers) as answer:
                    if answer.status_code == 200:
                        yield from answer.iter_raw()
                        return
                    refusal = _refused_file(answer)
                    if not patience or (answer.status_code != _TOO_MANY and refusal.code != "STALE"):
                        raise refusal
                    time.sleep(_pause(answer))
        except httpx.HTTPError as error:
            raise StepFailedError(f"the gateway does not give the file to its end: {type(error).__name__}") from error

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any], float]:
        """Status, the answer's object, and how long to wait should it be a rate limit."""
        try:
            answer = self._http.post(f"{self.base}/graphql", content=body, headers=dict(headers))
            parsed = jsontext.loads(answer.content)
        except httpx.HTTPError as error:
            raise StepFailedError(f"the gateway does not answer: {type(error).__name__}") from error
        except CallerError as error:
            raise StepFailedError(f"the gateway answers HTTP {answer.status_code} with no JSON") from error
        if not isinstance(parsed, dict):
            raise StepFailedError("the gateway answers with something that is no object")
        return answer.status_code, parsed, _pause(answer)


def _pause(answer: httpx.Response) -> float:
    """Seconds to wait should it be a rate limit."""
    wait = answer.headers.get("retry-after", "")
    return float(wait) if wait.isascii() and wait.isdecimal() else 0.25


def _refused_file(answer: httpx.Response) -> RefusedError:
    try:
        said = jsontext.loads(answer.read())
    except CallerError:
        said = None
    refusal = _first_error(said) if isinstance(said, dict) else None
    return refusal or RefusedError("ERROR", f"a file is answered with HTTP {answer.status_code}")


def shaped(value: object, shape: type[Shape]) -> Shape:
    """An answer as a typed value. Raises StepFailedError where it is not as the schema says; no value is quoted."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise StepFailedError(f"the gateway's answer is not as the schema says: {error}") from error


def _first_error(answer: Mapping[str, Any]) -> RefusedError | None:
    errors = answer.get("errors")
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return None
    first = errors[0]
    extensions = first.get("extensions")
    known = extensions if isinstance(extensions, dict) else {}
    field = known.get("field") or first.get("path") or []
    return RefusedError(str(known.get("code", "ERROR")), str(first.get("message", "")), _path(field))


def _refusal(value: Mapping[str, Any]) -> RefusedError:
    return RefusedError(str(value.get("code")), str(value.get("message")), _path(value.get("field") or []))


def _path(parts: object) -> str:
    return ".".join(str(part) for part in parts) if isinstance(parts, list) else ""
