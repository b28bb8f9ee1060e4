// @ts-check
// Key/value entries and the token claims they become.

import { ApiError, call, entriesPath, get } from "../../lib/api.js";
import { ask, confirmed, field } from "../../lib/dialog.js";
import { badge, failure, fill, h, toast } from "../../lib/dom.js";
import { counted, grouped, limit } from "../../lib/format.js";
import { bytes } from "../../lib/json.js";
import * as session from "../../lib/session.js";

/** @typedef {{ key: string, value: string, profileClaim: boolean }} Entry */

/** @param {import("../../lib/tabs.js").Shared} shared @returns {Promise<import("../../lib/tabs.js").Tab>} */
export async function claimsTab(shared) {
  const node = h("section", { class: "sect", "aria-labelledby": "h-claims", "data-testid": "section-claims" });
  const path = entriesPath(shared.profile.id);
  const canEdit = session.can("iam", "update:users");
  const { prefix, max_bytes: most } = session.info().claims;
  const problem = h("div");
  const body = h("div", { class: "stack" });
  fill(node,
    h("header", null, h("h2", { id: "h-claims" }, "Token claims"), h("p", null, "Key/value entries of this user. An entry that is switched on is in the tokens of the user as ", h("code", null, `${prefix}<key>`), ".")),
    h("div", { class: "banner warn" }, "Claims are readable by anyone who holds the token."), problem, body);

  async function load() {
    /** @type {Entry[]} */ const entries = (await get(path)).json().metadata;
    draw(entries);
  }
  /** @param {string} method @param {string} key @param {string} [text] */
  async function change(method, key, text) {
    fill(problem);
    try {
      await call(method, `${path}/${encodeURIComponent(key)}`, { body: text });
      await load();
      return true;
    } catch (error) {
      fill(problem, failure(error));
      await load();
      return false;
    }
  }
  /** @param {Entry[]} entries */
  function draw(entries) {
    const claims = entries.filter(({ profileClaim }) => profileClaim);
    const preview = JSON.stringify(Object.fromEntries(claims.map(({ key, value }) => [prefix + key, value])), null, 2);
    const used = claims.length === 0 ? 0 : bytes(JSON.stringify(Object.fromEntries(claims.map(({ key, value }) => [prefix + key, value]))));
    const rows = entries.map(({ key, value, profileClaim }) => {
      const toggle = h("input", { type: "checkbox", role: "switch", checked: profileClaim, disabled: !canEdit, "aria-label": `${key} in token`, onchange: () => change("PUT", key, JSON.stringify({ value, profileClaim: toggle.checked })) });
      return h("tr", { "data-entry": key }, h("td", { class: "mono" }, key), h("td", { class: "mono" }, value), h("td", null, toggle), h("td", { class: "mono" }, profileClaim ? `${prefix}${key}` : h("span", { class: "dim" }, "—")),
        h("td", null, canEdit && h("span", { class: "row" },
          h("button", { class: "btn ghost sm", type: "button", "aria-label": `Edit ${key}`, onclick: () => edit({ key, value, profileClaim }) }, "Edit…"),
          h("button", { class: "btn ghost sm", type: "button", "aria-label": `Remove ${key}`, onclick: async () => {
            if (await confirmed(`Remove ${key}?`, h("p", null, "The entry is removed at once."), "Remove", "danger") && await change("DELETE", key)) {
              toast(`Removed ${key}`, { label: "Undo", run: () => change("PUT", key, JSON.stringify({ value, profileClaim })) });
            }
          } }, "Remove"))));
    });
    fill(body,
      h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Entries" }, rows.length === 0 ? h("p", { class: "pad muted", "data-testid": "no-entries" }, "This user has no key/value entries yet.")
        : h("table", { class: "wide" }, h("thead", null, h("tr", null, ["Key", "Value", "In token", "Claim name"].map((name) => h("th", null, name)), h("th", null, h("span", { class: "vh" }, "Actions")))), h("tbody", null, rows))),
      canEdit && h("div", null, h("button", { class: "btn", type: "button", "data-testid": "add-entry", onclick: () => edit(null) }, "Add entry…")),
      h("div", { class: "card" }, h("header", null, h("h3", null, "What a token would carry"), badge(`${grouped(used)} B of ${limit(most)}`, `${used > most ? "bad" : used > most * 0.8 ? "warn" : ""} push`.trim(), { "data-testid": "claims-size" })),
        h("pre", { class: "code flat", tabindex: "0", "aria-label": "Claims", "data-testid": "claims-preview" }, preview),
        h("footer", null, counted(claims.length, "claim"), used > most && ": more than a token may carry")));
  }
  /** @param {Entry | null} entry */
  async function edit(entry) {
    const key = h("input", { class: "input mono", value: entry?.key ?? "", readonly: entry !== null, maxlength: 255, required: true, autocomplete: "off", spellcheck: "false" });
    const value = h("textarea", { class: "input area mono", rows: 3, spellcheck: "false", value: entry?.value ?? "" });
    const inToken = h("input", { type: "checkbox", checked: entry?.profileClaim ?? false });
    await ask(entry ? `Edit ${entry.key}` : "Add entry", [field("Key", key), field("Value", value), field("In token", inToken)], [{ label: "Cancel", value: "" }, { label: "Save entry", value: "save", kind: "primary" }], {
      testid: "entry", check: () => (key.value === "" ? false : change("PUT", key.value, JSON.stringify({ value: value.value, profileClaim: inToken.checked }))),
    });
  }
  try {
    await load();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fill(body, failure(error));
  }
  shared.listeners.push(() => { load().catch((error) => fill(problem, failure(error))); });
  return { node };
}
