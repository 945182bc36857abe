// Writes vectors.json: trees as OpenZeppelin's own JavaScript library dumps them.
//   npm install @openzeppelin/merkle-tree@1.0.8 && node generate.mjs > vectors.json
// Values come from SHA-256 of a counter, so the file is the same each time.
import { createHash } from "node:crypto";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const LOGS = {
  records: ["bytes16", "uint32", "bytes32", "bytes32", "bytes32"],
  audit: ["bytes32", "uint64", "bytes32"],
};
const take = (type, seed) => {
  const digest = createHash("sha256").update(seed).digest();
  if (type.startsWith("bytes")) return "0x" + digest.subarray(0, Number(type.slice(5))).toString("hex");
  return BigInt("0x" + digest.subarray(0, Number(type.slice(4)) / 8).toString("hex")).toString();
};
const vectors = [];
for (const [log, encoding] of Object.entries(LOGS)) {
  for (const count of [1, 2, 3, 5, 8, 13, 33]) {
    const values = Array.from({ length: count }, (_, row) =>
      encoding.map((type, column) => take(type, `${log}/${count}/${row}/${column}`)));
    const tree = StandardMerkleTree.of(values, encoding);
    const dump = tree.dump();
    vectors.push({ log, encoding, root: tree.root, tree: dump.tree, values: dump.values,
      proofs: values.map((_, row) => tree.getProof(row)) });
  }
}
process.stdout.write(JSON.stringify({ source: "@openzeppelin/merkle-tree 1.0.8", vectors }, null, 1) + "\n");
