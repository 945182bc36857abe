from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Optional, Union

from consentry_client.scalars import write_instant

from .access_log import AccessLog
from .add_member import AddMember
from .amend_record import AmendRecord
from .async_base_client import AsyncBaseClient
from .base_model import UNSET, UnsetType
from .consent_changed import ConsentChanged
from .consents import Consents
from .create_record import CreateRecord
from .draft_consent import DraftConsent
from .draft_membership import DraftMembership
from .draft_revocation import DraftRevocation
from .draft_revocation_of_all import DraftRevocationOfAll
from .enrol_patient import EnrolPatient
from .enums import PurposeOfUse
from .grant_consent import GrantConsent
from .import_bundle import ImportBundle
from .input_types import (
    AccessFilter,
    AmendRecordInput,
    ConsentInput,
    CreateRecordInput,
    EnrolPatientInput,
    ImportBundleInput,
    MembershipInput,
    RecordFilter,
    RegisterActorInput,
    SignedInput,
    SignInInput,
)
from .record import Record
from .record_added import RecordAdded
from .records import Records
from .refresh_session import RefreshSession
from .register_actor import RegisterActor
from .revoke_all_consents import RevokeAllConsents
from .revoke_consent import RevokeConsent
from .sign_in import SignIn
from .sign_in_challenge import SignInChallenge
from .sign_out import SignOut
from .timeline import Timeline
from .viewer import Viewer


def gql(q: str) -> str:
    return q


