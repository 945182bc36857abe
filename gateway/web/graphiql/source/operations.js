// The first operations of an app, ready to try. What is empty in the variables is the reader's to fill in.
const ANCHOR = "anchor { status proof { root chainId contract transactionHash blockNumber } }";
const REFUSAL = "... on Refusal { code message field decisionId }";
const year = new Date().getUTCFullYear() + 1; // of the day on which the page is opened

const signed = (name, found) => ({
  query: `# Signed by the wallet. In force when it returns.
mutation ${name[0].toUpperCase()}${name.slice(1)}($input: SignedInput!) {
  ${name}(input: $input) {
    ${found}
    ${REFUSAL}
  }
}
`,
});

// By the kind of text that was drafted: what submits it with its signature.
export const SUBMISSIONS = {
  Consent: signed("grantConsent", "... on Consent { consentId status statement grantee { name } }"),
  Revocation: signed("revokeConsent", "... on Consent { consentId status statement }"),
  RevokeAll: signed("revokeAllConsents", "... on RevokedAll { epoch }"),
  Membership: signed("addMember", "... on Actor { id name organizations { id name } }"),
};

export const OPERATIONS = [
  {
    name: "Who am I?",
    query: `# Who am I? Null until you sign in, at the top of this page, by a wallet or with a token that you have.
query Viewer {
  viewer { id actor address name roles organizations { id name } }
}
`,
    variables: {},
  },
  {
    name: "A patient's records",
    query: `# A patient's page: records that the caller may see, consents and access log where they are the caller's own.
query PatientPage($id: ID!, $purpose: PurposeOfUse!, $first: Int!) {
  patient(id: $id) {
    id
    subject
    records(purpose: $purpose, first: $first) {
      edges { node { id version resourceType labels recordedAt author { name } content cid ${ANCHOR} } }
      pageInfo { hasNextPage endCursor }
    }
    consents(first: 10) {
      edges { node { consentId status effect grantee { name } purposes actions statement notAfter } }
    }
    accessLog(first: 10) {
      edges { node { at action purpose outcome actor { name } recordId decisionId } }
    }
  }
}
`,
    variables: { id: "", purpose: "TREAT", first: 10 },
  },
  {
    name: "One record and its proof",
    query: `# One record, with all that proves the answer.
query Record($id: ID!, $purpose: PurposeOfUse!) {
  record(id: $id, purpose: $purpose) {
    ... on Record {
      id version resourceType content contentSalt cid ${ANCHOR}
      receipt { decisionId consentId asOfBlock decidedAt obligations payload signer signature }
    }
    ${REFUSAL}
  }
}
`,
    variables: { id: "", purpose: "TREAT" },
  },
  {
    name: "Store a record",
    query: `# The patient's own, or another's with a consent to WRITE. The key makes a repeated call harmless.
mutation CreateRecord($input: CreateRecordInput!) {
  createRecord(input: $input) {
    ... on StoredRecord { id version cid anchor { status } }
    ${REFUSAL}
  }
}
`,
    variables: {
      input: {
        patientId: "",
        idempotencyKey: "pulse-1",
        resource: {
          resourceType: "Observation",
          status: "final",
          code: { coding: [{ system: "http://loinc.org", code: "8867-4", display: "Heart rate" }] },
          effectiveDateTime: "2026-03-14T09:26:00Z",
          valueQuantity: { value: 62, unit: "/min" },
        },
      },
    },
  },
  {
    name: "Draft a consent",
    query: `# What the patient will sign. Then "Sign the draft", at the top of this page, asks the wallet.
mutation DraftConsent($input: ConsentInput!) {
  draftConsent(input: $input) {
    ... on Draft { id typedData }
    ${REFUSAL}
  }
}
`,
    variables: {
      input: { patientId: "", granteeId: "", purposes: ["TREAT"], actions: ["READ"], notAfter: `${year}-01-01T00:00:00Z` },
    },
  },
  {
    name: "Draft a revocation",
    query: `# The end of a consent. Then "Sign the draft", at the top of this page, asks the wallet.
mutation DraftRevocation($patientId: ID!, $consentId: Hex!) {
  draftRevocation(patientId: $patientId, consentId: $consentId) {
    ... on Draft { id typedData }
    ${REFUSAL}
  }
}
`,
    variables: { patientId: "", consentId: "0x" },
  },
  {
    name: "Records as they arrive",
    query: `# Each is decided afresh. After a broken connection, since: the recordedAt of the last one.
subscription RecordAdded($patientId: ID!) {
  recordAdded(patientId: $patientId) { id resourceType recordedAt }
}
`,
    variables: { patientId: "" },
  },
];
