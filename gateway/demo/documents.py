"""The GraphQL documents of a run, within the core schema and its published limits. Text only."""

ALIASES = 50
"""How many fields of one name a document asks for at once."""

_REFUSED = "... on Refusal { code message field }"
_ANCHOR = (
    "anchor { status proof { log leafEncoding leafValues path root chainId contract transactionHash blockNumber } }"
)
_PAGE = "pageInfo { hasNextPage endCursor }"

CHALLENGE = f"""mutation Challenge($address: Address!) {{
  signInChallenge(address: $address) {{ __typename ... on SignInChallenge {{ message }} {_REFUSED} }} }}"""

SIGN_IN = f"""mutation SignIn($input: SignInInput!) {{
  signIn(input: $input) {{
    __typename ... on Session {{ accessToken actor {{ id actor address name }} }} {_REFUSED} }} }}"""

REGISTER = f"""mutation Register($input: RegisterActorInput!) {{
  registerActor(input: $input) {{ __typename ... on Actor {{ id actor address name }} {_REFUSED} }} }}"""

ENROL = f"""mutation Enrol($input: EnrolPatientInput!) {{
  enrolPatient(input: $input) {{ __typename ... on Patient {{ id subject }} {_REFUSED} }} }}"""

IMPORT = f"""mutation Import($input: ImportBundleInput!) {{
  importBundle(input: $input) {{ __typename ... on ImportedBundle {{ records {{ id version cid }} }} {_REFUSED} }} }}"""

DRAFT_CONSENT = f"""mutation DraftConsent($input: ConsentInput!) {{
  draftConsent(input: $input) {{ __typename ... on Draft {{ id typedData }} {_REFUSED} }} }}"""

GRANT = f"""mutation Grant($input: SignedInput!) {{
  grantConsent(input: $input) {{ __typename ... on Consent {{ consentId status transactionHash }} {_REFUSED} }} }}"""

DRAFT_REVOCATION = f"""mutation DraftRevocation($patientId: ID!, $consentId: Hex!) {{
  draftRevocation(patientId: $patientId, consentId: $consentId) {{
    __typename ... on Draft {{ id typedData }} {_REFUSED} }} }}"""

REVOKE = f"""mutation Revoke($input: SignedInput!) {{
  revokeConsent(input: $input) {{ __typename ... on Consent {{ consentId status transactionHash }} {_REFUSED} }} }}"""

LABELS = f"""query Labels($patient: ID!, $after: String) {{
  patient(id: $patient) {{ records(purpose: PATRQT, first: 100, after: $after) {{
    edges {{ node {{ id labels }} }} {_PAGE} }} }} }}"""

RECORDS = f"""query Records($patient: ID!, $after: String) {{
  patient(id: $patient) {{ subject records(purpose: TREAT, first: 100, after: $after) {{
    edges {{ node {{ id version resourceType labels content contentSalt cid author {{ id }} {_ANCHOR}
      receipt {{ consentId purpose asOfBlock obligations payload signer signature }} }} }} {_PAGE} }} }} }}"""

ANCHORS = f"""query Anchors($patient: ID!, $after: String) {{
  patient(id: $patient) {{ records(purpose: TREAT, first: 100, after: $after) {{
    edges {{ node {{ id {_ANCHOR} }} }} {_PAGE} }} }} }}"""

ANCHOR = f"""query Anchor($record: ID!) {{
  record(id: $record) {{ __typename ... on Record {{ id anchor {{ status }} }} {_REFUSED} }} }}"""

PATIENT = "query Patient($patient: ID!) { patient(id: $patient) { id } }"

GLANCE = f"""query Glance($patient: ID!, $after: String) {{
  patient(id: $patient) {{ records(purpose: TREAT, first: 100, after: $after) {{
    edges {{ node {{ id }} }} {_PAGE} }} }} }}"""

ACCESS_LOG = f"""query AccessLog($patient: ID!, $after: String) {{
  patient(id: $patient) {{ accessLog(first: 100, after: $after) {{
    edges {{ node {{ at action purpose outcome recordId actor {{ id name }} }} }} {_PAGE} }} }} }}"""


def record_by_record(count: int) -> str:
    """A query for `count` records under the aliases r0, r1 …; variables i0, i1 …; of content nothing is asked."""
    names = ", ".join(f"$i{at}: ID!" for at in range(count))
    fields = " ".join(f"r{at}: record(id: $i{at}) {{ __typename ... on Refusal {{ code }} }}" for at in range(count))
    return f"query Ask({names}) {{ {fields} }}"


def node_by_node(count: int) -> str:
    """The same through `node`."""
    names = ", ".join(f"$i{at}: ID!" for at in range(count))
    fields = " ".join(f"r{at}: node(id: $i{at}) {{ __typename }}" for at in range(count))
    return f"query Ask({names}) {{ {fields} }}"
