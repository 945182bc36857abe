// The console's own bar: sign in, see who is signed in and until when, sign out; examples; the wallet's signature of a draft.
import React, { useEffect, useState, useSyncExternalStore } from "react";
import { flushSync } from "react-dom";
import { useEditorContext } from "@graphiql/react";
import { OPERATIONS, SUBMISSIONS } from "./operations.js";
import * as session from "./session.js";

const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function Bar() {
  const editor = useEditorContext({ nonNull: true });
  const draft = useSyncExternalStore(session.subscribe, session.draft);
  const [who, setWho] = useState(null);
  const [said, setSaid] = useState("");
  const [pasting, setPasting] = useState(false);

  useEffect(() => {
    if (!who?.expiresAt) return undefined;
    const timer = setTimeout(() => { session.forget(); setWho(null); setSaid("the session has ended"); }, new Date(who.expiresAt) - Date.now());
    return () => clearTimeout(timer);
  }, [who]);

  const trying = (step) => async () => {
    setSaid("");
    try { await step(); } catch (error) { setSaid(error?.message ?? String(error)); }
  };
  const open = (query, variables) => {
    flushSync(() => editor.addTab());
    editor.queryEditor.setValue(query);
    editor.variableEditor.setValue(JSON.stringify(variables, null, 2));
    // GraphiQL finds it by itself some moments later; who presses at once would execute by the last tab's name.
    editor.setOperationName(query.match(/^(?:query|mutation|subscription) (\w+)/m)[1]);
  };
  const paste = (event) => {
    event.preventDefault();
    const { token } = event.target.elements;
    const given = token.value.trim();
    token.value = "";
    setPasting(false);
    return trying(async () => setWho(await session.useToken(given)))();
  };
  const sign = trying(async () => {
    const { kind, input } = await session.signDraft();
    if (!SUBMISSIONS[kind]) throw new Error(`no example submits a ${kind}; its signature: ${input.signature}`);
    open(SUBMISSIONS[kind].query, { input });
  });
  const leave = trying(() => session.signOut(who.own).finally(() => setWho(null)));
  const noWallet = session.wallet() ? undefined : "no wallet in this browser (window.ethereum)";

  return (
    <div className="consentry-bar">
      <select aria-label="Examples" value="" onChange={({ target }) => { const one = OPERATIONS[target.value]; open(one.query, one.variables); }}>
        <option value="" disabled>Examples</option>
        {OPERATIONS.map((one, number) => <option key={one.name} value={number}>{one.name}</option>)}
      </select>
      {draft && <button id="sign-draft" onClick={sign} disabled={Boolean(noWallet)} title={noWallet}>Sign the draft: {draft.primaryType}</button>}
      {who ? (
        <>
          <span id="who">{who.name ?? "no name"} ({who.roles.join(", ")}){who.expiresAt && ` until ${clock(who.expiresAt)}`}</span>
          <button id="sign-out" onClick={leave}>Sign out</button>
        </>
      ) : pasting ? (
        <form onSubmit={paste}>
          <input name="token" type="password" autoComplete="off" aria-label="Access token" placeholder="Access token, never a private key" autoFocus />
          <button>Use it</button>
        </form>
      ) : (
        <>
          <button id="sign-in" onClick={trying(async () => setWho(await session.signIn()))} disabled={Boolean(noWallet)} title={noWallet}>Sign in with a wallet</button>
          <button id="paste" onClick={() => setPasting(true)}>Paste a token</button>
        </>
      )}
      {said && <span id="said" role="alert">{said}</span>}
    </div>
  );
}
