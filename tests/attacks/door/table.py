"""Who is released what, as a page that a clinician can read. It knows nothing of the decision's code.

Everybody here but the patient belongs to one house, which every consent names. Everyone asks for the purpose of their
own work; in the state of broken glass for an emergency, which one clinician of the house has opened. In the other
states a colleague opened one and ended it. In two states the patient signs in by another key, too; in one a delegate
may consent in the patient's name and see the patient's lists, in another may consent alone. In one the researcher and
the device are the patient's guardians, and the patient is in the researcher's dataset, too few with them. In the same
the patient is a subject of another house's study, in which the clinician is the investigator at their site, the
researcher the monitor and the auditor the safety board.

    R a record   N the same by `node`, as treatment   P a page of records   S records as they come
    C the patient's consents   c the same as they change   G one consent by its name   L the access log
    D a sealed entry of the log   F the patient's emergencies   E one emergency by its name
    Q what waits for a review   K credentials   Z who consents in the patient's name   U the patient's guardians
    q who asks the patient for consent   a what somebody asked for: the payer, of everybody
    I how a recovery stands   V that there is this patient   x who may see what, and what a consent would change
    m that one is, acts for or guards this patient   w among one's own lists, a consent of the patient's
    d the one de-identified dataset that was built   b that and others among one's own   s among all of them
    r its report   p among those that used the patient's records
    t the study   v the same among one's own   u that the patient is its subject, with queries about their forms
    f what their form says   i the study's journal   2 whether the patient could take part   3 who said yes to it
"""

from typing import Final

ROLES: Final = (
    "registrar",
    "patient",
    "other_patient",
    "clinician",
    "organization",
    "researcher",
    "data_steward",
    "auditor",
    "device",
    "payer",
    "delegate",
    "anonymous",
)
PURPOSE: Final = {
    "registrar": "HOPERAT",
    "patient": "PATRQT",
    "other_patient": "PATRQT",
    "clinician": "TREAT",
    "organization": "TREAT",
    "researcher": "HRESCH",
    "data_steward": "HRESCH",
    "auditor": "HOPERAT",
    "device": "TREAT",
    "payer": "HPAYMT",
    "delegate": "PATRQT",
    "anonymous": "TREAT",
}
"""What each role's own work is called."""

# state       reg.   patient              other clinic. org.    research. steward  auditor  device    payer  deleg. none
TABLE: Final = """
none          -      RNPSLDFEVIxmq        -     -       -       -         EQ       EQ       -         a       -       -
permit        GVRPSw RNPSCcGLDFEKVZIUxmqp GVw   GVRNPSw GVRNPSw GVRPSImw  GVRPSEQw GVRPSEQw GVRNPSImw GVRPSwa GVCLZmq -
deny          G      RNPSCcGLDFEVZIxmq    G     G       G       G         GEQ      GEQ      G         Ga      VZmq    -
both          GVw    RNPSCcGLDFEVIxmq     GVw   GVw     GVw     GVw       GVEQw    GVEQw    GVw       GVwa    -       -
expired       G      RNPSCcGLDFEVIxmq     G     G       G       G         GEQ      GEQ      G         Ga      -       -
not_yet       G      RNPSCcGLDFEVIxmq     G     G       G       G         GEQ      GEQ      G         Ga      -       -
revoked       G      RNPSCcGLDFEVIxmq     G     G       G       G         GEQ      GEQ      G         Ga      -       -
wrong_purpose GVw    RNPSCcGLDFEVIxmq     GVw   GVw     GVw     GVw       GVEQw    GVEQw    GVw       GVwa    -       -
wrong_label   GVw    RNPSCcGLDFEVIxmq     GVw   GVw     GVw     GVw       GVEQw    GVEQw    GVw       GVwa    -       -
wrong_type    GVw    RNPSCcGLDFEVIxmq     GVw   GVw     GVw     GVw       GVEQw    GVEQw    GVw       GVwa    -       -
stale         V      CcGLDFEKVImq         V     V       V       V         VEQ      VEQ      V         Va      -       -
broken_glass  -      RNPSLDFEVIxmq        -     RPSEV   -       -         EQ       EQ       -         a       -       -
"""
"""Who was named may read what the patient said of them, whatever became of it. While the index is stale nobody reads a
record; the patient still sees what is consented to, or nobody could revoke while the chain is away."""

ANYWHERE: Final = {"researcher": "dbtvi", "data_steward": "dsr", "clinician": "tvi3", "auditor": "tvi", "patient": "tv"}
"""What is released in every state, because it is of none of its patients: datasets, and a study, to which somebody
else said yes."""

SUBJECT: Final = {"clinician": "uf", "researcher": "uf", "auditor": "uf"}
"""What is released of the study's subject, in the state in which the patient is one."""

DONE: Final = {
    "W": {"patient"},
    "T": {"patient"},
    "M": {"patient"},
    "Y": {"patient"},
    "B": {"clinician"},
    "e": set(ROLES) - {"anonymous", "patient", "other_patient", "delegate"},
    "y": {"payer"},
    "X": {"clinician"},
    "J": {"auditor", "data_steward"},
    "A": {"registrar"},
    "H": {"organization"},
    "g": {"organization", "researcher", "data_steward"},
    "k": {"data_steward"},
    "o": {"researcher"},
    "l": {"researcher", "data_steward"},
    "n": {"organization", "researcher", "data_steward"},
    "z": {"clinician", "researcher", "auditor"},
    "h": {"clinician"},
    "j": {"researcher", "auditor"},
    "1": {"auditor"},
    "0": set(),
    "O": set(ROLES) - {"anonymous"},
}
"""Who may do what, in every state: write (nobody was permitted to), what the patient signs (T alone, M or a delegate),
end a delegation, ask for a consent (who is more than a patient) and take that back, break the glass, end what they
opened, review it, enrol, make members, ask for a dataset, decide on it, open it, end it, be told a noised number (who
may do research), hear what happens in the study, capture its data, ask about them, be told an arm, record data in its
sponsor's name, and what tells nothing that does not stand on chain."""

ANOTHERS: Final = {"submitStudyAct": "INVALID"}
"""What everybody hears who is signed in and is not who, by its own words, did it."""

UNSIGNED: Final = {"signRecovery": "INVALID", "attestRecovery": "INVALID", "draftIdentityLink": "UNAUTHENTICATED"}
"""What they hear who may do it: no guardian has signed, and no identity provider is trusted."""

BY_DELEGATE: Final = {
    "draftConsent": "",
    "draftConsentFromFhir": "",
    "grantConsent": "INVALID",  # the text is the patient's, and a delegate signs their own
    "draftRequestedConsent": "",
    "declineConsentRequest": "",
    "draftDelegateRemoval": "",
    "removeDelegate": "",
}
"""What a delegate hears of deeds with the patient's texts, where one stands; of all others what everyone does."""


def released() -> dict[tuple[str, str], frozenset[str]]:
    """(state, role) -> letters."""
    found = {}
    for line in TABLE.strip().splitlines():
        state, *cells = line.split()
        for role, cell in zip(ROLES, cells, strict=True):
            told = cell + ANYWHERE.get(role, "") + (SUBJECT.get(role, "") if state == "permit" else "")
            # A match reads the patient's records, as they do themselves.
            found[state, role] = frozenset(told + ("2" if "R" in cell and role == "patient" else "")) - {"-"}
    return found


STATES: Final = tuple(line.split()[0] for line in TABLE.strip().splitlines())
