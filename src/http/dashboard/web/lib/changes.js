// @ts-check
// What was changed at the root of a metadata object, and the smallest request that says so.
// A key that is missing or null is removed; values are compared as compact text.

import { compact, format, members, read } from "./json.js";

/**
 * @typedef {{ key: string, op: "add" | "change" | "remove", before?: string, after?: string }} Change
 */

/** The changes from one object's text to another's. @param {string} base @param {string} now @returns {Change[]} */
export function diff(base, now) {
  const before = members(base);
  const after = members(now);
  /** @type {Change[]} */ const changes = [];
  for (const [key, value] of after) {
    const old = before.get(key);
    if (value === "null") continue;
    if (old === undefined) changes.push({ key, op: "add", after: value });
    else if (old !== value) changes.push({ key, op: "change", before: old, after: value });
  }
  for (const [key, old] of before) {
    if ((after.get(key) ?? "null") === "null") changes.push({ key, op: "remove", before: old });
  }
  return changes;
}

/** The member a PATCH carries for these changes of one object. @param {string} base @param {Change[]} changes */
export function patchOf(base, changes) {
  const removesAll = changes.length > 0 && changes.every(({ op }) => op === "remove") && changes.length === members(base).size;
  if (removesAll) return "{}";
  return `{${changes.map(({ key, after }) => `${JSON.stringify(key)}:${after ?? "null"}`).join(",")}}`;
}

/** The body for changes of several objects. @param {{ bag: string, base: string, changes: Change[] }[]} parts */
export function bodyOf(parts) {
  const dirty = parts.filter(({ changes }) => changes.length > 0);
  return `{${dirty.map(({ bag, base, changes }) => `${JSON.stringify(bag)}:${patchOf(base, changes)}`).join(",")}}`;
}

/** An object's text with these changes made to it. @param {string} text @param {Change[]} changes */
export function applied(text, changes) {
  const all = members(text);
  for (const { key, after } of changes) {
    if (after === undefined) all.delete(key);
    else all.set(key, after);
  }
  return format(`{${[...all].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`);
}

/** The changes that take these back. @param {Change[]} changes @returns {Change[]} */
export function inverse(changes) {
  return changes.map(({ key, op, before, after }) => {
    if (op === "add") return { key, op: "remove", before: after };
    if (op === "remove") return { key, op: "add", after: before };
    return { key, op: "change", before: after, after: before };
  });
}

/** Keys that both changed, to different values. @param {Change[]} mine @param {Change[]} theirs */
export function overlap(mine, theirs) {
  const other = new Map(theirs.map((change) => [change.key, change]));
  return mine.flatMap((change) => {
    const their = other.get(change.key);
    return their && their.after !== change.after ? [{ key: change.key, mine: change, theirs: their }] : [];
  });
}

/** The text's size as it is stored: compact, without the keys that null removes. @param {string} text */
export function stored(text) {
  const { node } = read(text);
  if (!node?.members) return text;
  const kept = node.members.filter(({ value }) => value.kind !== "null");
  return `{${kept.map(({ keyStart, keyEnd, value }) => `${text.slice(keyStart, keyEnd)}:${compact(text, value)}`).join(",")}}`;
}
