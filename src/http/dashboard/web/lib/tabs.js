// @ts-check
// The page of a user or a client: its tabs, what they are given, and the page there is when
// there is nobody to show.

import { h } from "./dom.js";

/**
 * What users and clients differ in.
 * @typedef {{
 *   noun: "user" | "client",
 *   bags: { bag: string, scopes: string[] }[],
 *   updates: string,
 *   creates: string,
 *   read: (text: string, version: string | null) => any,
 *   fetch: (id: string) => Promise<any>,
 *   fetchHeir: (id: string) => Promise<any>,
 *   picture: (profile: any) => any,
 *   sections: (then: Shared, metadata: any) => any[],
 * }} Kind
 * What the tabs are given: who it is about as it is now, and a way to say that it changed. Of who
 * was deleted it is the last state, `gone` the change that deleted them, and `heir` who has their account now.
 * @typedef {{ kind: Kind, past: import("./past.js").Past, profile: any, rich: any, place: import("../app.js").Place, base: string, gone: import("./past.js").Entry | null, heir?: any, renew: (profile: any) => void, listeners: (() => void)[] }} Shared
 * @typedef {{ node: any, save?: () => void, isDirty?: () => boolean, isBusy?: () => boolean, isBehind?: () => boolean, close?: () => void }} Tab
 * @typedef {{ name: string, path: string, label: string, open: (shared: Shared) => Promise<Tab>, isThere?: () => boolean }} TabKind
 */

/** The tab an address means; none for one that is not there. @param {TabKind[]} tabs @param {string | undefined} named */
export const tabOf = (tabs, named) => tabs.find(({ name, path }) => (named ? name === named && path !== "" : path === ""));

/**
 * The row of tabs, and the panel of the one that is open.
 * @param {import("../app.js").Place} place @param {string} base @param {TabKind[]} tabs @param {TabKind} chosen @param {any} content
 */
export function tabbed(place, base, tabs, chosen, content) {
  const buttons = tabs.map(({ name, path, label }) => {
    const isChosen = name === chosen.name;
    const open = () => { if (!isChosen) place.go(base + path).then(() => document.getElementById(`tab-${name}`)?.focus()); };
    return h("button", { role: "tab", type: "button", id: `tab-${name}`, "aria-selected": String(isChosen), "aria-controls": isChosen ? "panel" : null, tabindex: isChosen ? "0" : "-1", "data-testid": `tab-${name}`, onclick: open }, label);
  });
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    const to = { ArrowRight: (at + 1) % buttons.length, ArrowLeft: (at + buttons.length - 1) % buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    buttons[to].focus();
  };
  return {
    row: h("div", { class: "tabs", role: "tablist", "aria-label": "Profile", onkeydown: keys }, buttons),
    panel: h("div", { class: "stack", role: "tabpanel", id: "panel", "aria-labelledby": `tab-${chosen.name}` }, content),
  };
}

/**
 * A page that says why there is nothing, and leads back to the list.
 * @param {[string, string]} up @param {string} section @param {string} title @param {...any} content @returns {import("../app.js").Page}
 */
export function missing(up, section, title, ...content) {
  const [all, href] = up;
  return { title, section, crumbs: [up, [title]], node: h("div", { class: "empty card", "data-testid": "missing" }, h("h1", null, title), content, h("p", null, h("a", { href }, `All ${all.toLowerCase()}`))) };
}
