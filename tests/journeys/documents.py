"""The GraphQL documents of the journeys, each with one field. Text only; short names of fields, as a client would."""

REFUSED = "... on Refusal { code message field decisionId }"
PAGE = "pageInfo { hasNextPage endCursor }"
RECORD = """id version resourceType labels recordedAt content contentSalt cid author { id name } patient { id }
  anchor { status proof { root transactionHash } } receipt { consentId purpose asOfBlock obligations payload stale }"""
CONSENT = """consentId status effect actions purposes resourceTypes labels codes notAfter statement
  signer transactionHash grantee { id }"""

CHALLENGE = f"""mutation ($address: Address!) {{ signInChallenge(address: $address) {{
  __typename ... on SignInChallenge {{ message expiresAt }} {REFUSED} }} }}"""
SIGN_IN = f"""mutation ($input: SignInInput!) {{ signIn(input: $input) {{
  __typename ... on Session {{ accessToken expiresAt actor {{ id actor address name roles }} }} {REFUSED} }} }}"""
SESSIONS = f"""query ($first: Int = 50, $after: String) {{ sessions(first: $first, after: $after) {{
  edges {{ cursor node {{ id device createdAt expiresAt endsAt current }} }} {PAGE} }} }}"""
REFRESH = f"""mutation {{ refreshSession {{
  __typename ... on Session {{ sessionId accessToken expiresAt endsAt actor {{ id }} }} {REFUSED} }} }}"""
END_SESSION = f"""mutation ($id: ID!) {{ endSession(sessionId: $id) {{
  __typename ... on EndedSessions {{ endedAt }} {REFUSED} }} }}"""
END_OTHER_SESSIONS = f"""mutation {{ endOtherSessions {{
  __typename ... on EndedSessions {{ endedAt }} {REFUSED} }} }}"""
