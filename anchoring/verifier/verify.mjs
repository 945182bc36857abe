// Checks the record and the receipt of a proof file (its form: verify.py) against any RPC endpoint of the chain.
//   npm ci --ignore-scripts && node verify.mjs PROOF.json RPC-URL
// Exit code 0: all holds; 1: refused, or not checked. Audit entries and periods are for verify.py to check.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { keccak256 } from "ethereum-cryptography/keccak.js";

const LEAF = ["bytes16", "uint32", "bytes32", "bytes32", "bytes32"];
const CONTRACTS = ["identity", "consent", "anchor"];
const demand = (holds, otherwise) => { if (!holds) throw new Error(otherwise); };
const bytes = (hex) => {
  demand(/^0x([0-9a-f]{2})*$/.test(hex), "not octets: 0x and lower-case hexadecimal digits");
  return Buffer.from(hex.slice(2), "hex");
};
const hash = (data) => "0x" + Buffer.from(keccak256(data)).toString("hex");
const sha256 = (...parts) => "0x" + createHash("sha256").update(Buffer.concat(parts)).digest("hex");
const topic = (signature) => hash(Buffer.from(signature));
const same = (one, other) => String(one).toLowerCase() === String(other).toLowerCase();

// RFC 8785 is what JSON.stringify writes, with keys sorted: JavaScript's own order of strings is the one it asks for.
const canonical = (value) => Array.isArray(value) ? `[${value.map(canonical).join(",")}]`
  : value !== null && typeof value === "object"
    ? `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`
    : JSON.stringify(value);
const exactly = (value, names) => {
  demand(value !== null && typeof value === "object", `no object with ${names}`);
  demand(canonical(Object.keys(value).sort()) === canonical([...names].sort()), `other members than ${names}`);
};
const base32 = (data) => {
  let text = "", bits = 0, held = 0;
  for (const octet of data) for (held = (held << 8) | octet, bits += 8; bits >= 5; bits -= 5, held &= (1 << bits) - 1)
    text += "abcdefghijklmnopqrstuvwxyz234567"[held >> (bits - 5)];
  return bits ? text + "abcdefghijklmnopqrstuvwxyz234567"[held << (5 - bits)] : text;
};

const [file, rpc] = process.argv.slice(2);
const ask = async (method, ...params) => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await (await fetch(rpc, { method: "POST", body, headers: { "content-type": "application/json" } })).json();
  demand("result" in answer, `the RPC endpoint refuses ${method}`);
  return answer.result;
};
const call = async (to, signature, ...words) =>
  ask("eth_call", { to, data: topic(signature).slice(0, 10) + words.map((word) => word.slice(2)).join("") }, "latest");
const number = async (...asked) => Number(BigInt((await call(...asked)).slice(0, 66)));

async function checkDeployment({ chainId, genesis, contracts, codes }) {
  demand(BigInt(await ask("eth_chainId")) === BigInt(chainId), "another chain");
  demand((await ask("eth_getBlockByNumber", "0x0", false)).hash === genesis, "another genesis block");
  for (const name of CONTRACTS)
    demand(hash(bytes(await ask("eth_getCode", contracts[name], "latest"))) === codes[name], `other code: ${name}`);
  for (const name of ["consent", "anchor"])
    demand(same((await call(contracts[name], "identity()")).slice(-40), contracts.identity.slice(2)), `other ${name}`);
}

async function checkRecord({ id, version, content, contentSalt, cid, anchor, receipt }, known) {
  const { log, leafEncoding, leafValues, path, root, chainId, contract, transactionHash, blockNumber } = anchor.proof;
  demand(canonical(leafEncoding) === canonical(LEAF), "not a record's leaf");
  demand(StandardMerkleTree.verify(root, LEAF, leafValues, path), "the path does not lead to the root");
  demand(sha256(Buffer.from([1]), bytes(contentSalt), Buffer.from(canonical(content))) === leafValues[3], "other content");
  demand(id === Buffer.concat([Buffer.from("Record:"), bytes(leafValues[0])]).toString("base64url"), "another record");
  demand(version === Number(leafValues[1]), "another version");
  demand([0x55, 0x70].some((codec) => cid === "b" + base32([1, codec, 18, 32, ...bytes(leafValues[2])])), "another CID");
  demand(chainId === known.chainId && contract === known.contracts.anchor, "another chain or contract");
  demand(blockNumber > 0 && await number(contract, "anchoredAt(bytes32,bytes32)", log, root) === blockNumber, "no such root");
  const opened = [topic("LogOpened(bytes32,bytes32,bytes32,bytes32,address)"), log, known.gateway];
  const [first] = await ask("eth_getLogs", { address: contract, topics: opened, fromBlock: "0x0", toBlock: "latest" });
  demand(first?.data.startsWith("0x" + Buffer.from("records").toString("hex").padEnd(64, "0")), "another gateway's log");
  const sent = await ask("eth_getTransactionReceipt", transactionHash);
  demand(sent?.logs.some((one) => same(one.address, contract) && one.topics[1] === log && one.data.startsWith(root)
    && Number(one.blockNumber) === blockNumber), "another transaction");
  const { signer, signature, payload } = receipt, said = JSON.parse(payload), { identity, consent } = known.contracts;
  const key = createPublicKey({ format: "der", type: "spki", key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), bytes(signer)]) });
  demand(verify(null, Buffer.from(payload), key, bytes(signature)) && canonical(said) === payload, "the receipt is not signed");
  const since = await number(identity, "receiptKeySince(bytes32,bytes32)", known.gateway, hash(bytes(signer)));
  const until = await number(identity, "receiptKeyUntil(bytes32,bytes32)", known.gateway, hash(bytes(signer)));
  demand(since && since <= said.asOfBlock && (!until || said.asOfBlock <= until), "the signer is not the gateway's");
  const block = await ask("eth_getBlockByNumber", "0x" + said.asOfBlock.toString(16), false);
  demand(block?.hash === said.blockHash && same(said.registry, consent) && said.chainId === chainId
    && said.gateway === known.gateway, "a receipt of another chain or gateway");
  demand(said.record === leafValues[0] && said.version === version && said.cid === cid
    && said.contentCommitment === leafValues[3] && said.factsCommitment === leafValues[4], "another record's receipt");
}

try {
  const proof = JSON.parse(readFileSync(file, "utf8"));
  exactly(proof, Object.keys(proof).filter((name) => name === "auditEntry").concat("format", "deployment", "record"));
  demand(proof.format === "consentry-proof/1", "another format");
  exactly(proof.record, ["id", "version", "content", "contentSalt", "cid", "anchor", "receipt"]);
  await checkDeployment(proof.deployment);
  await checkRecord(proof.record, proof.deployment);
  console.log("ALL HOLDS");
} catch (error) {
  console.error(`REFUSED: ${error.message}`);
  process.exitCode = 1;
}
