// @ts-check
// Reads JSON without losing anything: what comes out are places in the text, never
// numbers or objects of JavaScript, so 9007199254740993, 1.0 and 1e3 stay as they are.

/**
 * @typedef {{ kind: string, start: number, end: number, members?: Member[], items?: Node[] }} Node
 * @typedef {{ key: string, keyStart: number, keyEnd: number, value: Node }} Member
 * @typedef {{ severity: "error" | "warning", message: string, line: number, column: number, offset: number }} Finding
 */

const MAX_DEPTH = 128;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORDS = ["true", "false", "null"];

class Fault extends Error {
  /** @param {string} message @param {number} offset */
  constructor(message, offset) { super(message); this.offset = offset; }
}

/** Line and column of an offset, both counted from 1. @param {string} text @param {number} offset */
export function place(text, offset) {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
    /** @type {{ key: string, first: number, second: number }[]} */ this.twice = [];
  }

  blank() { while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1; }

  /** @param {string} wanted @returns {never} */
  fail(wanted) {
    const letter = this.text[this.at];
    const found = letter === undefined ? "the end" : letter === '"' ? "a quote" : letter === "\n" ? "the end of the line" : `"${letter}"`;
    throw new Fault(`wanted ${wanted}, found ${found}`, this.at);
  }

  /** @param {number} depth @returns {Node} */
  value(depth) {
    if (depth > MAX_DEPTH) throw new Fault(`nested deeper than ${MAX_DEPTH} levels`, this.at);
    this.blank();
    const start = this.at;
    const first = this.text[start];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') { this.string(); return { kind: "string", start, end: this.at }; }
    const word = WORDS.find((one) => this.text.startsWith(one, start));
    if (word && !/[A-Za-z0-9_]/.test(this.text[start + word.length] ?? "")) {
      this.at += word.length;
      return { kind: word === "null" ? "null" : "boolean", start, end: this.at };
    }
    NUMBER.lastIndex = start;
    if (NUMBER.test(this.text)) {
      this.at = NUMBER.lastIndex;
      if (/[0-9A-Za-z.+-]/.test(this.text[this.at] ?? "")) throw new Fault("this is not a number JSON knows", start);
      return { kind: "number", start, end: this.at };
    }
    return this.fail("a value");
  }

  /** @param {number} depth @returns {Node} */
  object(depth) {
    const start = this.at;
    /** @type {Member[]} */ const members = [];
    /** @type {Map<string, number>} */ const seen = new Map();
    this.at += 1;
    this.blank();
    if (this.text[this.at] === "}") { this.at += 1; return { kind: "object", start, end: this.at, members }; }
    for (;;) {
      this.blank();
      if (this.text[this.at] !== '"') this.fail(members.length ? "a key in double quotes (a comma may not be the last)" : 'a key in double quotes or "}"');
      const keyStart = this.at;
      const key = this.string();
      const keyEnd = this.at;
      const first = seen.get(key);
      if (first !== undefined) this.twice.push({ key, first, second: keyStart });
      seen.set(key, keyStart);
      this.blank();
      if (this.text[this.at] !== ":") this.fail('":" after the key');
      this.at += 1;
      members.push({ key, keyStart, keyEnd, value: this.value(depth + 1) });
      this.blank();
      const next = this.text[this.at];
      if (next !== "," && next !== "}") this.fail('"," or "}"');
      this.at += 1;
      if (next === "}") return { kind: "object", start, end: this.at, members };
    }
  }

  /** @param {number} depth @returns {Node} */
  array(depth) {
    const start = this.at;
    /** @type {Node[]} */ const items = [];
    this.at += 1;
    this.blank();
    if (this.text[this.at] === "]") { this.at += 1; return { kind: "array", start, end: this.at, items }; }
    for (;;) {
      items.push(this.value(depth + 1));
      this.blank();
      const next = this.text[this.at];
      if (next !== "," && next !== "]") this.fail('"," or "]"');
      this.at += 1;
      if (next === "]") return { kind: "array", start, end: this.at, items };
    }
  }

  string() {
    const start = this.at;
    this.at += 1;
    for (;;) {
      const letter = this.text[this.at];
      if (letter === undefined) throw new Fault("this text has no closing quote", start);
      if (letter === '"') break;
      if (letter < " ") throw new Fault(letter === "\n" ? "this text has no closing quote on its line" : "a control character must be written as \\u", this.at);
      if (letter === "\\") {
        const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.text.slice(this.at, this.at + 6));
        if (!escape) throw new Fault("this escape is not one JSON knows", this.at);
        this.at += escape[0].length;
      } else {
        this.at += 1;
      }
    }
    this.at += 1;
    const value = /** @type {string} */ (JSON.parse(this.text.slice(start, this.at)));
    if (/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(value)) throw new Fault("half a surrogate pair is no character", start);
    return value;
  }
}

