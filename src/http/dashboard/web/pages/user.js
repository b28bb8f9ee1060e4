// @ts-check
// One user: the header, the tabs, and what they share.

import { ApiError, call, isOwn, userPath } from "../lib/api.js";
import { ask, confirmed } from "../lib/dialog.js";
import { badge, chip, copy, failure, fill, h, toast } from "../lib/dom.js";
import { loadEditor } from "../lib/editor.js";
import { ago, initials } from "../lib/format.js";
import { members, shown } from "../lib/json.js";
import { follow } from "../lib/live.js";
import * as past from "../lib/past.js";
import { fetchHeir, fetchUser, UserProfile } from "../lib/profile.js";
import * as session from "../lib/session.js";
import { missing, tabbed, tabOf } from "../lib/tabs.js";
import { deleteUser } from "./user/delete.js";
import { detailsTab } from "./user/details.js";
import { identitySection } from "./user/identity.js";
import { BAGS } from "./user/metadata.js";
import { providerSection } from "./user/provider.js";

/** @typedef {import("../lib/tabs.js").Shared} Shared @typedef {import("../lib/tabs.js").Tab} Tab */

/** @type {import("../lib/tabs.js").Kind} */
const USER = {
  noun: "user",
  bags: BAGS,
  updates: "update:users",
  creates: "create:users",
  read: (text, version) => new UserProfile(text, version),
  fetch: fetchUser,
  fetchHeir,
  picture: (profile) => letters(profile),
  sections: (then, metadata) => [identitySection(then), metadata, providerSection(then, null)],
};

/** In their order, their code loaded when they are opened; a tab may be left out for whom it has nothing. @type {import("../lib/tabs.js").TabKind[]} */
const TABS = [
  { name: "details", path: "", label: "Details", open: detailsTab },
  { name: "history", path: "/history", label: "History", open: async (shared) => (await import("./past/history.js")).historyTab(shared), isThere: past.isKept },
  { name: "raw", path: "/raw", label: "Raw JSON", open: async (shared) => (await import("./user/raw.js")).rawTab(shared) },
  { name: "claims", path: "/claims", label: "Token claims", open: async (shared) => (await import("./user/claims.js")).claimsTab(shared) },
];

/** @param {import("../app.js").Place} place @param {string} id @param {string | undefined} tab @returns {Promise<import("../app.js").Page>} */
export async function userPage(place, id, tab) {
  const tabs = TABS.filter(({ isThere }) => !isThere || isThere());
  const chosen = tabOf(tabs, tab);
  /** @type {[string, string]} */ const up = ["Users", session.home("/users")];
  if (!chosen) return missing(up, "users", "No such page", h("p", null, `A user has the pages ${tabs.map(({ label }) => label).join(", ")}.`));
  const base = session.home(`/users/${encodeURIComponent(id)}`);
  /** @type {Shared} */ let shared;
  try {
    const [profile, rich] = await Promise.all([fetchUser(id), loadEditor()]);
    shared = { kind: USER, past: new past.Past("user", id), profile, rich, place, base, gone: null, renew, listeners: [] };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return (await import("./past/gone.js")).absentPage(USER, place, id, base, up);
    throw error;
  }
  const head = h("header", { class: "who" });
  /** @param {UserProfile} profile */
  function renew(profile) {
    shared.profile = profile;
    header(head, shared, place);
    for (const listener of shared.listeners) listener();
  }
  header(head, shared, place);
  const opened = await chosen.open(shared);
  const notice = h("div", { "aria-live": "polite" });
  const end = live(shared, notice, opened);
  const { row, panel } = tabbed(place, base, tabs, chosen, opened.node);
  const node = h("div", { class: "stack" }, head, row, notice, panel);
  return { title: shared.profile.name, section: "users", crumbs: [up, [shared.profile.name]], node, save: opened.save, isDirty: opened.isDirty, close: () => { end(); opened.close?.(); } };
}

