// @ts-check
// One user: the header, the tabs, and what they share. The profile is kept as the text the
// API sent; parts of it are taken as places in that text.

import { ApiError, call, get, isOwn, userPath } from "../lib/api.js";
import { ask, confirmed } from "../lib/dialog.js";
import { badge, chip, copy, failure, fill, h, toast } from "../lib/dom.js";
import { loadEditor } from "../lib/editor.js";
import { ago, initials, when } from "../lib/format.js";
import { members, shown } from "../lib/json.js";
import { follow } from "../lib/live.js";
import * as past from "../lib/past.js";
import * as session from "../lib/session.js";
import { claimsTab } from "./user/claims.js";
import { deleteUser } from "./user/delete.js";
import { detailsTab } from "./user/details.js";
import { historyTab } from "./user/history.js";
import { rawTab } from "./user/raw.js";

/** A user as the API sent it, with its version. */
export class Profile {
  /** @param {string} text @param {string | null} version @param {number} size */
  constructor(text, version, size) { this.text = text; this.version = version; this.size = size; this.members = members(text); }
  /** The member's compact JSON text. @param {string} key */
  raw(key) { return this.members.get(key); }
  /** The member as text for people. @param {string} key */
  show(key) { return shown(this.members.get(key)); }
  /** A metadata object's text; a user without one has an empty one. @param {string} bag */
  bag(bag) { return this.members.get(bag) ?? "{}"; }
  get id() { return this.show("user_id"); }
  get name() { return this.show("name") || this.show("nickname") || this.show("email") || this.id; }
  get isBlocked() { return this.raw("blocked") === "true"; }
  /** @returns {any[]} */
  get identities() { return JSON.parse(this.raw("identities") ?? "[]"); }
}

/** @param {string} id */
export async function fetchProfile(id) {
  const answer = await get(userPath(id));
  return new Profile(answer.text, answer.version, new TextEncoder().encode(answer.text).length);
}

/**
 * What the tabs are given: the profile as it is now, and a way to say that it changed.
 * @typedef {{ profile: Profile, rich: any, place: import("../app.js").Place, base: string, renew: (profile: Profile) => void, listeners: (() => void)[] }} Shared
 * @typedef {{ node: any, save?: () => void, isDirty?: () => boolean, isBusy?: () => boolean, isBehind?: () => boolean, close?: () => void }} Tab
 */

/** In their order; a tab may be left out for whom it has nothing. */
const TABS = [
  { name: "details", path: "", label: "Details", open: detailsTab },
  { name: "history", path: "/history", label: "History", open: historyTab, isThere: past.isKept },
  { name: "raw", path: "/raw", label: "Raw JSON", open: rawTab },
  { name: "claims", path: "/claims", label: "Token claims", open: claimsTab },
];

