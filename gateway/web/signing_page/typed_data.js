// EIP-712, for the texts of this gateway alone. The types are written here, never taken from who asks: the digest is of
// what this page understood and shows, so one text cannot be shown and another signed.
import { keccak_256 } from "./noble/sha3.js";

const SCOPE = [
  ["grantee", "bytes32"], ["actions", "string[]"], ["purposes", "string[]"], ["resourceTypes", "string[]"],
  ["codes", "string[]"], ["labels", "string[]"], ["authors", "bytes32[]"], ["records", "bytes16[]"],
  ["dataFrom", "string"], ["dataTo", "string"], ["dataUse", "string[]"], ["context", "string"],
  ["termsHash", "bytes32"], ["salt", "bytes32"], ["statement", "string"],
];
export const TEXTS = {
  Consent: [["subject", "bytes32"], ["effect", "uint8"], ["scope", "Scope"], ["notBefore", "uint64"],
    ["notAfter", "uint64"], ["epoch", "uint64"]],
  Revocation: [["subject", "bytes32"], ["consentId", "bytes32"]],
  RevokeAll: [["subject", "bytes32"], ["epoch", "uint64"]],
  Credential: [["subject", "bytes32"], ["actor", "bytes32"], ["linked", "bool"], ["nonce", "uint64"]],
};
const STRUCTS = { ...TEXTS, Scope: SCOPE };
const DOMAIN = [["name", "string"], ["version", "string"], ["chainId", "uint256"], ["verifyingContract", "address"]];
const utf8 = new TextEncoder();

export function hex(bytes) {
  return "0x" + Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

export function octets(text, size) {
  if (typeof text !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(text)) throw new Error("not hexadecimal");
  const found = Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
  if (size !== undefined && found.length !== size) throw new Error(`not ${size} bytes`);
  return found;
}

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

export function word(value) {
  let left = BigInt(value);
  if (left < 0n || left >= 1n << 256n) throw new Error("not an unsigned integer");
  const made = new Uint8Array(32);
  for (let at = 31; left > 0n; at -= 1, left >>= 8n) made[at] = Number(left & 255n);
  return made;
}

function integer(value, bits) {
  const right = (typeof value === "number" && Number.isSafeInteger(value)) ||
    (typeof value === "string" && /^(0|[1-9][0-9]*)$/.test(value));
  if (!right || BigInt(value) < 0n || BigInt(value) >> BigInt(bits)) throw new Error("not an unsigned integer");
  return word(value);
}

function encodeType(name) {
  const line = (one) => `${one}(${STRUCTS[one].map(([field, kind]) => `${kind} ${field}`).join(",")})`;
  return line(name) + (STRUCTS[name].some(([, kind]) => kind === "Scope") ? line("Scope") : "");
}

function encodeValue(kind, value) {
  if (kind.endsWith("[]")) {
    if (!Array.isArray(value)) throw new Error("not a list");
    return keccak_256(joined(...value.map((one) => encodeValue(kind.slice(0, -2), one))));
  }
  if (kind === "string") {
    if (typeof value !== "string" || !value.isWellFormed()) throw new Error("not text");
    return keccak_256(utf8.encode(value));
  }
  if (kind === "bool") {
    if (typeof value !== "boolean") throw new Error("not true or false");
    return word(value ? 1 : 0);
  }
  if (kind === "address") return joined(new Uint8Array(12), octets(value, 20));
  if (kind.startsWith("uint")) return integer(value, Number(kind.slice(4)));
  if (kind.startsWith("bytes")) {
    const size = Number(kind.slice(5));
    return joined(octets(value, size), new Uint8Array(32 - size));
  }
  return hashStruct(kind, value);
}

function encodeMembers(fields, value) {
  const names = fields.map(([name]) => name);
  if (value === null || typeof value !== "object" || Object.keys(value).length !== names.length ||
    !names.every((name) => Object.hasOwn(value, name))) throw new Error("members are missing, or there are others");
  return joined(...fields.map(([name, kind]) => encodeValue(kind, value[name])));
}

function hashStruct(name, value) {
  return keccak_256(joined(keccak_256(utf8.encode(encodeType(name))), encodeMembers(STRUCTS[name], value)));
}

// A plain copy, checked: what is shown and what is hashed are this one object, which nobody else holds.
export function understood(asked) {
  const text = JSON.parse(JSON.stringify(asked));
  if (!Object.hasOwn(TEXTS, text.primaryType)) throw new Error("this page does not know texts of this kind");
  if (text.domain?.name !== "Consentry" || text.domain?.version !== "1") throw new Error("not a text of Consentry");
  return { primaryType: text.primaryType, domain: text.domain, message: text.message };
}

export function digestOf(text) {
  const typed = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
  const domain = keccak_256(joined(keccak_256(utf8.encode(typed)), encodeMembers(DOMAIN, text.domain)));
  return keccak_256(joined(Uint8Array.of(0x19, 0x01), domain, hashStruct(text.primaryType, text.message)));
}
