// @ts-check
// Who is signed in, how this browser shows things, the snapshots, and every setting of the server with its origin.

import { ApiError, call, get } from "../lib/api.js";
import { badge, failure, fill, h } from "../lib/dom.js";
import { hasRich, prefersPlain } from "../lib/editor.js";
import { setZone, when, zone } from "../lib/format.js";
import * as session from "../lib/session.js";
import { snapshots } from "./settings/snapshots.js";

/** @returns {Promise<import("../app.js").Page>} */
export async function settingsPage() {
  const node = h("div", { class: "stack" });
  const [files, server] = await Promise.all([snapshots(), session.can("dossier:operator") ? configuration() : h("p", { class: "muted" }, "The server's settings are shown to its operator (scope dossier:operator).")]);
  const licences = h("pre", { class: "code flat", tabindex: "0", "aria-label": "Licences", "data-testid": "licences" });
  const about = h("details", { class: "card", ontoggle: async () => {
    if (!about.open || licences.textContent) return;
    try { fill(licences, await (await fetch(new URL("../licences.txt", import.meta.url))).text()); } catch { fill(licences, "The licence texts could not be loaded."); }
  } }, h("summary", null, "Licences of what the dashboard contains"), licences);
  fill(node, h("h1", null, "Settings"), person(), files, h("section", { class: "sect", "aria-labelledby": "h-server" }, h("header", null, h("h2", { id: "h-server" }, "Server")), server), about);
  // The address may name a section that was not there yet when the browser looked for it.
  const named = location.hash === "#snapshots" ? files : null;
  if (named) requestAnimationFrame(() => named.scrollIntoView());
  return { title: "Settings", section: "settings", crumbs: [["Settings"]], node };
}

function person() {
  const { subject, role, prefixes, scopes, expires_at: expires } = session.info().session;
  const choice = (/** @type {string} */ label, /** @type {string} */ id, /** @type {[string, string][]} */ options, /** @type {string} */ now, /** @type {(value: string) => void} */ take) => {
    const select = h("select", { class: "input", id, onchange: () => take(select.value) }, options.map(([value, text]) => h("option", { value, selected: value === now }, text)));
    return h("div", { class: "field" }, h("label", { for: id }, label), select);
  };
  const theme = choice("Theme", "pick-theme", [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]], localStorage.getItem("dossier.theme") ?? "auto", (value) => { localStorage.setItem("dossier.theme", value); dispatchEvent(new Event("theme")); });
  const times = choice("Times", "pick-zone", [["UTC", "UTC"], ["local", "This browser's zone"]], zone(), (value) => { setZone(value); document.dispatchEvent(new CustomEvent("again")); });
  const editor = hasRich() && choice("JSON editor", "pick-editor", [["rich", "With colours and search"], ["plain", "Plain text area"]], prefersPlain() ? "plain" : "rich", (value) => localStorage.setItem("dossier.editor", value));
  const fact = (/** @type {string} */ name, /** @type {any} */ value) => h("div", null, h("dt", null, name), h("dd", null, value));
  return h("div", { class: "two" },
    h("section", { class: "card", "aria-labelledby": "h-you" }, h("header", null, h("h2", { id: "h-you" }, "You")),
      h("dl", { class: "facts half" }, fact("Named in changes as", h("code", null, subject)), fact("Role", role ?? "from a token"), prefixes.length > 0 && fact("Keys you may change begin with", prefixes.join(", ")), fact("Session ends", when(expires))),
      h("details", { class: "pad" }, h("summary", null, `${scopes.length} scopes`), h("p", { class: "mono small" }, scopes.join(" ")))),
    h("section", { class: "card", "aria-labelledby": "h-look" }, h("header", null, h("h2", { id: "h-look" }, "This browser")), h("div", { class: "pad stack-s" }, theme, times, editor)));
}

async function configuration() {
  let config;
  try {
    config = (await get("/dossier/v1/config")).json();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return failure(error);
  }
  const text = (/** @type {any} */ value) => (typeof value === "string" ? value || '""' : JSON.stringify(value));
  const sections = Object.entries(config.settings).map(([section, keys]) => h("details", { class: "card config", open: true },
    h("summary", { class: "mono" }, `[${section}]`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Settings of ${section}` }, h("table", { class: "wide" }, h("thead", null, h("tr", null, ["Key", "Value", "Default", "Source", "Takes effect"].map((name) => h("th", null, name)))),
      h("tbody", null, Object.entries(/** @type {any} */ (keys)).map(([key, row]) => h("tr", { "data-setting": `${section}.${key}` }, h("td", { class: "mono", title: row.about }, key), h("td", { class: "mono" }, text(row.value)), h("td", { class: "mono dim" }, text(row.default)),
        h("td", null, row.origin === "default" ? h("span", { class: "dim" }, "default") : badge(row.origin, "info")), h("td", null, row.live ? "live" : "needs restart"))))))));
  const outcome = h("div", { "aria-live": "polite", "data-testid": "reload-result" });
  const reload = h("button", { class: "btn", type: "button", "data-testid": "reload", onclick: async () => {
    try {
      const { applied, restart_required: later } = (await call("POST", "/dossier/v1/config/reload")).json();
      const keys = (/** @type {string[]} */ names) => (names.length === 0 ? "none" : names.flatMap((name, at) => [at > 0 && ", ", h("code", null, name)]));
      fill(outcome, h("div", { class: "banner info" }, h("div", null, "Read again. Applied: ", keys(applied), ". Waiting for a restart: ", keys(later), ".")));
    } catch (error) {
      fill(outcome, failure(error));
    }
  } }, "Reload file");
  return [h("div", { class: "row" }, reload), outcome, h("p", { class: "small muted" }, config.file ? ["Read from ", h("code", null, config.file)] : "No settings file was read.", " Values are changed in the file, not here."), config.warnings.map((/** @type {string} */ warning) => h("div", { class: "banner warn" }, warning)), h("div", { class: "stack-s" }, sections)];
}
