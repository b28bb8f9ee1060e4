// @ts-check
// What users and clients were: the API's entries, their values kept as the text they came in.

import { call, get } from "./api.js";
import { badge, h } from "./dom.js";
import { ago, when } from "./format.js";
import { compact, read, shown } from "./json.js";
import { changed, mark } from "./review.js";

/**
 * @typedef {{ path: string, before?: string, after?: string }} Difference
 * @typedef {{ version: string, actor: string, at: string }} Setter
 * @typedef {{ version: string, at: string, actor: string, channel: string, requestId: string, reason: string, isErased: boolean, kind: string, id: string, changes: Difference[] }} Entry
 */

export { isKept } from "./session.js";

/** @param {string} text @param {import("./json.js").Node} node @returns {Map<string, string>} */
const membersOf = (text, node) => new Map((node.members ?? []).map(({ key, value }) => [key, compact(text, value)]));

/** @param {string} text @returns {Difference[]} */
function differences(text) {
  return (read(text).node?.items ?? []).map((item) => {
    const all = membersOf(text, item);
    return { path: shown(all.get("path")), before: all.get("old"), after: all.get("new") };
  });
}

/** @param {string} text @param {"user" | "client"} kind of entries that do not say theirs @returns {{ entries: Entry[], next: string }} */
function page(text, kind = "user") {
  const { node } = read(text);
  const all = node ? membersOf(text, node) : new Map();
  const list = all.get("entries") ?? "[]";
  const entries = (read(list).node?.items ?? []).map((item) => {
    const one = membersOf(list, item);
    const text = (/** @type {string} */ key) => shown(one.get(key));
    return { version: text("version"), at: text("at"), actor: text("actor"), channel: text("channel"), requestId: text("request_id"), reason: text("reason"), isErased: one.get("erased") === "true", kind: text("kind") || kind, id: text("id"), changes: differences(one.get("changes") ?? "[]") };
  });
  return { entries, next: shown(all.get("next")) };
}

