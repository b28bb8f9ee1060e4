// @ts-check
// From the operator's dashboard to that of another tenant: each has a host of its own, so the way
// there is a link that works once.

import { call, get } from "./api.js";
import { failure, fill, h, icon } from "./dom.js";
import * as session from "./session.js";

/** The tenant on the rail, with a list of the others for who may see them. */
export function tenantSwitch() {
  const { tenant, is_default_tenant: isDefault } = session.info();
  const name = [h("span", { class: "dim small" }, "Tenant"), h("strong", null, tenant)];
  if (!isDefault || !session.can("dossier:operator")) return h("div", { class: "tenant", "data-testid": "tenant" }, name);
  const list = h("ul", { class: "card menu-list tenants" });
  const others = h("details", { class: "switch", "data-testid": "tenant-switch", ontoggle: () => others.open && load(list) },
    h("summary", { class: "btn ghost sm" }, "Switch tenant", icon("down")), list);
  return h("div", { class: "tenant", "data-testid": "tenant" }, name, others);
}

/** @param {Element} list */
async function load(list) {
  try {
    const { tenants } = (await get("/dossier/v1/tenants")).json();
    const others = tenants.filter((/** @type {any} */ { id }) => id !== session.info().tenant);
    fill(list, others.length === 0 ? h("li", { class: "pad small muted" }, "There is no other tenant.") : others.map((/** @type {any} */ { id }) => h("li", null, h("button", { type: "button", "data-tenant": id, onclick: () => enter(id, list) }, id))));
  } catch (error) {
    fill(list, h("li", null, failure(error)));
  }
}

/** @param {string} tenant @param {Element} list */
async function enter(tenant, list) {
  try {
    const body = JSON.stringify({ tenant, role: "admin", ttl: 60, name: session.info().session.subject.slice(0, 100) });
    location.assign((await call("POST", "/dossier/v1/login-links", { body })).json().url);
  } catch (error) {
    fill(list, h("li", null, failure(error)));
  }
}
