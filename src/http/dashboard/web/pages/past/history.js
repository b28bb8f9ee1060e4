// @ts-check
// What a user or client was: every change that is kept, the whole of it as of one of them, and
// the way back, which is a new version and goes through the same review as any change. Who was
// deleted is shown as they were last.

import { ApiError } from "../../lib/api.js";
import { failure, fill, h } from "../../lib/dom.js";
import { JsonEditor } from "../../lib/editor.js";
import { ago, when } from "../../lib/format.js";
import { format } from "../../lib/json.js";
import * as past from "../../lib/past.js";
import { BringBack, Restore } from "./restore.js";

/** @typedef {import("../../lib/tabs.js").Shared} Shared */

const PER_PAGE = 100;

/** @param {Shared} shared @returns {Promise<import("../../lib/tabs.js").Tab>} */
export async function historyTab(shared) {
  const { place, base, kind, gone } = shared;
  const asked = place.query.get("version") ?? place.query.get("at") ?? "";
  const point = asked || (gone ? shared.profile.version ?? "" : "");
  /** @type {import("../../lib/past.js").Entry[]} */ let entries = [];
  let next = "";
  const list = h("ol", { class: "tl", "data-testid": "changes" });
  const older = h("button", { class: "btn", type: "button", "data-testid": "older", onclick: () => more() }, "Older changes");
  const slider = h("div", { class: "card past", "data-testid": "slider" });
  const view = h("div", { class: "stack" });
  const address = (/** @type {string} */ version) => `${base}/history?version=${version}`;

  /** @param {string} [seen] the version that is looked at */
  function draw(seen) {
    fill(list, entries.map((entry, index) => past.line(entry, !past.isEnd(entry) && (index > 0 || seen)
      && h("a", { class: "btn ghost sm", href: address(entry.version), "aria-current": entry.version === seen ? "true" : null }, entry.version === seen ? "Viewing" : "View", h("span", { class: "vh" }, ` version ${entry.version}`)))),
    entries.length === 0 && h("li", { class: "muted" }, `The history keeps no change of this ${kind.noun} yet.`));
    older.hidden = next === "";
    const seeable = entries.filter((entry) => !past.isEnd(entry));
    fill(slider, seeable.length > 1 && track(seeable, seen), travel());
  }

  /** Versions by time, the newest to the right. @param {import("../../lib/past.js").Entry[]} seeable @param {string} [seen] */
  function track(seeable, seen) {
    const last = seeable.length - 1;
    const label = h("output", { class: "mono small", for: "past" });
    const of = (/** @type {any} */ value) => seeable[last - Number(value)];
    const input = h("input", { type: "range", id: "past", min: 0, max: last, step: 1, "aria-label": "Version", oninput: () => name(), onchange: () => place.go(address(of(input.value).version)).then(() => document.getElementById("past")?.focus()) });
    // The last one that is not behind the one that is looked at.
    const found = seen ? seeable.findIndex((entry) => Number(entry.version) <= Number(seen)) : 0;
    input.value = String(found < 0 ? 0 : last - found);
    const name = () => {
      const { version, at } = of(input.value);
      const text = `version ${version}, ${at ? ago(Date.parse(at)) : "unknown when"}`;
      input.setAttribute("aria-valuetext", text);
      fill(label, text);
    };
    name();
    return h("div", { class: "row wrap grow" }, h("span", { class: "small muted" }, "Time travel"), input, label);
  }

  function travel() {
    const input = h("input", { class: "input mono", id: "at", value: place.query.get("at") ?? "", placeholder: "2026-08-12T10:22:03Z", autocomplete: "off", spellcheck: "false" });
    return h("form", { class: "row wrap", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); if (input.value.trim()) place.go(`${base}/history?at=${encodeURIComponent(input.value.trim())}`); } },
      h("label", { for: "at", class: "small muted" }, "As of"), input, h("button", { class: "btn", type: "submit" }, "Go"));
  }

  async function more() {
    try {
      const found = await shared.past.changes(PER_PAGE, next);
      entries = [...entries, ...found.entries];
      next = found.next;
      draw(seen);
    } catch (error) {
      fill(problem, failure(error));
    }
  }

  const problem = h("div");
  const node = h("section", { class: "sect", "aria-labelledby": "h-past", "data-testid": "section-history" },
    h("header", null, h("h2", { id: "h-past" }, "History"), h("p", null, "Every change that is kept: who made it, when, and what it changed. Nothing here is lost by going back; going back is a new version.")),
    problem, slider, view, h("div", { class: "card" }, list), h("div", null, older));
  /** @type {string | undefined} */ let seen;
  /** @type {Visit | null} */ let looked = null;
  try {
    const found = await shared.past.changes(PER_PAGE);
    ({ entries, next } = found);
    if (point) {
      const then = await visit(shared, point, entries, next === "");
      seen = then.version;
      looked = then;
      fill(view, then.node);
    }
    draw(seen);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fill(problem, failure(error));
  }
  shared.listeners.push(async () => {
    try {
      const found = await shared.past.changes(PER_PAGE);
      ({ entries, next } = found);
      draw(seen);
    } catch (error) {
      fill(problem, failure(error));
    }
  });
  return { node, save: () => looked?.save(), isBusy: () => Boolean(looked?.isBusy()), close: () => looked?.close() };
}

