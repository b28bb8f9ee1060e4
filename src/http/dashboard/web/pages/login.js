// @ts-check
// Signing in: with a one-time link, which brings its code along, or by pasting a link or a token.

import { failure, fill, h } from "../lib/dom.js";
import * as session from "../lib/session.js";

/** What was pasted: a link, its code, or a token. @param {string} text */
function passOf(text) {
  const pasted = text.trim();
  const code = /[?&]once=([^&#\s]+)/.exec(pasted);
  if (code) return { once: decodeURIComponent(code[1]) };
  return pasted.split(".").length === 3 ? { token: pasted } : { once: pasted };
}

/** @param {import("../app.js").Place} place @param {{ isDirty: boolean } | null} ended whether a session ended by itself just now */
export async function loginPage(place, ended) {
  const once = place.query.get("once");
  // Where to go next: what was asked for before signing in, never another site.
  const next = place.path[0] === "login" ? "/ui/" : location.pathname + location.search + location.hash;
  const problem = h("div", { "aria-live": "assertive" });
  const enter = async (/** @type {any} */ pass) => {
    try {
      await session.signIn(pass);
      history.replaceState(null, "", next);
      document.dispatchEvent(new CustomEvent("again"));
      return true;
    } catch (error) {
      fill(problem, failure(error));
      return false;
    }
  };
  if (once !== null) {
    // The code leaves the address bar and the history before anything else happens.
    history.replaceState(null, "", "/ui/login");
    if (await enter({ once })) return h("p", { class: "lonely" }, "Signing in…");
  } else if (session.isIn()) {
    history.replaceState(null, "", "/ui/");
    document.dispatchEvent(new CustomEvent("again"));
    return h("p", { class: "lonely" }, "Signing in…");
  }
  const field = h("input", { class: "input", id: "pass", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const form = h("form", {
    class: "card login",
    onsubmit: async (/** @type {Event} */ event) => { event.preventDefault(); await enter(passOf(field.value)); field.value = ""; },
  },
  h("h1", null, `Sign in to ${session.info().title}`),
  ended && h("div", { class: "banner warn", role: "status", "data-testid": "ended" }, h("div", null, "Your session has ended. Sign in here and you are back on this page.", ended.isDirty && " What you had not saved is kept in this browser as a draft.")),
  h("p", { class: "muted" }, "Open a one-time link, which this command prints:"),
  h("pre", { class: "code", tabindex: "0", "aria-label": "Command" }, "dossier login-link"),
  h("div", { class: "field" }, h("label", { for: "pass" }, "Or paste a link or an access token"), field),
  problem,
  h("button", { class: "btn primary", type: "submit" }, "Sign in"));
  return h("main", { class: "lonely", id: "main" }, h("div", { class: "brand" }, h("i", { "aria-hidden": "true" }, "D"), session.info().title), form);
}
