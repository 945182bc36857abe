"""One suite for every vault: it wraps and unwraps in one context, and refuses what another root wrapped."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from gateway.adapters import sealed_file
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.openbao import OpenBaoVault
from gateway.adapters.shares import SharesVault, split
from gateway.errors import ConsentryError, IntegrityError, SettingsError, UpstreamError
from gateway.ports.keys import Vault
from tests.servers.openbao import OpenBao
from tests.servers.process import free_port

KEY, CONTEXT = b"k" * 32, b"e" * 16
VAULTS = ["file", "shares", pytest.param("openbao", marks=pytest.mark.services)]
Make = Callable[[], Vault]


@pytest.fixture
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Opens vaults of the kind, each with a root of its own."""
    opened: list[Vault] = []

    def file() -> Vault:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        (folder / "passphrase").write_bytes(b"correct horse\n")
        return KeyFileVault.create(folder / "root.key", folder / "passphrase")

    def in_shares() -> Vault:
        splitting, shares = split(bytes([len(opened)]) * 32, threshold=2, total=3)
        vault = SharesVault(splitting)
        for share in shares[:2]:
            vault.give(share)
        return vault

    def openbao() -> Vault:
        server: OpenBao = request.getfixturevalue("openbao")
        key = server.fresh_key()
        return OpenBaoVault(server.url, key=key.name, token_path=key.token_path)

    def make_one() -> Vault:
        opened.append({"file": file, "shares": in_shares, "openbao": openbao}[request.param]())
        return opened[-1]

    yield make_one
    for vault in opened:
        await vault.close()


every_vault = pytest.mark.parametrize("make", VAULTS, indirect=True)


