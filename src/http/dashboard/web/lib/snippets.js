// @ts-check
// The same change from a terminal or a program. The token is named, never shown.

import { headerOf } from "./api.js";

/** Text in single quotes of a POSIX shell. @param {string} text */
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
/** Text as a literal of JavaScript or Python, which agree with JSON on it. @param {string} text */
const literal = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** @typedef {import("./api.js").Condition & { method?: string, path: string, body: string }} Asked */

/** The headers besides the token's. @param {Asked} asked @returns {[string, string][]} */
function headers(asked) {
  const condition = headerOf(asked);
  return [["content-type", "application/json"], ...(condition ? [condition] : [])];
}

/** @type {{ name: string, label: string, write: (asked: Asked) => string }[]} */
export const LANGUAGES = [
  {
    name: "curl",
    label: "curl",
    write: (asked) => [
      `curl -X ${asked.method ?? "PATCH"}`,
      `"$DOSSIER_URL${asked.path}"`,
      '-H "authorization: Bearer $DOSSIER_TOKEN"',
      ...headers(asked).map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`),
      `-d ${shell(asked.body)}`,
    ].join(" \\\n  "),
  },
  {
    name: "node",
    label: "Node",
    write: (asked) => `const answer = await fetch(process.env.DOSSIER_URL + ${literal(asked.path)}, {
  method: "${asked.method ?? "PATCH"}",
  headers: {
    authorization: \`Bearer \${process.env.DOSSIER_TOKEN}\`,
${headers(asked).map(([name, value]) => `    "${name}": ${literal(value)},\n`).join("")}  },
  body: ${literal(asked.body)},
});
if (!answer.ok) throw new Error(await answer.text());`,
  },
  {
    name: "python",
    label: "Python",
    write: (asked) => `import os, urllib.request

request = urllib.request.Request(
    os.environ["DOSSIER_URL"] + ${literal(asked.path)},
    method="${asked.method ?? "PATCH"}",
    headers={
        "authorization": "Bearer " + os.environ["DOSSIER_TOKEN"],
${headers(asked).map(([name, value]) => `        "${name}": ${literal(value)},\n`).join("")}    },
    data=${literal(asked.body)}.encode(),
)
urllib.request.urlopen(request).read()`,
  },
  {
    name: "httpie",
    label: "HTTPie",
    write: (asked) => [
      `printf %s ${shell(asked.body)} | http --check-status ${asked.method ?? "PATCH"} "$DOSSIER_URL${asked.path}"`,
      '"authorization: Bearer $DOSSIER_TOKEN"',
      ...headers(asked).map(([name, value]) => shell(`${name}: ${value}`)),
    ].join(" \\\n  "),
  },
];
