// Writes ../LICENCES.txt: every package that esbuild put into the bundle, with its licence text.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const inputs = Object.keys(JSON.parse(readFileSync("meta.json", "utf8")).inputs);
const folders = new Set();
for (const input of inputs) {
  const found = input.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//);
  if (found) folders.add(found[1]);
}
const parts = [...folders].sort().map((folder) => {
  const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = existsSync(folder) && readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `Licence: ${about.license} (no text in the package)`;
  return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
});
writeFileSync("../LICENCES.txt", `console.js and console.css contain:\n\n${parts.join("\n----\n\n")}`);
