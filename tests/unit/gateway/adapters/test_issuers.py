"""Tokens of a real identity provider, and what is no token of it though it nearly is."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jwt
import pytest
from joserfc.jwk import RSAKey

from gateway.adapters import jwks
from gateway.adapters.bearer_tokens import Issuer, JwtBearerTokens
from gateway.errors import SettingsError, UpstreamError
from gateway.ports.clock import SystemClock
from tests.servers.identity_provider import AUDIENCE, IdentityProvider, identity_provider

SKEW, LONGEST = 30, 900


class Clock(SystemClock):
    """The system's, put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture(scope="module")
def standing() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def provider(standing: IdentityProvider) -> IdentityProvider:
    standing.rotate(keep=False)
    standing.asked.clear()
    standing.audience, standing.seconds, standing.broken = AUDIENCE, 300, False
    return standing


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(provider: IdentityProvider, clock: Clock) -> AsyncIterator[JwtBearerTokens]:
    made = verifier(provider, clock)
    yield made
    await made.close()


def verifier(provider: IdentityProvider, clock: Clock, *, jwks_url: str = "") -> JwtBearerTokens:
    named = Issuer(issuer=provider.issuer, audience=AUDIENCE, jwks_url=jwks_url)
    return JwtBearerTokens([named], skew_seconds=SKEW, longest_seconds=LONGEST, clock=clock)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


