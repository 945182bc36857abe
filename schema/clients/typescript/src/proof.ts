// Checks a record as anybody can, without the gateway: the answer becomes a proof file, and the verifier (of
// anchoring/verifier, with @openzeppelin/merkle-tree) holds it against the chain.
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ReadRecordQuery } from "./gql/graphql.js";

type Read = Extract<ReadRecordQuery["record"], { __typename: "Record" }>;
type Facts = { chainId: number; genesis: string; gateway: string; rpc: string; contracts: Deployed; codes: Deployed };
type Deployed = { identity: string; consent: string; anchor: string };

const three = ({ identity, consent, anchor }: Deployed): Deployed => ({ identity, consent, anchor });

// `facts` and `rpc` should come from somebody else than the gateway; on a developer's machine it is the one to ask.
export async function check({ id, version, content, contentSalt, cid, anchor, receipt }: Read, facts: Facts, rpc: string): Promise<string> {
  const { payload, signer, signature } = receipt;
  const { chainId, genesis, gateway } = facts;
  const file = {
    format: "consentry-proof/1",
    deployment: { chainId, genesis, gateway, contracts: three(facts.contracts), codes: three(facts.codes) },
    record: { id, version, content, contentSalt, cid, anchor: { proof: anchor.proof }, receipt: { payload, signer, signature } },
  };
  const path = join(await mkdtemp(join(tmpdir(), "proof-")), "proof.json");
  await writeFile(path, JSON.stringify(file));
  const verifier = fileURLToPath(import.meta.resolve("consentry-verify/verify.mjs"));
  const { stdout } = await promisify(execFile)(process.execPath, [verifier, path, rpc]);
  return stdout.trim();
}

export const factsOf = async (url: string): Promise<Facts> =>
  (await (await fetch(`${url}/.well-known/consentry`)).json()) as Facts;
