// @ts-check
// What was asked lately, in test mode: as it comes, filtered, with the bodies of each.

import { call, get } from "../lib/api.js";
import { badge, failure, fill, h } from "../lib/dom.js";
import { brief, counted, grouped, size, when } from "../lib/format.js";
import { format } from "../lib/json.js";
import * as session from "../lib/session.js";

const EVERY = 1000;
const SHOWN = 200;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const STATUSES = [["2xx", "2xx done"], ["3xx", "3xx elsewhere"], ["4xx", "4xx refused"], ["5xx", "5xx failed"]];

/**
 * @typedef {{ bytes?: number, why?: string, text?: string }} Body
 * @typedef {{ id: number, at: number, method: string, path: string, query: string, status: number, micros: number, request_id: string, subject: string, user_id?: string, dashboard: boolean, request: Body, response: Body }} Entry
 */

/** @param {number} status */
const shade = (status) => (status >= 500 ? "bad" : status >= 400 ? "warn" : "ok");

/** @param {string} title @param {Body} body */
function bodyOf(title, { bytes, why, text }) {
  const told = bytes === undefined ? (why ?? "") : bytes === 0 ? "empty" : why ? `${size(bytes)}, not kept: ${why}` : size(bytes);
  return h("div", { class: "pad stack-s" }, h("p", { class: "small muted" }, h("strong", null, title), ` ${told}`), text !== undefined && h("pre", { class: "code", tabindex: "0", "aria-label": title }, format(text)));
}

/** @param {Entry} entry @param {(open: boolean) => void} opened */
function line(entry, opened) {
  const { method, path, query, status, micros, request_id: id, subject, user_id: user, at } = entry;
  const place = h("div", { class: "opened", hidden: true });
  const button = h("button", { class: "btn ghost sm", type: "button", "aria-expanded": "false", "data-testid": "details", onclick: () => {
    place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
    opened(!place.hidden);
    if (place.childElementCount > 0) return;
    fill(place, h("dl", { class: "facts half" },
      h("div", null, h("dt", null, "Request"), h("dd", { class: "mono" }, id)), h("div", null, h("dt", null, "Caller"), h("dd", { class: "mono" }, subject || "nobody known")),
      h("div", null, h("dt", null, "Answered"), h("dd", null, h("time", { datetime: new Date(at).toISOString() }, when(at)))), h("div", null, h("dt", null, "User"), h("dd", null, user ? h("a", { class: "mono", href: session.home(`/users/${encodeURIComponent(user)}`) }, user) : "–"))),
    bodyOf("Sent", entry.request), bodyOf("Answered", entry.response));
  } }, "Details", h("span", { class: "vh" }, ` of request ${id}`));
  return h("li", { "data-request": id, "data-status": status }, h("div", { class: "line request" },
    badge(String(status), shade(status)), h("div", { class: "told" }, h("strong", { class: "mono" }, method), " ", h("code", null, path), query && h("code", { class: "dim" }, `?${query}`),
      user && [" ", h("a", { class: "small", href: session.home(`/users/${encodeURIComponent(user)}`), "data-user": user }, "user")]),
    h("div", { class: "row" }, h("span", { class: "small muted num" }, brief(micros)), button)), place);
}