class Operations(AsyncBaseClient):
    async def sign_in_challenge(self, address: str, **kwargs: Any) -> SignInChallenge:
        query = gql("""
            mutation SignInChallenge($address: Address!) {
              signInChallenge(address: $address) {
                __typename
                ... on SignInChallenge {
                  message
                  expiresAt
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"address": address}
        response = await self.execute(
            query=query, operation_name="SignInChallenge", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return SignInChallenge.model_validate(data)

    async def sign_in(self, input: SignInInput, **kwargs: Any) -> SignIn:
        query = gql("""
            mutation SignIn($input: SignInInput!) {
              signIn(input: $input) {
                __typename
                ... on Session {
                  ...SessionFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment SessionFields on Session {
              sessionId
              accessToken
              expiresAt
              endsAt
              actor {
                ...ActorFields
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="SignIn", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return SignIn.model_validate(data)

    async def refresh_session(self, **kwargs: Any) -> RefreshSession:
        query = gql("""
            mutation RefreshSession {
              refreshSession {
                __typename
                ... on Session {
                  ...SessionFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment SessionFields on Session {
              sessionId
              accessToken
              expiresAt
              endsAt
              actor {
                ...ActorFields
              }
            }
            """)
        variables: dict[str, object] = {}
        response = await self.execute(
            query=query, operation_name="RefreshSession", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return RefreshSession.model_validate(data)

    async def sign_out(self, **kwargs: Any) -> SignOut:
        query = gql("""
            mutation SignOut {
              signOut {
                __typename
                ... on EndedSessions {
                  ...EndedSessionsFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment EndedSessionsFields on EndedSessions {
              endedAt
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {}
        response = await self.execute(
            query=query, operation_name="SignOut", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return SignOut.model_validate(data)

    async def viewer(self, **kwargs: Any) -> Viewer:
        query = gql("""
            query Viewer {
              viewer {
                ...ActorFields
                organizations {
                  ...ActorFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }
            """)
        variables: dict[str, object] = {}
        response = await self.execute(
            query=query, operation_name="Viewer", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Viewer.model_validate(data)

    async def register_actor(
        self, input: RegisterActorInput, **kwargs: Any
    ) -> RegisterActor:
        query = gql("""
            mutation RegisterActor($input: RegisterActorInput!) {
              registerActor(input: $input) {
                __typename
                ... on Actor {
                  ...ActorFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="RegisterActor", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return RegisterActor.model_validate(data)

    async def enrol_patient(
        self, input: EnrolPatientInput, **kwargs: Any
    ) -> EnrolPatient:
        query = gql("""
            mutation EnrolPatient($input: EnrolPatientInput!) {
              enrolPatient(input: $input) {
                __typename
                ... on Patient {
                  ...PatientFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment PatientFields on Patient {
              id
              subject
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="EnrolPatient", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return EnrolPatient.model_validate(data)

    async def draft_membership(
        self, input: MembershipInput, **kwargs: Any
    ) -> DraftMembership:
        query = gql("""
            mutation DraftMembership($input: MembershipInput!) {
              draftMembership(input: $input) {
                __typename
                ... on Draft {
                  ...DraftFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment DraftFields on Draft {
              id
              typedData
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="DraftMembership", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DraftMembership.model_validate(data)

    async def add_member(self, input: SignedInput, **kwargs: Any) -> AddMember:
        query = gql("""
            mutation AddMember($input: SignedInput!) {
              addMember(input: $input) {
                __typename
                ... on Actor {
                  ...ActorFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="AddMember", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AddMember.model_validate(data)

    async def create_record(
        self, input: CreateRecordInput, **kwargs: Any
    ) -> CreateRecord:
        query = gql("""
            mutation CreateRecord($input: CreateRecordInput!) {
              createRecord(input: $input) {
                __typename
                ... on StoredRecord {
                  ...StoredRecordFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment StoredRecordFields on StoredRecord {
              id
              version
              cid
              anchor {
                status
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="CreateRecord", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return CreateRecord.model_validate(data)

    async def amend_record(self, input: AmendRecordInput, **kwargs: Any) -> AmendRecord:
        query = gql("""
            mutation AmendRecord($input: AmendRecordInput!) {
              amendRecord(input: $input) {
                __typename
                ... on StoredRecord {
                  ...StoredRecordFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment StoredRecordFields on StoredRecord {
              id
              version
              cid
              anchor {
                status
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="AmendRecord", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AmendRecord.model_validate(data)

    async def import_bundle(
        self, input: ImportBundleInput, **kwargs: Any
    ) -> ImportBundle:
        query = gql("""
            mutation ImportBundle($input: ImportBundleInput!) {
              importBundle(input: $input) {
                __typename
                ... on ImportedBundle {
                  ...ImportedBundleFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ImportedBundleFields on ImportedBundle {
              records {
                ...StoredRecordFields
              }
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment StoredRecordFields on StoredRecord {
              id
              version
              cid
              anchor {
                status
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="ImportBundle", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return ImportBundle.model_validate(data)

    async def record(self, id: str, purpose: PurposeOfUse, **kwargs: Any) -> Record:
        query = gql("""
            query Record($id: ID!, $purpose: PurposeOfUse!) {
              record(id: $id, purpose: $purpose) {
                __typename
                ... on Record {
                  ...RecordFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment AnchorFields on Anchor {
              status
              proof {
                log
                leafEncoding
                leafValues
                path
                root
                chainId
                contract
                transactionHash
                blockNumber
              }
            }

            fragment ReceiptFields on DecisionReceipt {
              decisionId
              consentId
              basis
              purpose
              asOfBlock
              decidedAt
              obligations
              payload
              signer
              signature
            }

            fragment RecordFields on Record {
              id
              version
              resourceType
              labels
              recordedAt
              content
              contentSalt
              cid
              patient {
                id
              }
              author {
                ...ActorFields
              }
              anchor {
                ...AnchorFields
              }
              receipt {
                ...ReceiptFields
              }
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"id": id, "purpose": purpose}
        response = await self.execute(
            query=query, operation_name="Record", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Record.model_validate(data)

    async def records(
        self,
        patient: str,
        purpose: PurposeOfUse,
        first: int,
        filter_: Union[Optional[RecordFilter], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Records:
        query = gql("""
            query Records($patient: ID!, $purpose: PurposeOfUse!, $filter: RecordFilter, $first: Int!, $after: String) {
              patient(id: $patient) {
                records(purpose: $purpose, filter: $filter, first: $first, after: $after) {
                  edges {
                    node {
                      ...RecordFields
                    }
                  }
                  pageInfo {
                    ...PageFields
                  }
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment AnchorFields on Anchor {
              status
              proof {
                log
                leafEncoding
                leafValues
                path
                root
                chainId
                contract
                transactionHash
                blockNumber
              }
            }

            fragment PageFields on PageInfo {
              hasNextPage
              endCursor
            }

            fragment ReceiptFields on DecisionReceipt {
              decisionId
              consentId
              basis
              purpose
              asOfBlock
              decidedAt
              obligations
              payload
              signer
              signature
            }

            fragment RecordFields on Record {
              id
              version
              resourceType
              labels
              recordedAt
              content
              contentSalt
              cid
              patient {
                id
              }
              author {
                ...ActorFields
              }
              anchor {
                ...AnchorFields
              }
              receipt {
                ...ReceiptFields
              }
            }
            """)
        variables: dict[str, object] = {
            "patient": patient,
            "purpose": purpose,
            "filter": filter_,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="Records", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Records.model_validate(data)

    async def timeline(
        self,
        patient: str,
        purpose: PurposeOfUse,
        first: int,
        filter_: Union[Optional[RecordFilter], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Timeline:
        query = gql("""
            query Timeline($patient: ID!, $purpose: PurposeOfUse!, $filter: RecordFilter, $first: Int!, $after: String) {
              patient(id: $patient) {
                timeline(purpose: $purpose, filter: $filter, first: $first, after: $after) {
                  edges {
                    node {
                      ...RecordFields
                    }
                  }
                  pageInfo {
                    ...PageFields
                  }
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment AnchorFields on Anchor {
              status
              proof {
                log
                leafEncoding
                leafValues
                path
                root
                chainId
                contract
                transactionHash
                blockNumber
              }
            }

            fragment PageFields on PageInfo {
              hasNextPage
              endCursor
            }

            fragment ReceiptFields on DecisionReceipt {
              decisionId
              consentId
              basis
              purpose
              asOfBlock
              decidedAt
              obligations
              payload
              signer
              signature
            }

            fragment RecordFields on Record {
              id
              version
              resourceType
              labels
              recordedAt
              content
              contentSalt
              cid
              patient {
                id
              }
              author {
                ...ActorFields
              }
              anchor {
                ...AnchorFields
              }
              receipt {
                ...ReceiptFields
              }
            }
            """)
        variables: dict[str, object] = {
            "patient": patient,
            "purpose": purpose,
            "filter": filter_,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="Timeline", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Timeline.model_validate(data)

    async def draft_consent(self, input: ConsentInput, **kwargs: Any) -> DraftConsent:
        query = gql("""
            mutation DraftConsent($input: ConsentInput!) {
              draftConsent(input: $input) {
                __typename
                ... on Draft {
                  ...DraftFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment DraftFields on Draft {
              id
              typedData
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="DraftConsent", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DraftConsent.model_validate(data)

    async def grant_consent(self, input: SignedInput, **kwargs: Any) -> GrantConsent:
        query = gql("""
            mutation GrantConsent($input: SignedInput!) {
              grantConsent(input: $input) {
                __typename
                ... on Consent {
                  ...ConsentFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment ConsentFields on Consent {
              id
              consentId
              status
              effect
              grantee {
                ...ActorFields
              }
              actions
              purposes
              resourceTypes
              codes
              labels
              dataFrom
              dataTo
              dataUse
              notBefore
              notAfter
              termsHash
              statement
              signer
              transactionHash
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="GrantConsent", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return GrantConsent.model_validate(data)

    async def draft_revocation(
        self, patient: str, consent_id: str, **kwargs: Any
    ) -> DraftRevocation:
        query = gql("""
            mutation DraftRevocation($patient: ID!, $consentId: Hex!) {
              draftRevocation(patientId: $patient, consentId: $consentId) {
                __typename
                ... on Draft {
                  ...DraftFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment DraftFields on Draft {
              id
              typedData
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"patient": patient, "consentId": consent_id}
        response = await self.execute(
            query=query, operation_name="DraftRevocation", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DraftRevocation.model_validate(data)

    async def revoke_consent(self, input: SignedInput, **kwargs: Any) -> RevokeConsent:
        query = gql("""
            mutation RevokeConsent($input: SignedInput!) {
              revokeConsent(input: $input) {
                __typename
                ... on Consent {
                  ...ConsentFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment ConsentFields on Consent {
              id
              consentId
              status
              effect
              grantee {
                ...ActorFields
              }
              actions
              purposes
              resourceTypes
              codes
              labels
              dataFrom
              dataTo
              dataUse
              notBefore
              notAfter
              termsHash
              statement
              signer
              transactionHash
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="RevokeConsent", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return RevokeConsent.model_validate(data)

    async def draft_revocation_of_all(
        self, patient: str, **kwargs: Any
    ) -> DraftRevocationOfAll:
        query = gql("""
            mutation DraftRevocationOfAll($patient: ID!) {
              draftRevocationOfAll(patientId: $patient) {
                __typename
                ... on Draft {
                  ...DraftFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment DraftFields on Draft {
              id
              typedData
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }
            """)
        variables: dict[str, object] = {"patient": patient}
        response = await self.execute(
            query=query,
            operation_name="DraftRevocationOfAll",
            variables=variables,
            **kwargs,
        )
        data = self.get_data(response)
        return DraftRevocationOfAll.model_validate(data)

    async def revoke_all_consents(
        self, input: SignedInput, **kwargs: Any
    ) -> RevokeAllConsents:
        query = gql("""
            mutation RevokeAllConsents($input: SignedInput!) {
              revokeAllConsents(input: $input) {
                __typename
                ... on RevokedAll {
                  ...RevokedAllFields
                }
                ... on Refusal {
                  ...RefusalFields
                }
              }
            }

            fragment PatientFields on Patient {
              id
              subject
            }

            fragment RefusalFields on Refusal {
              code
              message
              field
              decisionId
              correlationId
            }

            fragment RevokedAllFields on RevokedAll {
              epoch
              patient {
                ...PatientFields
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query,
            operation_name="RevokeAllConsents",
            variables=variables,
            **kwargs,
        )
        data = self.get_data(response)
        return RevokeAllConsents.model_validate(data)

    async def consents(
        self,
        patient: str,
        first: int,
        after: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Consents:
        query = gql("""
            query Consents($patient: ID!, $first: Int!, $after: String) {
              patient(id: $patient) {
                consents(first: $first, after: $after) {
                  edges {
                    node {
                      ...ConsentFields
                    }
                  }
                  pageInfo {
                    ...PageFields
                  }
                }
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment ConsentFields on Consent {
              id
              consentId
              status
              effect
              grantee {
                ...ActorFields
              }
              actions
              purposes
              resourceTypes
              codes
              labels
              dataFrom
              dataTo
              dataUse
              notBefore
              notAfter
              termsHash
              statement
              signer
              transactionHash
            }

            fragment PageFields on PageInfo {
              hasNextPage
              endCursor
            }
            """)
        variables: dict[str, object] = {
            "patient": patient,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="Consents", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Consents.model_validate(data)

    async def access_log(
        self,
        patient: str,
        first: int,
        filter_: Union[Optional[AccessFilter], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> AccessLog:
        query = gql("""
            query AccessLog($patient: ID!, $filter: AccessFilter, $first: Int!, $after: String) {
              patient(id: $patient) {
                accessLog(filter: $filter, first: $first, after: $after) {
                  edges {
                    node {
                      ...AccessEventFields
                    }
                  }
                  pageInfo {
                    ...PageFields
                  }
                }
              }
            }

            fragment AccessEventFields on AccessEvent {
              id
              at
              action
              purpose
              outcome
              recordId
              decisionId
              basis
              emergencyId
              datasetId
              actor {
                ...ActorFields
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment PageFields on PageInfo {
              hasNextPage
              endCursor
            }
            """)
        variables: dict[str, object] = {
            "patient": patient,
            "filter": filter_,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="AccessLog", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AccessLog.model_validate(data)

    async def record_added(
        self,
        patient: str,
        purpose: PurposeOfUse,
        since: Union[Optional[datetime], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> AsyncIterator[RecordAdded]:
        query = gql("""
            subscription RecordAdded($patient: ID!, $purpose: PurposeOfUse!, $since: DateTime) {
              recordAdded(patientId: $patient, purpose: $purpose, since: $since) {
                ...RecordFields
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment AnchorFields on Anchor {
              status
              proof {
                log
                leafEncoding
                leafValues
                path
                root
                chainId
                contract
                transactionHash
                blockNumber
              }
            }

            fragment ReceiptFields on DecisionReceipt {
              decisionId
              consentId
              basis
              purpose
              asOfBlock
              decidedAt
              obligations
              payload
              signer
              signature
            }

            fragment RecordFields on Record {
              id
              version
              resourceType
              labels
              recordedAt
              content
              contentSalt
              cid
              patient {
                id
              }
              author {
                ...ActorFields
              }
              anchor {
                ...AnchorFields
              }
              receipt {
                ...ReceiptFields
              }
            }
            """)
        variables: dict[str, object] = {
            "patient": patient,
            "purpose": purpose,
            "since": write_instant(since),
        }
        async for data in self.execute_ws(
            query=query, operation_name="RecordAdded", variables=variables, **kwargs
        ):
            yield RecordAdded.model_validate(data)

    async def consent_changed(
        self, patient: str, **kwargs: Any
    ) -> AsyncIterator[ConsentChanged]:
        query = gql("""
            subscription ConsentChanged($patient: ID!) {
              consentChanged(patientId: $patient) {
                ...ConsentFields
              }
            }

            fragment ActorFields on Actor {
              id
              actor
              address
              roles
              name
            }

            fragment ConsentFields on Consent {
              id
              consentId
              status
              effect
              grantee {
                ...ActorFields
              }
              actions
              purposes
              resourceTypes
              codes
              labels
              dataFrom
              dataTo
              dataUse
              notBefore
              notAfter
              termsHash
              statement
              signer
              transactionHash
            }
            """)
        variables: dict[str, object] = {"patient": patient}
        async for data in self.execute_ws(
            query=query, operation_name="ConsentChanged", variables=variables, **kwargs
        ):
            yield ConsentChanged.model_validate(data)
