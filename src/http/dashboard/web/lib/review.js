// @ts-check
// What is about to be sent: one row for each changed root key, and the request itself.

import { badge, copy, fill, h } from "./dom.js";
import { counted } from "./format.js";
import { format } from "./json.js";
import { LANGUAGES } from "./snippets.js";

/** @typedef {import("./changes.js").Change} Change */

const MARKS = { add: ["+", "added"], change: ["~", "changed"], remove: ["\u2212", "removed"] };
const FOLD = 120;

/** @param {Change["op"]} op */
export const mark = (op) => h("span", { class: `op ${op}`, role: "img", "aria-label": MARKS[op][1] }, MARKS[op][0]);

/** A value that is folded when it is long. @param {"del" | "ins"} tag @param {string} raw */
function folded(tag, raw) {
  if (raw.length <= FOLD) return h(tag, null, raw);
  return h("details", null, h("summary", null, h(tag, null, `${raw.slice(0, 60)}… `), h("span", { class: "dim small" }, `${raw.length} characters`)), h(tag, { class: "block" }, format(raw)));
}

/** @param {string} raw */
const isNested = (raw) => raw?.startsWith("{") || raw?.startsWith("[");

/** Which lines of a nested value went and came. @param {string} before @param {string} after */
function inner(before, after) {
  const [old, next] = [format(before).split("\n"), format(after).split("\n")];
  const rows = lines(old, next);
  return h("div", { class: "inner", role: "group", "aria-label": "What changes inside" }, rows.map(([sign, text]) =>
    h("div", { class: sign === "+" ? "in" : sign === "-" ? "out" : null }, `${sign} `, sign === "+" ? h("ins", null, text) : sign === "-" ? h("del", null, text) : text)));
}

/** A line difference by longest common subsequence; large values show both whole. @param {string[]} old @param {string[]} next @returns {[string, string][]} */
function lines(old, next) {
  if (old.length * next.length > 250_000) return [...old.map((text) => /** @type {[string, string]} */ (["-", text])), ...next.map((text) => /** @type {[string, string]} */ (["+", text]))];
  const width = next.length + 1;
  const table = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = next.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = old[i] === next[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  /** @type {[string, string][]} */ const out = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < next.length) {
    if (i < old.length && j < next.length && old[i] === next[j]) { out.push([" ", old[i]]); i += 1; j += 1; }
    else if (j >= next.length || (i < old.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) { out.push(["-", old[i]]); i += 1; }
    else { out.push(["+", next[j]]); j += 1; }
  }
  return out;
}

/** The value before and after. @param {Change} change */
export function changed({ op, before, after }) {
  const value = [];
  if (op === "change" && before !== undefined && after !== undefined && isNested(before) && isNested(after)) {
    value.push(badge("replaced whole"), inner(before, after));
  } else {
    if (before !== undefined) value.push(folded("del", before));
    if (op === "change") value.push(" → ");
    if (after !== undefined) value.push(folded("ins", after));
  }
  return value;
}

/**
 * Which of the changes are wanted.
 * @typedef {{ has: (bag: string, key: string) => boolean, set: (bag: string, key: string, is: boolean) => void }} Picked
 */

/** @param {string} bag @param {Change} change @param {boolean} isOnly @param {Picked} [picked] */
function row(bag, change, isOnly, picked) {
  const { key, op } = change;
  const id = `pick-${bag}.${key}`;
  const box = picked && h("input", { type: "checkbox", id, checked: picked.has(bag, key), "aria-label": `${bag}.${key}`, onchange: () => {
    picked.set(bag, key, box.checked);
    // The card is drawn anew; who ticks with the keyboard stays where they were.
    document.getElementById(id)?.focus();
  } });
  return h("tr", { "data-key": key, "data-bag": bag, "data-op": op, class: box && !box.checked ? "left-out" : null },
    h("td", null, h("span", { class: "row" }, box, mark(op))), h("td", { class: "mono" }, !isOnly && [h("span", { class: "dim" }, `${bag}.`), h("wbr")], key), h("td", { class: "mono" }, changed(change)));
}

/** The language chosen last, so that a card that is drawn anew shows it again. */
let chosen = "curl";

/**
 * The card: what would change, the request that says so, and the button that sends it. With
 * `picked` each change can be left out.
 * @param {{ parts: { bag: string, changes: Change[] }[], asked: import("./snippets.js").Asked, onSave: () => void, onBack: () => void, isBusy: boolean, picked?: Picked, title?: any, verb?: string, label?: string, back?: string }} options
 */
export function reviewCard({ parts, asked, onSave, onBack, isBusy, picked, title, verb = "Save", label, back = "Keep editing" }) {
  const dirty = parts.filter(({ changes }) => changes.length > 0);
  const all = dirty.flatMap(({ bag, changes }) => changes.map((change) => ({ bag, change })));
  const sent = picked ? all.filter(({ bag, change }) => picked.has(bag, change.key)).length : all.length;
  const count = sent === all.length ? counted(sent, "change") : `${sent} of ${counted(all.length, "change")}`;
  const bags = dirty.map(({ bag }) => h("code", null, bag));
  const code = h("pre", { class: "code", "data-testid": "curl", tabindex: "0", "aria-label": "The request" });
  const tabs = LANGUAGES.map(({ name, label }) => h("button", { type: "button", class: "pill", "data-lang": name, onclick: () => choose(name) }, label));
  /** @param {string} name */
  function choose(name) {
    chosen = name;
    tabs.forEach((tab) => tab.setAttribute("aria-pressed", String(tab.dataset.lang === name)));
    const language = LANGUAGES.find((one) => one.name === name);
    code.dataset.testid = name;
    fill(code, language?.write(asked) ?? "");
  }
  choose(chosen);
  return h("div", { class: "card", "data-testid": "review", role: "region", "aria-label": "Review" },
    h("header", null, title ?? [h("h3", null, `Review ${count}`), h("p", null, "to ", bags.flatMap((bag, at) => (at ? [" and ", bag] : [bag])))]),
    h("div", { class: "review" },
      h("div", { class: "scroll" }, h("table", null,
        h("thead", null, h("tr", null, h("th", { class: picked ? "w-pick" : "w-op" }, h("span", { class: "vh" }, "Change")), h("th", { class: "w-key" }, "Key"), h("th", null, "Value"))),
        h("tbody", null, all.map(({ bag, change }) => row(bag, change, dirty.length === 1, picked))))),
      h("div", null,
        h("div", { class: "row wrap" }, h("span", { class: "small muted" }, "The same change from a terminal"), h("span", { class: "push pills", role: "group", "aria-label": "Language" }, tabs),
          h("button", { class: "btn ghost sm", type: "button", "data-testid": "copy-curl", onclick: () => copy(code.textContent ?? "", "the request") }, "Copy")),
        code,
        h("div", { class: "row wrap" },
          h("button", { class: "btn primary", type: "button", "data-testid": "save", disabled: isBusy || sent === 0, onclick: onSave }, `${label ?? `${verb} ${count}`} `, h("kbd", null, "Ctrl S")),
          h("button", { class: "btn", type: "button", onclick: onBack }, back)))));
}