async def test_a_token_as_the_provider_gives_it_is_taken(provider: IdentityProvider, tokens: JwtBearerTokens) -> None:
    provider.purposes["alice"] = ["HOPERAT"]
    found = await tokens.verify(provider.token("alice", "openid user/*.rs"))
    assert found is not None
    assert (found.issuer, found.subject) == (provider.issuer, "alice")
    assert (found.scopes, found.purposes) == (("openid", "user/*.rs"), ("HOPERAT",))
    assert found.good_until == found.issued_at + 300 + SKEW


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_algorithm_is_taken_by_a_key_of_its_kind(
    provider: IdentityProvider, tokens: JwtBearerTokens, algorithm: str
) -> None:
    provider.rotate(algorithm, keep=False)
    assert await tokens.verify(provider.sign(provider.claims("alice"))) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "https://another.example"},
        {"aud": None},
        {"aud": []},
        {"aud": [AUDIENCE, "https://another.example"]},
        {"aud": {AUDIENCE: 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": 7},
        {"sub": "ali\x00ce"},
        {"jti": None},
        {"client_id": None},
        {"iat": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**12},
        {"exp": 1e11},
        {"exp": True},
        {"scope": ["user/*.rs"]},
        {"scope": " ".join(["user/*.rs"] * 101)},
        {"purpose_of_use": {"code": "TREAT"}},
        {"purpose_of_use": [7]},
        {"purpose_of_use": ["TREAT"] * 17},
        {"nbf": 10**10},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_refused(
    provider: IdentityProvider, tokens: JwtBearerTokens, changes: dict[str, Any]
) -> None:
    assert await tokens.verify(provider.sign(provider.claims("alice"))) is not None
    assert await tokens.verify(provider.sign(provider.claims("alice", **changes))) is None


@pytest.mark.parametrize(
    ("issued", "ends", "taken"),
    [
        (0, LONGEST, True),
        (0, LONGEST + 1, False),
        (-300, -SKEW + 2, True),
        (-300, -SKEW - 1, False),
        (SKEW - 2, 300, True),
        (SKEW + 3, 300, False),
        (0, 0, False),
        (10, -10, False),
    ],
)
async def test_times_hold_to_the_skew_and_no_further(
    provider: IdentityProvider, tokens: JwtBearerTokens, clock: Clock, issued: int, ends: int, taken: bool
) -> None:
    now = int(clock.now())
    claims = provider.claims("alice", iat=now + issued, exp=now + ends)
    assert (await tokens.verify(provider.sign(claims)) is not None) is taken


@pytest.mark.parametrize(
    "header",
    [
        *({"typ": "JWT"}, {"typ": None}, {"typ": "dpop+jwt"}, {"kid": None}, {"kid": "unknown"}, {"kid": ""}),
        *({"crit": ["exp"]}, {"kid": "../../../../dev/null"}, {"kid": "x' or '1'='1"}),
    ],
    ids=str,
)
async def test_a_wrong_header_is_refused(
    provider: IdentityProvider, tokens: JwtBearerTokens, header: dict[str, Any]
) -> None:
    assert await tokens.verify(provider.sign(provider.claims("alice"), header=header)) is None


async def test_no_key_of_a_tokens_own_is_looked_at(provider: IdentityProvider, tokens: JwtBearerTokens) -> None:
    """`jwk`, `jku`, `x5u`: a thief's key, in the header or where the header says."""
    with identity_provider() as thief:
        theirs = thief.keys[-1]
        own = theirs.as_pem(private=True)
        for header in (
            {"jwk": theirs.as_dict(private=False)},
            {"jku": f"{thief.issuer}/jwks"},
            {"x5u": f"{thief.issuer}/jwks"},
            {"jku": f"{thief.issuer}/jwks", "kid": theirs.kid},
        ):
            assert await tokens.verify(provider.sign(provider.claims("alice"), header=header, key=own)) is None
        assert thief.asked == {}


async def test_another_algorithm_than_the_keys_is_refused(provider: IdentityProvider, tokens: JwtBearerTokens) -> None:
    """None at all; the public key as a shared secret (RFC 8725, 2.1); another of the same key."""
    claims, public = provider.claims("alice"), provider.keys[-1].as_pem(private=False)
    unsigned = part({"alg": "none", "typ": "at+jwt", "kid": provider.keys[-1].kid}) + "." + part(claims) + "."
    assert await tokens.verify(unsigned) is None
    assert await tokens.verify(unsigned + "x") is None
    signing = part({"alg": "HS256", "typ": "at+jwt", "kid": provider.keys[-1].kid}) + "." + part(claims)
    hashed = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing.encode(), public)
    assert await tokens.verify(f"{signing}.{part(hashed)}") is None
    for algorithm in ("PS256", "RS384", "RS512"):  # the issuer says RS256 of this key
        assert await tokens.verify(provider.sign(claims, alg=algorithm)) is None


async def test_what_is_said_twice_is_refused(provider: IdentityProvider, tokens: JwtBearerTokens) -> None:
    said = json.dumps(provider.claims("alice"))
    twice = said[:-1] + ', "sub": "bob"}'
    assert await tokens.verify(provider.sign(said.encode())) is not None
    assert await tokens.verify(provider.sign(twice.encode())) is None


async def test_any_changed_part_is_refused(provider: IdentityProvider, tokens: JwtBearerTokens) -> None:
    token = provider.token("alice", "user/*.rs")
    header, payload, signature = token.split(".")
    other = part(provider.claims("bob"))
    for bad in (
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{token}.x",
        f" {token}",
        token.replace(".", "=."),
        f"{part([1])}.{payload}.{signature}",
        f"{header}.{part([1])}.{signature}",
        f"{header}.{part(b'{')}.{signature}",
        "a.b.c",
        "..",
        f"{header}.{'A' * 9000}.{signature}",
    ):
        assert await tokens.verify(bad) is None
    assert await tokens.verify(token) is not None


async def test_a_new_key_is_found_and_an_old_one_holds_while_it_is_published(
    provider: IdentityProvider, tokens: JwtBearerTokens, clock: Clock
) -> None:
    old = provider.token("alice")
    assert await tokens.verify(old) is not None
    provider.rotate()
    new = provider.token("alice")
    clock.ahead += jwks.AGAIN_SECONDS
    assert await tokens.verify(new) is not None
    assert await tokens.verify(old) is not None
    provider.keys.pop(0)
    clock.ahead += jwks.FRESH_SECONDS / 2
    fresh = provider.sign(provider.claims("alice", iat=int(clock.now()), exp=int(clock.now()) + 60))
    assert await tokens.verify(fresh) is not None
    clock.ahead += jwks.FRESH_SECONDS
    gone = provider.sign(provider.claims("alice", iat=int(clock.now()), exp=int(clock.now()) + 60))
    assert await tokens.verify(gone) is not None
    assert await tokens.verify(old) is None


async def test_many_unknown_keys_ask_the_issuer_once(
    provider: IdentityProvider, tokens: JwtBearerTokens, clock: Clock
) -> None:
    assert await tokens.verify(provider.token("alice")) is not None
    clock.ahead += jwks.AGAIN_SECONDS
    for number in range(50):
        assert await tokens.verify(provider.sign(provider.claims("alice"), header={"kid": f"k{number}"})) is None
    assert provider.asked == {"discovery": 2, "jwks": 2}


async def test_whoever_goes_away_while_the_issuer_is_asked_hinders_nobody(
    provider: IdentityProvider, tokens: JwtBearerTokens
) -> None:
    """A question that ended with its asker could be made to end each time, and the keys would never come."""
    unknown = provider.sign(provider.claims("alice"), header={"kid": "nobody's"})
    leaving = asyncio.create_task(tokens.verify(unknown))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    assert leaving.cancelled()
    assert await tokens.verify(provider.token("alice")) is not None
    assert provider.asked == {"discovery": 1, "jwks": 1}


async def test_an_issuer_that_does_not_answer_makes_nobody_and_is_said_so(
    provider: IdentityProvider, tokens: JwtBearerTokens, clock: Clock
) -> None:
    token = provider.token("alice")
    provider.broken = True
    with pytest.raises(UpstreamError):
        await tokens.verify(token)
    provider.broken = False
    clock.ahead += jwks.AGAIN_SECONDS
    assert await tokens.verify(token) is not None
    provider.broken = True
    clock.ahead += jwks.FRESH_SECONDS
    now = int(clock.now())
    later = provider.sign(provider.claims("alice", iat=now, exp=now + 60))
    assert await tokens.verify(later) is not None, "what was known holds for a while"
    clock.ahead += jwks.STALE_SECONDS
    with pytest.raises(UpstreamError):
        await tokens.verify(later)


async def test_keys_that_are_too_weak_too_many_or_twice_there_are_not_taken(
    provider: IdentityProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = provider.publish()["keys"][0]
    weak = RSAKey.generate_key(1024, {"kid": good["kid"]}).as_dict(private=False)
    for keys in (
        [weak],
        [good, good],
        [good] + [{"kid": str(number)} for number in range(jwks.MOST_KEYS)],
        [{**good, "use": "enc"}],
        [{**good, "alg": "RS512"}],
        [{**good, "kty": "oct", "k": "c2VjcmV0"}],
        [good["kid"]],
    ):
        monkeypatch.setattr(IdentityProvider, "publish", lambda self, keys=keys: {"keys": keys})
        one = verifier(provider, clock)
        try:
            assert await one.verify(provider.token("alice")) is None
        except UpstreamError:
            assert len(keys) > jwks.MOST_KEYS
        await one.close()


async def test_a_key_set_that_does_not_end_is_cut_off(
    provider: IdentityProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IdentityProvider, "publish", lambda self: {"keys": [], "pad": "x" * jwks.LARGEST_OCTETS})
    one = verifier(provider, clock)
    with pytest.raises(UpstreamError):
        await one.verify(provider.token("alice"))
    await one.close()


async def test_the_discovery_document_must_be_the_issuers_own(provider: IdentityProvider, clock: Clock) -> None:
    """The same server under another name: localhost is not 127.0.0.1."""
    name = provider.issuer.replace("127.0.0.1", "localhost")
    other = JwtBearerTokens(
        [Issuer(issuer=name, audience=AUDIENCE, jwks_url="")], skew_seconds=0, longest_seconds=900, clock=clock
    )
    with pytest.raises(UpstreamError):
        await other.verify(provider.sign(provider.claims("alice", iss=name)))
    await other.close()
    named = JwtBearerTokens(
        [Issuer(issuer=name, audience=AUDIENCE, jwks_url=f"{provider.issuer}/jwks")],
        skew_seconds=0,
        longest_seconds=900,
        clock=clock,
    )
    assert await named.verify(provider.sign(provider.claims("alice", iss=name))) is not None
    await named.close()


@pytest.mark.parametrize("url", ["http://idp.example", "ftp://idp.example", "https://", "https://u:p@idp.example"])
def test_an_issuer_that_can_be_overheard_stops_the_start(url: str, clock: Clock) -> None:
    with pytest.raises(SettingsError):
        JwtBearerTokens(
            [Issuer(issuer=url, audience=AUDIENCE, jwks_url="")], skew_seconds=0, longest_seconds=900, clock=clock
        )
    with pytest.raises(SettingsError):
        JwtBearerTokens(
            [Issuer(issuer="https://idp.example", audience=AUDIENCE, jwks_url=url)],
            skew_seconds=0,
            longest_seconds=900,
            clock=clock,
        )