/** @param {import("../app.js").Place} place @returns {Promise<import("../app.js").Page>} */
export async function requestsPage(place) {
  const wanted = { method: place.query.get("method") ?? "", status: place.query.get("status") ?? "", path: place.query.get("path") ?? "" };
  const showsOwn = place.query.get("dashboard") === "1";
  /** @param {Record<string, string>} change */
  const go = (change) => {
    const query = new URLSearchParams({ ...wanted, dashboard: showsOwn ? "1" : "", ...change });
    for (const [name, value] of [...query]) if (!value) query.delete(name);
    place.go(session.home(`/requests${query.size ? `?${query}` : ""}`));
  };
  const list = h("ol", { class: "tl", "data-testid": "requests" });
  const state = badge("live", "ok push", { "data-testid": "live" });
  const problem = h("div");
  const pause = h("button", { class: "btn sm", type: "button", "data-testid": "pause", "aria-pressed": "false", onclick: () => hold(!isHeld) }, "Pause");
  let [last, timer, isOver, isHeld, kept] = [0, 0, false, false, 0];

  /** @param {boolean} held */
  function hold(held) {
    isHeld = held;
    pause.setAttribute("aria-pressed", String(held));
    fill(pause, held ? "Go on" : "Pause");
    fill(state, held ? "paused" : "live");
    state.className = `badge ${held ? "warn" : "ok"} push`;
  }

  async function draw() {
    const query = new URLSearchParams({ after: String(last), limit: "100" });
    for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
    try {
      const told = (await get(`/dossier/v1/requests?${query}`)).json();
      kept = told.kept;
      if (isOver || isHeld) return;
      const all = /** @type {Entry[]} */ (told.requests);
      if (all.length > 0) last = all[0].id;
      const fresh = all.filter((entry) => showsOwn || !entry.dashboard);
      // Who has opened one does not want it to move.
      if (fresh.length > 0) { list.querySelector("[data-none]")?.remove(); list.prepend(...fresh.map((entry) => line(entry, (open) => open && hold(true)))); }
      while (list.childElementCount > SHOWN) list.lastElementChild?.remove();
      if (list.childElementCount === 0) fill(list, h("li", { class: "muted", "data-none": true }, wanted.method || wanted.status || wanted.path ? "No request like this was kept." : "No requests yet. Send one, and it appears here."));
      fill(problem);
      hold(false);
    } catch (error) {
      fill(problem, failure(error));
      fill(state, "not reachable, trying again");
      state.className = "badge warn push";
    }
  }
  async function turn() {
    if (!isHeld) await draw();
    if (!isOver) timer = window.setTimeout(turn, EVERY);
  }

  const choice = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string[][]} */ options) => {
    const select = h("select", { class: "input", "aria-label": label, "data-testid": `filter-${name}`, onchange: () => go({ [name]: select.value }) },
      h("option", { value: "" }, label), options.map(([value, text]) => h("option", { value, selected: value === /** @type {any} */ (wanted)[name] }, text)));
    return select;
  };
  const path = h("input", { class: "input mono grow", type: "search", value: wanted.path, placeholder: "/api/v2/users", "aria-label": "Path contains", autocomplete: "off", spellcheck: "false", "data-testid": "filter-path" });
  const own = h("input", { type: "checkbox", id: "own-requests", checked: showsOwn, "data-testid": "filter-dashboard", onchange: () => go({ dashboard: own.checked ? "1" : "" }) });
  const filters = h("form", { class: "row wrap", role: "search", "aria-label": "Requests", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); go({ path: path.value.trim() }); } },
    choice("method", "Any method", METHODS.map((one) => [one, one])), choice("status", "Any status", STATUSES), path, h("button", { class: "btn", type: "submit" }, "Filter"),
    h("span", { class: "row" }, own, h("label", { for: "own-requests" }, "The dashboard's own")));
  const clear = h("button", { class: "btn sm", type: "button", "data-testid": "clear", onclick: async () => {
    try { await call("DELETE", "/dossier/v1/requests"); fill(list); hold(false); await draw(); } catch (error) { fill(problem, failure(error)); }
  } }, "Clear");
  await draw();
  timer = window.setTimeout(turn, EVERY);
  const node = h("div", { class: "stack" },
    h("div", { class: "row wrap" }, h("h1", null, "Requests"), state, pause, session.can("update:tenant_settings") && clear),
    h("p", { class: "muted" }, `The last ${counted(kept, "request")} of this tenant, newest first, kept in memory because test mode is on. Secrets are blotted out; what hands out tokens keeps no bodies.`),
    filters, problem, h("div", { class: "card" }, list), h("p", { class: "small muted" }, `At most ${grouped(SHOWN)} are shown.`));
  return { title: "Requests", section: "requests", crumbs: [["Requests"]], node, close: () => { isOver = true; clearTimeout(timer); } };
}
