// @ts-check
// The tenant and the server at a glance; rates are the difference of two readings.

import { call, get } from "../lib/api.js";
import { badge, failure, fill, h } from "../lib/dom.js";
import { ago, grouped, lasting, limit, size, when } from "../lib/format.js";
import * as past from "../lib/past.js";
import * as session from "../lib/session.js";
import { recentChanges } from "./history.js";

const EVERY = 1000;
const KEPT = 40;

/** A line of the last readings. @param {number[]} values */
function spark(values) {
  const top = Math.max(...values, 1);
  const width = 96;
  const points = values.map((value, at) => `${((at / (KEPT - 1)) * width).toFixed(1)},${(22 - (value / top) * 20).toFixed(1)}`).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of [["viewBox", `0 0 ${width} 24`], ["class", "spark"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points);
  svg.append(line);
  return svg;
}

const HEALTH = { ok: ["takes writes", "ok"], full: ["disk full, writes are refused", "bad"], failed: ["failed, no writes until a restart", "bad"] };

/** @returns {Promise<import("../app.js").Page>} */
export async function overviewPage() {
  const node = h("div", { class: "stack" });
  const page = { title: "Overview", section: "overview", crumbs: /** @type {[string, string?][]} */ ([["Overview"]]), node };
  if (!session.can("read:users")) {
    fill(node, h("h1", null, "Overview"), h("p", { class: "muted" }, "Your session has no scope read:users, which the figures need."));
    return page;
  }
  const state = h("span", { class: "badge ok", "data-testid": "live" }, "live");
  const tiles = h("div", { class: "tiles" });
  const cards = h("div", { class: "two" });
  const foot = h("div", { class: "stack-s" });
  const recent = past.isKept() ? recentChanges() : null;
  fill(node, h("div", { class: "row" }, h("h1", null, session.info().tenant), h("span", { class: "push" }, state)), tiles, cards, foot, recent?.node);
  /** @type {{ at: number, requests: number, version: number } | null} */ let last = null;
  /** @type {number[]} */ const requests = [];
  /** @type {number[]} */ const writes = [];
  let timer = 0;
  let isOver = false;

  const taken = h("div", { "aria-live": "polite", "data-testid": "snapshot-result" });
  const take = h("button", { class: "btn", type: "button", "data-testid": "take-snapshot", onclick: snapshot }, "Take snapshot");
  /** Asks for a snapshot now; it may take a while, and says what came of it. */
  async function snapshot() {
    take.disabled = true;
    fill(taken, h("div", { class: "row small" }, h("progress", { "aria-label": "Taking a snapshot" }), "Writing…"));
    try {
      const { snapshots } = (await call("POST", "/dossier/v1/snapshots")).json();
      const line = (/** @type {any} */ one) => h("div", { class: "small" }, h("span", { class: "mono" }, one.file), ` · ${one.tenant} · ${grouped(one.users)} users · ${size(one.bytes)} · ${(one.milliseconds / 1000).toFixed(2)} s`, one.verified && [" ", badge("verified", "ok")]);
      fill(taken, snapshots.length === 0 ? h("div", { class: "small muted" }, "Nothing has changed since the last snapshot.") : snapshots.map(line));
    } catch (error) {
      fill(taken, failure(error));
    }
    take.disabled = false;
  }

  const tile = (/** @type {string} */ name, /** @type {string} */ label, /** @type {any} */ value, /** @type {any} */ more = null) =>
    h("div", { class: "tile", "data-testid": `tile-${name}` }, h("div", { class: "dim small" }, label), h("div", { class: "figure" }, value), more);

  /** @param {any} now */
  function draw(now) {
    if (last && now.now > last.at) {
      const seconds = (now.now - last.at) / 1000;
      // This page's own question is not counted.
      if (now.requests !== undefined) requests.push(Math.max((now.requests - last.requests - 1) / seconds, 0));
      writes.push(Math.max((now.version - last.version) / seconds, 0));
      if (requests.length > KEPT) { requests.shift(); writes.shift(); }
    }
    last = { at: now.now, requests: now.requests, version: now.version };
    fill(tiles,
      tile("users", "Users", grouped(now.users)),
      tile("clients", "Clients", grouped(now.clients)),
      // Only who runs the server is told how busy all of it is.
      now.requests === undefined ? null : tile("requests", "Requests/s, all tenants", grouped(requests.at(-1) ?? 0), spark(requests)),
      tile("writes", "Changes/s", grouped(writes.at(-1) ?? 0), spark(writes)),
      tile("version", "Version", grouped(now.version)));
    const { journal, snapshots } = now;
    const [words, kind] = HEALTH[/** @type {"ok"} */ (journal.health)];
    const fact = (/** @type {string} */ name, /** @type {any} */ value) => h("div", null, h("dt", null, name), h("dd", null, value));
    fill(cards,
      h("section", { class: "card", "aria-labelledby": "h-journal" }, h("header", null, h("h2", { id: "h-journal" }, "Journal"), badge(words, `${kind} push`)),
        h("dl", { class: "facts half" }, fact("Size on disk", limit(journal.size_bytes)), fact("Last record", grouped(journal.last_lsn)), fact("Waiting to be written", grouped(journal.waiting)),
          fact("Last sync", snapshots.in_memory ? "in memory, nothing is synced" : `${(journal.last_sync_micros / 1000).toFixed(1)} ms`))),
      h("section", { class: "card", "aria-labelledby": "h-snapshots" }, h("header", null, h("h2", { id: "h-snapshots" }, "Snapshots"), snapshots.has_failed ? badge("last one failed", "bad push") : badge(snapshots.in_memory ? "in memory" : snapshots.last_at ? "good" : "none yet", "push")),
        h("dl", { class: "facts half" }, fact("Last taken", snapshots.last_at ? h("time", { datetime: new Date(snapshots.last_at).toISOString(), title: when(snapshots.last_at) }, ago(snapshots.last_at, now.now)) : "none since the start"),
          fact("Interval", snapshots.interval_ms ? lasting(snapshots.interval_ms) : "only on request"), fact("Taken since the start", grouped(snapshots.taken)), fact("Server running for", lasting(now.now - now.started_at)))));
  }

  async function poll() {
    try {
      draw((await get("/dossier/v1/overview")).json());
      fill(state, "live");
      state.className = "badge ok";
    } catch {
      fill(state, "not reachable, trying again");
      state.className = "badge warn";
    }
    if (!isOver) timer = window.setTimeout(poll, EVERY);
  }
  const first = (await get("/dossier/v1/overview")).json();
  draw(first);
  if (session.can("dossier:operator") && !first.snapshots.in_memory) fill(foot, h("div", { class: "row" }, take), taken);
  timer = window.setTimeout(poll, EVERY);
  return { ...page, close: () => { isOver = true; clearTimeout(timer); recent?.close(); } };
}
