// @ts-check
// The tenant and the server at a glance: what the server measured, asked for each second.

import { get } from "../lib/api.js";
import { badge, fill, h } from "../lib/dom.js";
import { ago, brief, counted, grouped, lasting, size, when } from "../lib/format.js";
import * as past from "../lib/past.js";
import * as session from "../lib/session.js";
import { taker } from "./snapshots.js";
import { recentChanges } from "./history.js";

const EVERY = 1000;
const SECONDS = 60;

/** A line of the last minute, a point for each second. @param {number[]} values */
function spark(values) {
  const top = Math.max(...values, 1);
  const width = 96;
  const points = values.map((value, at) => `${((at / (SECONDS - 1)) * width).toFixed(1)},${(22 - (value / top) * 20).toFixed(1)}`).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of [["viewBox", `0 0 ${width} 24`], ["class", "spark"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points);
  svg.append(line);
  return svg;
}

const HEALTH = { ok: ["takes writes", "ok"], full: ["disk full, writes are refused", "bad"], failed: ["failed, no writes until a restart", "bad"] };
const PAST = { ok: ["kept", "ok"], building: ["being built", "warn"], failed: ["failed", "bad"], off: ["not kept", ""] };

const tile = (/** @type {string} */ name, /** @type {string} */ label, /** @type {any} */ value, /** @type {any} */ more = null, about = "") =>
  h("div", { class: "tile", "data-testid": `tile-${name}`, title: about || null }, h("div", { class: "dim small" }, label), h("div", { class: "figure" }, value), more);
const fact = (/** @type {string} */ name, /** @type {any} */ value, /** @type {string} */ testid = "") => h("div", { "data-testid": testid || null }, h("dt", null, name), h("dd", null, value));
const card = (/** @type {string} */ id, /** @type {string} */ title, /** @type {any} */ state, /** @type {any} */ ...facts) =>
  h("section", { class: "card", "aria-labelledby": `h-${id}` }, h("header", null, h("h2", { id: `h-${id}` }, title), state), h("dl", { class: "facts half" }, facts));

/** What was asked in the last minute, and how long it took. @param {string} prefix @param {{ reads: number[], writes: number[], p50_micros: number | null, p99_micros: number | null }} minute @param {string} whose @param {number[]} trail what p99 was since this page is open */
function pace(prefix, { reads, writes, p50_micros: half, p99_micros: nearly }, whose, trail) {
  trail.push(nearly ?? 0);
  trail.splice(0, trail.length - SECONDS);
  const rate = (/** @type {number[]} */ all) => grouped(all.at(-1) ?? 0);
  return [
    tile(`${prefix}reads`, `Reads/s${whose}`, rate(reads), spark(reads), "Requests that only read, in the last whole second; the line is the last minute."),
    tile(`${prefix}writes`, `Writes/s${whose}`, rate(writes), spark(writes), "All other requests, in the last whole second; the line is the last minute."),
    // Without requests there is nothing to have taken time.
    tile(`${prefix}p99`, `p99${whose}`, nearly === null ? "–" : brief(nearly), [spark([...Array(SECONDS - trail.length).fill(0), ...trail]), h("div", { class: "dim small" }, half === null ? "no requests in the last minute" : `p50 ${brief(half)}`)], "In the last minute 99 of 100 requests were answered within this time; the line is how that went since this page is open."),
  ];
}

/** @param {{ waiting: number, capacity: number }} mailbox */
function mailboxFact({ waiting, capacity }) {
  return [`${grouped(waiting)} / ${grouped(capacity)}`, h("meter", { class: "wide-meter", min: 0, max: capacity, high: capacity * 0.8, value: waiting, "aria-label": "Messages waiting in the mailbox" })];
}

/** @param {number} millis @param {number} now */
const moment = (millis, now) => h("time", { datetime: new Date(millis).toISOString(), title: when(millis) }, ago(millis, now));

/** Which snapshot there is, and when the next one comes. @param {any} snapshots @param {number} now */
function snapshotLines(snapshots, now) {
  const { newest, next_at: next, changes_since: changes } = snapshots;
  const parts = newest && [["Version ", grouped(newest.version)], h("span", { "data-testid": "snapshot-at" }, moment(newest.at, now)), size(newest.bytes), newest.milliseconds !== null && brief(newest.milliseconds * 1000), counted(newest.users, "user")].filter(Boolean);
  const due = snapshots.in_memory ? "Nothing is written: data is kept in memory." : next === null ? "Taken only on request" : changes === 0 ? "Next when something changes" : `Next in ${lasting(Math.max(next - now, 0))} or after ${grouped(snapshots.max_changes)} changes`;
  const verified = newest && (newest.verified === false ? badge("damaged", "bad") : newest.verified ? badge("verified", "ok") : badge("not looked at yet"));
  return {
    newest: newest ? [...parts.flatMap((/** @type {any} */ part, /** @type {number} */ at) => [at > 0 && " · ", part]), " ", verified] : snapshots.in_memory ? "In memory only" : "None yet",
    due: [due, !snapshots.in_memory && [" · ", h("span", { "data-testid": "changes-since" }, counted(changes, "change")), " since the last one"]],
    state: snapshots.has_failed && badge("last one failed", "bad"),
  };
}

/** @param {any} now */
function cards(now) {
  const { journal, history, server } = now;
  const [words, kind] = HEALTH[/** @type {"ok"} */ (journal.health)];
  const [kept, shade] = PAST[/** @type {"ok"} */ (history.health)] ?? [history.health, ""];
  const each = server && server.users >= 1000 && server.memory_bytes ? ` (${grouped(server.memory_bytes / server.users)} B for each user)` : "";
  return [
    card("journal", "Journal", badge(words, `${kind} push`), fact("Size on disk", size(journal.size_bytes), "journal-size"), fact("Last record", grouped(journal.last_lsn)), fact("Waiting to be written", grouped(journal.waiting)),
      fact("Last sync", now.snapshots.in_memory ? "in memory, nothing is synced" : brief(journal.last_sync_micros))),
    card("work", "Mailbox and history", badge(`history ${kept}`, `${shade} push`), fact("Waiting / room", mailboxFact(now.mailbox), "mailbox"), fact("History on disk", history.size_bytes === null ? "–" : size(history.size_bytes), "history-size")),
    server && card("server", "Server", badge(counted(server.tenants, "tenant"), "push"), fact("Memory in use", server.memory_bytes === null ? "not told by the system" : `${size(server.memory_bytes)}${each}`, "memory"), fact("Running for", lasting(now.now - now.started_at)),
      fact("Users of all tenants", grouped(server.users)), fact("Requests since the start", grouped(server.requests), "requests")),
  ];
}

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
  const all = h("div", { class: "tiles" });
  const places = h("div", { class: "two" });
  const recent = past.isKept() ? recentChanges() : null;
  let timer = 0;
  let isOver = false;
  let updated = Date.now();
  /** @type {{ own: number[], all: number[] }} */ const trails = { own: [], all: [] };

  // Its buttons stay where they are while the figures beside them change.
  const { button, result } = taker();
  const snapshot = { newest: h("div"), due: h("div", { class: "small muted" }), state: h("span", { class: "push" }) };
  const operates = session.can("dossier:operator");
  const snapshots = h("section", { class: "card", "aria-labelledby": "h-snapshots" }, h("header", null, h("h2", { id: "h-snapshots" }, "Snapshot"), snapshot.state),
    h("div", { class: "pad stack-s" }, h("div", { class: "ends" }, snapshot.newest, operates && button), h("div", { class: "ends" }, snapshot.due, operates && session.info().is_default_tenant && h("a", { href: "/ui/settings#snapshots", "data-testid": "all-snapshots" }, "All snapshots")), result));
  const told = h("span", { class: "dim small", "data-testid": "updated" });
  fill(node, h("div", { class: "row" }, h("h1", null, session.info().tenant), h("span", { class: "push row" }, told, state)), tiles, all, snapshots, places, recent?.node);

  /** @param {any} now */
  function draw(now) {
    updated = Date.now();
    fill(told, "updated just now");
    fill(tiles,
      tile("users", "Users", grouped(now.users)),
      tile("clients", "Clients", grouped(now.clients)),
      pace("", now.minute, "", trails.own),
      tile("version", "Version", grouped(now.version)));
    // Only who runs the server is told how busy all of it is.
    fill(all, now.server && now.server.tenants > 1 ? pace("all-", now.server.minute, ", all tenants", trails.all) : null);
    fill(places, cards(now));
    const { newest, due, state: failed } = snapshotLines(now.snapshots, now.now);
    fill(snapshot.newest, newest);
    fill(snapshot.due, due);
    fill(snapshot.state, failed);
    button.hidden = now.snapshots.in_memory;
  }

  async function poll() {
    try {
      draw((await get("/dossier/v1/overview")).json());
      fill(state, "live");
      state.className = "badge ok";
    } catch {
      fill(state, "not reachable, trying again");
      state.className = "badge warn";
      // The figures stay, and say how old they are.
      fill(told, `figures from ${ago(updated)}`);
    }
    if (!isOver) timer = window.setTimeout(poll, EVERY);
  }
  draw((await get("/dossier/v1/overview")).json());
  timer = window.setTimeout(poll, EVERY);
  return { ...page, close: () => { isOver = true; clearTimeout(timer); recent?.close(); } };
}
