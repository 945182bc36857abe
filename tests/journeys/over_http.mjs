// Runs the audits of GraphQL over HTTP (npm graphql-http) against a URL; prints [id, name, status] of each as JSON.
import { createRequire } from "node:module";

const { serverAudits } = createRequire(process.argv[2] + "/")("graphql-http");
const found = [];
for (const audit of serverAudits({ url: process.argv[3] })) {
  const { status } = await audit.fn();
  found.push([audit.id, audit.name, status]);
}
console.log(JSON.stringify(found));
