// @ts-check
// What the identity provider said, and what an application sees that prefers user_metadata.

import { badge, fill, h, icon, linked } from "../../lib/dom.js";
import { isTruthy, members, shown } from "../../lib/json.js";
import * as session from "../../lib/session.js";

/** Members of the profile that Dossier keeps itself. */
const OURS = new Set(["user_id", "identities", "user_metadata", "app_metadata", "created_at", "updated_at", "last_login", "last_ip", "logins_count", "last_password_reset", "blocked", "multifactor", "email_verified", "phone_verified", "blocked_for"]);

/** @param {import("../../lib/tabs.js").Shared} shared @param {((key: string, raw: string) => void) | null} override none where nothing can be changed */
export function providerSection(shared, override) {
  const head = h("header");
  const body = h("div", { class: "stack-s" });
  const canOverride = override !== null && session.can("update:users");
  const draw = () => {
    const { profile } = shared;
    const [primary, ...others] = identities(profile);
    const own = members(profile.bag("user_metadata"));
    fill(head, h("h2", { id: "h-idp" }, "Identity Provider Attributes"), h("span", { class: "badge" }, icon("lock"), "read-only"),
      h("p", null, "As received from ", h("code", null, primary?.connection ?? "the provider"), ". To change what apps see, set the same key in ", h("code", null, "user_metadata"), "; the effective value is ", h("code", null, "user_metadata.key || key"), "."));
    const rows = [...profile.members].filter(([key]) => !OURS.has(key)).map(([key, raw]) => {
      const mine = own.get(key);
      const isOver = isTruthy(mine);
      return h("tr", { class: isOver ? "over" : null, "data-attribute": key, "data-source": isOver ? "user_metadata" : "provider" },
        h("td", { class: "mono" }, key), h("td", { class: "mono" }, isOver ? h("del", null, shown(raw)) : linked(shown(raw))),
        h("td", { class: "mono", "data-effective": true }, isOver ? linked(shown(mine)) : linked(shown(raw))),
        h("td", null, isOver ? badge("from user_metadata", "accent") : canOverride && h("button", { class: "btn ghost sm", type: "button", "aria-label": `Override ${key}`, onclick: () => override?.(key, raw) }, "Override…")));
    });
    fill(body,
      h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Provider attributes" },
        others.length > 0 && h("h3", { class: "group" }, primary.connection, " ", badge("primary")),
        h("table", { class: "idp" }, h("thead", null, h("tr", null, h("th", { class: "w-attr" }, "Attribute"), h("th", null, "From the provider"), h("th", null, "Effective value"), h("th", { class: "w-over" }, h("span", { class: "vh" }, "Override")))), h("tbody", null, rows))),
      others.map(({ provider, connection, attributes }) => h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": `Attributes from ${connection}`, "data-testid": "identity" },
        h("h3", { class: "group" }, connection, " ", badge(provider)),
        attributes.size === 0 ? h("p", { class: "pad muted" }, "This identity brought no attributes.") : h("table", { class: "idp" }, h("thead", null, h("tr", null, h("th", { class: "w-attr" }, "Attribute"), h("th", null, "From the provider"))), h("tbody", null, [...attributes].map(([key, raw]) => h("tr", null, h("td", { class: "mono" }, key), h("td", { class: "mono" }, linked(shown(raw))))))))));
  };
  draw();
  shared.listeners.push(draw);
  return h("section", { class: "sect", "aria-labelledby": "h-idp", "data-testid": "section-idp" }, head, body);
}

/** The identities with their attributes as JSON text. @param {import("../../lib/profile.js").UserProfile} profile */
const identities = (profile) => profile.identities.map((own) => ({ provider: shown(own.get("provider")), connection: shown(own.get("connection")), attributes: members(own.get("profileData") ?? "{}") }));