/** Reads a whole text. @param {string} text @returns {{ node: Node | null, errors: Finding[] }} */
export function read(text) {
  const reader = new Reader(text);
  const finding = (/** @type {string} */ message, /** @type {number} */ offset) =>
    /** @type {Finding} */ ({ severity: "error", message, offset, ...place(text, offset) });
  try {
    const node = reader.value(1);
    reader.blank();
    if (reader.at < text.length) reader.fail("nothing after the value");
    const errors = reader.twice.map(({ key, first, second }) => {
      const lines = [place(text, first).line, place(text, second).line];
      return finding(`the key ${JSON.stringify(key)} stands twice in one object, in lines ${lines[0]} and ${lines[1]}`, second);
    });
    return { node, errors };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { node: null, errors: [finding(error.message, error.offset)] };
  }
}

/** Reads a metadata object: what makes it unusable, and what is probably not meant. @param {string} text */
export function check(text) {
  const { node, errors } = read(text);
  /** @type {Finding[]} */ const warnings = [];
  if (!node) return { node, errors, warnings };
  if (node.kind !== "object") {
    errors.push({ severity: "error", message: "must be a JSON object", offset: node.start, ...place(text, node.start) });
    return { node: null, errors, warnings };
  }
  const warn = (/** @type {string} */ message, /** @type {number} */ offset) =>
    warnings.push({ severity: "warning", message, offset, ...place(text, offset) });
  for (const { key, keyStart } of keysOf(node)) {
    if (key.includes(".") || key.includes("$")) {
      warn(`the key ${JSON.stringify(key)} contains "." or "$": Auth0 says metadata property names must not`, keyStart);
    }
  }
  for (const { key, keyStart, value } of node.members ?? []) {
    if (value.kind === "null") warn(`null at the root deletes this key (${JSON.stringify(key)})`, keyStart);
  }
  return { node: errors.length ? null : node, errors, warnings };
}

/** Every key at any depth. @param {Node} node @returns {Generator<Member>} */
function* keysOf(node) {
  for (const member of node.members ?? []) { yield member; yield* keysOf(member.value); }
  for (const item of node.items ?? []) yield* keysOf(item);
}

/** The text without blanks between its tokens. @param {string} text @param {Node} node @returns {string} */
export function compact(text, node) {
  if (node.members) {
    return `{${node.members.map(({ keyStart, keyEnd, value }) => `${text.slice(keyStart, keyEnd)}:${compact(text, value)}`).join(",")}}`;
  }
  if (node.items) return `[${node.items.map((item) => compact(text, item)).join(",")}]`;
  return text.slice(node.start, node.end);
}

/** The text with two spaces for each level, every token as it was. @param {string} text @param {Node} node @returns {string} */
export function pretty(text, node, indent = "") {
  const deeper = `${indent}  `;
  const block = (/** @type {string[]} */ parts, /** @type {string} */ open, /** @type {string} */ close) =>
    parts.length ? `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}` : open + close;
  if (node.members) {
    return block(node.members.map(({ keyStart, keyEnd, value }) => `${text.slice(keyStart, keyEnd)}: ${pretty(text, value, deeper)}`), "{", "}");
  }
  if (node.items) return block(node.items.map((item) => pretty(text, item, deeper)), "[", "]");
  return text.slice(node.start, node.end);
}

/** Pretty text of a text that is known to be JSON. @param {string} text */
export function format(text) {
  const { node } = read(text);
  return node ? pretty(text, node) : text;
}

/** The members of an object's text: key to compact text. @param {string} text @returns {Map<string, string>} */
export function members(text) {
  const { node } = read(text);
  return new Map((node?.members ?? []).map(({ key, value }) => [key, compact(text, value)]));
}

/** What JavaScript's `a || b` takes for true, from JSON text. @param {string | undefined} raw */
export function isTruthy(raw) {
  if (raw === undefined || raw === "null" || raw === "false" || raw === '""') return false;
  return !/^-?[0-9]/.test(raw) || Number(raw) !== 0;
}

/** A value as a person reads it: texts without quotes. @param {string | undefined} raw */
export function shown(raw) {
  if (raw === undefined) return "";
  return raw.startsWith('"') ? /** @type {string} */ (JSON.parse(raw)) : raw;
}

/** Bytes of a text as UTF-8. @param {string} text */
export const bytes = (text) => new TextEncoder().encode(text).length;
