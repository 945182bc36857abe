"""What an id opens, each kind by its own service and decision; and who asks.

Not done here: turning a refusal into null, which is the root's.
"""

import strawberry

from gateway.consent.model import Purpose
from gateway.errors import DeniedError
from gateway.identity.model import Caller, Role
from gateway.ids import (
    ActorId,
    ConsentId,
    DecisionId,
    EmergencyId,
    RecordId,
    ReleaseId,
    StudyId,
    SubjectId,
    parse_global,
)
from schema.audit import to_entry, to_event
from schema.consent import to_consent
from schema.context import RequestContext
from schema.datasets import read_dataset
from schema.emergency import read_emergency
from schema.identity import Patient, as_told, to_patient
from schema.records import Record, read_record
from schema.relay import Node
from schema.studies import read_study


async def present(context: RequestContext) -> Caller | None:
    """Who asks, as of this very moment: no guard of the ledger stands behind these answers."""
    return None if context.caller is None else await context.services.identity.current(context.caller)


async def node_of(context: RequestContext, id: strawberry.ID) -> Node | None:
    """Raises what is refused, and CallerError for what is no id."""
    kind, raw = parse_global(id)
    if kind == "Patient":
        return await patient_of(context, SubjectId(raw))
    if kind == "Record":
        return await _record_node(context, context.bearing(), RecordId(raw))
    caller = context.signed_in()
    match kind:
        case "Actor":
            actor = await context.actors.get(ActorId(raw))
            await context.services.identity.current(caller)
            return None if actor is None else as_told(actor, caller)
        case "Consent":
            view = await context.services.shown_consents.get(caller, ConsentId(raw))
            return None if view is None else to_consent(view)
        case "AccessEvent":
            event = await context.services.audit.event(caller, DecisionId(raw))
            return None if event is None else to_event(event)
        case "Decision":
            entry = await context.services.audit.entry(caller, DecisionId(raw))
            return None if entry is None else to_entry(entry)
        case "Emergency":
            return await read_emergency(context, EmergencyId(raw))
        case "Dataset":
            return await read_dataset(context, ReleaseId(raw))
        case "Study":
            return await read_study(context, StudyId(raw))
    return None


async def patient_of(context: RequestContext, subject: SubjectId) -> Patient | None:
    """None alike for one whom the asker may not see and for none."""
    found = await context.services.shown_consents.visible_patient(context.caller, subject)
    if found is None and context.caller is not None and context.caller.bearer is None:
        found = await context.services.emergencies.visible_patient(context.caller, subject)
    return None if found is None else to_patient(found.id)


async def _record_node(context: RequestContext, caller: Caller, record: RecordId) -> Record:
    """As the patient's own request where the caller is a patient, and as treatment for anyone who is more than that."""
    if Role.PATIENT not in caller.actor.roles:
        return await read_record(context, record, purpose=Purpose.TREAT)
    try:
        return await read_record(context, record, purpose=Purpose.PATRQT)
    except DeniedError:
        if caller.actor.roles == {Role.PATIENT}:
            raise
        return await read_record(context, record, purpose=Purpose.TREAT)
