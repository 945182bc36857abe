"""A whole program. Arguments: the gateway's URL, and the file with the key of its registrar."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consentry_client import ActorRole, ConsentInput, Consentry, PurposeOfUse, RefusalCode, RefusedError
from eth_account import Account

PULSE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
    "effectiveDateTime": "2026-03-14T09:26:00Z",
    "valueQuantity": {"value": 62, "unit": "/min"},
}


async def main(url: str, registrar_key: str) -> None:
    ada_key, grey_key = Account.create(), Account.create()
    async with Consentry(url) as registrar, Consentry(url) as ada, Consentry(url) as grey:
        # A registrar lets a patient and a clinician in.
        await registrar.sign_in(Account.from_key(registrar_key))
        await registrar.register(key=ada_key.address.lower(), roles=[ActorRole.PATIENT], name="Ada")
        clinician = await registrar.register(key=grey_key.address.lower(), roles=[ActorRole.CLINICIAN], name="Dr. Grey")
        patient = await registrar.enrol(controller=ada_key.address.lower())

        # The patient stores a reading, and signs what the clinician may do.
        await ada.sign_in(ada_key, device="first.py")
        await grey.sign_in(grey_key)
        stored = await ada.create_record(patient.id, PULSE, idempotency_key="pulse-1")
        hour = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        asked = ConsentInput(patientId=patient.id, granteeId=clinician.id, purposes=[PurposeOfUse.TREAT], notAfter=hour)
        consent = await ada.grant(asked, approve=lambda draft: "Dr. Grey" in str(draft.typed_data))
        print(consent.statement)

        # The clinician reads; what the consent does not say is refused.
        record = await grey.read(stored.id)
        print(record.resource_type, record.content["valueQuantity"]["value"], record.receipt.consent_id)
        print("records:", [one.version async for one in grey.records(patient.id)])
        print("timeline:", [one.version async for one in grey.timeline(patient.id)])

        # Records as they arrive.
        async def store_soon() -> None:
            await asyncio.sleep(1)
            await ada.create_record(patient.id, PULSE)

        soon = asyncio.create_task(store_soon())
        async for arrived in grey.record_added(patient.id):
            print("arrived:", arrived.resource_type)
            break
        await soon

        await ada.revoke(patient.id, consent.consent_id)
        try:
            await grey.read(stored.id)
        except RefusedError as refused:
            if refused.code is not RefusalCode.NOT_PERMITTED:
                raise
            print(refused)
        print("log:", [event.outcome.value async for event in ada.access_log(patient.id)][:3])
        await grey.sign_out()
        print("signed in:", await grey.viewer())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_text().strip()))
