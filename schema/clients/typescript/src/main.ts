// The main job: a registrar lets a patient and a clinician in; the patient stores, consents and revokes; the clinician
// reads and is refused. Arguments: the gateway's URL, and the file with the key of its registrar.
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { Hex } from "viem";
import { answered, Gateway, RefusedError } from "./gateway.js";
import * as operations from "./operations.js";
import { check, factsOf } from "./proof.js";
import { sign, signIn } from "./signing.js";

const [url = "http://127.0.0.1:8000", keyFile = "consentry-data/registrar.key"] = process.argv.slice(2);
const asKey = (text: string): Hex => `0x${text.trim().replace(/^0x/, "")}`;
const pulse = {
  resourceType: "Observation",
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "8867-4", display: "Heart rate" }] },
  effectiveDateTime: "2026-03-14T09:26:00Z",
  valueQuantity: { value: 62, unit: "/min" },
};

// 1. The registrar registers two people and enrols one as a patient.
const registrar = new Gateway(url);
await signIn(registrar, privateKeyToAccount(asKey(await readFile(keyFile, "utf8"))));
const register = async (role: "PATIENT" | "CLINICIAN", name: string) => {
  const account = privateKeyToAccount(generatePrivateKey());
  const input = { key: account.address.toLowerCase() as Hex, roles: [role], name };
  const { id } = answered((await registrar.ask(operations.RegisterActor, { input })).registerActor);
  const gateway = new Gateway(url);
  await signIn(gateway, account);
  return { id, account, gateway };
};
const ada = await register("PATIENT", "Ada");
const grey = await register("CLINICIAN", "Dr. Grey");
const controller = ada.account.address.toLowerCase() as Hex;
const patient = answered((await registrar.ask(operations.EnrolPatient, { input: { controller } })).enrolPatient);

// 2. The patient stores a record. The key makes a repeated call harmless.
const store = async (idempotencyKey: string) => {
  const input = { patientId: patient.id, resource: pulse, idempotencyKey };
  return answered((await ada.gateway.ask(operations.CreateRecord, { input })).createRecord);
};
const stored = await store("pulse-1");

// 3. The patient lets the clinician read for an hour: drafted by the gateway, looked at, signed here.
const notAfter = Math.floor(Date.now() / 1000) + 3600;
const terms = { actions: ["READ" as const], purposes: ["TREAT" as const], labels: [], resourceTypes: [] };
const input = { ...terms, patientId: patient.id, granteeId: grey.id, notAfter: new Date(notAfter * 1000).toISOString() };
const draft = answered((await ada.gateway.ask(operations.DraftConsent, { input })).draftConsent);
const signed = await sign(ada.account, draft, "Consent", { ...terms, subject: patient.subject, effect: 0 });
const consent = answered((await ada.gateway.ask(operations.GrantConsent, { input: signed })).grantConsent);
console.log(consent.statement);

// 4. The clinician waits for records, and one comes.
const arrivals = grey.gateway.watch(operations.RecordAdded, { patientId: patient.id });
const arrival = arrivals.next();
await pause(1000);
await store("pulse-2");
const { value: arrived } = await arrival;
console.log(`arrived: ${arrived?.recordAdded.resourceType}`);
await arrivals.return(undefined);

// 5. The clinician reads, with the gateway's receipt; once it is anchored, the proof is checked against the chain.
const read = async () => answered((await grey.gateway.ask(operations.ReadRecord, { id: stored.id })).record);
let record = await read();
for (let tries = 0; !record.anchor.proof && tries < 60; tries++, record = await read()) await pause(500);
console.log(`receipt: ${record.receipt.purpose} under the consent: ${record.receipt.consentId === consent.consentId}`);
const facts = await factsOf(url);
console.log(`proof: ${await check(record, facts, facts.rpc)}`);

// 6. The patient revokes. From then on the clinician is refused.
const { consentId } = consent;
const withdrawal = answered((await ada.gateway.ask(operations.DraftRevocation, { patientId: patient.id, consentId })).draftRevocation);
const revocation = await sign(ada.account, withdrawal, "Revocation", { subject: patient.subject, consentId });
const revoked = answered((await ada.gateway.ask(operations.RevokeConsent, { input: revocation })).revokeConsent);
console.log(`consent: ${revoked.status}`);
try {
  await read();
  process.exitCode = 1;
} catch (error) {
  if (!(error instanceof RefusedError)) throw error;
  console.log(`refused: ${error.code}`);
}
