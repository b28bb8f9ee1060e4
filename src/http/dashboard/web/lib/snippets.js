// @ts-check
// The same change from a terminal or a program. The token is named, never shown.

/** Text in single quotes of a POSIX shell. @param {string} text */
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
/** Text as a literal of JavaScript or Python, which agree with JSON on it. @param {string} text */
const literal = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * @typedef {{ url: string, method?: string, path: string, version: string | null, body: string }} Asked
 * @type {{ name: string, label: string, write: (asked: Asked) => string }[]}
 */
export const LANGUAGES = [
  {
    name: "curl",
    label: "curl",
    write: ({ method = "PATCH", path, version, body }) => [
      `curl -X ${method}`,
      `"$DOSSIER_URL${path}"`,
      '-H "authorization: Bearer $DOSSIER_TOKEN"',
      ...(version ? [`-H 'if-match: "${version}"'`] : []),
      "-H 'content-type: application/json'",
      `-d ${shell(body)}`,
    ].join(" \\\n  "),
  },
  {
    name: "node",
    label: "Node",
    write: ({ method = "PATCH", path, version, body }) => `const answer = await fetch(process.env.DOSSIER_URL + ${literal(path)}, {
  method: "${method}",
  headers: {
    authorization: \`Bearer \${process.env.DOSSIER_TOKEN}\`,
    "content-type": "application/json",${version ? `\n    "if-match": '"${version}"',` : ""}
  },
  body: ${literal(body)},
});
if (!answer.ok) throw new Error(await answer.text());`,
  },
  {
    name: "python",
    label: "Python",
    write: ({ method = "PATCH", path, version, body }) => `import os, urllib.request

request = urllib.request.Request(
    os.environ["DOSSIER_URL"] + ${literal(path)},
    method="${method}",
    headers={
        "authorization": "Bearer " + os.environ["DOSSIER_TOKEN"],
        "content-type": "application/json",${version ? `\n        "if-match": '"${version}"',` : ""}
    },
    data=${literal(body)}.encode(),
)
urllib.request.urlopen(request).read()`,
  },
  {
    name: "httpie",
    label: "HTTPie",
    write: ({ method = "PATCH", path, version, body }) => [
      `printf %s ${shell(body)} | http ${method} "$DOSSIER_URL${path}"`,
      '"authorization: Bearer $DOSSIER_TOKEN"',
      ...(version ? [`'if-match: "${version}"'`] : []),
      "'content-type: application/json'",
    ].join(" \\\n  "),
  },
];
