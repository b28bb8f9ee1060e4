// @ts-check
// The snapshot files of this server: taken, verified, downloaded. They are of all tenants.

import { ApiError, call, get } from "../../lib/api.js";
import { confirmed } from "../../lib/dialog.js";
import { badge, failure, fill, h } from "../../lib/dom.js";
import { ago, brief, counted, grouped, size, when } from "../../lib/format.js";
import * as session from "../../lib/session.js";
import { taker } from "../snapshots.js";

const PER_PAGE = 20;
const FILES = "/dossier/v1/snapshots";

/**
 * @typedef {{ file: string, bytes: number, tenant?: string, version?: number, users?: number, clients?: number, resources?: number, format?: number, at?: number, is_listed: boolean, checksums: { state: "good" | "damaged" | "unknown", at: number | null, flaw?: string } }} SnapshotFile
 * @typedef {{ snapshots: SnapshotFile[], total: number, page: number, kept: number, in_memory: boolean }} Files
 */

/** Whether this session may know of the files. */
export const seesSnapshots = () => session.info().is_default_tenant && session.can("dossier:operator", "dossier:snapshots");

/** The section; empty for who may not know of the files. */
export async function snapshots() {
  if (!seesSnapshots()) return null;
  const list = h("div", { "data-testid": "snapshots" });
  const said = h("div", { "aria-live": "polite", "data-testid": "snapshot-said" });
  const { button, result } = taker(() => load(0));
  let page = 0;

  /** @param {number} wanted */
  async function load(wanted) {
    try {
      const told = /** @type {Files} */ ((await get(`${FILES}?per_page=${PER_PAGE}&page=${wanted}`)).json());
      page = wanted;
      fill(list, told.in_memory ? h("p", { class: "pad muted" }, "Data is kept in memory only: there are no snapshots, and nothing outlives this process.") : told.total === 0 ? none() : [table(told), pager(told)]);
      button.hidden = told.in_memory || !session.can("dossier:operator");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(list, h("div", { class: "pad stack-s" }, failure(error), h("button", { class: "btn", type: "button", "data-testid": "snapshots-again", onclick: () => load(wanted) }, "Try again")));
    }
  }

  const none = () => h("div", { class: "empty", "data-testid": "no-snapshots" }, h("h3", null, "No snapshot yet"), h("p", { class: "muted" }, "The first one is taken when something has changed. Until then the journal holds everything."));

  /** @param {Files} told */
  function table({ snapshots: files }) {
    const may = session.can("dossier:snapshots");
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Snapshot files" }, h("table", { class: "wide snaps" },
      h("thead", null, h("tr", null, ["File", "Tenant", "Taken", "Holds", "Size", "Checksums", ""].map((name) => h("th", null, name || h("span", { class: "vh" }, "What can be done"))))),
      h("tbody", null, files.map((one) => row(one, may)))));
  }

  /** @param {SnapshotFile} one @param {boolean} may */
  function row(one, may) {
    const about = one.at === undefined ? "–" : h("time", { datetime: new Date(one.at).toISOString(), title: when(one.at) }, ago(one.at));
    const held = one.users === undefined ? "not readable" : [counted(one.users, "user"), h("div", { class: "dim small" }, `${counted(one.clients ?? 0, "client")} · format ${one.format}`)];
    const verify = h("button", { class: "btn sm", type: "button", "data-testid": "verify", "aria-label": `Verify ${one.file}`, onclick: () => check(one.file) }, "Verify");
    const fetch = may && h("button", { class: "btn sm", type: "button", "data-testid": "download", "aria-label": `Download ${one.file}`, onclick: () => download(one) }, "Download…");
    return h("tr", { "data-snapshot": one.file }, h("td", { class: "mono" }, one.file, !one.is_listed && h("div", { class: "dim small" }, "not in the list: no start uses it")), h("td", null, one.tenant ?? h("span", { class: "dim" }, one.version === undefined ? "–" : "deleted")), h("td", null, about, one.version !== undefined && h("div", { class: "dim small" }, `version ${grouped(one.version)}`)), h("td", null, held), h("td", { class: "nowrap" }, size(one.bytes)), h("td", null, checksums(one.checksums)), h("td", null, h("div", { class: "row" }, verify, fetch)));
  }

  /** @param {SnapshotFile["checksums"]} checksums */
  function checksums({ state, at, flaw }) {
    const time = at !== null && h("div", { class: "dim small" }, h("time", { datetime: new Date(at).toISOString(), title: when(at) }, ago(at)));
    if (state === "good") return [badge("verified", "ok"), time];
    if (state === "damaged") return [badge("damaged", "bad"), h("div", { class: "small" }, flaw), time];
    return h("span", { class: "dim", title: "It was verified when it was written; since the server started nobody has read it." }, "not looked at yet");
  }

  /** @param {string} file */
  async function check(file) {
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (list.querySelectorAll("[data-testid=verify]"));
    buttons.forEach((one) => { one.disabled = true; });
    fill(said, h("div", { class: "row small" }, h("progress", { "aria-label": `Verifying ${file}` }), `Reading all of ${file}…`));
    try {
      const one = (await call("POST", `${FILES}/${encodeURIComponent(file)}/verify`)).json();
      const isGood = one.checksums.state === "good";
      const text = isGood ? `${file} is good: every byte of ${size(one.bytes)} was read, in ${one.milliseconds < 1 ? "less than a millisecond" : brief(one.milliseconds * 1000)}.` : `${file} is damaged, ${one.checksums.flaw}. A start passes it over and takes the one before it. Take a new one, and look after the disk.`;
      fill(said, h("div", { class: `banner ${isGood ? "info" : "bad"}` }, h("div", null, text)));
    } catch (error) {
      fill(said, failure(error));
    }
    await load(page);
    /** @type {HTMLElement | null} */ (list.querySelector(`[data-snapshot="${CSS.escape(file)}"] [data-testid=verify]`))?.focus();
  }

  /** Asks first, and looks whether the file is still there: a download that fails says nothing. @param {SnapshotFile} one */
  async function download(one) {
    const content = [h("p", null, "This file holds everything of ", one.tenant ? ["the tenant ", h("code", null, one.tenant)] : "its tenant", ": ", counted(one.users ?? 0, "profile"), " with all metadata, ", h("strong", null, "hashes of passwords and secrets of clients"), "."),
      h("p", null, "Whoever has it has all of that, for good. Keep it where you keep the data directory, encrypted, and delete it when you are done. The download is written into the server's log under your name."),
      h("p", { class: "small muted" }, h("span", { class: "mono" }, one.file), ` · ${size(one.bytes)}`)];
    if (!(await confirmed("Download a copy of everything?", content, `Download ${size(one.bytes)}`, "danger"))) return;
    const path = `${FILES}/${encodeURIComponent(one.file)}`;
    try {
      await call("HEAD", path);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) error.message = "This file is gone: newer ones have taken its place.";
      if (error.status === 429) error.message = `Other snapshots are being downloaded. Try again in ${error.retryAfter || 5} s.`;
      fill(said, failure(error));
      await load(page);
      return;
    }
    const link = h("a", { href: path, download: one.file, hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    fill(said, h("div", { class: "banner info" }, h("div", null, `Your browser downloads ${one.file}.`)));
  }

  /** @param {Files} told */
  function pager({ total, page: now, snapshots: files }) {
    if (total <= PER_PAGE) return null;
    const step = (/** @type {string} */ text, /** @type {number} */ to, /** @type {boolean} */ can) => h("button", { class: "btn sm", type: "button", disabled: !can, onclick: () => load(to) }, text);
    return h("footer", { class: "row" }, `${grouped(now * PER_PAGE + 1)}–${grouped(now * PER_PAGE + files.length)} of ${grouped(total)}`, h("span", { class: "push row" }, step("Newer", now - 1, now > 0), step("Older", now + 1, (now + 1) * PER_PAGE < total)));
  }

  await load(0);
  return h("section", { class: "sect", id: "snapshots", "aria-labelledby": "h-snapshots" },
    h("header", null, h("h2", { id: "h-snapshots" }, "Snapshots"), h("p", null, "Copies of each tenant on this server's disk. A start begins from the newest good one; the two newest of each tenant are kept.")),
    h("div", { class: "row" }, button), result, said, h("div", { class: "card" }, list));
}
