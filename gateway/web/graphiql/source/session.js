// Who is signed in here. The token lives in this module's memory alone: not in storage, not in a URL, not in a pane.
// Keys stay in the wallet (EIP-1193): a page is no place to type a private key into.
let token;
let drafted;
const listeners = new Set();
const tell = () => listeners.forEach((listener) => listener());
export const subscribe = (listener) => (listeners.add(listener), () => listeners.delete(listener));
export const wallet = () => window.ethereum;
export const draft = () => drafted;

// The headers pane goes first: who writes an authorization there means it.
export const withToken = (headers = {}) => {
  const written = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  return token && !written ? { ...headers, authorization: `Bearer ${token}` } : headers;
};

// The newest text that was drafted for a signature, in whatever field an answer had it.
export const notice = (answer) => {
  for (const field of Object.values(answer?.data ?? {})) if (field?.typedData?.primaryType) (drafted = field.typedData), tell();
};

async function ask(query, variables, bearer = token) {
  const headers = { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }) };
  const reply = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await reply.json();
  if (errors) throw new Error(errors[0].message);
  const [found] = Object.values(data);
  if (found?.code) throw new Error(`${found.code}: ${found.message}`);
  return found;
}

const account = async () => (await wallet().request({ method: "eth_requestAccounts" }))[0];

// EIP-4361. What is signed names this page's host and the wallet's address, or is not signed.
export async function signIn() {
  const address = await account();
  const challenge = "mutation ($a: Address!) { signInChallenge(address: $a) { ... on SignInChallenge { message } ... on Refusal { code message } } }";
  const { message } = await ask(challenge, { a: address });
  const [first, named] = message.split("\n");
  if (first !== `${window.location.host} wants you to sign in with your Ethereum account:`)
    throw new Error(`not signed: the gateway is at ${first.split(" ")[0]}; open the console there`);
  if (named.toLowerCase() !== address.toLowerCase()) throw new Error("not signed: the message is for another address");
  const octets = "0x" + [...new TextEncoder().encode(message)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
  const signature = await wallet().request({ method: "personal_sign", params: [octets, address] });
  const session = `mutation ($i: SignInInput!) { signIn(input: $i) {
    ... on Session { accessToken expiresAt actor { name roles } } ... on Refusal { code message } } }`;
  const { accessToken, expiresAt, actor } = await ask(session, { i: { message, signature, device: "Console" } });
  return (token = accessToken), { ...actor, expiresAt, own: true };
}

// A token that somebody has already: from another client, or from an identity provider.
export async function useToken(given) {
  const actor = await ask("{ viewer { name roles } }", {}, given);
  if (!actor) throw new Error("no valid token");
  const found = await ask("{ sessions(first: 100) { edges { node { current expiresAt } } } }", {}, given).catch(() => null);
  token = given;
  const own = found?.edges.find(({ node }) => node.current);
  return { ...actor, expiresAt: own?.node.expiresAt, own: Boolean(own) };
}

// Ends the session everywhere, if it is one of the gateway's; here it is forgotten in any case.
export async function signOut(own) {
  const ending = own ? ask("mutation { signOut { ... on EndedSessions { endedAt } ... on Refusal { code message } } }", {}) : null;
  token = drafted = undefined;
  await ending;
}
export const forget = () => { token = drafted = undefined; };

// eth_signTypedData_v4 over the newest draft. The wallet shows what it says.
export async function signDraft() {
  const typedData = drafted;
  const signature = await wallet().request({ method: "eth_signTypedData_v4", params: [await account(), JSON.stringify(typedData)] });
  drafted = undefined;
  return { kind: typedData.primaryType, input: { typedData, signature } };
}

