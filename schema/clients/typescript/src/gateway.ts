// One person's connection to the gateway: a token, typed operations, and refusals as errors.
import { GraphQLClient } from "graphql-request";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { createClient } from "graphql-ws";
import { print } from "graphql";
import WebSocket from "ws";

export type Refused = { __typename: "Refusal"; code: string; message: string; field?: readonly string[] | null };

// A refusal is an answer like others. Here it is thrown, so that what follows is about what was found.
export class RefusedError extends Error {
  constructor(readonly code: string, message: string, readonly field: readonly string[]) {
    super(`${code}: ${message}${field.length ? ` (${field.join(".")})` : ""}`);
  }
}

export function answered<Found extends { __typename?: string }>(found: Found | Refused): Exclude<Found, Refused> {
  if (found.__typename === "Refusal") {
    const { code, message, field } = found as Refused;
    throw new RefusedError(code, message, field ?? []);
  }
  return found as Exclude<Found, Refused>;
}

export class Gateway {
  token: string | undefined;
  private readonly http: GraphQLClient;

  constructor(readonly url: string) {
    this.http = new GraphQLClient(`${url}/graphql`, {
      headers: (): Record<string, string> => (this.token ? { authorization: `Bearer ${this.token}` } : {}),
    });
  }

  ask<Answer, Given extends Record<string, unknown>>(document: TypedDocumentNode<Answer, Given>, given: Given): Promise<Answer> {
    return this.http.request<Answer>(document, given);
  }

  // graphql-transport-ws. graphql-ws connects again by itself; a session that has ended (4403) is the end.
  async *watch<Answer, Given extends Record<string, unknown>>(document: TypedDocumentNode<Answer, Given>, given: Given): AsyncGenerator<Answer> {
    const client = createClient({
      url: `${this.url.replace(/^http/, "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${this.token}` },
      shouldRetry: (closed) => !(closed instanceof Error) && (closed as { code?: number }).code !== 4403,
    });
    try {
      for await (const { data, errors } of client.iterate<Answer>({ query: print(document), variables: given })) {
        if (errors?.length) throw new Error(errors[0]?.message);
        if (data) yield data;
      }
    } finally {
      await client.dispose();
    }
  }
}
