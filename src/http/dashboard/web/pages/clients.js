// @ts-check
// The list of clients.

import { get } from "../lib/api.js";
import { badge, copy, h, icon } from "../lib/dom.js";
import { grouped } from "../lib/format.js";
import * as session from "../lib/session.js";

const SIZE = 50;

/** @param {import("../app.js").Place} place @returns {Promise<import("../app.js").Page>} */
export async function clientsPage(place) {
  const page = Math.max(Number(place.query.get("page") ?? 1) || 1, 1);
  const query = new URLSearchParams({ include_totals: "true", is_global: "false", page: String(page - 1), per_page: String(SIZE), fields: "client_id,name,app_type,description,client_metadata" });
  const { clients, total } = (await get(`/api/v2/clients?${query}`)).json();
  const pages = Math.max(Math.ceil(total / SIZE), 1);
  const rows = clients.map((/** @type {any} */ { client_id: id, name, app_type: type, client_metadata: metadata }) =>
    h("tr", { "data-row": id }, h("td", null, h("a", { href: session.home(`/clients/${encodeURIComponent(id)}`), "data-open": true }, name || id)),
      h("td", { class: "mono" }, h("span", { class: "row" }, h("span", { class: "cut" }, id), h("button", { class: "btn ghost sm", type: "button", "aria-label": `Copy ID of ${name || id}`, onclick: () => copy(id, "the client ID") }, icon("copy")))),
      h("td", null, type && badge(type)), h("td", { class: "num" }, grouped(Object.keys(metadata ?? {}).length))));
  const step = (/** @type {number} */ to, /** @type {string} */ label) => (to >= 1 && to <= pages ? h("a", { class: "btn sm", href: session.home(`/clients?page=${to}`) }, label) : h("span", { class: "btn sm", "aria-disabled": "true" }, label));
  const node = h("div", { class: "stack" }, h("h1", null, "Clients"),
    h("p", { class: "small muted" }, `${grouped(total)} ${total === 1 ? "client" : "clients"}`),
    h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Clients" }, rows.length === 0 ? h("p", { class: "pad muted" }, "There are no clients.")
      : h("table", { class: "wide" }, h("thead", null, h("tr", null, ["Name", "Client ID", "Type", "Metadata keys"].map((name) => h("th", null, name)))), h("tbody", null, rows))),
    pages > 1 && h("nav", { class: "row", "aria-label": "Pages" }, h("span", { class: "push small muted" }, `Page ${page} of ${pages}`), step(page - 1, "‹ Previous"), step(page + 1, "Next ›")));
  return { title: "Clients", section: "clients", crumbs: [["Clients"]], node };
}
