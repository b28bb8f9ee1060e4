// @ts-check
// Which columns the list of users has: the usual ones, and any field a person asks for, such as
// app_metadata.plan. The choice is kept in this browser, for each tenant.

import { field } from "../../lib/dialog.js";
import { badge, copy, fill, h, icon } from "../../lib/dom.js";
import { ago, grouped, when } from "../../lib/format.js";
import { compact, shown } from "../../lib/json.js";
import * as session from "../../lib/session.js";

/**
 * A column: what is asked of the API for it, and what it shows of a user.
 * @typedef {{ id: string, label: string, fields: string[], sort?: string, kind?: string, isOwn?: boolean, cell: (user: any, raw: (path: string) => string, name: string) => any }} Column
 */

// What a list of users can be asked for besides: the fields of the API, and what lies in the metadata.
const ROOTS = ["username", "nickname", "given_name", "family_name", "phone_number", "picture", "last_ip", "email_verified", "blocked", "identities"];
const BAGS = ["app_metadata", "user_metadata"];
const UNSORTED = ["picture", "identities"];

const MAX_LABEL = 40;
const MAX_PATH = 200;
const MAX_OWN = 8;
const LONGEST = 120;

/** @param {string | undefined} moment */
const time = (moment) => moment && h("time", { datetime: moment, title: `${moment} · ${when(moment)}` }, ago(Date.parse(moment)));

/** @type {Column[]} */
const USUAL = [
  { id: "user_id", label: "User ID", fields: [], sort: "user_id", kind: "mono", cell: (user, _, name) => h("span", { class: "row" }, h("span", { class: "cut" }, user.user_id), h("button", { class: "btn ghost sm", type: "button", "aria-label": `Copy ID of ${name}`, onclick: () => copy(user.user_id, "the user ID") }, icon("copy"))) },
  { id: "connection", label: "Connection", fields: ["identities"], cell: (user) => user.identities?.[0]?.connection ?? "" },
  { id: "logins_count", label: "Logins", fields: ["logins_count"], sort: "logins_count", kind: "num", cell: (user) => grouped(user.logins_count ?? 0) },
  { id: "updated_at", label: "Changed", fields: ["updated_at"], sort: "updated_at", cell: (user) => time(user.updated_at) },
  { id: "email", label: "Email", fields: ["email", "email_verified"], sort: "email", cell: (user) => user.email && h("span", { class: "row" }, h("span", { class: "cut", title: user.email }, user.email), user.email_verified && badge("verified", "ok")) },
  { id: "created_at", label: "Created", fields: ["created_at"], sort: "created_at", cell: (user) => time(user.created_at) },
  { id: "last_login", label: "Last login", fields: ["last_login"], sort: "last_login", cell: (user) => time(user.last_login) },
];
const DEFAULT = ["user_id", "connection", "logins_count", "updated_at"];

/** A column of any field. @param {string} path @returns {Column} */
const own = (path) => ({
  id: path, label: path.length > MAX_LABEL ? `${path.slice(0, MAX_LABEL - 1)}…` : path, fields: [path.split(".")[0]], sort: UNSORTED.includes(path) ? undefined : path, kind: "mono", isOwn: true,
  cell: (_, raw) => { const text = raw(path); return h("div", { class: "own-cell", title: text.length > LONGEST ? text.slice(0, 2000) : null }, text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text); },
});

const place = () => `dossier.columns:${session.info().tenant}`;
/** Whether there can be such a column; the server refuses a whole list for one field it does not know. @param {unknown} id */
const isPath = (id) => typeof id === "string" && id.length <= MAX_PATH && !/[\s,:"|]/.test(id) && (ROOTS.includes(id) || USUAL.some((one) => one.id === id) || BAGS.some((bag) => id === bag || (id.startsWith(`${bag}.`) && id.length > bag.length + 1)));

/** The columns that are wanted, besides the name. @returns {Column[]} */
export function chosen() {
  /** @type {unknown} */ let ids = null;
  try { ids = JSON.parse(localStorage.getItem(place()) ?? "null"); } catch { /* what cannot be read was not chosen */ }
  const wanted = Array.isArray(ids) ? ids.filter(isPath) : DEFAULT;
  return wanted.map((id) => USUAL.find((one) => one.id === id) ?? own(id)).slice(0, USUAL.length + MAX_OWN);
}

/** @param {string[]} ids */
const keep = (ids) => localStorage.setItem(place(), JSON.stringify(ids));

/** The value at a path, as its own text: no digit of a number is lost. @param {string} text @param {import("../../lib/json.js").Node} user @param {string} path */
export function valueAt(text, user, path) {
  /** @type {import("../../lib/json.js").Node | undefined} */ let node = user;
  let rest = path;
  while (node && rest) {
    /** @type {import("../../lib/json.js").Member | undefined} */
    // A key may hold points itself: the longest that fits is meant.
    const member = (node.members ?? []).filter(({ key }) => rest === key || rest.startsWith(`${key}.`)).sort((a, b) => b.key.length - a.key.length)[0];
    rest = member ? rest.slice(member.key.length + 1) : rest;
    node = member?.value;
  }
  return node ? shown(compact(text, node)) : "";
}

/** The menu; what is changed there holds at once. @param {() => void} redraw */
export function columnsMenu(redraw) {
  const list = h("div", { class: "stack-s" });
  const input = h("input", { class: "input mono", autocomplete: "off", spellcheck: "false", placeholder: "app_metadata.plan", "data-testid": "column-path" });
  const problem = h("div");
  const menu = h("details", { class: "drop", "data-testid": "columns" }, h("summary", { class: "btn" }, "Columns", icon("down")), h("div", { class: "card menu-list pad stack-s" }, list,
    h("form", { class: "stack-s", onsubmit: add }, field("Any field", input), problem, h("div", { class: "row" }, h("button", { class: "btn sm", type: "submit" }, "Add column"), h("button", { class: "btn ghost sm", type: "button", "data-testid": "columns-reset", onclick: () => set(DEFAULT) }, "As at first")))));
  /** @param {string[]} ids */
  function set(ids) { keep(ids); draw(); redraw(); }
  /** @param {Event} event */
  function add(event) {
    event.preventDefault();
    const ids = chosen().map(({ id }) => id);
    const path = input.value.trim();
    const others = ids.filter((id) => !USUAL.some((one) => one.id === id));
    const fault = !isPath(path) ? `There is no such field. A column is app_metadata.… or user_metadata.… (a path without spaces), or one of ${ROOTS.join(", ")}.` : ids.includes(path) ? "There is this column already" : others.length >= MAX_OWN ? `At most ${MAX_OWN} of these at once` : "";
    fill(problem, fault && h("p", { class: "small bad-text", role: "alert" }, fault));
    if (fault) return;
    input.value = "";
    set([...ids, path]);
  }
  function draw() {
    const ids = chosen().map(({ id }) => id);
    const more = chosen().filter(({ id }) => !USUAL.some((one) => one.id === id));
    fill(list, [...USUAL, ...more].map(({ id, label }) => {
      const box = h("input", { type: "checkbox", checked: ids.includes(id), "data-column": id, onchange: () => {
        set(box.checked ? [...ids, id] : ids.filter((one) => one !== id));
        /** @type {HTMLElement | null} */ (list.querySelector(`[data-column="${CSS.escape(id)}"]`))?.focus();
      } });
      return h("label", { class: "choice" }, box, h("span", { title: id }, label));
    }));
  }
  draw();
  return menu;
}
