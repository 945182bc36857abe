"""From elements of ODM to who is who in a document: users, places, kinds of signature.

True here: what ODM 2.0 calls otherwise than 1.3 (given name, organizations, telecom) is kept under its own name.
"""

from gateway.trials.definition.cursor import Cursor
from gateway.trials.definition.grammar import Edition
from gateway.trials.odm.model import AdminData, Location, SignatureDef, User, VersionRef


def admin_data(cursor: Cursor) -> AdminData:
    """AdminData. Raises CallerError."""
    return AdminData(
        study=cursor.optional("StudyOID"),
        users=tuple(_user(one) for one in cursor.children("User")),
        locations=tuple(_location(one) for one in cursor.children("Location")),
        signature_definitions=tuple(_signature_definition(one) for one in cursor.children("SignatureDef")),
        kept=cursor.kept(),
    )


def _said(cursor: Cursor, name: str) -> str | None:
    holder = cursor.child(name)
    return None if holder is None else holder.said()


def _user(cursor: Cursor) -> User:
    is_first = cursor.edition is Edition.V1_3
    return User(
        oid=cursor.text("OID"),
        type=cursor.optional("UserType"),
        login_name=_said(cursor, "LoginName" if is_first else "UserName"),
        display_name=_said(cursor, "DisplayName") if is_first else None,
        full_name=_said(cursor, "FullName"),
        first_name=_said(cursor, "FirstName" if is_first else "GivenName"),
        last_name=_said(cursor, "LastName" if is_first else "FamilyName"),
        organization=_said(cursor, "Organization") if is_first else None,
        locations=_locations(cursor),
        kept=cursor.kept(),
    )


def _locations(cursor: Cursor) -> tuple[str, ...]:
    if cursor.edition is Edition.V2_0:
        location = cursor.optional("LocationOID")
        return () if location is None else (location,)
    return tuple(referred(one, "LocationOID") for one in cursor.children("LocationRef"))


def referred(cursor: Cursor, name: str) -> str:
    """The OID of a reference that says nothing else. Raises CallerError."""
    oid = cursor.text(name)
    cursor.nothing_more()
    return oid


def _location(cursor: Cursor) -> Location:
    return Location(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        type=cursor.optional("LocationType") if cursor.edition is Edition.V1_3 else None,
        versions=tuple(_version_ref(one) for one in cursor.children("MetaDataVersionRef")),
        kept=cursor.kept(),
    )


def _version_ref(cursor: Cursor) -> VersionRef:
    made = VersionRef(
        study=cursor.text("StudyOID"), version=cursor.text("MetaDataVersionOID"), since=cursor.text("EffectiveDate")
    )
    cursor.nothing_more()
    return made


def _signature_definition(cursor: Cursor) -> SignatureDef:
    return SignatureDef(
        oid=cursor.text("OID"),
        methodology=cursor.optional("Methodology"),
        meaning=_said(cursor, "Meaning") or "",
        legal_reason=_said(cursor, "LegalReason") or "",
        kept=cursor.kept(),
    )
