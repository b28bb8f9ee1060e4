// @ts-check
// Tokens for who tries things out: a short one for a client, shown once, and what is wrong with one.

import { call, get } from "../lib/api.js";
import { field } from "../lib/dialog.js";
import { badge, copy, failure, fill, h } from "../lib/dom.js";
import { counted, lasting, when } from "../lib/format.js";
import { format } from "../lib/json.js";
import * as session from "../lib/session.js";

const LIVES = [[300, "5 minutes"], [600, "10 minutes"], [1800, "30 minutes"], [3600, "1 hour"]];
const PER_PAGE = 100;

/** Everything of a list that comes in pages. @param {string} path @param {string} member @returns {Promise<any[]>} */
async function all(path, member) {
  /** @type {any[]} */ const found = [];
  for (let page = 0; ; page += 1) {
    const told = (await get(`${path}${path.includes("?") ? "&" : "?"}include_totals=true&page=${page}&per_page=${PER_PAGE}`)).json();
    found.push(...told[member]);
    if (told[member].length === 0 || found.length >= told.total) return found;
  }
}

/** @returns {Promise<import("../app.js").Page>} */
export async function tokensPage() {
  const node = h("div", { class: "stack" }, h("h1", null, "Tokens"),
    h("div", { class: "two" }, session.can("read:client_keys") && session.can("read:clients") && session.can("read:client_grants") ? await making() : h("section", { class: "card", "aria-labelledby": "h-make" }, h("header", null, h("h2", { id: "h-make" }, "Make a token")), h("p", { class: "pad muted" }, "Your session may not: it takes the scopes read:clients, read:client_grants and read:client_keys.")), inspecting()));
  return { title: "Tokens", section: "tokens", crumbs: [["Tokens"]], node };
}

async function making() {
  const audience = `${location.origin}/api/v2/`;
  const [clients, grants] = await Promise.all([all("/api/v2/clients?is_global=false&fields=client_id,name", "clients"), all("/api/v2/client-grants", "client_grants")]);
  const scopesOf = new Map(grants.filter((grant) => grant.audience === audience).map(({ client_id: id, scope }) => [id, scope]));
  const able = clients.filter(({ client_id: id }) => scopesOf.has(id));
  const client = h("select", { class: "input", "data-testid": "token-client" }, able.map(({ client_id: id, name }) => h("option", { value: id }, `${name || id}`)));
  const lives = h("select", { class: "input" }, LIVES.map(([value, text]) => h("option", { value, selected: value === 600 }, text)));
  const scopes = h("div", { class: "scope-list", "data-testid": "token-scopes" });
  const problem = h("div", { "aria-live": "polite" });
  const made = h("div", { "aria-live": "polite", "data-testid": "token-made" });
  const choose = () => {
    const may = (scopesOf.get(client.value) ?? []).filter((/** @type {string} */ scope) => session.can(scope));
    fill(scopes, may.length === 0 ? h("p", { class: "small muted" }, "Nothing that your session may do itself.") : may.map((/** @type {string} */ scope) => h("label", { class: "choice mono small" }, h("input", { type: "checkbox", value: scope, checked: scope.startsWith("read:") }), scope)));
    fill(made);
  };
  client.addEventListener("change", choose);
  choose();
  const form = h("form", { class: "pad stack-s", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = [...scopes.querySelectorAll("input:checked")].map((one) => /** @type {HTMLInputElement} */ (one).value);
    fill(problem);
    fill(made);
    try {
      const told = (await call("POST", "/dossier/v1/tokens", { body: JSON.stringify({ client_id: client.value, scopes: chosen, ttl: Number(lives.value) }) })).json();
      show(made, told);
    } catch (error) {
      fill(problem, failure(error));
    }
  } }, field("Client", client, "Clients that were granted this management API."), h("fieldset", null, h("legend", { class: "small" }, "Scopes"), scopes), field("Valid for", lives), problem, h("button", { class: "btn primary", type: "submit", "data-testid": "make-token" }, "Make token"), made);
  const none = h("div", { class: "pad stack-s", "data-testid": "no-token-clients" }, h("p", { class: "muted" }, "No client has a grant of this tenant's management API yet. Give one a client grant for the audience:"), h("pre", { class: "code", tabindex: "0", "aria-label": "Audience" }, audience));
  return h("section", { class: "card", "aria-labelledby": "h-make" }, h("header", null, h("h2", { id: "h-make" }, "Make a token")), able.length === 0 ? none : form);
}

/** The token is held here until it was copied, and never drawn. @param {Element} place @param {{ access_token: string, scope: string, expires_in: number }} made */
function show(place, { access_token: token, scope, expires_in: seconds }) {
  /** @type {string | null} */ let held = token;
  const button = h("button", { class: "btn", type: "button", "data-testid": "copy-token", onclick: async () => {
    if (held === null) return;
    await copy(held, "the token");
    held = null;
    button.disabled = true;
    fill(button, "Copied");
  } }, "Copy the token");
  fill(place, h("div", { class: "banner info" }, h("div", null, h("strong", null, "Made. "), `Valid for ${lasting(seconds * 1000)}, ${counted(scope ? scope.split(" ").length : 0, "scope")}. It can be copied once and is not shown again.`), button));
}

function inspecting() {
  const input = h("textarea", { class: "input area mono", rows: 5, spellcheck: "false", autocomplete: "off", required: true, "data-testid": "inspect-token" });
  const told = h("div", { class: "stack-s", "aria-live": "polite", "data-testid": "inspected" });
  const form = h("form", { class: "pad stack-s", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const answer = await call("POST", "/dossier/v1/tokens/inspect", { body: JSON.stringify({ token: input.value.trim() }) });
      fill(told, verdict(answer.json()));
    } catch (error) {
      fill(told, failure(error));
    }
  } }, field("Token", input, "It goes to this server and nowhere else, and is not kept."), h("button", { class: "btn", type: "submit", "data-testid": "inspect" }, "Inspect"), told);
  return h("section", { class: "card", "aria-labelledby": "h-inspect" }, h("header", null, h("h2", { id: "h-inspect" }, "Inspect a token")), session.can("read:clients") ? form : h("p", { class: "pad muted" }, "Your session may not: it takes the scope read:clients."));
}

/** @param {{ header: any, claims: any, valid: boolean, reason?: string, unknown_scopes: string[] }} told */
function verdict({ header, claims, valid, reason, unknown_scopes: unknown }) {
  const part = (/** @type {string} */ name, /** @type {any} */ value) => h("div", null, h("h3", null, name), value === null ? h("p", { class: "small muted" }, "cannot be read") : h("pre", { class: "code raw", tabindex: "0", "aria-label": name }, format(JSON.stringify(value))));
  const times = ["iat", "nbf", "exp"].filter((name) => Number.isSafeInteger(claims?.[name])).map((name) => h("div", null, h("dt", null, name), h("dd", null, when(claims[name] * 1000))));
  return [h("p", null, badge(valid ? "valid here" : "not valid here", valid ? "ok" : "bad"), reason && ` ${reason}`), unknown.length > 0 && h("p", { class: "small warn-text" }, "Scopes this server does not know: ", unknown.join(", ")),
    times.length > 0 && h("dl", { class: "facts half" }, times), part("Header", header), part("Claims", claims)];
}
