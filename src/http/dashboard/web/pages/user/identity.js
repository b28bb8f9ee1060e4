// @ts-check
// Who this is and how they sign in.

import { badge, fill, h } from "../../lib/dom.js";
import { grouped, when } from "../../lib/format.js";
import { shown } from "../../lib/json.js";

/** @param {import("../../lib/tabs.js").Shared} shared */
export function identitySection(shared) {
  const facts = h("dl", { class: "facts" });
  const fact = (/** @type {string} */ name, /** @type {any} */ ...value) => h("div", null, h("dt", null, name), h("dd", null, value));
  const none = () => h("span", { class: "dim" }, "—");
  const draw = () => {
    const { profile } = shared;
    const text = (/** @type {string} */ key) => profile.show(key) || none();
    const moment = (/** @type {string} */ key) => {
      const iso = profile.show(key);
      return iso ? h("time", { datetime: iso, title: iso }, when(iso)) : none();
    };
    const nickname = profile.show("nickname");
    const signIn = profile.identities.flatMap((/** @type {Map<string, string>} */ identity, /** @type {number} */ at) => [h("span", null, shown(identity.get("connection"))), at === 0 && badge("primary")]);
    fill(facts,
      fact("Email", text("email")),
      fact("Name", profile.name, nickname && nickname !== profile.name && h("span", { class: "dim" }, "(", h("bdi", null, nickname), ")")),
      fact("Sign-in", signIn.length ? signIn : none()),
      fact("Access", profile.isBlocked ? badge("Blocked", "bad") : badge("Allowed", "ok")),
      fact("Last login", moment("last_login")),
      fact("Logins", grouped(Number(profile.show("logins_count") || 0))),
      fact("Last IP", h("span", { class: "mono" }, text("last_ip"))),
      fact("Created", moment("created_at")),
      profile.show("username") && fact("Username", text("username")),
      profile.show("phone_number") && fact("Phone", text("phone_number"), profile.raw("phone_verified") === "true" && badge("verified", "ok")));
  };
  draw();
  shared.listeners.push(draw);
  return h("section", { class: "sect", "aria-labelledby": "h-id", "data-testid": "section-identity" },
    h("header", null, h("h2", { id: "h-id" }, "User Identity"), h("p", null, "Who this is and how they sign in.")),
    h("div", { class: "card" }, facts));
}
