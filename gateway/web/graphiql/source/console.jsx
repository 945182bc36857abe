// The console: GraphiQL with the first operations of Consentry ready to try. Built into ../console.js and ../console.css.
import React from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import "graphiql/style.css";
import "./console.css";

const ANCHOR = "anchor { status proof { root chainId contract transactionHash blockNumber } }";
const REFUSAL = "... on Refusal { code message field decisionId }";

const OPERATIONS = [
  {
    query: `# 1. Ask for a message to sign with the actor's key (EIP-4361), then send it with signIn (next tab).
mutation SignInChallenge($address: Address!) {
  signInChallenge(address: $address) {
    ... on SignInChallenge { message expiresAt }
    ${REFUSAL}
  }
}
`,
    variables: { address: "0x0000000000000000000000000000000000000000" },
  },
  {
    query: `# 2. The token goes into the Headers pane: { "authorization": "Bearer ..." }
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    ... on Session { accessToken expiresAt actor { id name roles } }
    ${REFUSAL}
  }
}
`,
    variables: { input: { message: "", signature: "0x" } },
  },
  {
    query: `# Who am I? Null without a valid token.
query Viewer {
  viewer { id actor address name roles organizations { id name } }
}
`,
    variables: {},
  },
  {
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
    query: `# What the patient will sign: put typedData into the wallet (eth_signTypedData_v4), then grantConsent.
mutation DraftConsent($input: ConsentInput!) {
  draftConsent(input: $input) {
    ... on Draft { id typedData }
    ${REFUSAL}
  }
}
`,
    variables: {
      input: { patientId: "", granteeId: "", purposes: ["TREAT"], actions: ["READ", "WRITE"], notAfter: "2030-01-01T00:00:00Z" },
    },
  },
  {
    query: `# Records as they arrive, each decided afresh. The token goes into the Headers pane.
subscription RecordAdded($patientId: ID!) {
  recordAdded(patientId: $patientId) { id resourceType recordedAt }
}
`,
    variables: { patientId: "" },
  },
];

const socket = new URL("/graphql", window.location.href);
socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";

// Nothing is kept in the browser: what was typed or answered may be a patient's.
const memory = () => {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };
};

// The toolkit asks for graphql-ws only where it was given none; tokens of the Headers pane go into connection_init.
const fetcher = createGraphiQLFetcher({ url: "/graphql", subscriptionUrl: socket.href });

createRoot(document.getElementById("console")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={memory()}
    shouldPersistHeaders={false}
    defaultTabs={OPERATIONS.map((one) => ({ query: one.query, variables: JSON.stringify(one.variables, null, 2) }))}
  />,
);