@every_vault
async def test_what_it_wrapped_it_unwraps(make: Make) -> None:
    vault = make()
    assert await vault.unwrap(await vault.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY


@every_vault
async def test_the_key_does_not_show_in_what_it_wrapped(make: Make) -> None:
    vault = make()
    first, second = [await vault.wrap(KEY, context=CONTEXT) for _ in range(2)]
    assert KEY not in first
    assert first != second


@every_vault
async def test_it_unwraps_in_the_same_context_alone(make: Make) -> None:
    vault = make()
    wrapped = await vault.wrap(KEY, context=CONTEXT)
    with pytest.raises(IntegrityError):
        await vault.unwrap(wrapped, context=b"f" * 16)


@every_vault
async def test_what_another_root_wrapped_is_refused(make: Make) -> None:
    wrapped = await make().wrap(KEY, context=CONTEXT)
    with pytest.raises(IntegrityError):
        await make().unwrap(wrapped, context=CONTEXT)


@every_vault
async def test_every_changed_octet_is_refused(make: Make) -> None:
    vault = make()
    wrapped = await vault.wrap(KEY, context=CONTEXT)
    for at in range(0, len(wrapped), 7):
        changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
        with pytest.raises(IntegrityError):
            await vault.unwrap(changed, context=CONTEXT)


@every_vault
@pytest.mark.parametrize("wrapped", [b"", b"\x01", b"\x02", b"\x02\xff", bytes(40), bytes(69), b"\x02vault:v1:AAAA"])
async def test_what_nothing_wrapped_is_refused(make: Make, wrapped: bytes) -> None:
    with pytest.raises(IntegrityError):
        await make().unwrap(wrapped, context=CONTEXT)


@every_vault
async def test_an_open_vault_is_ready(make: Make) -> None:
    assert await make().check() is None


# ---- what each is alone in


async def test_a_root_of_before_opens_what_it_wrapped_before(tmp_path: Path) -> None:
    """A folder of the first release: 40 octets of AES key wrap, and a root.key without an id."""
    (tmp_path / "passphrase").write_bytes(b"correct horse\n")
    sealed_file.create(
        tmp_path / "root.key",
        kind="consentry.root-key/1",
        public=b"",
        secret=b"r" * 32,
        passphrase=sealed_file.Passphrase(tmp_path / "passphrase"),
    )
    vault = KeyFileVault.open(tmp_path / "root.key", tmp_path / "passphrase")
    assert await vault.unwrap(aes_key_wrap(b"r" * 32, KEY), context=CONTEXT) == KEY


async def test_a_new_root_key_file_is_read_when_it_is_needed(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "passphrase").write_bytes(b"correct horse\n")
        KeyFileVault.create(tmp_path / name / "root.key", tmp_path / name / "passphrase")
    running = KeyFileVault.open(tmp_path / "old" / "root.key", tmp_path / "old" / "passphrase")
    wrapped = await KeyFileVault.open(tmp_path / "new" / "root.key", tmp_path / "new" / "passphrase").wrap(
        KEY, context=CONTEXT
    )
    shutil.copy(tmp_path / "new" / "root.key", tmp_path / "old" / "root.key")
    assert await running.unwrap(wrapped, context=CONTEXT) == KEY


async def test_fewer_shares_than_needed_leave_it_sealed() -> None:
    splitting, shares = split(bytes(32), threshold=3, total=5)
    vault = SharesVault(splitting)
    assert [vault.give(share) for share in shares[:2]] == [2, 1]
    for work in (vault.wrap(KEY, context=CONTEXT), vault.unwrap(bytes(69), context=CONTEXT), vault.check()):
        with pytest.raises(UpstreamError, match="1 more of its shares"):
            await work


@pytest.mark.services
async def test_a_sealed_openbao_says_what_to_do_and_opens_again(openbao: OpenBao) -> None:
    key = openbao.fresh_key()
    vault = OpenBaoVault(openbao.url, key=key.name, token_path=key.token_path)
    wrapped = await vault.wrap(KEY, context=CONTEXT)
    openbao.seal()
    try:
        with pytest.raises(UpstreamError, match="unseal"):
            await vault.unwrap(wrapped, context=CONTEXT)
    finally:
        openbao.unseal()
    assert await vault.unwrap(wrapped, context=CONTEXT) == KEY
    await vault.close()


@pytest.mark.services
async def test_what_openbao_wrapped_opens_after_its_kill_and_unseal(openbao: OpenBao) -> None:
    key = openbao.fresh_key()
    vault = OpenBaoVault(openbao.url, key=key.name, token_path=key.token_path)
    wrapped = await vault.wrap(KEY, context=CONTEXT)
    openbao.process.kill()
    with pytest.raises(UpstreamError, match="does not answer"):
        await vault.check()
    openbao.process.start()
    with pytest.raises(UpstreamError):
        await vault.unwrap(wrapped, context=CONTEXT)
    openbao.unseal()
    assert await vault.unwrap(wrapped, context=CONTEXT) == KEY
    await vault.close()


@pytest.mark.services
async def test_a_rewrapped_key_opens_and_the_former_version_opens_nothing(openbao: OpenBao) -> None:
    key = openbao.fresh_key()
    vault = OpenBaoVault(openbao.url, key=key.name, token_path=key.token_path)
    former = await vault.wrap(KEY, context=CONTEXT)
    await vault.renew()
    fresh = await vault.rewrap(former, context=CONTEXT)
    await vault.retire()
    assert (await vault.unwrap(fresh, context=CONTEXT), fresh[:10]) == (KEY, b"\x02vault:v2:")
    with pytest.raises(IntegrityError):
        await vault.unwrap(former, context=CONTEXT)
    await vault.close()


@pytest.mark.services
@pytest.mark.parametrize("token", ["", "nonsense", "\x00"])
async def test_a_token_that_is_none_says_so(openbao: OpenBao, tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    vault = OpenBaoVault(openbao.url, key=openbao.fresh_key().name, token_path=tmp_path / "token")
    with pytest.raises(UpstreamError, match=r"token|TOKEN"):
        await vault.wrap(KEY, context=CONTEXT)
    await vault.close()


@pytest.mark.services
async def test_a_gateways_token_wraps_under_no_other_key(openbao: OpenBao) -> None:
    mine, others = openbao.fresh_key(rotates=False), openbao.fresh_key()
    vault = OpenBaoVault(openbao.url, key=others.name, token_path=mine.token_path)
    with pytest.raises(UpstreamError, match="policy"):
        await vault.wrap(KEY, context=CONTEXT)
    await vault.close()


async def test_a_server_that_is_away_is_an_upstream_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    vault = OpenBaoVault(f"http://127.0.0.1:{free_port()}", key="transit/consentry", token_path=tmp_path / "token")
    for work in (vault.wrap(KEY, context=CONTEXT), vault.check()):
        with pytest.raises(UpstreamError):
            await work
    await vault.close()


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8200", "http://vault.example", "ftp://127.0.0.1", "https://", "https://a:b@vault.example"]
)
def test_plain_http_goes_to_this_machine_alone(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        OpenBaoVault(url, key="transit/consentry", token_path=tmp_path / "token")


def test_a_key_needs_its_mount(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        OpenBaoVault("http://127.0.0.1:1", key="consentry", token_path=tmp_path / "token")


_BODIES = [b"", b"null", b"[]", b'{"data":[]}', b'{"data":{"plaintext":7}}', b'{"data":{"plaintext":"!"}}', b"[" * 9999]


@pytest.mark.parametrize("body", _BODIES)
async def test_an_answer_of_another_form_is_an_error_of_ours(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "token").write_text("t")
    vault = OpenBaoVault("http://127.0.0.1:1", key="transit/consentry", token_path=tmp_path / "token")
    answer = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    vault._client = httpx.AsyncClient(transport=answer, base_url="http://127.0.0.1:1")
    with pytest.raises(ConsentryError):
        await vault.unwrap(b"\x02vault:v1:AAAA", context=CONTEXT)
    await vault.close()
