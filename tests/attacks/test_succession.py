"""What lies of guardians, and what is due by itself: an edited row guards nothing, an erasure leaves nothing, and a
recovery is finished in its time, once, whoever dies or objects meanwhile."""

import asyncio
import sqlite3
import time

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from gateway.adapters.packs import PackStore
from gateway.demo.wallet import Wallet
from gateway.storage.model import Cid
from gateway.storage.service import Blocks
from tests.journeys import recovering
from tests.journeys.people import Patient, Person
from tests.journeys.pytest_fixtures import RECOVERY_SECONDS
from tests.journeys.recovering import (
    draft,
    draft_guardians,
    owns,
    propose,
    set_guardians,
    shown,
    sign,
    signed_guardians,
    successor,
    wait_until_over,
)
from tests.journeys.sites import Site
from tests.journeys.wallets import send
from tests.ports.databases import query


def registry(site: Site) -> str:
    return str(site.gateway.facts()["contracts"]["consent"])


def test_an_edited_paper_guards_nothing_and_is_not_believed(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    """Who writes into the database puts another patient's guardianship, or another of the same patient's, in place."""
    friend = slow.crowd.clinician("The Operator's Friend")
    other = slow.crowd.patient()
    set_guardians(other, (friend,), 1).must()
    drafted = draft_guardians(stolen, (friend,), 1).value
    stolen.person.ask(recovering.SET_GUARDIANS, {"input": signed_guardians(stolen, drafted)}).must()
    name = bytes.fromhex(stolen.subject[2:])
    rows = query(slow.gateway.index_url, f"select name, digest from papers where subject = x'{name.hex()}'")
    current = guardians_hash(stolen)
    weaker = next(digest for paper, digest in rows if bytes(paper).hex() != current[2:])
    theirs = query(slow.gateway.index_url, f"select digest from papers where subject = x'{other.subject[2:]}'")[0][0]
    for digest in (weaker, theirs):
        with sqlite3.connect(slow.gateway.data / "index.db") as database:
            database.execute(
                "update papers set digest = ? where subject = ? and name = ?",
                (digest, name, bytes.fromhex(current[2:])),
            )
        answer = sign(friend, draft(friend, stolen, Wallet.new()), friend.wallet)
        assert answer.code == "INTEGRITY", answer
    assert shown(guardians[0], stolen).code == "INTEGRITY"


def test_an_erasure_leaves_nothing_of_guardians_nor_of_what_they_signed(
    slow: Site, guardians: tuple[Person, ...], stolen: Patient
) -> None:
    typed = draft(guardians[0], stolen, Wallet.new())
    sign(guardians[0], typed, guardians[0].wallet).must()
    mine = f"from papers where subject = x'{stolen.subject[2:]}'"
    digests = [bytes(digest) for (digest,) in query(slow.gateway.index_url, f"select digest {mine}")]
    folder = slow.gateway.data / "blocks"

    async def sealed() -> list[bytes]:
        store = PackStore.look(folder)
        try:
            return [await Blocks(store).get(Cid.from_digest(digest)) for digest in digests]
        finally:
            await store.close()

    def lie_there(blocks: list[bytes]) -> list[bool]:
        packs = b"".join(path.read_bytes() for path in folder.glob("*.pack"))
        return [block in packs for block in blocks]

    blocks = asyncio.run(sealed())
    assert lie_there(blocks) == [True, True]
    stolen.erase().must()
    assert query(slow.gateway.index_url, f"select count(*) {mine}")[0][0] == 0
    assert lie_there(blocks) == [False, False]
    assert sign(guardians[1], typed, guardians[1].wallet).code == "INVALID"
    assert shown(guardians[0], stolen).code == "NOT_PERMITTED"


def guardians_hash(patient: Patient) -> str:
    found = patient.person.ask(recovering.GUARDIANS, {"id": patient.id}).value["guardians"]
    return str(found["current"]["hash"])


def finish_call(patient: Patient) -> bytes:
    """ConsentRegistry.finishRecovery of the first attempt."""
    selector = keccak(text="finishRecovery(bytes32,uint64)")[:4]
    return selector + encode(["bytes32", "uint64"], [bytes.fromhex(patient.subject[2:]), 0])


def test_a_recovery_is_not_finished_too_early(slow: Site, guardians: tuple[Person, ...], stolen: Patient) -> None:
    propose(guardians[:2], stolen, Wallet.new()).must()
    early = guardians[0].ask(recovering.FINISH, {"patientId": stolen.id})
    assert (early.code, early.field, early.message.partition(" ")[0]) == ("CONFLICT", ("patientId",), "ready")
    # Anybody may try at the registry itself.
    receipt = send(slow.gateway.rpc, Account.create(), to=registry(slow), data=finish_call(stolen))
    assert int(receipt["status"], 16) == 0
    assert shown(guardians[0], stolen).value["pending"] is not None
    calls = f"select count(*) from calls where data = x'{finish_call(stolen).hex()}'"
    assert query(slow.gateway.index_url, calls)[0][0] == 0


def test_a_recovery_is_finished_in_its_time_once_and_by_nobody(quick: Site) -> None:
    guardians = tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(2))
    patient, key = quick.crowd.patient(), Wallet.new()
    set_guardians(patient, guardians).must()
    propose(guardians, patient, key).must()
    wait_until_over(guardians[0], patient)
    again = successor(quick.crowd, patient, key)
    assert again.own() == []
    assert not owns(patient.person, again)
    calls = query(quick.gateway.index_url, f"select state from calls where data = x'{finish_call(patient).hex()}'")
    assert [state for (state,) in calls] == ["LANDED"]


def test_an_objection_and_the_end_race_and_one_of_them_wins(quick: Site) -> None:
    """Whatever the registry takes first: never both, and never neither."""
    guardians = tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(2))
    patient, key = quick.crowd.patient(), Wallet.new()
    set_guardians(patient, guardians).must()
    propose(guardians, patient, key).must()
    typed = patient.person.ask(recovering.DRAFT_OBJECTION, {"patientId": patient.id}).value["typedData"]
    ready = shown(guardians[0], patient).value["pending"]["readyAt"]
    moment = time.mktime(time.strptime(ready[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    time.sleep(max(0.0, moment - 0.2 - time.time()))
    objected = patient.person.submit(recovering.OBJECT, typed)
    deadline = time.monotonic() + recovering.PATIENCE_SECONDS
    while (after := shown(guardians[0], patient).value)["pending"] is not None:
        assert time.monotonic() < deadline, "neither came to pass"
        time.sleep(0.2)
    if objected.code:
        assert not after["objected"]
        assert successor(quick.crowd, patient, key).own() == []
    else:
        assert after["objected"]
        assert owns(patient.person, patient)


def test_a_gateway_that_was_killed_finishes_what_is_due_when_it_comes_back(quick: Site) -> None:
    guardians = tuple(quick.crowd.clinician(f"Guardian {number}") for number in range(2))
    patient, key = quick.crowd.patient(), Wallet.new()
    set_guardians(patient, guardians).must()
    propose(guardians, patient, key).must()
    quick.gateway.kill()
    time.sleep(RECOVERY_SECONDS)
    quick.gateway.start()
    wait_until_over(guardians[0], patient)
    assert successor(quick.crowd, patient, key).own() == []
