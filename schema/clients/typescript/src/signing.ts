// A person's key (here viem's local account; in a browser the wallet behind it), and what is looked at before it signs.
import { hashTypedData, type Hex, type PrivateKeyAccount, type TypedDataDefinition } from "viem";
import { answered, type Gateway } from "./gateway.js";
import * as operations from "./operations.js";

// EIP-4361. The message must be for the host that we asked, and for our address.
export async function signIn(gateway: Gateway, account: PrivateKeyAccount) {
  const { message } = answered((await gateway.ask(operations.SignInChallenge, { address: account.address })).signInChallenge);
  const [first, address] = message.split("\n");
  const asked = `${new URL(gateway.url).host} wants you to sign in with your Ethereum account:`;
  if (first !== asked || address !== account.address) throw new Error(`not signed: ${first}`);
  const signature = await account.signMessage({ message });
  const session = answered((await gateway.ask(operations.SignIn, { input: { message, signature } })).signIn);
  gateway.token = session.accessToken;
  return session;
}

type Draft = { id: Hex; typedData: unknown };

// EIP-712. `expected`: members of the message, and of its scope, that must be what was asked for.
export async function sign(account: PrivateKeyAccount, draft: Draft, primaryType: string, expected: Record<string, unknown>) {
  const typedData = draft.typedData as TypedDataDefinition & { message: { scope?: object } };
  if (typedData.primaryType !== primaryType) throw new Error(`not signed: the draft is no ${primaryType}`);
  if (hashTypedData(typedData) !== draft.id) throw new Error("not signed: the draft's id is not its digest");
  const said: Record<string, unknown> = { ...typedData.message, ...typedData.message.scope };
  for (const [name, wanted] of Object.entries(expected))
    if (JSON.stringify(said[name]) !== JSON.stringify(wanted)) throw new Error(`not signed: the draft's ${name} differs`);
  return { typedData: draft.typedData, signature: await account.signTypedData(typedData) };
}
