// @ts-check
// The shell: which page an address means, the rail, the top bar, the theme, the shortcuts.

import { confirmed } from "./lib/dialog.js";
import { failure, fill, h, icon, toast } from "./lib/dom.js";
import { listen } from "./lib/keys.js";
import * as session from "./lib/session.js";
import { tenantSwitch } from "./lib/tenants.js";

/**
 * A page: its title, the way to it, what it shows; and, where it has them, what Ctrl+S does,
 * whether something would be lost by leaving, and what must end with it.
 * @typedef {{ title: string, section: string, crumbs: [string, string?][], node: any, save?: () => void, isDirty?: () => boolean, close?: () => void }} Page
 * @typedef {{ go: (path: string, replace?: boolean) => Promise<void>, path: string[], query: URLSearchParams, hash: string }} Place
 */

// A page's code is loaded when the page is opened first.
const overviewPage = async () => (await import("./pages/overview.js")).overviewPage();
const settingsPage = async () => (await import("./pages/settings.js")).settingsPage();
const usersPage = async (/** @type {Place} */ place) => (await import("./pages/users.js")).usersPage(place);
const userPage = async (/** @type {Place} */ place, /** @type {string} */ id, /** @type {string | undefined} */ tab) => (await import("./pages/user.js")).userPage(place, id, tab);
const clientsPage = async (/** @type {Place} */ place) => (await import("./pages/clients.js")).clientsPage(place);
const clientPage = async (/** @type {Place} */ place, /** @type {string} */ id, /** @type {string | undefined} */ tab) => (await import("./pages/client.js")).clientPage(place, id, tab);
const requestsPage = async (/** @type {Place} */ place) => (await import("./pages/requests.js")).requestsPage(place);
const tokensPage = async () => (await import("./pages/tokens.js")).tokensPage();
const historyPage = async () => (await import("./pages/history.js")).historyPage();
const loginPage = async (/** @type {Place} */ place) => (await import("./pages/login.js")).loginPage(place, ended);

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
/** @type {Page | null} */ let shown = null;
/** @type {string} */ let address = location.href;
let turn = 0;
/** Whether a session ended by itself, and something was being changed then. @type {{ isDirty: boolean } | null} */ let ended = null;

// Requests are kept in test mode only; a token is made or looked at with these scopes.
const seesRequests = () => Boolean(session.info().test_mode) && session.can("read:logs");
const seesTokens = () => session.can("read:clients", "read:client_keys");

/** Where an address leads. @param {Place} place @returns {(() => Promise<Page>) | null} */
function resolve(place) {
  const [first, tenant, page, id, tab] = place.path;
  if (first === "settings") return () => settingsPage();
  if (first !== "t") return null;
  if (tenant !== session.info().tenant) return () => elsewhere(tenant);
  if (page === undefined || page === "") return () => overviewPage();
  if (page === "users" && !id) return () => usersPage(place);
  if (page === "users" && place.path.length <= 5) return () => userPage(place, id, tab);
  if (page === "history" && !id && session.isKept()) return () => historyPage();
  if (page === "requests" && !id && seesRequests()) return () => requestsPage(place);
  if (page === "tokens" && !id && seesTokens()) return () => tokensPage();
  if (page === "clients" && !id) return () => clientsPage(place);
  if (page === "clients" && place.path.length <= 5) return () => clientPage(place, id, tab);
  return null;
}

/** @param {string} tenant @returns {Promise<Page>} */
async function elsewhere(tenant) {
  const own = session.info().tenant;
  const node = h("div", { class: "empty" }, h("h1", null, "Another tenant"), h("p", null, "This address serves the tenant ", h("code", null, own), ", not ", h("code", null, tenant), ". Each tenant has a host name of its own, such as ", h("code", null, `${tenant}.localhost`), "."),
    h("p", null, h("a", { href: session.home() }, `Go to ${own}`)));
  return { title: "Another tenant", section: "", crumbs: [["Another tenant"]], node };
}

/** @param {unknown} error @returns {Page} */
const broken = (error) => ({ title: "Something went wrong", section: "", crumbs: [["Something went wrong"]], node: h("div", { class: "stack" }, h("h1", null, "Something went wrong"), failure(error), h("p", null, h("button", { class: "btn", type: "button", "data-testid": "again", onclick: () => show() }, "Try again"))) });

/** @returns {Page} */
const missing = () => ({ title: "No such page", section: "", crumbs: [["No such page"]], node: h("div", { class: "empty" }, h("h1", null, "No such page"), h("p", null, h("a", { href: session.home() }, "To the overview"))) });

function placeOf() {
  const path = location.pathname.replace(/^\/ui\/?/, "").split("/").filter((part, at, all) => part !== "" || at < all.length - 1).map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  return { go, path, query: new URLSearchParams(location.search), hash: location.hash };
}

async function show() {
  const mine = (turn += 1);
  address = location.href;
  const place = placeOf();
  if (!session.isIn() || place.path[0] === "login") {
    leave();
    fill(root, await loginPage(place));
    document.title = `Sign in · ${session.info().title}`;
    return;
  }
  if (place.path.length === 0) { history.replaceState(null, "", session.home()); return show(); }
  const make = resolve(place);
  root.setAttribute("aria-busy", "true");
  const page = make ? await make().catch(broken) : missing();
  if (mine !== turn) { page.close?.(); return; }
  leave();
  ended = null;
  shown = page;
  document.title = `${page.title} · ${session.info().tenant} — ${session.info().title}`;
  fill(root, shell(page));
  root.removeAttribute("aria-busy");
  if (!location.hash) scrollTo(0, 0);
}

