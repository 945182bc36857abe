// What this app asks. Their types are generated from the schema (src/gql): `npm run generate`.
import { graphql } from "./gql/index.js";

export const SignInChallenge = graphql(`
  mutation SignInChallenge($address: Address!) {
    signInChallenge(address: $address) {
      __typename
      ... on SignInChallenge { message }
      ... on Refusal { code message field }
    }
  }
`);

export const SignIn = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      __typename
      ... on Session { accessToken expiresAt actor { id name } }
      ... on Refusal { code message field }
    }
  }
`);

export const RegisterActor = graphql(`
  mutation RegisterActor($input: RegisterActorInput!) {
    registerActor(input: $input) {
      __typename
      ... on Actor { id name }
      ... on Refusal { code message field }
    }
  }
`);

export const EnrolPatient = graphql(`
  mutation EnrolPatient($input: EnrolPatientInput!) {
    enrolPatient(input: $input) {
      __typename
      ... on Patient { id subject }
      ... on Refusal { code message field }
    }
  }
`);

export const CreateRecord = graphql(`
  mutation CreateRecord($input: CreateRecordInput!) {
    createRecord(input: $input) {
      __typename
      ... on StoredRecord { id version }
      ... on Refusal { code message field }
    }
  }
`);

export const DraftConsent = graphql(`
  mutation DraftConsent($input: ConsentInput!) {
    draftConsent(input: $input) {
      __typename
      ... on Draft { id typedData }
      ... on Refusal { code message field }
    }
  }
`);

export const GrantConsent = graphql(`
  mutation GrantConsent($input: SignedInput!) {
    grantConsent(input: $input) {
      __typename
      ... on Consent { consentId status statement }
      ... on Refusal { code message field }
    }
  }
`);

export const DraftRevocation = graphql(`
  mutation DraftRevocation($patientId: ID!, $consentId: Hex!) {
    draftRevocation(patientId: $patientId, consentId: $consentId) {
      __typename
      ... on Draft { id typedData }
      ... on Refusal { code message field }
    }
  }
`);

export const RevokeConsent = graphql(`
  mutation RevokeConsent($input: SignedInput!) {
    revokeConsent(input: $input) {
      __typename
      ... on Consent { consentId status }
      ... on Refusal { code message field }
    }
  }
`);

// As many members as a proof is made of.
export const ReadRecord = graphql(`
  query ReadRecord($id: ID!) {
    record(id: $id, purpose: TREAT) {
      __typename
      ... on Record {
        id
        version
        content
        contentSalt
        cid
        author { name }
        receipt { decisionId consentId purpose asOfBlock payload signer signature }
        anchor {
          status
          proof { log leafEncoding leafValues path root chainId contract transactionHash blockNumber }
        }
      }
      ... on Refusal { code message field }
    }
  }
`);

export const RecordAdded = graphql(`
  subscription RecordAdded($patientId: ID!, $since: DateTime) {
    recordAdded(patientId: $patientId, since: $since) { id version resourceType recordedAt }
  }
`);
