"""How the study stands on chain at the end, beside how the file's entries leave it."""

from collections.abc import Iterator
from typing import Any

from anchoring.verifier.study.chain import StudyChain
from anchoring.verifier.study.data import Data
from anchoring.verifier.study.order import NOTHING, Order
from anchoring.verifier.study.report import Flaw, Report
from anchoring.verifier.verify import Refused


def compare(report: Report, chain: StudyChain, order: Order, data: Data, *, gateway: bytes) -> None:
    """A study of which the chain knows more is one whose file lacks entries, and of which it knows less, one that has
    entries too many. Adds faults."""
    for index, (number, root, count) in enumerate(data.roots):
        try:
            chain.check_root(root, index=index, count=count)
        except Refused as error:
            report.add(Flaw.CHAIN, number, f"{error}")
    for subject in order.subjects.values():
        if subject.place is not None:
            number, act = subject.place
            try:
                chain.check_assignment(act)
            except Refused as error:
                report.add(Flaw.CHAIN, number, f"{error}")
    state = chain.state()
    if state is None:
        report.add(Flaw.CHAIN, None, "the registry knows no such study")
        return
    for name, there, here in _pairs(state, order, data, gateway):
        if there != here:
            report.add(Flaw.CHAIN, None, f"{name}: {_told(there)} on chain, {_told(here)} in the file")
    signatures, told = chain.signatures(), order.signed + order.erased["SIGNATURE"]
    if signatures != told:
        report.add(Flaw.CHAIN, None, f"signatures: {signatures} on chain, {told} in the file")


def _pairs(state: Any, order: Order, data: Data, gateway: bytes) -> Iterator[tuple[str, object, object]]:
    yield "gateway", state.gateway, gateway
    yield "sponsor", state.sponsor, order.people.sponsor
    yield "statistician", state.statistician, order.people.statistician or NOTHING
    yield "versions of the protocol", state.versions, order.versions["protocol"]
    yield "results", state.results, order.versions["publish"]
    yield "list of arms", (state.allocation, state.size), order.allocation
    yield "protocol under which enrolment opened", state.enrolled_under, order.opened_under
    yield "assigned", state.assigned, order.assigned + order.erased["ASSIGNMENT"]
    yield "unblindings", state.unblindings, order.unblinded + order.erased["UNBLINDING"]
    yield "roots of data", state.batches, len(data.roots)
    yield "entries under them", state.records, data.recorded
    yield "head over them", state.head, data.head
    yield "locked", state.is_locked, order.locked
    if not order.locked:
        yield "frozen", state.frozen, order.frozen
        yield "freezes and thaws", state.seq, order.seq


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value))
    return value.hex() if isinstance(value, bytes) else str(value)