function leave() { shown?.close?.(); shown = null; }

async function mayLeave() {
  if (!shown?.isDirty?.()) return true;
  return confirmed("Leave with unsaved changes?", h("p", null, "The changes are kept as a draft in this browser; they are not saved to the user."), "Leave", "danger");
}

/** @param {string} path */
async function go(path, replace = false) {
  if (!(await mayLeave())) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  await show();
}

addEventListener("popstate", async () => {
  const wanted = location.href;
  if (wanted === address) return;
  if (shown?.isDirty?.()) {
    // The address has changed already; it is put back until the question is answered.
    history.pushState(null, "", address);
    if (!(await mayLeave())) return;
    history.replaceState(null, "", wanted);
  }
  await show();
});
addEventListener("beforeunload", (event) => { if (shown?.isDirty?.()) event.preventDefault(); });
document.addEventListener("signed-out", () => {
  if (!session.isIn()) return;
  ended = { isDirty: Boolean(shown?.isDirty?.()) };
  session.forget();
  show();
});
document.addEventListener("again", () => show());
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || !link.pathname.startsWith("/ui/") || link.hasAttribute("download")) return;
  if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
});

// A menu closes when something else is meant, and with Esc.
const openMenus = () => /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll("details.drop[open], details.help[open]")]);
document.addEventListener("pointerdown", (event) => {
  for (const menu of openMenus()) if (!menu.contains(/** @type {globalThis.Node} */ (event.target))) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) { menu.open = false; menu.querySelector("summary")?.focus(); }
});

/** @param {Page} page */
function shell(page) {
  const { test_mode: testMode, server_version: version, title } = session.info();
  const entry = (/** @type {string} */ section, /** @type {any} */ name, /** @type {string} */ label, /** @type {string} */ href) =>
    h("li", null, h("a", { href, "aria-current": page.section === section ? "page" : null }, icon(name), label));
  const rail = h("aside", { class: "rail", id: "rail" },
    h("div", { class: "brand" }, h("i", { "aria-hidden": "true" }, "D"), title),
    tenantSwitch(),
    h("nav", { "aria-label": "Main" }, h("ul", null,
      entry("overview", "overview", "Overview", session.home()),
      entry("users", "users", "Users", session.home("/users")),
      entry("clients", "clients", "Clients", session.home("/clients")),
      session.isKept() && entry("history", "history", "History", session.home("/history")),
      seesRequests() && entry("requests", "requests", "Requests", session.home("/requests")),
      seesTokens() && entry("tokens", "lock", "Tokens", session.home("/tokens")),
      entry("settings", "settings", "Settings", "/ui/settings"))),
    h("div", { class: "foot" },
      testMode && h("span", { class: "row" }, h("span", { class: "badge warn" }, "dev"), "test mode"),
      h("span", { class: "who-am-i" }, session.info().session.subject),
      h("span", { class: "row" }, h("span", null, `v${version}`), h("button", { class: "btn ghost sm push", type: "button", "data-testid": "sign-out", onclick: signOut }, "Sign out"))));
  const menu = h("button", { class: "btn ghost menu", type: "button", "aria-label": "Menu", "aria-controls": "rail", "aria-expanded": "false", onclick: () => menu.setAttribute("aria-expanded", String(rail.classList.toggle("open"))) }, icon("menu"));
  const query = h("input", { class: "input", id: "q", type: "search", placeholder: "Search users", autocomplete: "off", spellcheck: "false" });
  const search = h("form", { role: "search", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); go(session.home(`/users?q=${encodeURIComponent(query.value)}`)); } },
    icon("search"), h("label", { class: "vh", for: "q" }, "Search users"), query, h("kbd", { "aria-hidden": "true" }, "/"));
  const crumbs = page.crumbs.map(([label, href]) => (href ? h("li", null, h("a", { href }, label)) : h("li", { "aria-current": "page" }, label)));
  return [
    h("a", { class: "skip", href: "#main" }, "Skip to the page"),
    h("div", { class: "shell" }, rail, h("div", null,
      h("div", { class: "top" }, menu, h("nav", { "aria-label": "Breadcrumb" }, h("ol", { class: "crumbs" }, crumbs)), search,
        h("button", { class: "btn ghost", id: "theme", type: "button", "aria-label": "Switch theme", onclick: switchTheme }, icon("moon"))),
      h("main", { id: "main", tabindex: "-1" }, page.node))),
  ];
}

function switchTheme() {
  localStorage.setItem("dossier.theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  dispatchEvent(new Event("theme"));
}

async function signOut() {
  if (!(await mayLeave())) return;
  try { await session.signOut(); } catch (error) {
    // While nothing can be written the session cannot be ended for good, and that is said.
    toast(`You are still signed in. ${/** @type {Error} */ (error).message}`);
    return;
  }
  leave();
  history.pushState(null, "", "/ui/login");
  await show();
}

const PAGES = /** @type {Record<string, () => string>} */ ({ o: () => session.home(), u: () => session.home("/users"), c: () => session.home("/clients"), h: () => session.home(session.isKept() ? "/history" : ""), s: () => "/ui/settings" });
listen({
  go: (key) => session.isIn() && go(PAGES[key]()),
  save: () => { if (!shown?.save) return false; shown.save(); return true; },
  search: () => document.getElementById("q")?.focus(),
});

session.load().then(show, (error) => fill(root, h("div", { class: "lonely" }, failure(error))));
