// @ts-check
// One client: what it is, and its metadata as rows that are edited in place.

import { ApiError, call, clientPath, get } from "../lib/api.js";
import { bodyOf, diff, inverse, overlap } from "../lib/changes.js";
import { confirmed } from "../lib/dialog.js";
import { badge, chip, failure, fill, h, icon, toast } from "../lib/dom.js";
import { counted } from "../lib/format.js";
import { format, members, shown } from "../lib/json.js";
import { reviewCard } from "../lib/review.js";
import * as session from "../lib/session.js";

const BAG = "client_metadata";
const ALPHABET = /^[A-Za-z0-9:,\-+=_*?"/\\()<>@\t ]*$/;

/** @param {import("../app.js").Place} place @param {string} id @param {string | undefined} tab @returns {Promise<import("../app.js").Page>} */
export async function clientPage(place, id, tab) {
  /** @type {[string, string?]} */ const up = ["Clients", session.home("/clients")];
  let answer;
  try {
    answer = await get(clientPath(id));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return { title: "No such client", section: "clients", crumbs: [up, ["No such client"]], node: h("div", { class: "empty card", "data-testid": "missing" }, h("h1", null, "No such client"), h("p", null, "There is no client ", h("code", null, id), " in this tenant."), h("p", null, h("a", { href: up[1] }, "All clients"))) };
  }
  const client = { text: answer.text, version: answer.version };
  const own = members(client.text);
  const name = shown(own.get("name")) || id;
  const base = session.home(`/clients/${encodeURIComponent(id)}`);
  const isRaw = tab === "raw";
  const version = badge(`version ${client.version}`, "accent", { "data-testid": "version" });
  const head = h("header", { class: "who" }, h("div", { class: "avatar", "aria-hidden": "true" }, icon("clients")),
    h("div", { class: "ident" }, h("h1", null, name), h("div", { class: "meta" }, chip(id, "client ID", "client-id"), own.has("app_type") && badge(shown(own.get("app_type"))), version)));
  const tabs = h("nav", { class: "tabs", "aria-label": "Client" }, [["", "client_metadata"], ["/raw", "Raw JSON"]].map(([path, label]) =>
    h("a", { href: base + path, "aria-current": (path === "/raw") === isRaw ? "page" : null }, label)));
  const grid = isRaw ? null : new Grid(id, client, (next) => fill(version, `version ${next}`));
  // Secrets are shown to nobody over somebody's shoulder.
  const masked = () => { const all = members(client.text); if (all.has("client_secret")) all.set("client_secret", '"••••••••"'); all.delete("signing_keys"); return format(`{${[...all].map(([key, raw]) => `${JSON.stringify(key)}:${raw}`).join(",")}}`); };
  const content = grid ? grid.node : h("pre", { class: "code raw", tabindex: "0", "aria-label": "Raw JSON", "data-testid": "raw" }, masked());
  return { title: name, section: "clients", crumbs: [up, [name]], node: h("div", { class: "stack" }, head, tabs, content), save: grid ? () => grid.shortcut() : undefined, isDirty: () => Boolean(grid?.isDirty()) };
}

/** Rows of key and value; the object they make is compared with the one that was loaded. */
class Grid {
  /** @param {string} id @param {{ text: string, version: string | null }} client @param {(version: string | null) => void} onVersion */
  constructor(id, client, onVersion) {
    this.id = id;
    this.onVersion = onVersion;
    this.canEdit = session.can("update:clients");
    this.limits = session.info().limits;
    this.isOpen = false;
    this.isBusy = false;
    /** @type {{ key: string, value: string }[]} */ this.rows = [];
    this.body = h("tbody");
    this.used = h("span", { class: "push", "data-testid": "used" });
    this.problem = h("div", { class: "finding bad-text", role: "alert" });
    this.notice = h("div", { "aria-live": "polite" });
    this.card = h("div");
    this.add = h("button", { class: "btn", type: "button", "data-testid": "add-row", onclick: () => { this.rows.push({ key: "", value: "" }); this.draw(); this.body.lastElementChild?.querySelector("input")?.focus(); } }, icon("plus"), "Add row");
    this.button = h("button", { class: "btn primary", type: "button", "data-testid": "review-button", onclick: () => this.open() }, "Review changes");
    this.node = h("section", { class: "sect", "aria-labelledby": "h-cm", "data-testid": "section-client_metadata" },
      h("header", null, h("h2", { id: "h-cm" }, "Metadata"), h("p", null, `Texts about the client: at most ${this.limits.client_metadata_keys} keys, at most ${this.limits.client_metadata_chars} characters each. Rows merge on save.`)),
      this.notice,
      h("div", { class: "card" }, h("header", null, h("h3", null, h("code", null, BAG)), this.used),
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, h("table", { class: "grid-edit" }, h("thead", null, h("tr", null, h("th", null, "Key"), h("th", null, "Value"), h("th", null, h("span", { class: "vh" }, "Actions")))), this.body)), this.problem,
        this.canEdit && h("footer", null, this.add)),
      this.canEdit && h("div", { class: "row" }, this.button), this.card);
    this.adopt(client.text, client.version);
  }

  /** @param {string} text @param {string | null} version */
  adopt(text, version) {
    this.version = version;
    this.onVersion(version);
    this.base = members(text).get(BAG) ?? "{}";
    this.rows = [...members(this.base)].map(([key, raw]) => ({ key, value: shown(raw) }));
    this.isOpen = false;
    this.draw();
  }

  /** The object the rows make. */
  text() { return `{${this.rows.filter(({ key }) => key !== "").map(({ key, value }) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`; }
  get changes() { return diff(this.base ?? "{}", this.text()); }
  isDirty() { return this.changes.length > 0; }

  faults() {
    const { client_metadata_keys: keys, client_metadata_chars: chars } = this.limits;
    const filled = this.rows.filter(({ key, value }) => key !== "" || value !== "");
    const seen = new Set();
    const out = filled.flatMap(({ key, value }) => {
      const found = [];
      if (key === "") found.push(`the value "${value}" has no key`);
      if (seen.has(key)) found.push(`the key ${key} is there twice`);
      seen.add(key);
      if ([...key].length > chars) found.push(`the key ${key.slice(0, 20)}… is longer than ${chars} characters`);
      if ([...value].length > chars) found.push(`the value of ${key} is longer than ${chars} characters (${[...value].length})`);
      if (!ALPHABET.test(key)) found.push(`the key ${key} has characters a key may not have`);
      return found;
    });
    if (filled.length > keys) out.push(`${filled.length} keys are more than ${keys}`);
    return out;
  }

  draw() {
    fill(this.body, this.rows.map((row, at) => {
      const input = (/** @type {"key" | "value"} */ part, /** @type {string} */ label) => {
        const own = h("input", { class: "input mono grow", value: row[part], readonly: !this.canEdit, "aria-label": `${label} ${at + 1}`, autocomplete: "off", spellcheck: "false", oninput: () => { row[part] = own.value; this.refresh(); } });
        return own;
      };
      return h("tr", null, h("td", null, input("key", "Key")), h("td", null, input("value", "Value")), h("td", null, this.canEdit && h("button", { class: "btn ghost sm", type: "button", "aria-label": `Remove row ${at + 1}`, onclick: () => { this.rows.splice(at, 1); this.draw(); } }, icon("close"))));
    }));
    this.refresh();
  }

  refresh() {
    const faults = this.faults();
    const { changes } = this;
    const said = faults.join("; ");
    if (this.problem.textContent !== said) fill(this.problem, said);
    fill(this.used, `used ${this.rows.filter(({ key }) => key !== "").length} of ${this.limits.client_metadata_keys}`);
    this.add.disabled = this.rows.length >= this.limits.client_metadata_keys;
    const isReady = changes.length > 0 && faults.length === 0;
    if (!isReady) this.isOpen = false;
    this.button.disabled = !isReady || this.isOpen;
    fill(this.button, changes.length > 0 ? `Review ${counted(changes.length, "change")}` : "Review changes");
    fill(this.card, this.isOpen && reviewCard({ parts: [{ bag: BAG, changes }], asked: this.asked(), isBusy: this.isBusy, onSave: () => this.save(), onBack: () => { this.isOpen = false; this.refresh(); } }));
  }

  asked() { return { url: session.info().url, path: clientPath(this.id), version: this.version ?? null, body: bodyOf([{ bag: BAG, base: this.base ?? "{}", changes: this.changes }]) }; }
  open() { this.isOpen = true; this.refresh(); /** @type {HTMLElement | null} */ (this.card.querySelector('[data-testid="save"]'))?.focus(); }
  shortcut() { if (!this.isDirty() || this.faults().length > 0 || this.isBusy) return; if (this.isOpen) this.save(); else this.open(); }

  async save() {
    if (this.isBusy) return;
    this.isBusy = true;
    this.refresh();
    fill(this.notice);
    const { changes } = this;
    try {
      const answer = await call("PATCH", clientPath(this.id), { body: this.asked().body, version: this.version });
      this.adopt(answer.text, answer.version);
      const { base } = this;
      toast(`Saved version ${answer.version}`, { label: "Undo", run: () => this.undo(bodyOf([{ bag: BAG, base: base ?? "{}", changes: inverse(changes) }]), answer.version) });
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) await this.conflict();
      else fill(this.notice, failure(error));
    } finally {
      this.isBusy = false;
      this.refresh();
    }
  }

  /** Somebody else was faster: what does not clash is saved on top, what does is named. */
  async conflict() {
    const answer = await get(clientPath(this.id));
    const now = members(answer.text).get(BAG) ?? "{}";
    const mine = this.changes;
    const clashes = overlap(mine, diff(this.base ?? "{}", now));
    const names = clashes.map(({ key, theirs }) => `${key} (now ${theirs.after ?? "removed"})`).join(", ");
    fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "disjoint" },
      h("div", null, clashes.length > 0 ? `Version ${answer.version} changed the same: ${names}.` : `Version ${answer.version} changed something else; your change does not touch it.`),
      h("button", { class: "btn primary", type: "button", "data-testid": "save-on-top", onclick: async () => {
        if (clashes.length > 0 && !(await confirmed("Overwrite what somebody else saved?", h("p", null, names), "Save mine", "danger"))) return;
        this.adopt(answer.text, answer.version);
        const merged = members(this.base ?? "{}");
        for (const { key, after } of mine) { if (after === undefined) merged.delete(key); else merged.set(key, after); }
        this.rows = [...merged].map(([key, raw]) => ({ key, value: shown(raw) }));
        this.draw();
        fill(this.notice);
        await this.save();
      } }, clashes.length > 0 ? "Save mine…" : `Save on top of version ${answer.version}`),
      clashes.length > 0 && h("button", { class: "btn", type: "button", onclick: () => { this.adopt(answer.text, answer.version); fill(this.notice); } }, "Take theirs")));
  }

  /** @param {string} body @param {string | null} version */
  async undo(body, version) {
    try {
      const answer = await call("PATCH", clientPath(this.id), { body, version });
      this.adopt(answer.text, answer.version);
      toast(`Undone as version ${answer.version}`);
    } catch (error) {
      fill(this.notice, failure(error));
    }
  }
}
