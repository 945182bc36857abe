"""Who is who in a document, as elements of ODM 1.3.2."""

from gateway.trials.definition.elements import Element
from gateway.trials.odm.building import build, ref, refuse, text
from gateway.trials.odm.model import AdminData, Location, SignatureDef, User


def admin_data(one: AdminData) -> Element:
    """Raises CallerError for a place that works by no version of a study, which ODM 1.3.2 demands."""
    children = [
        *(_user(user) for user in one.users),
        *(_location(location) for location in one.locations),
        *(_signature_definition(definition) for definition in one.signature_definitions),
    ]
    return build("AdminData", {"StudyOID": one.study}, children, kept=one.kept)


def _user(one: User) -> Element:
    children = [
        text("LoginName", one.login_name),
        text("DisplayName", one.display_name),
        text("FullName", one.full_name),
        text("FirstName", one.first_name),
        text("LastName", one.last_name),
        text("Organization", one.organization),
        *(ref("LocationRef", "LocationOID", oid) for oid in one.locations),
    ]
    return build("User", {"OID": one.oid, "UserType": one.type}, children, kept=one.kept)


def _location(one: Location) -> Element:
    if not one.versions:
        raise refuse("works by no version of a study", "Location", one.oid)
    versions = [
        build(
            "MetaDataVersionRef",
            {"StudyOID": each.study, "MetaDataVersionOID": each.version, "EffectiveDate": each.since},
        )
        for each in one.versions
    ]
    return build("Location", {"OID": one.oid, "Name": one.name, "LocationType": one.type}, versions, kept=one.kept)


def _signature_definition(one: SignatureDef) -> Element:
    children = [text("Meaning", one.meaning), text("LegalReason", one.legal_reason)]
    return build("SignatureDef", {"OID": one.oid, "Methodology": one.methodology}, children, kept=one.kept)
