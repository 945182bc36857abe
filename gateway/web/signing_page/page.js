// Signs one text at a time with a passkey of this page's own host. Who may ask is a list that the gateway wrote into the
// page; what is shown is made here of the very object that is hashed.
import { digestOf, hex, joined, octets, understood, word } from "./typed_data.js";

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const TITLES = {
  Consent: "A consent", Revocation: "The end of a consent", RevokeAll: "The end of all that you permitted",
  Credential: "By whom you sign in",
};
const openers = document.querySelector('meta[name="openers"]').content.split(" ").filter(Boolean);
const element = (id) => document.getElementById(id);
let busy = false;

function words(text) {
  const message = text.message;
  if (text.primaryType === "Consent") return message.scope.statement;
  if (text.primaryType === "Revocation") return `I end the consent ${message.consentId}.`;
  if (text.primaryType === "RevokeAll") return "I end everything that I permitted to anyone. What I forbade stays forbidden.";
  return message.linked ? `Whoever signs in as ${message.actor} is me: they see all my records.`
    : `Whoever signs in as ${message.actor} is no longer me.`;
}

function shown(name, value) {
  const effects = { 0: "permit", 1: "deny" };
  if (name === "effect") return effects[value] ?? String(value);
  if ((name === "notBefore" || name === "notAfter") && Number(value) < 253402300800) {
    return `${new Date(Number(value) * 1000).toISOString()} (${value})`;
  }
  if (Array.isArray(value)) return value.length ? value.map((one) => JSON.stringify(one)).join(", ") : "none listed";
  return value === "" ? "not said" : String(value);
}

function list(into, value, prefix) {
  for (const [name, one] of Object.entries(value)) {
    if (one !== null && typeof one === "object" && !Array.isArray(one)) { list(into, one, `${prefix}${name}.`); continue; }
    const term = document.createElement("dt");
    const said = document.createElement("dd");
    term.textContent = prefix + name;
    said.textContent = shown(name, one);
    into.append(term, said);
  }
}

function show(text, digest, origin) {
  element("asker").textContent = `${origin} asks you to sign this. Sign only if it says what you want.`;
  element("title").textContent = TITLES[text.primaryType];
  element("statement").textContent = words(text);
  element("terms").replaceChildren();
  list(element("terms"), text.message, "");
  list(element("terms"), text.domain, "for ");
  element("digest").textContent = hex(digest);
  element("text").hidden = false;
}

function fromBase64Url(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

const toBase64Url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function fromDer(der) {
  const number = (at) => {
    if (der[at] !== 2) throw new Error("not a signature");
    return [BigInt(hex(der.slice(at + 2, at + 2 + der[at + 1]))), at + 2 + der[at + 1]];
  };
  const [r, next] = number(2);
  const [s] = number(next);
  return [r, s > ORDER / 2n ? ORDER - s : s]; // the contracts take the low one of the two (P256.sol)
}

function encode(response) {
  const [r, s] = fromDer(new Uint8Array(response.signature));
  const data = new Uint8Array(response.authenticatorData);
  const client = new Uint8Array(response.clientDataJSON);
  const text = new TextDecoder().decode(client);
  const tail = (bytes) => joined(word(bytes.length), bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
  const first = tail(data);
  const head = [r, s, text.indexOf('"challenge"'), text.indexOf('"type"'), 192, 192 + first.length];
  return joined(...head.map(word), first, tail(client));
}

async function sign(digest, credential) {
  const found = await navigator.credentials.get({
    publicKey: {
      challenge: digest, rpId: location.hostname, userVerification: "required",
      allowCredentials: credential ? [{ type: "public-key", id: fromBase64Url(credential) }] : [],
    },
  });
  return { signature: hex(encode(found.response)), digest: hex(digest), credential: toBase64Url(new Uint8Array(found.rawId)) };
}

async function enrol(verifier, name) {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { id: location.hostname, name: "Consentry signatures" },
      user: { id: crypto.getRandomValues(new Uint8Array(32)), name, displayName: name },
      pubKeyCredParams: [{ type: "public-key", alg: -7 }],
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
    },
  });
  const key = new Uint8Array(made.response.getPublicKey()).slice(-64); // SPKI of P-256 ends in x and y
  const signer = hex(joined(octets(verifier, 20), key));
  return { signer, credential: toBase64Url(new Uint8Array(made.rawId)) };
}

function offer(event, label, work) {
  const button = element("act");
  const reply = (answer) => event.source.postMessage({ kind: "consentry/answer", id: event.data.id, ...answer }, event.origin);
  const end = (said) => { busy = false; button.hidden = true; element("outcome").textContent = said; };
  busy = true;
  element("outcome").textContent = "";
  button.textContent = label;
  button.hidden = false;
  button.onclick = async () => {
    button.onclick = null;
    try {
      const made = await work();
      if (made.signer) element("outcome").dataset.signer = made.signer;
      end(made.signer ? `Made. Its signer bytes: ${made.signer}` : "Signed.");
      reply(made);
    } catch (error) {
      end("Nothing was signed.");
      reply({ error: error.name });
    }
  };
}

addEventListener("message", (event) => {
  if (!openers.includes(event.origin) || event.source !== opener) return;
  const asked = event.data;
  if (asked === null || typeof asked !== "object" || busy) return;
  try {
    if (asked.kind === "consentry/sign") {
      const text = understood(asked.typedData);
      const digest = digestOf(text);
      show(text, digest, event.origin);
      offer(event, "Sign this with my passkey", () => sign(digest, asked.credential));
    } else if (asked.kind === "consentry/enrol") {
      octets(asked.verifier, 20);
      element("text").hidden = true;
      element("asker").textContent = `${event.origin} asks you to make a passkey that will sign your consents.`;
      offer(event, "Make a passkey", () => enrol(asked.verifier, String(asked.name ?? "Patient").slice(0, 64)));
    }
  } catch (error) {
    element("text").hidden = true;
    element("outcome").textContent = "What was asked for is no text that this page can show, so it is not signed.";
    event.source.postMessage({ kind: "consentry/answer", id: asked.id, error: "not understood" }, event.origin);
  }
});
for (const origin of openers) opener?.postMessage({ kind: "consentry/ready" }, origin);
