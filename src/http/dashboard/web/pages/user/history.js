// @ts-check
// What the user was: every change that is kept, the whole profile as of one of them, and the
// way back, which is a new version and goes through the same review as any change.

import { ApiError } from "../../lib/api.js";
import { failure, fill, h } from "../../lib/dom.js";
import { JsonEditor } from "../../lib/editor.js";
import { ago, when } from "../../lib/format.js";
import { format } from "../../lib/json.js";
import * as past from "../../lib/past.js";
import { Profile } from "../user.js";
import { identitySection } from "./identity.js";
import { BAGS } from "./metadata.js";
import { providerSection } from "./provider.js";
import { Restore } from "./restore.js";

const PER_PAGE = 100;

/** @param {import("../user.js").Shared} shared @returns {Promise<import("../user.js").Tab>} */
export async function historyTab(shared) {
  const { place, base } = shared;
  const point = place.query.get("version") ?? place.query.get("at") ?? "";
  /** @type {import("../../lib/past.js").Entry[]} */ let entries = [];
  let next = "";
  const list = h("ol", { class: "tl", "data-testid": "changes" });
  const older = h("button", { class: "btn", type: "button", "data-testid": "older", onclick: () => more() }, "Older changes");
  const slider = h("div", { class: "card past", "data-testid": "slider" });
  const view = h("div", { class: "stack" });
  const address = (/** @type {string} */ version) => `${base}/history?version=${version}`;

  /** The version on the slider: the last one that is not behind the one that is looked at. @param {string} version */
  const indexOf = (version) => entries.findIndex((entry) => Number(entry.version) <= Number(version));

  /** @param {string} [seen] the version that is looked at */
  function draw(seen) {
    fill(list, entries.map((entry, index) => past.line(entry, past.operation(entry) !== "deleted" && (index > 0 || seen)
      && h("a", { class: "btn ghost sm", href: address(entry.version), "aria-current": entry.version === seen ? "true" : null }, entry.version === seen ? "Viewing" : "View", h("span", { class: "vh" }, ` version ${entry.version}`)))),
    entries.length === 0 && h("li", { class: "muted" }, "The history keeps no change of this user yet."));
    older.hidden = next === "";
    fill(slider, entries.length > 1 && track(seen), travel());
  }

  /** Versions by time, the newest to the right. @param {string} [seen] */
  function track(seen) {
    const last = entries.length - 1;
    const label = h("output", { class: "mono small", for: "past" });
    const of = (/** @type {any} */ value) => entries[last - Number(value)];
    const input = h("input", { type: "range", id: "past", min: 0, max: last, step: 1, "aria-label": "Version", oninput: () => name(), onchange: () => place.go(address(of(input.value).version)).then(() => document.getElementById("past")?.focus()) });
    const found = seen ? indexOf(seen) : 0;
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
    const found = await past.changesOf(shared.profile.id, PER_PAGE, next);
    entries = [...entries, ...found.entries];
    next = found.next;
    draw(seen);
  }

  const problem = h("div");
  const node = h("section", { class: "sect", "aria-labelledby": "h-past", "data-testid": "section-history" },
    h("header", null, h("h2", { id: "h-past" }, "History"), h("p", null, "Every change that is kept: who made it, when, and what it changed. Nothing here is lost by going back; going back is a new version.")),
    problem, slider, view, h("div", { class: "card" }, list), h("div", null, older));
  /** @type {string | undefined} */ let seen;
  /** @type {{ close: () => void, save: () => void, isBusy: () => boolean } | null} */ let looked = null;
  try {
    const found = await past.changesOf(shared.profile.id, PER_PAGE);
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
      const found = await past.changesOf(shared.profile.id, PER_PAGE);
      ({ entries, next } = found);
      draw(seen);
    } catch (error) {
      fill(problem, failure(error));
    }
  });
  return { node, save: () => looked?.save(), isBusy: () => Boolean(looked?.isBusy()), close: () => looked?.close() };
}