/** @param {import("../app.js").Place} place @param {string} id @param {string | undefined} tab @returns {Promise<import("../app.js").Page>} */
export async function userPage(place, id, tab) {
  const tabs = TABS.filter(({ isThere }) => !isThere || isThere());
  const chosen = tabs.find(({ name, path }) => (tab ? name === tab && path !== "" : path === ""));
  /** @type {[string, string?]} */ const up = ["Users", session.home("/users")];
  const missing = (/** @type {string} */ title, /** @type {any} */ text) =>
    ({ title, section: "users", crumbs: [up, /** @type {[string]} */ ([title])], node: h("div", { class: "empty card", "data-testid": "missing" }, h("h1", null, title), h("p", null, text), h("p", null, h("a", { href: up[1] }, "All users"))) });
  if (!chosen) return missing("No such page", `A user has the pages ${tabs.map(({ label }) => label).join(", ")}.`);
  const base = session.home(`/users/${encodeURIComponent(id)}`);
  /** @type {Shared} */ let shared;
  try {
    const [profile, rich] = await Promise.all([fetchProfile(id), loadEditor()]);
    shared = { profile, rich, place, base, renew, listeners: [] };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return missing("No such user", ["There is no user ", h("code", null, id), " in this tenant."]);
    throw error;
  }
  const head = h("header", { class: "who" });
  /** @param {Profile} profile */
  function renew(profile) {
    shared.profile = profile;
    header(head, shared, place);
    for (const listener of shared.listeners) listener();
  }
  header(head, shared, place);
  const opened = await chosen.open(shared);
  const notice = h("div", { "aria-live": "polite" });
  const end = live(shared, notice, opened);
  const buttons = tabs.map(({ name, path, label }) => {
    const isChosen = name === chosen.name;
    return h("button", { role: "tab", type: "button", id: `tab-${name}`, "aria-selected": String(isChosen), "aria-controls": isChosen ? "panel" : null, tabindex: isChosen ? "0" : "-1", "data-testid": `tab-${name}`, onclick: () => { if (!isChosen) place.go(base + path).then(() => document.getElementById(`tab-${name}`)?.focus()); } }, label);
  });
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    const to = { ArrowRight: (at + 1) % buttons.length, ArrowLeft: (at + buttons.length - 1) % buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    buttons[to].focus();
  };
  const node = h("div", { class: "stack" }, head,
    h("div", { class: "tabs", role: "tablist", "aria-label": "Profile", onkeydown: keys }, buttons), notice,
    h("div", { class: "stack", role: "tabpanel", id: "panel", "aria-labelledby": `tab-${chosen.name}` }, opened.node));
  return { title: shared.profile.name, section: "users", crumbs: [up, [shared.profile.name]], node, save: opened.save, isDirty: opened.isDirty, close: () => { end(); opened.close?.(); } };
}

/** @param {Element} place @param {Shared} shared @param {import("../app.js").Place} router */
function header(place, shared, router) {
  const { profile } = shared;
  const updated = profile.show("updated_at");
  const verified = profile.raw("email_verified");
  const provider = profile.identities[0]?.connection;
  const canChange = session.can("update:users") && !session.isEditor();
  fill(place,
    avatar(profile),
    h("div", { class: "ident" }, h("h1", null, profile.name),
      h("div", { class: "meta" }, chip(profile.id, "user ID", "user-id"),
        verified === "true" && badge("Email verified", "ok"), verified === "false" && profile.show("email") && badge("Email not verified", "warn"),
        profile.isBlocked && badge("Blocked", "bad"), provider && badge(provider),
        badge(`version ${profile.version}`, "accent", { title: "Sent as If-Match when you save", "data-testid": "version" }),
        updated && h("span", { class: "dim small" }, "changed ", h("time", { datetime: updated, title: updated }, ago(Date.parse(updated)))))),
    h("div", { class: "row push" },
      canChange && h("button", { class: "btn", type: "button", "data-testid": "block", onclick: () => block(shared) }, profile.isBlocked ? "Unblock user" : "Block user"),
      h("button", { class: "btn", type: "button", onclick: () => copy(location.href, "the link") }, "Copy link"),
      session.can("delete:users") && h("button", { class: "btn danger", type: "button", "data-testid": "delete", onclick: async () => {
        if (await deleteUser(profile.id, profile.name, profile.version)) { toast("Deleted"); router.go(session.home("/users"), true); }
      } }, "Delete…")));
}

const PAUSE = 100;

/**
 * Takes over what others change while the page is open, and says who it was.
 * @param {Shared} shared @param {Element} notice @param {Tab} tab
 */