/** @typedef {{ node: any, version: string | undefined, close: () => void, save: () => void, isBusy: () => boolean }} Visit */

const nothing = { close: () => {}, save: () => {}, isBusy: () => false };

/**
 * All sections as of a version or a time, which nobody can change.
 * @param {Shared} shared @param {string} point @param {import("../../lib/past.js").Entry[]} entries @param {boolean} isWhole
 * @returns {Promise<Visit>}
 */
async function visit(shared, point, entries, isWhole) {
  const { kind, base, gone } = shared;
  const back = (/** @type {boolean} */ isElsewhere) => isElsewhere && h("a", { class: "btn", href: base }, gone ? "The last state" : "Back to now");
  let answer;
  try {
    answer = await shared.past.asOf(point);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { node: h("div", { class: "banner warn", role: "alert", "data-testid": "past-missing" }, h("div", null, absent(shared, error, point, entries, isWhole)), back(true)), version: undefined, ...nothing };
  }
  const version = answer.version ?? "";
  const was = kind.read(answer.text, version);
  const isLast = gone !== null && version === shared.profile.version;
  const entry = entries.find((one) => one.version === version) ?? (await shared.past.changes(1, `o${Number(version) + 1}`)).entries.find((one) => one.version === version);
  const editors = kind.bags.map(({ bag }) => ({ bag, editor: /** @type {JsonEditor} */ (document.createElement("json-editor")).start(shared.rich, { text: format(was.bag(bag)), label: `${bag}, JSON, version ${version}`, readOnly: true }) }));
  const restore = gone ? new BringBack(shared, was) : new Restore(shared, was);
  const at = entry?.at ?? "";
  const node = [
    h("div", { class: "banner warn past-banner", "data-testid": "past-banner" },
      h("div", null, h("strong", null, isLast ? `The last state, version ${version}` : `Viewing version ${version}`), at && [" of ", h("time", { datetime: at, title: at }, when(at))], entry && [", by ", past.who(entry)], ". It cannot be changed."),
      restore.button, back(!isLast)),
    restore.node,
    kind.sections({ ...shared, profile: was, listeners: [] }, metadata(editors, version)),
    !gone && await sinceThen(shared, version),
  ];
  if (!gone) shared.listeners.push(() => restore.renew());
  if (shared.place.query.get("restore")) restore.open();
  return { node, version, save: () => restore.shortcut(), isBusy: () => restore.isBusy, close: () => editors.forEach(({ editor }) => editor.inner?.destroy()) };
}

/** @param {{ bag: string, editor: JsonEditor }[]} editors @param {string} version */
function metadata(editors, version) {
  return h("section", { class: "sect", "aria-labelledby": "h-md", "data-testid": "section-metadata" },
    h("header", null, h("h2", { id: "h-md" }, "Metadata"), h("p", null, `As it was with version ${version}.`)),
    h("div", { class: editors.length > 1 ? "two" : null }, editors.map(({ bag, editor }) => h("article", { class: "card editor", "data-testid": `past-${bag}`, "aria-label": bag }, h("header", null, h("h3", null, h("code", null, bag)), h("span", { class: "badge" }, "read-only")), editor))));
}

/** What differs between a version and now, whenever now changes. @param {Shared} shared @param {string} version */
async function sinceThen(shared, version) {
  const differences = h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Differences" });
  const span = h("p");
  async function compare() {
    const now = shared.profile.version;
    try {
      const changes = await shared.past.since(version);
      if (shared.profile.version !== now) return;
      fill(span, `From version ${version} to version ${now}.`);
      fill(differences, changes.length === 0 ? h("p", { class: "pad muted" }, "Nothing: this is how it is now.") : past.table(changes));
    } catch (error) {
      fill(differences, failure(error));
    }
  }
  await compare();
  shared.listeners.push(compare);
  return h("section", { class: "sect", "aria-labelledby": "h-since", "data-testid": "section-since" }, h("header", null, h("h2", { id: "h-since" }, "What is different now"), span), differences);
}

/** Why there is nothing to be seen. @param {Shared} shared @param {ApiError} error @param {string} point @param {import("../../lib/past.js").Entry[]} entries @param {boolean} isWhole */
function absent(shared, error, point, entries, isWhole) {
  const { noun } = shared.kind;
  if (error.status === 410) return `The history does not reach back to ${point}.`;
  if (error.status !== 404 || error.body?.errorCode === "no_history") return failure(error);
  const first = entries.at(-1);
  const isBefore = isWhole && first && (/^\d+$/.test(point) ? Number(point) < Number(first.version) : Date.parse(point) < Date.parse(first.at));
  return isBefore ? `At ${point} this ${noun} did not exist yet.` : `At ${point} this ${noun} did not exist.`;
}
