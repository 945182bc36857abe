"""An identity provider in the test's own process: Authlib's OAuth 2.0 server over HTTP on a free loopback port, with
discovery, a key set that can be rotated, and a token endpoint that issues RFC 9068 access tokens.

True here: `token` goes the whole way over HTTP, as a client's request does. `sign` makes what no provider should: a
token of any header and claims, by any key. Users are whoever is named; their password is their name.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response, jsonify
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

AUDIENCE = "https://gateway.example/graphql"
CLIENT, SECRET = "ward-app", "a secret of the ward's app"
Key = RSAKey | ECKey | OKPKey


class _Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "password"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return False

    def check_response_type(self, response_type: str) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class _User:
    name: str

    def get_user_id(self) -> str:
        return self.name


class _Passwords(grants.ResourceOwnerPasswordCredentialsGrant):
    def authenticate_user(self, username: str, password: str) -> _User | None:
        return _User(username) if password == username else None


@dataclass
class IdentityProvider:
    """`keys`: what is published; the last signs. `purposes`: by user, what their tokens say that they are for."""

    issuer: str = ""
    seconds: int = 300
    audience: str | list[str] = AUDIENCE
    keys: list[Key] = field(default_factory=list)
    purposes: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    broken: bool = False

    def rotate(self, algorithm: str = "RS256", *, keep: bool = True) -> Key:
        """A new signing key; the old ones stay published unless not kept."""
        if not keep:
            self.keys.clear()
        kid = f"key-{time.monotonic_ns()}"
        options = {"kid": kid, "alg": algorithm, "use": "sig"}
        made: Key
        if algorithm in ("RS256", "PS256"):
            made = RSAKey.generate_key(2048, options)
        elif algorithm == "ES256":
            made = ECKey.generate_key("P-256", options)
        else:
            made = OKPKey.generate_key("Ed25519", options)
        self.keys.append(made)
        return made

    def setting(self) -> str:
        """CONSENTRY_OIDC_ISSUERS."""
        return json.dumps([{"issuer": self.issuer, "audience": AUDIENCE}])

    def token(self, user: str, scope: str = "") -> str:
        """As a client gets it at the token endpoint."""
        asked = {"grant_type": "password", "username": user, "password": user, "scope": scope}
        answer = httpx.post(f"{self.issuer}/token", data=asked, auth=(CLIENT, SECRET), trust_env=False)
        answer.raise_for_status()
        found: str = answer.json()["access_token"]
        return found

    def claims(self, user: str, scope: str = "user/*.cruds", **changes: Any) -> dict[str, Any]:
        """What a good token says, with `changes`; None takes a claim away."""
        now = int(time.time())
        plain = {"iss": self.issuer, "aud": AUDIENCE, "sub": user, "client_id": CLIENT, "jti": f"j{now}"}
        said = {**plain, "iat": now, "exp": now + 300, "scope": scope, **changes}
        return {name: value for name, value in said.items() if value is not None}

    def sign(
        self,
        claims: Mapping[str, Any] | bytes,
        *,
        header: Mapping[str, Any] | None = None,
        key: Any = None,
        alg: str = "",
    ) -> str:
        """By the present key unless another is given (a PEM, a secret, or None of algorithm `none`)."""
        present = self.keys[-1]
        algorithm = alg or str(present.as_dict()["alg"])
        material = present.as_pem(private=True) if key is None and algorithm != "none" else key
        named = {"typ": "at+jwt", "kid": present.kid, **(header or {})}
        kept = {name: value for name, value in named.items() if value is not None}
        payload = claims if isinstance(claims, bytes) else json.dumps(dict(claims)).encode()
        return jwt.PyJWS().encode(payload, material, algorithm=algorithm, headers=kept)

    def publish(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


class _Tokens(JWTBearerTokenGenerator):
    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__(provider.issuer, expires_generator=lambda client, grant_type: provider.seconds)
        self.provider = provider

    def access_token_generator(self, client: Any, grant_type: str, user: Any, scope: str) -> str:
        self.alg = str(self.provider.keys[-1].as_dict()["alg"])
        made: str = super().access_token_generator(client, grant_type, user, scope)
        return made

    def get_jwks(self) -> KeySet:
        return KeySet([self.provider.keys[-1]])

    def get_audiences(self, client: Any, user: Any, scope: str) -> str | list[str]:
        return self.provider.audience

    def get_extra_claims(self, client: Any, grant_type: str, user: Any, scope: str) -> dict[str, Any]:
        named = self.provider.purposes.get(user.get_user_id())
        return {} if named is None else {"purpose_of_use": named}


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: pytest's output is not its place."""


def _app(provider: IdentityProvider) -> Flask:
    app = Flask("identity-provider")
    server = AuthorizationServer(app, query_client=lambda name: _Client() if name == CLIENT else None, save_token=_kept)
    server.register_grant(_Passwords)
    server.register_token_generator("default", _Tokens(provider))

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        provider.asked["discovery"] = provider.asked.get("discovery", 0) + 1
        issuer = provider.issuer
        return jsonify({"issuer": issuer, "jwks_uri": f"{issuer}/jwks", "token_endpoint": f"{issuer}/token"})

    @app.get("/jwks")
    def jwks() -> Response:
        provider.asked["jwks"] = provider.asked.get("jwks", 0) + 1
        return Response("down", status=503) if provider.broken else jsonify(provider.publish())

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    return app


def _kept(token: Any, request: Any) -> None:
    """Tokens are JWTs: nothing of them is kept here."""


@contextmanager
def identity_provider(algorithm: str = "RS256") -> Iterator[IdentityProvider]:
    """One that runs, until it is left."""
    os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")
    provider = IdentityProvider()
    provider.rotate(algorithm)

    def served(environ: Any, start: Any) -> Any:
        return app(environ, start)

    http = make_server("127.0.0.1", 0, served, threaded=True, request_handler=_Quiet)
    provider.issuer = f"http://127.0.0.1:{http.server_port}"
    app = _app(provider)
    running = threading.Thread(target=http.serve_forever, name="identity-provider", daemon=True)
    running.start()
    try:
        yield provider
    finally:
        http.shutdown()
        running.join(10)