const nothing = { close: () => {}, save: () => {}, isBusy: () => false };

/**
 * All sections as of a version or a time, which nobody can change.
 * @param {import("../user.js").Shared} shared @param {string} point @param {import("../../lib/past.js").Entry[]} entries @param {boolean} isWhole
 */
async function visit(shared, point, entries, isWhole) {
  const { profile: now, base } = shared;
  let answer;
  try {
    answer = await past.asOf(now.id, point);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { node: h("div", { class: "banner warn", role: "alert", "data-testid": "past-missing" }, h("div", null, absent(error, point, entries, isWhole)), h("a", { class: "btn", href: base }, "Back to now")), version: undefined, ...nothing };
  }
  const version = answer.version ?? "";
  const was = new Profile(answer.text, version, 0);
  const entry = entries.find((one) => one.version === version) ?? (await past.changesOf(now.id, 1, `o${Number(version) + 1}`)).entries.find((one) => one.version === version);
  const then = { ...shared, profile: was, listeners: [] };
  const editors = BAGS.map(({ bag }) => ({ bag, editor: /** @type {JsonEditor} */ (document.createElement("json-editor")).start(shared.rich, { text: format(was.bag(bag)), label: `${bag}, JSON, version ${version}`, readOnly: true }) }));
  const metadata = h("section", { class: "sect", "aria-labelledby": "h-md", "data-testid": "section-metadata" },
    h("header", null, h("h2", { id: "h-md" }, "Metadata"), h("p", null, `As it was with version ${version}.`)),
    h("div", { class: "two" }, editors.map(({ bag, editor }) => h("article", { class: "card editor", "data-testid": `past-${bag}`, "aria-label": bag }, h("header", null, h("h3", null, h("code", null, bag)), h("span", { class: "badge" }, "read-only")), editor))));
  const differences = h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Differences" });
  const restore = new Restore(shared, was);
  async function compare() {
    try {
      const changes = await past.since(now.id, version);
      fill(differences, changes.length === 0 ? h("p", { class: "pad muted" }, "Nothing: this is how it is now.") : past.table(changes));
    } catch (error) {
      fill(differences, failure(error));
    }
  }
  await compare();
  shared.listeners.push(() => { compare(); restore.renew(); });
  const at = entry?.at ?? "";
  const node = [
    h("div", { class: "banner warn past-banner", "data-testid": "past-banner" },
      h("div", null, h("strong", null, `Viewing version ${version}`), at && [" of ", h("time", { datetime: at, title: at }, when(at))], entry && [", by ", past.who(entry)], ". It cannot be changed."),
      restore.button, h("a", { class: "btn", href: base }, "Back to now")),
    restore.node,
    identitySection(then), metadata, providerSection(then, null),
    h("section", { class: "sect", "aria-labelledby": "h-since", "data-testid": "section-since" }, h("header", null, h("h2", { id: "h-since" }, "What is different now"), h("p", null, `From version ${version} to version ${now.version}.`)), differences),
  ];
  if (shared.place.query.get("restore")) restore.open();
  return { node, version, save: () => restore.shortcut(), isBusy: () => restore.isBusy, close: () => editors.forEach(({ editor }) => editor.inner?.destroy()) };
}

/** Why there is nothing to be seen. @param {ApiError} error @param {string} point @param {import("../../lib/past.js").Entry[]} entries @param {boolean} isWhole */
function absent(error, point, entries, isWhole) {
  if (error.status === 410) return `The history does not reach back to ${point}.`;
  if (error.status !== 404 || error.body?.errorCode === "no_history") return failure(error);
  const first = entries.at(-1);
  const isBefore = isWhole && first && (/^\d+$/.test(point) ? Number(point) < Number(first.version) : Date.parse(point) < Date.parse(first.at));
  return isBefore ? `At ${point} this user did not exist yet.` : `At ${point} this user did not exist.`;
}