function live(shared, notice, tab) {
  const { id } = shared.profile;
  let [timer, isOver, isLooking, again] = [0, false, false, false];
  const soon = () => { clearTimeout(timer); timer = window.setTimeout(look, PAUSE); };
  async function look() {
    if (isLooking || tab.isBusy?.()) { again = true; if (!isLooking) soon(); return; }
    isLooking = true;
    try {
      await compare();
    } catch {
      // What it is now is shown with the next change, or asked when it is saved.
    }
    isLooking = false;
    if (again && !isOver) { again = false; soon(); }
  }
  async function compare() {
    const before = Number(shared.profile.version);
    /** @type {Profile | null} */ let profile = null;
    try {
      profile = await fetchProfile(id);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
    if (isOver || (profile && Number(profile.version) <= before)) return;
    const { entries } = await past.changesOf(id, 20);
    if (isOver || tab.isBusy?.() || Number(shared.profile.version) !== before) { again = true; return; }
    const theirs = entries.filter(({ version, requestId }) => Number(version) > before && !isOwn(requestId));
    if (profile) shared.renew(profile);
    if (theirs.length > 0) tell(theirs, profile !== null);
  }
  /** @param {import("../lib/past.js").Entry[]} theirs @param {boolean} isThere */
  function tell(theirs, isThere) {
    const [last] = theirs;
    const actors = [...new Set(theirs.map(({ actor }) => actor || "unknown"))].flatMap((actor, at) => [at > 0 && ", ", h("code", null, actor)]);
    const all = { ...last, changes: theirs.flatMap(({ changes }) => changes).filter(({ path }, at, list) => list.findIndex((one) => one.path === path) === at) };
    const state = !isThere ? "" : tab.isBehind?.() ? " Your unsaved changes are still here; saving them asks first." : tab.isDirty?.() ? " Your unsaved changes do not touch it." : "";
    fill(notice, h("div", { class: `banner ${isThere ? "info" : "bad"}`, "data-testid": "live-notice" },
      h("div", null, isThere ? "Changed" : "Deleted", " just now by ", actors, ` (version ${last.version})`, isThere && [": ", past.paths(all)], ".", state),
      h("button", { class: "btn ghost sm", type: "button", onclick: () => fill(notice) }, "Dismiss")));
  }
  const stop = follow((changed, version) => { if (changed === id && version > Number(shared.profile.version)) soon(); }, soon);
  return () => { isOver = true; clearTimeout(timer); stop(); };
}

const WANTED = "dossier.picture";

/** Initials; a picture from elsewhere is only fetched when somebody here wants it, since it tells who looks. @param {Profile} profile */
function avatar(profile) {
  const own = members(profile.bag("user_metadata")).get("picture");
  const source = own && shown(own) ? "user_metadata.picture" : "picture";
  const url = (own && shown(own)) || profile.show("picture");
  const letters = h("div", { class: "avatar", role: "img", "aria-label": `Initials of ${profile.name}` }, initials(profile.name));
  if (!/^https:\/\//.test(url)) return letters;
  const wanted = sessionStorage.getItem(WANTED) === url;
  if (session.info().remote_images || wanted) {
    const image = h("img", { class: "avatar", src: url, alt: `Profile picture, taken from ${source}`, referrerpolicy: "no-referrer", width: 56, height: 56, onerror: () => image.replaceWith(letters) });
    return image;
  }
  const load = () => {
    // The page's policy forbids other hosts, so it is opened once more with one that allows pictures.
    sessionStorage.setItem(WANTED, url);
    const address = new URL(location.href);
    address.searchParams.set("pictures", "on");
    location.assign(address);
  };
  return h("div", { class: "avatar-box" }, letters, h("button", { class: "btn ghost sm", type: "button", "data-testid": "load-picture", title: `From ${new URL(url).host}, which will learn that somebody looks`, onclick: load }, "Load picture"));
}

/** @param {Shared} shared */
async function block(shared) {
  const { profile } = shared;
  const to = !profile.isBlocked;
  if (!(await confirmed(to ? `Block ${profile.name}?` : `Unblock ${profile.name}?`, h("p", null, to ? "A blocked user cannot sign in. Metadata stays as it is." : "The user can sign in again."), to ? "Block user" : "Unblock user", to ? "danger" : "primary"))) return;
  try {
    const answer = await call("PATCH", userPath(profile.id), { body: `{"blocked":${to}}` });
    shared.renew(new Profile(answer.text, answer.version, new TextEncoder().encode(answer.text).length));
    toast(to ? "Blocked" : "Unblocked");
  } catch (error) {
    await ask("Nothing was changed", failure(error), [{ label: "Close", value: "" }]);
  }
}

