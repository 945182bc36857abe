"""The words of consents and delegations, by language (BCP 47). What is signed names no language: a statement is checked
against all of them, so each must say the very same. English is the one that earlier consents were signed in.

`{who}`, `{verbs}` … are filled by `wording`, which quotes whatever others chose the words of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    EN = "en"
    DE = "de"
    ES = "es"
    FR = "fr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`allow_verbs`, `forbid_verbs`: by action, as they stand after the lead of that effect. `purposes`: by HL7
    PurposeOfUse. Lists (`kinds` … `uses`) end with what they list."""

    joined: str
    anyone: str
    nameless: str
    allow: str
    forbid: str
    allow_verbs: Mapping[str, str]
    forbid_verbs: Mapping[str, str]
    purposes: Mapping[str, str]
    kinds: str
    codes: str
    authors: str
    records: str
    uses: str
    sensitive: str
    marked: str
    nothing_sensitive: str
    period: str
    beginning: str
    open_end: str
    context: str
    terms: str
    valid_to: str
    valid_until_revoked: str
    delegate: str
    may_allow: str
    allowed_ends: str
    may_forbid: str
    may_not_forbid: str
    sees_all: str
    sees_own: str
    delegation_valid: str


_ENGLISH_VERBS = {"READ": "read", "WRITE": "add to and amend"}
_ENGLISH = Words(
    joined=" and ",
    anyone="anyone",
    nameless="somebody unnamed",
    allow="I allow {who} to {verbs} my records for {reasons}.",
    forbid="I forbid {who} to {verbs} my records for {reasons}.",
    allow_verbs=_ENGLISH_VERBS,
    forbid_verbs=_ENGLISH_VERBS,
    purposes={
        "TREAT": "treatment",
        "ETREAT": "emergency treatment",
        "HPAYMT": "payment",
        "HOPERAT": "health-care operations",
        "HRESCH": "research",
        "CLINTRCH": "a clinical trial",
        "PATRQT": "the patient's own request",
        "PUBHLTH": "public health",
    },
    kinds="Only these kinds: {items}.",
    codes="Only these codes: {items}.",
    authors="Only what these wrote: {items}.",
    records="Only these records: {items}.",
    uses="For these uses of data: {items}.",
    sensitive="Sensitive records included: {items}.",
    marked="Only records marked: {items}.",
    nothing_sensitive="No sensitive records.",
    period="About care from {start} to {end}.",
    beginning="the beginning",
    open_end="today and later",
    context="In this context: {items}.",
    terms="Under the terms {items}.",
    valid_to="Valid from {start} to {end}.",
    valid_until_revoked="Valid from {start} until I revoke it.",
    delegate="I let {who} consent in my name.",
    may_allow="They may allow others, never themselves, to {verbs} my records for {reasons}.",
    allowed_ends="What they allow ends by {end}, and whenever this ends.",
    may_forbid="They may forbid, too; what they forbid stands until I revoke it.",
    may_not_forbid="They may not forbid.",
    sees_all="They see my consents and my access log.",
    sees_own="They see of my consents what they signed.",
    delegation_valid="Valid to {end}, or until one of us ends it.",
)
_GERMAN_VERBS = {"READ": "zu lesen", "WRITE": "zu ergänzen und zu ändern"}
_GERMAN = Words(
    joined=" und ",
    anyone="jeder Person",
    nameless="jemandem ohne Namen",
    allow="Ich erlaube {who}, meine Unterlagen {verbs}, für: {reasons}.",
    forbid="Ich verbiete {who}, meine Unterlagen {verbs}, für: {reasons}.",
    allow_verbs=_GERMAN_VERBS,
    forbid_verbs=_GERMAN_VERBS,
    purposes={
        "TREAT": "Behandlung",
        "ETREAT": "Notfallbehandlung",
        "HPAYMT": "Abrechnung",
        "HOPERAT": "Betrieb der Gesundheitsversorgung",
        "HRESCH": "Forschung",
        "CLINTRCH": "eine klinische Studie",
        "PATRQT": "mein eigenes Ersuchen",
        "PUBHLTH": "öffentliche Gesundheit",
    },
    kinds="Nur diese Arten: {items}.",
    codes="Nur diese Codes: {items}.",
    authors="Nur, was diese geschrieben haben: {items}.",
    records="Nur diese Unterlagen: {items}.",
    uses="Für diese Verwendungen der Daten: {items}.",
    sensitive="Auch besonders geschützte Unterlagen: {items}.",
    marked="Nur so gekennzeichnete Unterlagen: {items}.",
    nothing_sensitive="Keine besonders geschützten Unterlagen.",
    period="Über Versorgung in dieser Zeit: {start} bis {end}.",
    beginning="Anfang",
    open_end="heute und später",
    context="In diesem Zusammenhang: {items}.",
    terms="Zu den Bedingungen {items}.",
    valid_to="Gültig von {start} bis {end}.",
    valid_until_revoked="Gültig ab {start}, bis ich es widerrufe.",
    delegate="Ich lasse in meinem Namen einwilligen: {who}.",
    may_allow="Diese Person darf anderen, nie sich selbst, erlauben, meine Unterlagen {verbs}, für: {reasons}.",
    allowed_ends="Was sie erlaubt, endet spätestens am {end}, und immer, wenn dies hier endet.",
    may_forbid="Sie darf auch verbieten; was sie verbietet, gilt, bis ich es widerrufe.",
    may_not_forbid="Sie darf nicht verbieten.",
    sees_all="Sie sieht meine Einwilligungen und mein Zugriffsprotokoll.",
    sees_own="Sie sieht von meinen Einwilligungen nur, was sie unterschrieben hat.",
    delegation_valid="Gültig bis {end}, oder bis eine oder einer von uns es beendet.",
)
_SPANISH_VERBS = {"READ": "leer", "WRITE": "ampliar y modificar"}
_SPANISH = Words(
    joined=" y ",
    anyone="cualquier persona",
    nameless="alguien sin nombre",
    allow="Permito a {who} {verbs} mis registros para: {reasons}.",
    forbid="Prohíbo a {who} {verbs} mis registros para: {reasons}.",
    allow_verbs=_SPANISH_VERBS,
    forbid_verbs=_SPANISH_VERBS,
    purposes={
        "TREAT": "tratamiento",
        "ETREAT": "tratamiento de urgencia",
        "HPAYMT": "pago",
        "HOPERAT": "gestión de la atención sanitaria",
        "HRESCH": "investigación",
        "CLINTRCH": "un ensayo clínico",
        "PATRQT": "mi propia solicitud",
        "PUBHLTH": "salud pública",
    },
    kinds="Solo estos tipos: {items}.",
    codes="Solo estos códigos: {items}.",
    authors="Solo lo que escribieron estos: {items}.",
    records="Solo estos registros: {items}.",
    uses="Para estos usos de los datos: {items}.",
    sensitive="Incluidos los registros sensibles: {items}.",
    marked="Solo los registros marcados: {items}.",
    nothing_sensitive="Ningún registro sensible.",
    period="Sobre la atención en este periodo: {start} a {end}.",
    beginning="inicio",
    open_end="hoy y después",
    context="En este contexto: {items}.",
    terms="Según las condiciones {items}.",
    valid_to="Válido desde {start} hasta {end}.",
    valid_until_revoked="Válido desde {start} hasta que yo lo revoque.",
    delegate="Dejo que {who} consienta en mi nombre.",
    may_allow="Puede permitir a otras personas, nunca a sí misma, {verbs} mis registros para: {reasons}.",
    allowed_ends="Lo que permita termina a más tardar el {end}, y siempre que esto termine.",
    may_forbid="También puede prohibir; lo que prohíba vale hasta que yo lo revoque.",
    may_not_forbid="No puede prohibir.",
    sees_all="Ve mis consentimientos y mi registro de accesos.",
    sees_own="De mis consentimientos solo ve los que firmó.",
    delegation_valid="Válido hasta {end}, o hasta que uno de nosotros lo termine.",
)
_FRENCH = Words(
    joined=" et ",
    anyone="toute personne",
    nameless="une personne sans nom",
    allow="J'autorise {who} {verbs} mes dossiers pour : {reasons}.",
    forbid="J'interdis à {who} {verbs} mes dossiers pour : {reasons}.",
    allow_verbs={"READ": "à lire", "WRITE": "à compléter et modifier"},
    forbid_verbs={"READ": "de lire", "WRITE": "de compléter et modifier"},
    purposes={
        "TREAT": "soins",
        "ETREAT": "soins d'urgence",
        "HPAYMT": "paiement",
        "HOPERAT": "fonctionnement des services de santé",
        "HRESCH": "recherche",
        "CLINTRCH": "un essai clinique",
        "PATRQT": "ma propre demande",
        "PUBHLTH": "santé publique",
    },
    kinds="Seulement ces types : {items}.",
    codes="Seulement ces codes : {items}.",
    authors="Seulement ce que ceux-ci ont écrit : {items}.",
    records="Seulement ces dossiers : {items}.",
    uses="Pour ces utilisations des données : {items}.",
    sensitive="Y compris les dossiers sensibles : {items}.",
    marked="Seulement les dossiers marqués : {items}.",
    nothing_sensitive="Aucun dossier sensible.",
    period="Sur les soins de cette période : {start} à {end}.",
    beginning="début",
    open_end="aujourd'hui et après",
    context="Dans ce contexte : {items}.",
    terms="Selon les conditions {items}.",
    valid_to="Valable du {start} au {end}.",
    valid_until_revoked="Valable à partir du {start}, jusqu'à ce que je le révoque.",
    delegate="Je laisse {who} consentir en mon nom.",
    may_allow="Cette personne peut autoriser d'autres, jamais elle-même, {verbs} mes dossiers pour : {reasons}.",
    allowed_ends="Ce qu'elle autorise prend fin au plus tard le {end}, et dès que ceci prend fin.",
    may_forbid="Elle peut aussi interdire ; ce qu'elle interdit vaut jusqu'à ce que je le révoque.",
    may_not_forbid="Elle ne peut pas interdire.",
    sees_all="Elle voit mes consentements et mon journal d'accès.",
    sees_own="De mes consentements, elle ne voit que ceux qu'elle a signés.",
    delegation_valid="Valable jusqu'au {end}, ou jusqu'à ce que l'un de nous y mette fin.",
)
WORDS: Mapping[Language, Words] = {
    Language.EN: _ENGLISH,
    Language.DE: _GERMAN,
    Language.ES: _SPANISH,
    Language.FR: _FRENCH,
}
