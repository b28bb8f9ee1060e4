// @ts-check
// One client: the header, the tabs, and what they share.

import { ApiError } from "../lib/api.js";
import { badge, chip, fill, h, icon } from "../lib/dom.js";
import { loadEditor } from "../lib/editor.js";
import { format } from "../lib/json.js";
import * as past from "../lib/past.js";
import { ClientProfile, fetchClient } from "../lib/profile.js";
import * as session from "../lib/session.js";
import { missing, tabbed, tabOf } from "../lib/tabs.js";
import { Grid } from "./client/grid.js";
import { recentSection } from "./past/recent.js";

/** @typedef {import("../lib/tabs.js").Shared} Shared @typedef {import("../lib/tabs.js").Tab} Tab */

const picture = () => h("div", { class: "avatar", "aria-hidden": "true" }, icon("clients"));
const isKept = () => past.isKept("client");

/** @type {import("../lib/tabs.js").Kind} */
const CLIENT = {
  noun: "client",
  bags: [{ bag: "client_metadata", scopes: ["update:clients"] }],
  updates: "update:clients",
  creates: "create:clients",
  read: (text, version) => new ClientProfile(text, version),
  fetch: fetchClient,
  fetchHeir: async () => null,
  picture,
  sections: (then, metadata) => [metadata, settingsSection(then)],
};

/** @type {import("../lib/tabs.js").TabKind[]} */
const TABS = [
  { name: "details", path: "", label: "Details", open: detailsTab },
  { name: "history", path: "/history", label: "History", open: async (shared) => (await import("./past/history.js")).historyTab(shared), isThere: isKept },
  { name: "raw", path: "/raw", label: "Raw JSON", open: async (shared) => (await import("./user/raw.js")).rawTab(shared) },
];

/** @param {import("../app.js").Place} place @param {string} id @param {string | undefined} tab @returns {Promise<import("../app.js").Page>} */
export async function clientPage(place, id, tab) {
  const tabs = TABS.filter(({ isThere }) => !isThere || isThere());
  const chosen = tabOf(tabs, tab);
  /** @type {[string, string]} */ const up = ["Clients", session.home("/clients")];
  if (!chosen) return missing(up, "clients", "No such page", h("p", null, `A client has the pages ${tabs.map(({ label }) => label).join(", ")}.`));
  const base = session.home(`/clients/${encodeURIComponent(id)}`);
  /** @type {Shared} */ let shared;
  try {
    const [profile, rich] = await Promise.all([fetchClient(id), loadEditor()]);
    shared = { kind: CLIENT, past: new past.Past("client", id), profile, rich, place, base, gone: null, renew, listeners: [] };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return (await import("./past/gone.js")).absentPage(CLIENT, place, id, base, up);
    throw error;
  }
  const head = h("header", { class: "who" });
  const draw = () => {
    const { profile } = shared;
    const type = profile.show("app_type");
    fill(head, picture(), h("div", { class: "ident" }, h("h1", null, profile.name),
      h("div", { class: "meta" }, chip(id, "client ID", "client-id"), type && badge(type), badge(`version ${profile.version}`, "accent", { title: "Sent as If-Match when you save", "data-testid": "version" }))));
  };
  /** @param {ClientProfile} profile */
  function renew(profile) {
    shared.profile = profile;
    draw();
    for (const listener of shared.listeners) listener();
  }
  draw();
  const opened = await chosen.open(shared);
  const { row, panel } = tabbed(place, base, tabs, chosen, opened.node);
  const { name } = shared.profile;
  return { title: name, section: "clients", crumbs: [up, [name]], node: h("div", { class: "stack" }, head, row, panel), save: opened.save, isDirty: opened.isDirty, close: opened.close };
}

/** @param {Shared} shared @returns {Promise<Tab>} */
async function detailsTab(shared) {
  const grid = new Grid(shared);
  return { node: [grid.node, isKept() && recentSection(shared)], save: () => grid.shortcut(), isDirty: () => grid.isDirty() };
}

/** What a client is besides its metadata. @param {Shared} then */
function settingsSection(then) {
  return h("section", { class: "sect", "aria-labelledby": "h-settings", "data-testid": "section-settings" },
    h("header", null, h("h2", { id: "h-settings" }, "Settings"), h("p", null, "Everything but the metadata. Secrets are not shown.")),
    json("Settings, JSON", "past-settings", format(then.profile.without("client_metadata"))));
}

/** @param {string} label @param {string} testid @param {string} text */
const json = (label, testid, text) => h("pre", { class: "code raw", tabindex: "0", "aria-label": label, "data-testid": testid }, text);
