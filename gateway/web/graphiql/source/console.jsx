// The console: GraphiQL with a sign-in and the first operations of Consentry. Built into ../console.js and ../console.css.
import React from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import "graphiql/style.css";
import "./console.css";
import { Bar } from "./bar.jsx";
import { OPERATIONS } from "./operations.js";
import { notice, withToken } from "./session.js";

const socket = new URL("/graphql", window.location.href);
socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";

// Nothing is kept in the browser: what was typed or answered may be a patient's.
const memory = () => {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };
};

// The toolkit asks for graphql-ws only where it was given none; headers go into a socket's connection_init.
const plain = createGraphiQLFetcher({ url: "/graphql", subscriptionUrl: socket.href, enableIncrementalDelivery: false });
const fetcher = (asked, options = {}) => {
  const answer = plain(asked, { ...options, headers: withToken(options.headers) });
  Promise.resolve(answer).then(notice, () => {});
  return answer;
};

createRoot(document.getElementById("console")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={memory()}
    shouldPersistHeaders={false}
    defaultTabs={[OPERATIONS[0]].map((one) => ({ query: one.query, variables: JSON.stringify(one.variables, null, 2) }))}
  >
    <GraphiQL.Logo>
      <Bar />
    </GraphiQL.Logo>
  </GraphiQL>,
);