const query = (/** @type {number} */ limit, /** @type {string} */ cursor) => `?limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;

/** The changes of everybody, newest first. @param {number} limit @param {string} [cursor] */
export const changesOfAll = async (limit, cursor = "") => page((await get(`/dossier/v1/history${query(limit, cursor)}`)).text);

/** The past of one user or client. */
export class Past {
  /** @param {"user" | "client"} kind @param {string} id */
  constructor(kind, id) { this.kind = kind; this.path = `/dossier/v1/${kind}s/${encodeURIComponent(id)}`; }

  /** The changes, newest first. @param {number} limit @param {string} [cursor] */
  async changes(limit, cursor = "") { return page((await get(`${this.path}/history${query(limit, cursor)}`)).text, this.kind); }

  /** As of a version or time, as the API told it then. @param {string} point */
  asOf(point) { return get(`${this.path}?as_of=${encodeURIComponent(point)}`); }

  /** What differs between a version and now. @param {string} from @returns {Promise<Difference[]>} */
  async since(from) {
    const { text } = await get(`${this.path}/diff?from=${encodeURIComponent(from)}`);
    const { node } = read(text);
    return differences((node && membersOf(text, node).get("changes")) ?? "[]");
  }

  /** Who set each key: by bag, then by key. @returns {Promise<Map<string, Map<string, Setter>>>} */
  async blame() {
    const found = (await get(`${this.path}/blame`)).json();
    return new Map(Object.entries(found).map(([bag, keys]) => [bag, new Map(Object.entries(/** @type {any} */ (keys)).map(([key, { version, actor, at }]) => [key, { version: String(version), actor: actor ?? "", at: at ?? "" }]))]));
  }

  get revertPath() { return `${this.path}/revert`; }

  /** Puts it back as it was. @param {string} body @param {import("./api.js").Condition} condition */
  revert(body, condition) { return call("POST", this.revertPath, { body, ...condition }); }
}

/** A key's last change in a few words. @param {Setter | undefined} setter */
export const setBy = (setter) => (setter ? [`v${setter.version}`, setter.at && ago(Date.parse(setter.at)), setter.actor].filter(Boolean).join(" · ") : "unknown");

/** What was done, in one word. @param {Entry} entry */
export function operation({ changes, kind, isErased }) {
  if (isErased) return "erased";
  const id = changes.find(({ path }) => path === `${kind}_id`);
  if (id && id.before === undefined) return "created";
  if (id && id.after === undefined) return "deleted";
  if (changes.length > 0 && changes.every(({ before }) => before === undefined)) return "set";
  if (changes.length > 0 && changes.every(({ after }) => after === undefined)) return "removed";
  return "changed";
}

/** Whether the change left nobody. @param {Entry} entry */
export const isEnd = (entry) => ["deleted", "erased"].includes(operation(entry));

/** Whether it says enough that it was made, or is no more. @param {Entry} entry */
const isWhole = (entry) => operation(entry) === "created" || isEnd(entry);

const NAMED = 4;

/** The paths that changed; of one that was made or deleted they say nothing. @param {Entry} entry */
export function paths(entry) {
  if (isWhole(entry)) return [h("span", null, `the ${entry.kind}`)];
  const more = entry.changes.length - NAMED;
  return [entry.changes.slice(0, NAMED).map(({ path }, at) => [at > 0 && ", ", h("code", null, path)]), more > 0 && ` and ${more} more`, entry.changes.length === 0 && "what the profile does not show"];
}

/** Who it was; the server itself makes changes too. @param {Entry} entry */
export const who = ({ actor }) => h("code", { class: "actor" }, actor || "unknown");

/** @param {string} at */
export const moment = (at) => (at ? h("time", { datetime: at, title: `${at} · ${when(at)}` }, ago(Date.parse(at))) : h("span", { class: "dim" }, "unknown"));

/** Rows of what was before and after. @param {Difference[]} changes */
export function table(changes) {
  const rows = changes.map(({ path, before, after }) => {
    const op = before === undefined ? "add" : after === undefined ? "remove" : "change";
    return h("tr", { "data-path": path, "data-op": op }, h("td", null, mark(op)), h("td", { class: "mono" }, path), h("td", { class: "mono" }, changed({ key: path, op, before, after })));
  });
  return h("table", { class: "differences" }, h("thead", null, h("tr", null, h("th", { class: "w-op" }, h("span", { class: "vh" }, "Change")), h("th", { class: "w-key" }, "Path"), h("th", null, "Value"))), h("tbody", null, rows));
}

/**
 * An entry as a line that opens to what was before and after.
 * @param {Entry} entry @param {any} actions @param {any} [subject]
 */
export function line(entry, actions, subject = null) {
  const body = h("div", { class: "opened", hidden: true });
  const toggle = h("button", { class: "btn ghost sm", type: "button", "aria-expanded": "false", "data-testid": "diff", "aria-label": `Diff of version ${entry.version}`, onclick: () => {
    body.hidden = !body.hidden;
    toggle.setAttribute("aria-expanded", String(!body.hidden));
    if (!body.hasChildNodes()) body.append(h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Changes of version ${entry.version}` }, table(entry.changes)), h("p", { class: "small muted pad" }, [`through ${entry.channel || "an unknown door"}`, entry.requestId && `request ${entry.requestId}`, entry.reason && `reason: ${entry.reason}`].filter(Boolean).join(" · ")));
  } }, "Diff");
  return h("li", { "data-version": entry.version, "data-operation": operation(entry) },
    h("div", { class: "line" }, badge(`v${entry.version}`), h("span", { class: "told" }, who(entry), ` ${operation(entry)} `, subject ?? paths(entry), subject && !isWhole(entry) ? [": ", paths(entry)] : null, h("span", { class: "dim" }, " · ", moment(entry.at))), h("span", { class: "row" }, toggle, actions)), body);
}
