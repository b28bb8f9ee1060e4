// @ts-check
// Who was deleted: by whom and when, how they were last, and the way back while that is kept.

import { ApiError } from "../../lib/api.js";
import { badge, chip, failure, h } from "../../lib/dom.js";
import { loadEditor } from "../../lib/editor.js";
import { ago, when } from "../../lib/format.js";
import * as past from "../../lib/past.js";
import { missing } from "../../lib/tabs.js";
import { historyTab } from "./history.js";

/** The change that deleted somebody; none of who never was, or is no longer remembered. @param {past.Past} own */
async function end(own) {
  try {
    const [last] = (await own.changes(1)).entries;
    return last && past.isEnd(last) ? last : null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** How they were before that; none where it is not kept. @param {past.Past} own @param {past.Entry} gone */
async function lastState(own, gone) {
  try {
    return await own.asOf(String(Number(gone.version) - 1));
  } catch (error) {
    if (error instanceof ApiError && [404, 410].includes(error.status)) return null;
    throw error;
  }
}

/**
 * The page of who is not there: deleted, or never known.
 * @param {import("../../lib/tabs.js").Kind} kind @param {import("../../app.js").Place} place @param {string} id @param {string} base @param {[string, string]} up
 * @returns {Promise<import("../../app.js").Page>}
 */
export async function absentPage(kind, place, id, base, up) {
  const section = `${kind.noun}s`;
  const never = () => missing(up, section, `No such ${kind.noun}`, h("p", null, `There is no ${kind.noun} `, h("code", null, id), " in this tenant."));
  try {
    const own = new past.Past(kind.noun, id);
    const gone = past.isKept(kind.noun) ? await end(own) : null;
    return gone ? { section, ...(await gonePage(kind, own, gone, place, id, base, up)) } : never();
  } catch (error) {
    // Whether they were there nobody knows now: that is no "no such user".
    return missing(up, section, `The ${kind.noun} could not be looked up`, h("p", null, `Whether there was a ${kind.noun} `, h("code", null, id), " is not known right now."), failure(error),
      h("p", null, h("button", { class: "btn", type: "button", "data-testid": "again", onclick: () => document.dispatchEvent(new CustomEvent("again")) }, "Try again")));
  }
}

/**
 * @param {import("../../lib/tabs.js").Kind} kind @param {past.Past} own @param {past.Entry} gone
 * @param {import("../../app.js").Place} place @param {string} id @param {string} base @param {[string, string]} up
 */
async function gonePage(kind, own, gone, place, id, base, up) {
  const { noun } = kind;
  const [last, rich, heir] = await Promise.all([lastState(own, gone), loadEditor(), kind.fetchHeir(id)]);
  const profile = last ? kind.read(last.text, last.version) : kind.read(JSON.stringify({ [`${noun}_id`]: id }), null);
  const opened = await historyTab({ kind, past: own, profile, rich, place, base, gone, heir, renew: () => {}, listeners: [] });
  const [what, state] = gone.isErased ? ["erased", "Erased"] : ["deleted", "Deleted"];
  const rest = last ? "Below is the last state, and everything that is kept from before." : gone.isErased ? "Of what was before nothing is kept." : `How the ${noun} was before is no longer kept, so there is no way back.`;
  const moment = gone.at ? [h("time", { datetime: gone.at, title: gone.at }, when(gone.at)), ` (${ago(Date.parse(gone.at))})`] : "at an unknown time";
  const node = h("div", { class: "stack" },
    h("header", { class: "who" }, kind.picture(profile),
      h("div", { class: "ident" }, h("h1", null, profile.name), h("div", { class: "meta" }, chip(id, `${noun} ID`, `${noun}-id`), badge(state, "bad")))),
    h("div", { class: "banner bad", "data-testid": "gone" },
      h("div", null, h("strong", null, `This ${noun} was ${what}`), " ", moment, " by ", past.who(gone), `, with version ${gone.version}`, gone.reason && ` (${gone.reason})`, ". ", rest, heir && [" Their account is linked to ", h("a", { href: up[1] + `/${encodeURIComponent(heir.id)}` }, heir.name), " now: unlinked there, they are a user again."])),
    opened.node);
  return { title: profile.name, crumbs: /** @type {[string, string?][]} */ ([up, [profile.name]]), node, save: opened.save, close: opened.close };
}
