"""All of a study that comes before its first subject: registration, protocol, definition, tables, consent form, sites,
delegations, opening.

True here: each step is taken where the study has not come so far yet, so a run that was broken off goes on.
"""

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final

from gateway import jsontext
from gateway.demo.client import Gateway, shaped
from gateway.demo.model import StepFailedError, WrongCallError
from gateway.demo.patients import instant
from gateway.demo.progress import Advance
from gateway.demo.roles import Person
from gateway.exchange import documents
from gateway.exchange.acts import Acts
from gateway.exchange.answers import PublishedForm, Standing
from gateway.exchange.model import LoadedTable, StudyFolder
from gateway.exchange.people import Company, nodes
from gateway.jsontext import JsonValue
from gateway.trials import datasets
from gateway.trials.tabulation.described import tree_of

DELEGATED_SECONDS: Final = 5 * 365 * 86_400
CONSENT_TEXT: Final = (
    "Data of this study were collected elsewhere. You agree that they are kept here under your own key, for this "
    "study alone, and read by those who have a role in it. You may leave at any time; what was collected stays."
)


def steps(folder: StudyFolder) -> int:
    """How many `prepare` takes, as progress counts them."""
    return 7 + len(folder.tables) + len(set(folder.sites.values())) if folder.has_data else 3


def prepare(gateway: Gateway, acts: Acts, company: Company, folder: StudyFolder, advance: Advance) -> str:
    """The study is open; the hash of its consent form, 0x hex. Of a folder without data it is planned, and has no form
    (""). Raises StepFailedError."""
    sponsor = company.sponsor
    standing = _found(gateway, acts, sponsor, folder)
    if standing is None:
        acts.do(sponsor, "register", {"title": folder.title}, {"title": folder.title, "statistician": ""})
        standing = _standing(gateway, acts, sponsor)
    advance(1)
    if not standing.protocols:
        registration = folder.registration
        acts.do(sponsor, "protocol", {"registration": registration}, {"registration": registration, "reason": ""})
    advance(1)
    _define(acts, sponsor, folder, standing)
    advance(1)
    if not folder.has_data:
        return ""
    described = {one.name for one in standing.tables}
    for table in folder.tables:
        if table.name not in described:
            _describe(acts, sponsor, table)
        advance(1)
    terms = standing.terms[-1].form_hash if standing.terms else _agree(gateway, acts, sponsor, folder)
    advance(1)
    placed = {one.site for one in standing.sites}
    for site in sorted(set(folder.sites.values())):
        if site not in placed:
            members = {"site": site, "name": f"Site {site}"}
            acts.do(sponsor, "site", members, members)
        advance(1)
    for who, role in ((company.investigator, "INVESTIGATOR"), (company.coordinator, "COORDINATOR")):
        if not any((one.actor.id, one.role) == (who.id, role) for one in standing.delegations):
            _delegate(acts, sponsor, who, role)
        advance(1)
    if standing.state == "PLANNED":
        acts.do(sponsor, "opening", {}, {})
    advance(1)
    return terms


def _found(gateway: Gateway, acts: Acts, sponsor: Person, folder: StudyFolder) -> Standing | None:
    """A study of this title, of the same definition or none yet, which takes data."""
    sha256 = "0x" + hashlib.sha256(folder.document.encode()).hexdigest()
    for node in nodes(gateway, documents.MY_STUDIES, {}, ("myStudies",), token=sponsor.token):
        if node.get("title") != folder.title:
            continue
        acts.id = str(node.get("id"))
        standing = _standing(gateway, acts, sponsor)
        if standing.state not in ("PLANNED", "OPEN"):
            raise WrongCallError(
                f"the study {folder.title} is {standing.state} and takes nothing: give another --title"
            )
        if standing.definitions and standing.definitions[0].sha256 != sha256:
            raise WrongCallError(f"the study {folder.title} is of another definition: give another --title")
        return standing
    return None


def _standing(gateway: Gateway, acts: Acts, sponsor: Person) -> Standing:
    found = gateway.data(documents.STANDING, {"study": acts.id}, token=sponsor.token).get("study")
    if found is None:
        raise StepFailedError("the study is not shown to its sponsor")
    standing = shaped(found, Standing)
    texts = [edge.node.get("text") for edge in standing.trail.get("edges", [])]
    first = jsontext.loads(texts[0]) if texts and isinstance(texts[0], str) else None
    act = first.get("act") if isinstance(first, dict) else None
    name = act.get("study") if isinstance(act, dict) else None
    if not isinstance(name, str) or (acts.name is not None and acts.name != name):
        raise StepFailedError("the study's journal does not begin with its registration")
    acts.name = name
    return standing


def _define(acts: Acts, sponsor: Person, folder: StudyFolder, standing: Standing) -> None:
    if standing.definitions or not folder.document:
        return
    given: dict[str, JsonValue] = {"name": folder.document_name, "document": folder.document}
    acts.do(sponsor, "definition", given, {"name": folder.document_name}, document=folder.document.encode())


def _describe(acts: Acts, sponsor: Person, table: LoadedTable) -> None:
    rows: JsonValue = None
    if not table.names_subjects:
        rows = [[datasets.text_of(cell) for cell in row] for row in table.rows]
    members: Mapping[str, Any] = {"table": table.name, "description": tree_of(table.described), "rows": rows}
    acts.do(sponsor, "table", dict(members), members)


def _agree(gateway: Gateway, acts: Acts, sponsor: Person, folder: StudyFolder) -> str:
    texts: list[JsonValue] = [{"language": "EN", "text": CONSENT_TEXT}]
    form: dict[str, JsonValue] = {"title": f"Informed consent: {folder.title}"[:200], "texts": texts}
    hash = gateway.result(documents.PUBLISH_FORM, {"input": form}, PublishedForm, token=sponsor.token).terms_hash
    acts.do(sponsor, "terms", {"formHash": hash, "keeps": True}, {"terms": hash.removeprefix("0x"), "keeps": True})
    return hash


def _delegate(acts: Acts, sponsor: Person, who: Person, role: str) -> None:
    until = int(time.time()) + DELEGATED_SECONDS
    acts.do(
        sponsor,
        "delegation",
        {"actorId": who.id, "role": role, "sites": [], "until": instant(until)},
        {"actor": who.actor.removeprefix("0x"), "role": role, "sites": [], "until": until},
    )
