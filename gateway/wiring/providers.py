"""Identity providers, as the settings name them; without any, nothing of theirs is looked at."""

from contextlib import AsyncExitStack

from gateway.adapters.bearer_tokens import Issuer, JwtBearerTokens
from gateway.ports.clock import Clock
from gateway.ports.tokens import BearerTokens
from gateway.settings import Settings


def open_providers(settings: Settings, closing: AsyncExitStack, *, clock: Clock) -> BearerTokens | None:
    """SettingsError for an issuer that could be overheard."""
    if not settings.oidc_issuers:
        return None
    tokens = JwtBearerTokens(
        [Issuer(issuer=one.issuer, audience=one.audience, jwks_url=one.jwks_url) for one in settings.oidc_issuers],
        skew_seconds=settings.oidc_skew_seconds,
        longest_seconds=settings.oidc_token_minutes * 60,
        clock=clock,
        ca_path=settings.oidc_ca_file,
    )
    closing.push_async_callback(tokens.close)
    return tokens
