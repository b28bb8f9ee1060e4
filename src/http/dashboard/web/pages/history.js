// @ts-check
// What happened in the tenant, newest first, and as it happens.

import { badge, failure, fill, h } from "../lib/dom.js";
import { follow } from "../lib/live.js";
import * as past from "../lib/past.js";
import * as session from "../lib/session.js";

const PER_PAGE = 50;
const SHORT = 8;
/** A busy tenant changes faster than a person reads. */
const PAUSE = 500;

/** The page of whom an entry is about. @param {import("../lib/past.js").Entry} entry */
const page = ({ kind, id }) => session.home(`/${kind}s/${encodeURIComponent(id)}`);

/** @param {import("../lib/past.js").Entry} entry */
const subject = (entry) => h("a", { class: "mono", href: page(entry) }, entry.id);

/** @param {import("../lib/past.js").Entry} entry */
function row(entry) {
  const view = !past.isEnd(entry) && h("a", { class: "btn ghost sm", href: `${page(entry)}/history?version=${entry.version}` }, "View", h("span", { class: "vh" }, ` version ${entry.version}`));
  return past.line(entry, view, subject(entry));
}

/**
 * The newest changes, drawn anew when there are others.
 * @param {Element} list @param {number} limit @param {(found: { entries: import("../lib/past.js").Entry[], next: string }) => void} [drawn] @param {() => boolean} [isPaused]
 */
function newest(list, limit, drawn, isPaused) {
  let [timer, isOver, isDrawing, again] = [0, false, false, false];
  /** @type {Map<string, any>} */ let rows = new Map();
  async function draw() {
    timer = 0;
    if (isDrawing || isPaused?.()) { again = true; return; }
    isDrawing = true;
    try {
      const found = await past.changesOfAll(limit);
      if (isOver) return;
      // What stays is not made anew: somebody may be about to press on it.
      const keys = found.entries.map(({ version, kind, id }) => JSON.stringify([version, kind, id]));
      drawn?.(found);
      if (keys.length > 0 && list.childElementCount === keys.length && keys.join() === [...rows.keys()].join()) return;
      rows = new Map(keys.map((key, at) => [key, rows.get(key) ?? row(found.entries[at])]));
      fill(list, ...rows.values(), found.entries.length === 0 && h("li", { class: "muted" }, "Nothing has been changed yet."));
    } catch (error) {
      fill(list, h("li", null, failure(error)));
    } finally {
      isDrawing = false;
    }
    if (again && !isOver) { again = false; soon(); }
  }
  const soon = () => { if (!timer && !isOver) timer = window.setTimeout(draw, PAUSE); };
  const stop = follow(soon, soon);
  return { ready: draw(), draw, close: () => { isOver = true; clearTimeout(timer); stop(); } };
}

/** The overview's last changes. */
export function recentChanges() {
  const list = h("ol", { class: "tl" });
  const { close } = newest(list, SHORT, undefined, () => list.contains(document.activeElement) || list.querySelector('[aria-expanded="true"]') !== null);
  return {
    node: h("section", { class: "sect", "aria-labelledby": "h-recent", "data-testid": "recent-changes" },
      h("header", null, h("h2", { id: "h-recent" }, "Recent changes"), h("p", null, h("a", { href: session.home("/history") }, "All changes"))), h("div", { class: "card" }, list)),
    close,
  };
}

/** @returns {Promise<import("../app.js").Page>} */
export async function historyPage() {
  const list = h("ol", { class: "tl", "data-testid": "feed" });
  const state = badge("live", "ok push", { "data-testid": "live" });
  const problem = h("div");
  let next = "";
  // Who reads on, or has opened a change, does not want it to move.
  let isHeld = false;
  const older = h("button", { class: "btn", type: "button", hidden: true, "data-testid": "older", onclick: async () => {
    hold();
    try {
      const found = await past.changesOfAll(PER_PAGE, next);
      next = found.next;
      older.hidden = next === "";
      list.append(...found.entries.map(row));
    } catch (error) {
      fill(problem, failure(error));
    }
  } }, "Older changes");
  const on = h("button", { class: "btn sm", type: "button", hidden: true, "data-testid": "go-on", onclick: () => { isHeld = false; told(); feed.draw(); } }, "Show the newest");
  function told() {
    state.className = `badge ${isHeld ? "warn" : "ok"} push`;
    fill(state, isHeld ? "paused" : session.can("read:events") ? "live" : "as it was just now");
    on.hidden = !isHeld;
  }
  function hold() { isHeld = true; told(); }
  list.addEventListener("click", (/** @type {Event} */ event) => { if (event.target instanceof Element && event.target.closest('[data-testid="diff"]')) hold(); });
  const feed = newest(list, PER_PAGE, (found) => { next = found.next; older.hidden = next === ""; }, () => isHeld);
  told();
  await feed.ready;
  const node = h("div", { class: "stack" },
    h("div", { class: "row wrap" }, h("h1", null, "History"), state, on),
    h("p", { class: "muted" }, "Every change of users and clients that is kept, newest first."),
    problem, h("div", { class: "card" }, list), h("div", null, older));
  return { title: "History", section: "history", crumbs: [["History"]], node, close: feed.close };
}