/** @param {Element} place @param {Shared} shared @param {import("../app.js").Place} router */
function header(place, shared, router) {
  const { profile } = shared;
  const updated = profile.show("updated_at");
  const verified = profile.raw("email_verified");
  const provider = profile.connection;
  const canChange = session.can("update:users") && !session.isEditor();
  const by = h("span", { "data-testid": "changed-by" });
  changedBy(shared, by);
  fill(place,
    avatar(profile),
    h("div", { class: "ident" }, h("h1", null, profile.name),
      h("div", { class: "meta" }, chip(profile.id, "user ID", "user-id"),
        verified === "true" && badge("Email verified", "ok"), verified === "false" && profile.show("email") && badge("Email not verified", "warn"),
        profile.isBlocked && badge("Blocked", "bad"), provider && badge(provider),
        badge(`version ${profile.version}`, "accent", { title: "Sent as If-Match when you save", "data-testid": "version" }),
        updated && h("span", { class: "dim small" }, "changed ", h("time", { datetime: updated, title: updated }, ago(Date.parse(updated))), by))),
    h("div", { class: "row push" },
      canChange && h("button", { class: "btn", type: "button", "data-testid": "block", onclick: () => block(shared) }, profile.isBlocked ? "Unblock user" : "Block user"),
      h("button", { class: "btn", type: "button", onclick: () => copy(location.href, "the link") }, "Copy link"),
      session.can("delete:users") && h("button", { class: "btn danger", type: "button", "data-testid": "delete", onclick: async () => {
        if (await deleteUser(profile.id, profile.name, profile.version)) { toast("Deleted"); router.go(session.home("/users"), true); }
      } }, "Delete…")));
}

/** Who made the version that is shown; left out where that is not known. @param {Shared} shared @param {Element} place */
async function changedBy({ past: own, profile }, place) {
  if (!past.isKept()) return;
  try {
    const [last] = (await own.changes(1)).entries;
    if (last && Number(last.version) === Number(profile.version)) fill(place, " by ", past.who(last));
  } catch {
    // The list of changes below says what is wrong with the history.
  }
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
    /** @type {UserProfile | null} */ let profile = null;
    try {
      profile = await fetchUser(id);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
    if (isOver || (profile && Number(profile.version) <= before)) return;
    const { entries } = await shared.past.changes(20);
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
      !isThere && past.isKept() && h("a", { class: "btn", href: shared.base }, "What is kept of them"),
      h("button", { class: "btn ghost sm", type: "button", onclick: () => fill(notice) }, "Dismiss")));
  }
  const stop = follow((changed, version) => { if (changed === id && version > Number(shared.profile.version)) soon(); }, soon);
  return () => { isOver = true; clearTimeout(timer); stop(); };
}

const WANTED = "dossier.picture";

/** @param {UserProfile} profile */
const letters = (profile) => h("div", { class: "avatar", role: "img", "aria-label": `Initials of ${profile.name}` }, initials(profile.name));

/** Initials; a picture from elsewhere is only fetched when somebody here wants it, since it tells who looks. @param {UserProfile} profile */
function avatar(profile) {
  const own = members(profile.bag("user_metadata")).get("picture");
  const source = own && shown(own) ? "user_metadata.picture" : "picture";
  const url = (own && shown(own)) || profile.show("picture");
  if (!/^https:\/\//.test(url)) return letters(profile);
  const wanted = sessionStorage.getItem(WANTED) === url;
  if (session.info().remote_images || wanted) {
    const image = h("img", { class: "avatar", src: url, alt: `Profile picture, taken from ${source}`, referrerpolicy: "no-referrer", width: 56, height: 56, onerror: () => image.replaceWith(letters(profile)) });
    return image;
  }
  const load = () => {
    // The page's policy forbids other hosts, so it is opened once more with one that allows pictures.
    sessionStorage.setItem(WANTED, url);
    const address = new URL(location.href);
    address.searchParams.set("pictures", "on");
    location.assign(address);
  };
  return h("div", { class: "avatar-box" }, letters(profile), h("button", { class: "btn ghost sm", type: "button", "data-testid": "load-picture", title: `From ${new URL(url).host}, which will learn that somebody looks`, onclick: load }, "Load picture"));
}

/** @param {Shared} shared */
async function block(shared) {
  const { profile } = shared;
  const to = !profile.isBlocked;
  if (!(await confirmed(to ? `Block ${profile.name}?` : `Unblock ${profile.name}?`, h("p", null, to ? "A blocked user cannot sign in. Metadata stays as it is." : "The user can sign in again."), to ? "Block user" : "Unblock user", to ? "danger" : "primary"))) return;
  try {
    const answer = await call("PATCH", userPath(profile.id), { body: `{"blocked":${to}}` });
    shared.renew(new UserProfile(answer.text, answer.version));
    toast(to ? "Blocked" : "Unblocked");
  } catch (error) {
    await ask("Nothing was changed", failure(error), [{ label: "Close", value: "" }]);
  }
}
