"""One frozen `Settings`, and the only reader of the environment: `CONSENTRY_*` variables over a TOML file.

A value that is wrong, or a `CONSENTRY_*` name that does not exist, stops the start, naming it.
"""

import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from eth_utils.address import is_address, to_checksum_address
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from gateway.errors import SettingsError

PREFIX = "CONSENTRY_"
NOT_OURS = frozenset({"CONFIG", "REQUIRE_SERVICES", "SHARED_DATA", "SERVICES_DIR", "REGISTRAR_KEY", "FHIR_SAMPLE"})
"""Names of the shell, the tests and the demo, which no gateway reads."""


class OidcIssuer(BaseModel):
    """An identity provider, as its tokens name it and this gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(pattern=r"^https?://[^?#]+$")
    audience: str = Field(min_length=1, max_length=255)
    jwks_url: str = Field("", pattern=r"^(https?://.+)?$")


class Settings(BaseSettings):
    """Every setting of the gateway. The variable is `CONSENTRY_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    data_dir: Path = Field(
        Path("consentry-data"), description="The folder for everything that is kept: keys, chain, blocks, index."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    public_url: str = Field(
        "", description="The URL that clients use, as sign-in messages name it. Empty: http://HOST:PORT."
    )
    registrars: tuple[str, ...] = Field(
        (), description='The registrars\' addresses, as JSON: ["0x…"]. Empty: the first start makes one.'
    )
    database_url: str = Field(
        "", description="postgresql+psycopg://… or sqlite:///FILE. Empty: index.db in the data folder."
    )
    keystore_url: str = Field(
        "",
        description="The key store, apart from the index. Empty: keys.db in the data folder, or PostgreSQL's schema.",
    )
    vault: Literal["file", "openbao"] = Field(
        "file",
        description="Where the root key is: in the data folder (root.key, or its shares once split), or OpenBao.",
    )
    vault_url: str = Field("", description="OpenBao's address; https, or http on this machine.")
    vault_key: str = Field(
        "transit/consentry",
        description="Mount and name of the transit key (derived, aes256-gcm96), for this gateway alone.",
    )
    vault_token_file: Path | None = Field(None, description="The file with OpenBao's token, read for each call.")
    vault_ca_file: Path | None = Field(
        None, description="The authority that signed OpenBao's certificate, if not a public one."
    )
    vault_shares: tuple[Path, ...] = Field(
        (),
        description="Share files that open a split root at start, as JSON. Empty: wait for `consentry keys unseal`.",
    )
    key_backup_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="How long a backup of keys may be kept; an erasure is final once they have passed.",
    )
    redis_url: str = Field("", description="redis://… for several replicas (REDIS_URL is read too). Empty: in process.")
    ipfs_url: str = Field("", description="The RPC of a Kubo node, http://127.0.0.1:5001. Empty: pack files.")
    ipfs_allow_public: bool = Field(False, description="Take a Kubo node that is part of the public network.")
    chain_url: str = Field("", description="JSON-RPC of an Ethereum-compatible chain. Empty: the embedded chain.")
    witness_rpc_url: tuple[str, ...] = Field(
        (),
        description="JSON-RPC of further nodes of the same chain, as JSON. Reads are denied while one of them is silent"
        " or says otherwise than the node at CHAIN_URL.",
    )
    chain_profile: str = Field(
        "",
        description="embedded, anvil, geth-dev, besu-qbft, clique, ethereum, or"
        " period=2,confirmations=1,finality=1 (seconds, blocks). Empty: told by the node, if it can be.",
    )
    chain_id: int = Field(
        2_026_112, gt=0, lt=2**31, description="The embedded chain's id, fixed when it is first made."
    )
    chain_port: int = Field(
        0, ge=0, le=65535, description="The embedded chain's loopback port. 0: the one it had, or any free one."
    )
    chain_lag_blocks: int = Field(3, ge=0, description="Reads are denied when the index is further behind the chain.")
    chain_silence_seconds: float = Field(
        10.0, gt=0, description="Reads are denied when the chain has not been heard of for longer."
    )
    chain_skew_seconds: float = Field(
        15.0,
        gt=0,
        description="Reads are denied when the host's clock and the chain's time are further apart than this,"
        " missed blocks aside.",
    )
    recovery_days: float = Field(
        7.0,
        gt=0,
        le=365,
        description="How long guardians wait for an objection before a lost key is replaced; fixed when deploying.",
    )
    batch_size: int = Field(1024, ge=1, le=16_384, description="Leaves that close an anchoring batch.")
    batch_seconds: float = Field(2.0, gt=0, description="Age of its oldest leaf that closes a batch.")
    worker: Literal["inside", "outside"] = Field(
        "inside", description="Where anchoring runs: inside the server, or outside as `consentry worker`."
    )
    instance: str = Field(
        "main", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="This replica's name; no two that run may share one."
    )
    session_minutes: int = Field(60, ge=1, le=1440, description="How long a sign-in lasts.")
    token_minutes: int = Field(
        0,
        ge=0,
        le=1440,
        description="How long an access token lasts before `refreshSession` must give another; 0: as long as its"
        " sign-in.",
    )
    oidc_issuers: tuple[OidcIssuer, ...] = Field(
        (),
        description='Identity providers whose access tokens (RFC 9068) are taken, as JSON: [{"issuer": "https://…",'
        ' "audience": "…"}], with "jwks_url" where there is no discovery. Empty: none, and no JWT is looked at.',
    )
    oidc_skew_seconds: int = Field(
        30, ge=0, le=60, description="How far an identity provider's clock may be from this one's."
    )
    oidc_token_minutes: int = Field(
        15, ge=1, le=60, description="The greatest lifetime of an identity provider's access token that is taken."
    )
    oidc_ca_file: Path | None = Field(
        None, description="The authority that signed the identity providers' certificates, if not a public one."
    )
    emergency_minutes: int = Field(
        240, ge=1, le=1440, description="The longest emergency access that a clinician may open, in minutes."
    )
    emergencies_per_clinician: int = Field(
        10, ge=0, description="Emergency accesses that one clinician may open in 24 hours; 0: none at all."
    )
    emergencies_per_organization: int = Field(
        100, ge=0, description="Emergency accesses that the members of one organization may open in 24 hours."
    )
    requests_per_asker: int = Field(
        100, ge=0, description="Requests for consent that one asker may make in 24 hours; 0: none at all."
    )
    emergency_reviewers: tuple[str, ...] = Field(
        (),
        description="Addresses of auditors or data stewards who review everybody's, as JSON. Empty: those of the"
        " clinician's own organizations alone.",
    )
    budget_population: float = Field(
        10.0, gt=0, le=1e6, description="Epsilon of all noised answers about this gateway's patients, for good."
    )
    budget_dataset: float = Field(
        2.0, gt=0, le=1e6, description="Epsilon of answers about one cohort and use, for good."
    )
    budget_group: float = Field(
        5.0, gt=0, le=1e6, description="Epsilon of answers to one organization, or one researcher without, for good."
    )
    dataset_workers: int = Field(2, ge=1, le=256, description="Processes that make data sets on this machine, at most.")
    dask_url: str = Field("", description="A Dask scheduler whose workers make data sets instead: tls://host:port.")
    dask_ca: Path | None = Field(None, description="The authority of the cluster's certificates, PEM.")
    dask_certificate: Path | None = Field(None, description="This gateway's certificate for the cluster, PEM.")
    dask_key: Path | None = Field(None, description="The key of that certificate, PEM.")
    validators: int = Field(2, ge=1, le=32, description="Processes that validate FHIR resources, at most.")
    signing_url: str = Field(
        "",
        description="The page where texts are signed: passkeys that sign consents belong to its host (RP ID), which"
        " must not be the gateway's, nor lie above it. Empty: none, and no passkey signs a consent here.",
    )
    signing_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="The signing page's own port at HOST, for a proxy to reach; 0: no such page here.",
    )
    signing_openers: tuple[str, ...] = Field(
        (), description="Origins of front ends that may ask the signing page for signatures, as JSON."
    )
    console: bool = Field(True, description="Serve GraphiQL to browsers.")
    introspection: bool = Field(True, description="Answer questions about the schema.")
    trusted_documents: Path | None = Field(
        None,
        description="A JSON file of documents that clients may name by identifier instead of sending them.",
    )
    trusted_documents_only: bool = Field(False, description="Take no other document than those of TRUSTED_DOCUMENTS.")
    cors_origins: tuple[str, ...] = Field((), description='Origins of front ends, as JSON: ["https://clinic.example"].')
    max_body_mib: int = Field(16, ge=1, le=256, description="The largest request body, in MiB.")
    max_answer_mib: int = Field(
        64,
        ge=1,
        le=1024,
        description="The largest answer, and the records opened for one together, in MiB; past it: LIMIT.",
    )
    max_content_mib: int = Field(4096, ge=1, le=4096, description="The largest upload of large content, in MiB.")
    uploads_each: int = Field(
        8, ge=0, le=1000, description="Unfinished uploads that one actor may have; 0: nobody uploads."
    )
    uploads_gib: int = Field(64, ge=1, description="Unfinished uploads of everybody together, as declared, in GiB.")
    upload_hours: int = Field(
        24, ge=1, le=720, description="How long an upload that does not go on is kept; then it is removed."
    )
    most_transfers: int = Field(
        16, ge=1, description="Uploads and downloads of large content at once, beside other requests."
    )
    transfers_each: int = Field(4, ge=1, description="Uploads and downloads of one actor at once.")
    request_rate: float = Field(50.0, ge=0, description="Requests a second for each actor or address; 0: no limit.")
    answer_seconds: float = Field(
        4.5,
        gt=0,
        le=600,
        description="Seconds until an answer that a mute part holds up is UNAVAILABLE; imports may take longer.",
    )
    most_underway: int = Field(64, ge=1, description="Requests that are served at once; more are refused with LIMIT.")
    most_waiting: int = Field(
        1_000_000,
        ge=1,
        description="Records and audit entries that may wait for the chain; past it, writes are UNAVAILABLE.",
    )
    request_burst: int = Field(200, ge=1, description="Requests that may come at once.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = os.environ.get(PREFIX + "CONFIG")
        file = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *file)

    @field_validator("registrars", "emergency_reviewers")
    @classmethod
    def _addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not is_address(value):
                raise ValueError("each must be an address, 0x and 40 hex digits")
        return tuple(to_checksum_address(value) for value in values)

    @field_validator("public_url", "ipfs_url", "chain_url", "vault_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("witness_rpc_url")
    @classmethod
    def _nodes(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._http(value) for value in values if value)

    @field_validator("signing_url")
    @classmethod
    def _named_host(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        host = host_of(value)
        if value and (not host or ":" in host or host.replace(".", "").isdigit()):
            raise ValueError("needs a host with a name: passkeys belong to names")
        return value.rstrip("/")

    @field_validator("database_url", "keystore_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("postgresql+psycopg://", "sqlite:///")):
            raise ValueError("must begin with postgresql+psycopg:// or sqlite:///")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _separate(self) -> "Settings":
        if self.keystore_url and self.keystore_url == self.database_url and self.keystore_url.startswith("sqlite"):
            raise ValueError(f"{PREFIX}KEYSTORE_URL must be another file than {PREFIX}DATABASE_URL")
        signing, own = host_of(self.signing_url), host_of(self.base_url)
        if signing and (own == signing or own.endswith("." + signing)):
            # A page of the gateway's origin could ask for what is meant for the signing page alone (WebAuthn 5.1.4.1).
            raise ValueError(
                f"{PREFIX}SIGNING_URL must have another host than {PREFIX}PUBLIC_URL, and none that this lies under"
            )
        if len({one.issuer for one in self.oidc_issuers}) < len(self.oidc_issuers):
            raise ValueError(f"{PREFIX}OIDC_ISSUERS names one issuer twice")
        if self.trusted_documents_only and self.trusted_documents is None:
            raise ValueError(f"{PREFIX}TRUSTED_DOCUMENTS_ONLY needs {PREFIX}TRUSTED_DOCUMENTS: nothing could be asked")
        return self

    @property
    def base_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def index_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_dir / 'index.db').absolute()}"

    @property
    def keys_url(self) -> str:
        if self.keystore_url:
            return self.keystore_url
        if self.database_url.startswith("postgresql"):
            return self.database_url
        return f"sqlite:///{(self.data_dir / 'keys.db').absolute()}"


def host_of(url: str) -> str:
    """The host of an http URL, lower case, without a port; empty for none. A passkey's RP ID is such a host."""
    return (urlsplit(url).hostname or "").lower()


def load(**overrides: object) -> Settings:
    """Raises SettingsError naming each wrong variable."""
    known = {name.upper() for name in Settings.model_fields} | NOT_OURS
    for name in os.environ:
        suffix = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and suffix not in known and not suffix.startswith("EMBEDDED_CHAIN_KILL_"):
            raise SettingsError(f"{name} is no setting; see `consentry settings`")
    file = os.environ.get(PREFIX + "CONFIG")
    if file and not Path(file).is_file():
        raise SettingsError(f"{PREFIX}CONFIG: there is no file {file}")
    given = {name: value for name, value in overrides.items() if value is not None}
    if "redis_url" not in given and PREFIX + "REDIS_URL" not in os.environ and os.environ.get("REDIS_URL"):
        given["redis_url"] = os.environ["REDIS_URL"]
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise SettingsError("; ".join(_told(fault["loc"], fault["msg"]) for fault in error.errors())) from None
    except (OSError, ValueError) as error:
        # pydantic-settings names the field of a list that is no JSON, and nothing of its value.
        named = re.search(r'field "([a-z_]+)"', str(error))
        what = f"{PREFIX}{named[1].upper()}: not JSON" if named else f"{PREFIX}CONFIG: not TOML"
        raise SettingsError(f"{what} ({type(error).__name__})") from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    """One fault by the name of its setting; one that is of several settings names them itself."""
    said = message.removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, place)).upper()}: {said}" if place else said
