// @ts-check
// Suggestions under the query: field names, then values, as far as the tenant's first users
// show them; and with nothing typed, the searches made here before.

import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";

const FIELDS = ["app_metadata", "blocked", "created_at", "email", "email.domain", "email_verified", "family_name", "given_name", "identities.connection", "identities.provider", "last_ip", "last_login", "logins_count", "name", "nickname", "phone_number", "phone_verified", "updated_at", "user_id", "user_metadata", "username"];
const SAMPLE = 100;
const MAX_VALUES = 20;
const SHOWN = 8;

/** Paths below a bag with the values seen there. @param {any} value @param {string} path @param {Map<string, Set<string>>} seen */
function collect(value, path, seen, depth = 0) {
  if (Array.isArray(value)) { for (const item of value) collect(item, path, seen, depth); return; }
  if (value !== null && typeof value === "object") {
    if (depth < 6) for (const [key, inner] of Object.entries(value)) collect(inner, `${path}.${key}`, seen, depth + 1);
    return;
  }
  if (value === null) return;
  if (!seen.has(path)) seen.set(path, new Set());
  const text = String(value);
  if (text.length <= 40) seen.get(path)?.add(/^[A-Za-z0-9_.@+-]+$/.test(text) ? text : JSON.stringify(text));
}

/** What the first users have. @returns {Promise<Map<string, Set<string>>>} */
async function vocabulary() {
  /** @type {Map<string, Set<string>>} */ const seen = new Map(FIELDS.map((field) => [field, new Set()]));
  try {
    const users = (await get(`/api/v2/users?per_page=${SAMPLE}&fields=user_metadata,app_metadata,identities,blocked,email_verified`)).json();
    for (const { user_metadata: own, app_metadata: app, identities } of users) {
      collect(own ?? {}, "user_metadata", seen);
      collect(app ?? {}, "app_metadata", seen);
      for (const { connection, provider } of identities ?? []) collect({ connection, provider }, "identities", seen);
    }
    for (const field of ["blocked", "email_verified", "phone_verified"]) seen.set(field, new Set(["true", "false"]));
  } catch {
    // Without the right to list users there is nothing to suggest but the fields.
  }
  return seen;
}

/** What could stand where the caret is. @param {string} before @param {Map<string, Set<string>>} known */
function suggestions(before, known) {
  const value = /([A-Za-z_][\w.-]*):([^\s()[\]{}]*)$/.exec(before);
  if (value) {
    const [, path, typed] = value;
    const values = known.get(path);
    if (!values || values.size > MAX_VALUES) return { typed, found: [] };
    return { typed, found: [...values].filter((one) => one.startsWith(typed) && one !== typed).sort() };
  }
  const [typed] = /[A-Za-z_][\w.-]*$/.exec(before) ?? [""];
  if (typed === "") return { typed, found: [] };
  return { typed, found: [...known.keys()].filter((one) => one.startsWith(typed)).sort().map((one) => `${one}:`) };
}

/** Puts suggestions under an input. @param {HTMLInputElement} input @param {() => string[]} recent */
export function withSuggestions(input, recent) {
  const list = h("ul", { class: "card menu-list options", role: "listbox", id: "suggestions", "aria-label": "Suggestions", hidden: true });
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", "suggestions"], ["aria-expanded", "false"]]) input.setAttribute(name, value);
  /** @type {Promise<Map<string, Set<string>>> | null} */ let loading = null;
  /** @type {{ text: string, from: number }[]} */ let options = [];
  let active = -1;

  function draw() {
    const isOpen = options.length > 0;
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    fill(list, options.map(({ text }, at) => h("li", { role: "option", id: `suggestion-${at}`, "aria-selected": String(at === active), class: "mono", onmousedown: (/** @type {Event} */ event) => { event.preventDefault(); take(at); } }, text)));
    if (active >= 0) input.setAttribute("aria-activedescendant", `suggestion-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }
  function close() { options = []; active = -1; draw(); }
  /** @param {number} at */
  function take(at) {
    const { text, from } = options[at];
    const caret = input.selectionStart ?? input.value.length;
    input.value = input.value.slice(0, from) + text + input.value.slice(caret);
    input.setSelectionRange(from + text.length, from + text.length);
    close();
    if (text.endsWith(":")) look();
  }
  async function look() {
    loading ??= vocabulary();
    const known = await loading;
    if (document.activeElement !== input) return;
    const caret = input.selectionStart ?? input.value.length;
    if (input.value === "") {
      options = recent().map((text) => ({ text, from: 0 }));
    } else {
      const { typed, found } = suggestions(input.value.slice(0, caret), known);
      options = found.slice(0, SHOWN).map((text) => ({ text, from: caret - typed.length }));
    }
    active = -1;
    draw();
  }
  input.addEventListener("input", look);
  input.addEventListener("focus", look);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (options.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) active = (active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length;
    else if (event.key === "Enter" && active >= 0) { event.preventDefault(); take(active); return; }
    else if (event.key === "Escape") { close(); return; }
    else return;
    event.preventDefault();
    draw();
  });
  return h("div", { class: "combo grow" }, input, list);
}
