"""A researcher, a data steward and patients with research consents, inside a gateway: what a release of data needs."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway import eip712
from gateway.consent.model import Purpose
from gateway.crypto.releases import Binding, open_file, open_secret
from gateway.demo.wallet import Wallet
from gateway.errors import ConsentryError
from gateway.identity.model import Caller, Role
from gateway.identity.rules import encryption_key_typed_data
from gateway.ids import ConsentId, ReleaseId, SubjectId
from gateway.ports.releases import ReleaseStage
from gateway.records.model import NewBundle
from gateway.releases.model import OpenedRelease, ReleaseView, Verdict
from gateway.releases.papers import digest_of
from gateway.releases.segments import whole
from gateway.storage.model import Cid
from tests.attacks.inside import Inside, Somebody, sign_in
from tests.unit.gateway.deid.releases import definitions

USE = ("DUO:0000042",)
"""General research use."""
SNOMED = "http://snomed.info/sct"
DIABETES, ASTHMA, MIGRAINE, ANEMIA = "44054006", "195967001", "37796009", "271737000"
PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A patient with a research consent, or without (`consent` None)."""

    who: Somebody
    subject: SubjectId
    consent: ConsentId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Laboratory:
    """`secret`: the researcher's X25519 key."""

    inside: Inside
    researcher: Somebody
    steward: Somebody
    secret: bytes = field(repr=False)

    async def caller(self, who: Somebody) -> Caller:
        found = await self.inside.caller(who)
        assert found is not None
        return found

    async def patient(self, number: int, *, consent: bool = True, **terms: Any) -> Participant:
        """One of many who are alike: a sex, a decade, three of four conditions, an observation."""
        inside = self.inside
        who = await inside.person(Role.PATIENT)
        subject = await inside.patient(who)
        await self.imported(who, subject, resources_of(number))
        granted = await self.consent(who, subject, **terms) if consent else None
        return Participant(who=who, subject=subject, consent=granted)

    async def imported(self, who: Somebody, subject: SubjectId, resources: Sequence[dict[str, Any]]) -> None:
        """All at once."""
        entries: Any = [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        new = NewBundle(subject=subject, bundle=bundle, idempotency_key=secrets.token_hex(16))
        await self.inside.gateway.records.import_bundle(await self.caller(who), new)

    async def consent(self, who: Somebody, subject: SubjectId, **terms: Any) -> ConsentId:
        asked = {"purposes": (Purpose.HRESCH,), "data_use": USE, **terms}
        return await self.inside.consent(who, subject, self.researcher.actor, **asked)

    async def patients(self, count: int) -> list[Participant]:
        return list(await asyncio.gather(*(self.patient(number) for number in range(count))))

    async def request(self, **members: Any) -> ReleaseView:
        return await self.inside.gateway.releases.request(await self.caller(self.researcher), asked(**members))

    async def decide(
        self, release: ReleaseId, verdict: Verdict = Verdict.APPROVED, *, departures: tuple[str, ...] = ()
    ) -> ReleaseView:
        releases, steward = self.inside.gateway.releases, await self.caller(self.steward)
        draft = await releases.draft_decision(
            steward, release, verdict=verdict, reason="As agreed with the board.", departures=departures
        )
        signature = bytes.fromhex(self.steward.wallet.sign_typed_data(draft.typed_data)[2:])
        return await releases.decide(steward, typed_data=draft.typed_data, signature=signature)

    async def settled(
        self, release: ReleaseId, *, edition: int = 1, patience: float = PATIENCE, every: float = 0.05
    ) -> ReleaseView:
        """Once nothing is under way any more. `patience`, `every`: seconds."""
        async with asyncio.timeout(patience):
            while True:
                view = await self.inside.gateway.releases.get(await self.caller(self.researcher), release)
                assert view is not None
                if view.stage not in (ReleaseStage.REQUESTED, ReleaseStage.BUILDING) and view.edition >= edition:
                    return view
                await asyncio.sleep(every)

    async def anchored(self, release: ReleaseId) -> None:
        """Once every paper of it is on chain."""
        async with asyncio.timeout(PATIENCE):
            while True:
                view = await self.inside.gateway.releases.get(await self.caller(self.researcher), release)
                assert view is not None
                if all(one.anchor.proof is not None for one in view.papers):
                    return
                await asyncio.sleep(0.1)

    async def released(self, **members: Any) -> ReleaseView:
        """Asked for, approved and built."""
        release = (await self.request(**members)).release
        await self.decide(release)
        return await self.settled(release)

    async def open(self, release: ReleaseId, who: Somebody | None = None) -> OpenedRelease:
        return await self.inside.gateway.releases.open(await self.caller(who or self.researcher), release)

    async def refused(self, work: Any) -> ConsentryError:
        """Why it was."""
        try:
            await work
        except ConsentryError as error:
            return error
        raise AssertionError("nothing was refused")

    async def content(self, opened: OpenedRelease) -> dict[str, bytes]:
        """Each file as the researcher opens it."""
        view = opened.view
        public = X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
        binding = Binding(release=view.release, recipient=self.researcher.actor, encryption_key=public)
        secret = open_secret(opened.wrapped, self.secret, binding, manifest=digest_of(opened.manifest))
        found = {}
        for one in view.files:
            sealed = await whole(Cid.parse(one.cid), self.inside.gateway.blocks)
            assert digest_of(sealed) == one.sha256
            assert len(sealed) == one.size
            found[one.name] = b"".join(open_file((sealed,), binding, name=one.name, secret=secret, half=opened.half))
        return found


def asked(**members: Any) -> dict[str, Any]:
    """A request for data, as JSON."""
    plain = {
        "title": "Two conditions",
        "purpose": "HRESCH",
        "dataUse": list(USE),
        "cohort": {},
        "tables": {name: one for name, one in definitions().items() if name != "medications"},
        "profile": "safe-harbor",
        "format": "ndjson",
        "days": 30,
    }
    return plain | members


def resources_of(number: int) -> list[dict[str, Any]]:
    """Of the patient of a number."""
    name = f"p{number}"
    patient = {"reference": f"Patient/{name}"}
    codes = [(DIABETES, ASTHMA)[number % 2], MIGRAINE, ANEMIA]
    return [
        {
            "resourceType": "Patient",
            "id": name,
            "name": [{"family": f"Family{number}", "given": ["Given"]}],
            "gender": "female",
            "birthDate": f"197{number % 4}-0{1 + number % 9}-1{number % 9}",
            "address": [{"state": "MA", "postalCode": "02139", "line": [f"{number} Main Street"]}],
        },
        *(
            {
                "resourceType": "Condition",
                "id": f"c{number}-{code}",
                "subject": patient,
                "code": {"coding": [{"system": SNOMED, "code": code}], "text": f"told by Family{number}"},
                "onsetDateTime": f"201{number % 3}-03-05",
            }
            for code in codes
        ),
        {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "subject": patient,
            "code": {"coding": [{"system": "http://loinc.org", "code": ("8302-2", "29463-7")[number // 2 % 2]}]},
            "effectiveDateTime": "2015-06-07",
            "valueQuantity": {
                "value": 150 + number,
                "unit": "cm",
                "system": "http://unitsofmeasure.org",
                "code": "cm",
            },
        },
    ]


async def laboratory(inside: Inside) -> Laboratory:
    """With a researcher who has an encryption key, and a steward."""
    key = X25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return Laboratory(
        inside=inside,
        researcher=await researcher(inside, secret),
        steward=await inside.person(Role.DATA_STEWARD),
        secret=secret,
    )


async def researcher(inside: Inside, secret: bytes) -> Somebody:
    """Registered with the key whose private half this is."""
    wallet = Wallet.new()
    signer = bytes.fromhex(wallet.signer[2:])
    public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    domain = eip712.domain(
        chain_id=inside.gateway.chain.deployment.chain_id, contract=inside.gateway.chain.deployment.identity_registry
    )
    full = encryption_key_typed_data(key=signer, encryption_key=public, domain=domain)
    registrar = await inside.caller(inside.registrar)
    assert registrar is not None
    await inside.gateway.identity.register_actor(
        registrar,
        key=signer,
        roles=frozenset({Role.RESEARCHER}),
        name="Researcher",
        encryption_key=public,
        encryption_key_signature=bytes.fromhex(wallet.sign_typed_data(full)[2:]),
    )
    return await sign_in(inside.gateway, wallet)


def question(**members: Any) -> dict[str, Any]:
    """A question for a number, as JSON."""
    plain = {"purpose": "HRESCH", "dataUse": list(USE), "cohort": {}, "measure": {"kind": "count"}, "epsilon": 0.5}
    return plain | members