SIGN_OUT = f"mutation {{ signOut {{ __typename ... on EndedSessions {{ endedAt }} {REFUSED} }} }}"
IDENTITY = "id issuer subject notAfter holds"
DRAFT_IDENTITY = f"""mutation ($token: String!) {{ draftIdentityLink(token: $token) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
LINK_IDENTITY = f"""mutation ($input: SignedIdentityInput!) {{ linkIdentity(input: $input) {{
  __typename ... on LinkedIdentity {{ {IDENTITY} }} {REFUSED} }} }}"""
UNLINK_IDENTITY = f"""mutation ($id: ID!) {{ unlinkIdentity(identityId: $id) {{
  __typename ... on LinkedIdentity {{ {IDENTITY} }} {REFUSED} }} }}"""
LINKED_IDENTITIES = f"{{ linkedIdentities {{ {IDENTITY} }} }}"
REGISTER = f"""mutation ($input: RegisterActorInput!) {{ registerActor(input: $input) {{
  __typename ... on Actor {{ id actor address name }} {REFUSED} }} }}"""
ENROL = f"""mutation ($input: EnrolPatientInput!) {{ enrolPatient(input: $input) {{
  __typename ... on Patient {{ id subject }} {REFUSED} }} }}"""
DRAFT_MEMBERSHIP = f"""mutation ($input: MembershipInput!) {{ draftMembership(input: $input) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
ADD_MEMBER = f"""mutation ($input: SignedInput!) {{ addMember(input: $input) {{
  __typename ... on Actor {{ id organizations {{ id }} }} {REFUSED} }} }}"""
DRAFT_CREDENTIAL = f"""mutation ($input: CredentialInput!) {{ draftCredential(input: $input) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
SET_CREDENTIAL = f"""mutation ($input: SignedCredentialInput!) {{ setCredential(input: $input) {{
  __typename ... on Credential {{ linked actor {{ id }} patient {{ id }} }} {REFUSED} }} }}"""
MY_CONSENTS = f"""query ($filter: GrantedFilter, $first: Int = 50, $after: String) {{ me {{
  consents(filter: $filter, first: $first, after: $after) {{
    edges {{ cursor node {{ {CONSENT} patient {{ id }} }} }} {PAGE} }} }} }}"""
MY_PATIENTS = f"""{{ me {{ patients {{ edges {{ node {{ relations patient {{ id }} }} }} {PAGE} }} }} }}"""
CREDENTIALS = "query ($id: ID!) { patient(id: $id) { credentials { id } } }"
DELEGATE = """number signer notAfter holds patient { id }
  limits { actions purposes resourceTypes labels denies permitsUntil lists actor { id name } }"""
DRAFT_DELEGATE = f"""mutation ($input: DelegateInput!) {{ draftDelegate(input: $input) {{
  __typename ... on DelegateDraft {{ id typedData limits statement }} {REFUSED} }} }}"""
ADD_DELEGATE = f"""mutation ($input: SignedDelegateInput!) {{ addDelegate(input: $input) {{
  __typename ... on Delegate {{ {DELEGATE} }} {REFUSED} }} }}"""
DRAFT_DELEGATE_REMOVAL = f"""mutation ($patientId: ID!, $number: Int!) {{
  draftDelegateRemoval(patientId: $patientId, number: $number) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
REMOVE_DELEGATE = f"""mutation ($input: SignedInput!) {{ removeDelegate(input: $input) {{
  __typename ... on Delegate {{ {DELEGATE} }} {REFUSED} }} }}"""
DELEGATES = f"query ($id: ID!) {{ patient(id: $id) {{ delegates {{ {DELEGATE} }} }} }}"
CREATE = f"""mutation ($input: CreateRecordInput!) {{ createRecord(input: $input) {{
  __typename ... on StoredRecord {{ id version cid anchor {{ status }} }} {REFUSED} }} }}"""
AMEND = f"""mutation ($input: AmendRecordInput!) {{ amendRecord(input: $input) {{
  __typename ... on StoredRecord {{ id version cid anchor {{ status }} }} {REFUSED} }} }}"""
IMPORT = f"""mutation ($input: ImportBundleInput!) {{ importBundle(input: $input) {{
  __typename ... on ImportedBundle {{ records {{ id version cid }} }} {REFUSED} }} }}"""
DRAFT_CONSENT = f"""mutation ($input: ConsentInput!) {{ draftConsent(input: $input) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
GRANT = f"""mutation ($input: SignedInput!) {{ grantConsent(input: $input) {{
  __typename ... on Consent {{ {CONSENT} }} {REFUSED} }} }}"""
DRAFT_REVOCATION = f"""mutation ($patientId: ID!, $consentId: Hex!) {{
  draftRevocation(patientId: $patientId, consentId: $consentId) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
REVOKE = f"""mutation ($input: SignedInput!) {{ revokeConsent(input: $input) {{
  __typename ... on Consent {{ {CONSENT} }} {REFUSED} }} }}"""
DRAFT_REVOCATION_OF_ALL = f"""mutation ($patientId: ID!) {{ draftRevocationOfAll(patientId: $patientId) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
REVOKE_ALL = f"""mutation ($input: SignedInput!) {{ revokeAllConsents(input: $input) {{
  __typename ... on RevokedAll {{ epoch patient {{ id }} }} {REFUSED} }} }}"""

DRAFT_ERASURE = f"""mutation ($patientId: ID!) {{ draftErasure(patientId: $patientId) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
ERASE = f"""mutation ($input: SignedInput!) {{ erasePatient(input: $input) {{
  __typename ... on Erasure {{ subject status begunAt destroyedAt finalAt certificate }} {REFUSED} }} }}"""

VIEWER = "{ viewer { id actor name roles organizations { id } } }"
NODE = f"""query ($id: ID!) {{ node(id: $id) {{ __typename id
  ... on Record {{ content }} ... on Patient {{ subject }} ... on Consent {{ {CONSENT} }} }} }}"""
READ = f"""query ($id: ID!, $purpose: PurposeOfUse! = TREAT) {{ record(id: $id, purpose: $purpose) {{
  __typename ... on Record {{ {RECORD} }} {REFUSED} }} }}"""
PATIENT = "query ($id: ID!) { patient(id: $id) { id subject } }"
RECORDS = f"""query ($id: ID!, $purpose: PurposeOfUse! = TREAT, $filter: RecordFilter, $first: Int! = 50,
  $after: String) {{ patient(id: $id) {{
  records(purpose: $purpose, filter: $filter, first: $first, after: $after) {{
  edges {{ cursor node {{ {RECORD} }} }} {PAGE} }} }} }}"""
CONSENTS = f"""query ($id: ID!, $first: Int! = 50, $after: String) {{ patient(id: $id) {{
  consents(first: $first, after: $after) {{ edges {{ node {{ {CONSENT} }} }} {PAGE} }} }} }}"""
ACCESS_LOG = f"""query ($id: ID!, $first: Int! = 100, $after: String) {{ patient(id: $id) {{
  accessLog(first: $first, after: $after) {{
  edges {{ node {{ at action purpose outcome recordId decisionId actor {{ id name }} anchor {{ status }} }} }}
  {PAGE} }} }} }}"""
SEARCH_LOG = """query ($id: ID!, $filter: AccessFilter!) { patient(id: $id) { accessLog(filter: $filter) {
  edges { node { recordId outcome actor { id } } } } } }"""
RECORD_ADDED = """subscription ($id: ID!, $purpose: PurposeOfUse! = TREAT) {
  recordAdded(patientId: $id, purpose: $purpose) { id version content } }"""
CONSENT_CHANGED = """subscription ($id: ID!) { consentChanged(patientId: $id) { consentId status } }"""

EMERGENCY = """id kind reason state openedAt expiresAt endedAt commitment salt statement transactionHash
  clinician { id name } patient { id } review { verdict note at reviewer { id } }"""
OPEN_EMERGENCY = f"""mutation ($input: OpenEmergencyInput!) {{ openEmergency(input: $input) {{
  __typename ... on Emergency {{ {EMERGENCY} }} {REFUSED} }} }}"""
END_EMERGENCY = f"""mutation ($id: ID!) {{ endEmergency(emergencyId: $id) {{
  __typename ... on Emergency {{ {EMERGENCY} }} {REFUSED} }} }}"""
REVIEW_EMERGENCY = f"""mutation ($input: ReviewEmergencyInput!) {{ reviewEmergency(input: $input) {{
  __typename ... on Emergency {{ {EMERGENCY} }} {REFUSED} }} }}"""
SHOW_EMERGENCY = f"""query ($id: ID!) {{ emergency(id: $id) {{ __typename ... on Emergency {{ {EMERGENCY}
  accesses {{ at action outcome recordId emergencyId actor {{ id }} }} }} {REFUSED} }} }}"""
EMERGENCY_REPORT = f"""query ($overdueOnly: Boolean! = false, $first: Int! = 50, $after: String) {{
  emergencyReport(overdueOnly: $overdueOnly, first: $first, after: $after) {{
  __typename ... on UnreviewedEmergencyConnection {{
  edges {{ node {{ emergencyId openedAt expiresAt overdue }} }} {PAGE} }} {REFUSED} }} }}"""
EMERGENCIES = f"""query ($id: ID!, $first: Int! = 50, $after: String) {{ patient(id: $id) {{
  emergencies(first: $first, after: $after) {{ edges {{ node {{ {EMERGENCY} }} }} {PAGE} }} }} }}"""
EMERGENCY_OPENED = f"""subscription ($id: ID!) {{ emergencyOpened(patientId: $id) {{ {EMERGENCY} }} }}"""
TOLD = """query ($id: ID!) { patient(id: $id) { accessLog(first: 100) { edges { node {
  at action purpose outcome recordId basis emergencyId actor { id } } } } } }"""

ASKED = """id state reason askedAt expiresAt actions purposes resourceTypes labels notAfter termsHash statement
  asker { id name } grantee { id } patient { id } consent { consentId status }"""
REQUEST_CONSENT = f"""mutation ($input: RequestConsentInput!) {{ requestConsent(input: $input) {{
  __typename ... on ConsentRequest {{ {ASKED} }} {REFUSED} }} }}"""
WITHDRAW_REQUEST = f"""mutation ($id: ID!) {{ withdrawConsentRequest(requestId: $id) {{
  __typename ... on ConsentRequest {{ {ASKED} }} {REFUSED} }} }}"""
DECLINE_REQUEST = f"""mutation ($id: ID!) {{ declineConsentRequest(requestId: $id) {{
  __typename ... on ConsentRequest {{ {ASKED} }} {REFUSED} }} }}"""
DRAFT_REQUESTED = f"""mutation ($id: ID!, $language: Language! = EN) {{
  draftRequestedConsent(requestId: $id, language: $language) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
_BOTH_WAYS = "pageInfo { hasNextPage endCursor hasPreviousPage startCursor }"
SENT_REQUESTS = f"""query ($first: Int = 50, $after: String, $last: Int, $before: String) {{
  sentConsentRequests(first: $first, after: $after, last: $last, before: $before) {{
  edges {{ cursor node {{ {ASKED} }} }} {_BOTH_WAYS} }} }}"""
PATIENTS_REQUESTS = f"""query ($id: ID!, $first: Int = 50, $after: String, $last: Int, $before: String) {{
  patient(id: $id) {{ consentRequests(first: $first, after: $after, last: $last, before: $before) {{
  edges {{ cursor node {{ {ASKED} german: statement(language: DE) }} }} {_BOTH_WAYS} }} }} }}"""
DRAFT_FROM_FHIR = f"""mutation ($patient: ID!, $resource: JSON!) {{
  draftConsentFromFhir(patientId: $patient, resource: $resource) {{
  __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
CONSENT_AS_FHIR = "query ($id: ID!) { patient(id: $id) { consents(first: 1) { edges { node { asFhir } } } } }"
PUBLISH_FORM = f"""mutation ($input: PublishConsentFormInput!) {{ publishConsentForm(input: $input) {{
  __typename ... on ConsentForm {{ formId version title termsHash document publisher {{ id }} }} {REFUSED} }} }}"""
FORM = f"""query ($id: ID!, $version: Int) {{ consentForm(id: $id, version: $version) {{
  __typename ... on ConsentForm {{ version termsHash document texts {{ language text }} }} {REFUSED} }} }}"""
FORMS = """query ($form: ID, $first: Int = 50, $after: String) {
  consentForms(formId: $form, first: $first, after: $after) { edges { cursor node { version termsHash } }
  pageInfo { hasNextPage endCursor } } }"""
SIGNED_FORM = (
    "query ($id: ID!) { patient(id: $id) { consents(first: 1) { edges { node { form { version title } } } } } }"
)

DATASET_PARTS = """__typename ... on Dataset {
  id state edition failed tombstones files { name rows path sha256 } papers { kind anchor { status } } }"""
REQUEST_DATASET = f"""mutation ($input: RequestDatasetInput!) {{
  requestDataset(input: $input) {{ {DATASET_PARTS} {REFUSED} }} }}"""
DRAFT_DATASET_DECISION = f"""mutation ($input: DatasetDecisionInput!) {{
  draftDatasetDecision(input: $input) {{ __typename ... on Draft {{ id typedData }} {REFUSED} }} }}"""
DECIDE_DATASET = f"""mutation ($input: SignedInput!) {{
  decideDataset(input: $input) {{ {DATASET_PARTS} {REFUSED} }} }}"""
DATASET = f"query ($id: ID!) {{ dataset(id: $id) {{ {DATASET_PARTS} }} }}"
