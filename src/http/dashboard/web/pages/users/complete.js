// @ts-check
// Suggestions under the query: the fields the tenant's users have, then the values of a field
// that has few; and with nothing typed, the searches made here before.

import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";

const ASKED = 40;
const SHOWN = 8;
/** Who types on needs no answer to every letter. */
const PAUSE = 120;

const NAME = String.raw`[\p{L}_](?:[\p{L}\p{N}_.-]|\\.)*`;
const VALUE = new RegExp(String.raw`(${NAME}):("(?:[^"\\]|\\.)*|[^\s()\[\]{}":]*)$`, "u");
const FIELD = new RegExp(`${NAME}$`, "u");

/** What the server said, while the page is open. @type {Map<string, Promise<any>>} */
const heard = new Map();

/** @param {"fields" | "values"} what @param {Record<string, string>} asked @returns {Promise<any>} */
function ask(what, asked) {
  const path = `/dossier/v1/search/${what}?${new URLSearchParams({ ...asked, limit: String(ASKED) })}`;
  const known = heard.get(path);
  if (known) return known;
  // Without the right to read users, or without an answer, there is nothing to suggest.
  const answer = get(path).then((one) => one.json()[what], () => { heard.delete(path); return []; });
  heard.set(path, answer);
  return answer;
}

/** Fields that begin so; those a value can stand after, or all. @param {string} prefix @param {boolean} isAny @returns {Promise<string[]>} */
async function fields(prefix, isAny) {
  /** @type {{ field: string, kinds: string[] }[]} */ const found = await ask("fields", { prefix });
  return found.filter(({ kinds }) => isAny || kinds.some((kind) => kind !== "nested")).map(({ field }) => field);
}

/** What could stand where the caret is. @param {string} before @returns {Promise<{ typed: string, found: string[] }>} */
async function suggestions(before) {
  const value = VALUE.exec(before);
  if (value) {
    const [, field, typed] = value;
    if (field === "_exists_") return { typed, found: (await fields(typed, true)).filter((one) => one !== typed) };
    const prefix = typed.startsWith('"') ? typed.slice(1).replace(/\\(.)/g, "$1") : typed;
    /** @type {{ term: string }[]} */ const found = await ask("values", { field, prefix });
    return { typed, found: found.map(({ term }) => term).filter((one) => one !== typed) };
  }
  const isQuoted = before.replace(/\\./g, "").split('"').length % 2 === 0;
  const [typed] = (!isQuoted && FIELD.exec(before)) || [""];
  return { typed, found: typed === "" ? [] : (await fields(typed, false)).map((one) => `${one}:`) };
}

/** Puts suggestions under an input. @param {HTMLInputElement} input @param {() => string[]} recent */
export function withSuggestions(input, recent) {
  const list = h("ul", { class: "card menu-list options", role: "listbox", id: "suggestions", "aria-label": "Suggestions", hidden: true });
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", "suggestions"], ["aria-expanded", "false"]]) input.setAttribute(name, value);
  /** @type {{ text: string, from: number }[]} */ let options = [];
  let [active, timer, turn] = [-1, 0, 0];

  function draw() {
    const isOpen = options.length > 0;
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    fill(list, options.map(({ text }, at) => h("li", { role: "option", id: `suggestion-${at}`, "aria-selected": String(at === active), class: "mono", onmousedown: (/** @type {Event} */ event) => { event.preventDefault(); take(at); } }, text)));
    if (active >= 0) input.setAttribute("aria-activedescendant", `suggestion-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }
  function close() { clearTimeout(timer); turn += 1; options = []; active = -1; draw(); }
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
    clearTimeout(timer);
    const mine = (turn += 1);
    const caret = input.selectionStart ?? input.value.length;
    /** @type {{ text: string, from: number }[]} */ let next;
    if (input.value === "") {
      next = recent().map((text) => ({ text, from: 0 }));
    } else {
      const { typed, found } = await suggestions(input.value.slice(0, caret));
      next = found.slice(0, SHOWN).map((text) => ({ text, from: caret - typed.length }));
    }
    if (mine !== turn || document.activeElement !== input) return;
    options = next;
    active = -1;
    draw();
  }
  // What is shown is about what was there before the letter.
  input.addEventListener("input", () => { close(); timer = window.setTimeout(look, PAUSE); });
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
