"""An act of a study: drafted by the gateway, looked at, signed with a key of one's own, submitted."""

import time
from collections.abc import Mapping
from typing import Any, Final

from gateway.demo.client import Gateway, shaped
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.reaching import WELL_KNOWN
from gateway.demo.roles import Person
from gateway.demo.wallet import typed_data_digest
from gateway.exchange import documents
from gateway.exchange.answers import ActDraft, SubmittedStudy
from gateway.exchange.signing import AskedAct, Registry, check_act
from gateway.jsontext import JsonValue

_KINDS: Final = {
    "register": "register",
    "protocol": "protocol",
    "definition": "define",
    "table": "describe",
    "terms": "terms",
    "site": "site",
    "delegation": "delegate",
    "enrolment": "enrol",
    "opening": "open",
}
"""Of a member of `StudyActInput` the act that it becomes."""


def registry_of(gateway: Gateway, deployment: Deployment) -> Registry:
    """As /.well-known/consentry has it. Raises StepFailedError."""
    said = shaped(gateway.page(WELL_KNOWN), dict[str, Any])
    contract = shaped(said.get("contracts"), dict[str, str]).get("trial")
    if contract is None:
        raise StepFailedError("the gateway names no registry of trials")
    return Registry(chain_id=deployment.chain_id, contract=contract.lower(), gateway="0x" + deployment.gateway.hex())


class Acts:
    """Of one study. `name`: 32 octets, hexadecimal; None before it is registered."""

    def __init__(self, gateway: Gateway, registry: Registry) -> None:
        self._gateway = gateway
        self._registry = registry
        self.id: str = ""
        self.name: str | None = None

    def do(
        self,
        who: Person,
        kind: str,
        given: Mapping[str, JsonValue],
        members: Mapping[str, Any],
        *,
        document: bytes | None = None,
    ) -> SubmittedStudy:
        """`given`: as the API takes it; `members`: what the act then says. Raises RefusedError, StepFailedError."""
        asked: dict[str, JsonValue] = dict(given) if self.name is None else {"studyId": self.id, **given}
        variables: dict[str, JsonValue] = {"input": {kind: asked}}
        draft = self._gateway.result(documents.DRAFT_ACT, variables, ActDraft, token=who.token)
        wanted = AskedAct(
            act=_KINDS[kind], members=members, study=self.name, by=who.actor, now=int(time.time()), document=document
        )
        check_act(draft.act, draft.typed_data, draft.statement, wanted, self._registry)
        if typed_data_digest(draft.typed_data) != draft.id:
            raise StepFailedError("the draft's id is not its EIP-712 digest; not signed")
        signed: dict[str, JsonValue] = {"act": draft.act, "signature": who.wallet.sign_typed_data(draft.typed_data)}
        done = self._gateway.result(documents.SUBMIT_ACT, signed, SubmittedStudy, token=who.token)
        if self.name is None:
            self.id, self.name = done.id, str(draft.act.get("study"))
        elif done.id != self.id:
            raise StepFailedError("an act was submitted, and another study answers")
        return done
