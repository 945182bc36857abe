"""The GraphQL documents of an exchange, within the schema's published limits. Text only."""

from typing import Final

FORMS: Final = 20
"""Captured forms that one document asks for."""
_REFUSED = "... on Refusal { code message field }"
_PAGE = "pageInfo { hasNextPage endCursor }"

ME = f"""query Me($after: String) {{
  me {{ patients(first: 100, after: $after) {{ edges {{ node {{ patient {{ id subject }} }} }} {_PAGE} }} }} }}"""

PUBLISH_FORM = f"""mutation PublishForm($input: PublishConsentFormInput!) {{
  publishConsentForm(input: $input) {{ __typename ... on ConsentForm {{ termsHash }} {_REFUSED} }} }}"""

DRAFT_ACT = f"""mutation DraftAct($input: StudyActInput!) {{
  draftStudyAct(input: $input) {{ __typename ... on StudyActDraft {{ id act typedData statement }} {_REFUSED} }} }}"""

SUBMIT_ACT = f"""mutation SubmitAct($act: JSON!, $signature: Hex!) {{
  submitStudyAct(act: $act, signature: $signature) {{ __typename ... on Study {{ id state }} {_REFUSED} }} }}"""

CAPTURE = f"""mutation Capture($input: CaptureFormsInput!) {{
  captureForms(input: $input) {{ __typename ... on CapturedForms {{ records {{ id }} queries }} {_REFUSED} }} }}"""

MY_STUDIES = f"""query MyStudies($after: String) {{
  myStudies(first: 100, after: $after) {{ edges {{ node {{ id title }} }} {_PAGE} }} }}"""

STANDING = """query Standing($study: ID!) {
  study(id: $study) { id title state protocols { number } definitions { name sha256 } tables { name }
    terms { formHash } sites { site } delegations { actor { id } role sites until }
    trail(first: 1) { edges { node { text } } } } }"""

PLACES = """query Places($study: ID!, $patient: ID!) {
  study(id: $study) { subject(patientId: $patient) { key forms { event eventRepeatKey form formRepeatKey } } } }"""

WHOLE = """query Whole($study: ID!) {
  study(id: $study) { id title registeredAt sponsor { id name } definitions { name at document }
    tables { name description rows } sites { site name } delegations { actor { id name } role } } }"""

SUBJECTS = f"""query Subjects($study: ID!, $after: String) {{
  study(id: $study) {{ subjects(first: 100, after: $after) {{
    edges {{ node {{ key patientId site enrolledAt }} }} {_PAGE} }} }} }}"""

SUBJECT = """query Subject($study: ID!, $patient: ID!) {
  study(id: $study) { subject(patientId: $patient) { key
    forms { recordId version event eventRepeatKey form formRepeatKey definition
      versions { version at reason digest by { id name } } }
    queries { query recordId version item rule isOpen words { act at text by { id name } } } } } }"""

TRAIL = f"""query Trail($study: ID!, $after: String) {{
  study(id: $study) {{ trail(first: 100, after: $after) {{ edges {{ node {{ kind text }} }} {_PAGE} }} }} }}"""

OLDER = """query Older($study: ID!, $patient: ID!, $record: ID!, $version: Int!) {
  study(id: $study) { subject(patientId: $patient) { form(recordId: $record) { recordAt(version: $version) {
    __typename ... on Record { version content } ... on Refusal { code message } } } } } }"""


def contents(count: int) -> str:
    """What `count` forms of a subject say, under the aliases f0, f1 …; variables i0, i1 …."""
    names = ", ".join(f"$i{at}: ID!" for at in range(count))
    asked = "record { __typename ... on Record { version content } ... on Refusal { code message } }"
    fields = " ".join(f"f{at}: form(recordId: $i{at}) {{ {asked} }}" for at in range(count))
    return f"""query Contents($study: ID!, $patient: ID!, {names}) {{
  study(id: $study) {{ subject(patientId: $patient) {{ {fields} }} }} }}"""
