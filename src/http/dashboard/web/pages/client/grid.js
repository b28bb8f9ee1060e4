// @ts-check
// A client's metadata as rows that are edited in place.

import { ApiError, call, clientPath } from "../../lib/api.js";
import { bodyOf, diff, inverse, overlap } from "../../lib/changes.js";
import { confirmed } from "../../lib/dialog.js";
import { failure, fill, h, icon, toast } from "../../lib/dom.js";
import { counted } from "../../lib/format.js";
import { members, shown } from "../../lib/json.js";
import * as past from "../../lib/past.js";
import { ClientProfile, fetchClient } from "../../lib/profile.js";
import { reviewCard } from "../../lib/review.js";
import * as session from "../../lib/session.js";

const BAG = "client_metadata";
const ALPHABET = /^[A-Za-z0-9:,\-+=_*?"/\\()<>@\t ]*$/;

/** Rows of key and value; the object they make is compared with the one that was loaded. */
export class Grid {
  /** @param {import("../../lib/tabs.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    this.canEdit = session.can("update:clients");
    this.limits = session.info().limits;
    this.isOpen = false;
    this.isBusy = false;
    /** @type {string | null} */ this.version = null;
    this.base = "{}";
    /** @type {{ key: string, value: string, note?: any }[]} */ this.rows = [];
    /** @type {Map<string, past.Setter> | null} */ this.blame = null;
    this.head = h("tr");
    this.body = h("tbody");
    this.who = h("button", { class: "btn ghost sm", type: "button", "aria-pressed": "false", "data-testid": `blame-${BAG}`, title: "Who set which key, and when", onclick: () => this.turn() }, "Blame");
    this.used = h("span", { class: "push", "data-testid": "used" });
    this.problem = h("div", { class: "finding bad-text", role: "alert" });
    this.notice = h("div", { "aria-live": "polite" });
    this.card = h("div");
    this.add = h("button", { class: "btn", type: "button", "data-testid": "add-row", onclick: () => { this.rows.push({ key: "", value: "" }); this.draw(); this.body.lastElementChild?.querySelector("input")?.focus(); } }, icon("plus"), "Add row");
    this.button = h("button", { class: "btn primary", type: "button", "data-testid": "review-button", onclick: () => this.open() }, "Review changes");
    this.node = h("section", { class: "sect", "aria-labelledby": "h-cm", "data-testid": "section-client_metadata" },
      h("header", null, h("h2", { id: "h-cm" }, "Metadata"), h("p", null, `Texts about the client: at most ${this.limits.client_metadata_keys} keys, at most ${this.limits.client_metadata_chars} characters each. Rows merge on save.`)),
      this.notice,
      h("div", { class: "card" }, h("header", null, h("h3", null, h("code", null, BAG)), this.used, past.isKept("client") && this.who),
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, h("table", { class: "grid-edit" }, h("thead", null, this.head), this.body)), this.problem,
        this.canEdit && h("footer", null, this.add)),
      this.canEdit && h("div", { class: "row" }, this.button), this.card);
    this.show(shared.profile);
  }

  /** Shows a state of the client everywhere. @param {{ text: string, version: string | null }} answer */
  adopt({ text, version }) {
    const profile = new ClientProfile(text, version);
    this.show(profile);
    this.shared.renew(profile);
    if (this.blame) this.ask();
  }

  /** @param {ClientProfile} profile */
  show(profile) {
    this.version = profile.version;
    this.base = profile.bag(BAG);
    this.rows = [...members(this.base)].map(([key, raw]) => ({ key, value: shown(raw) }));
    this.isOpen = false;
    this.draw();
  }

  /** Shows who set what, or no more. */
  async turn() {
    if (!this.blame) { await this.ask(); return; }
    this.blame = null;
    this.draw();
  }

  async ask() {
    const isShown = this.blame !== null;
    try {
      this.blame = (await this.shared.past.blame()).get(BAG) ?? new Map();
    } catch (error) {
      this.blame = null;
      fill(this.notice, failure(error));
    }
    // Who types meanwhile is not disturbed where the column is there already.
    if (isShown && this.blame) this.annotate(); else this.draw();
  }

  /** Says in each row who set it. */
  annotate() {
    const kept = members(this.base);
    for (const { key, value, note } of this.rows) {
      if (note) fill(note, kept.get(key) !== undefined && shown(kept.get(key)) === value ? past.setBy(this.blame?.get(key)) : "not saved");
    }
  }

  get path() { return clientPath(this.shared.profile.id); }

  /** The object the rows make. */
  text() { return `{${this.rows.filter(({ key }) => key !== "").map(({ key, value }) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`; }
  get changes() { return diff(this.base, this.text()); }
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
    this.who.setAttribute("aria-pressed", String(this.blame !== null));
    fill(this.head, h("th", null, "Key"), h("th", null, "Value"), this.blame && h("th", null, "Set by"), h("th", null, h("span", { class: "vh" }, "Actions")));
    fill(this.body, this.rows.map((row, at) => {
      const input = (/** @type {"key" | "value"} */ part, /** @type {string} */ label) => {
        const own = h("input", { class: "input mono grow", value: row[part], readonly: !this.canEdit, "aria-label": `${label} ${at + 1}`, autocomplete: "off", spellcheck: "false", oninput: () => { row[part] = own.value; this.refresh(); } });
        return own;
      };
      row.note = this.blame && h("td", { class: "small muted", "data-testid": "set-by" });
      return h("tr", null, h("td", null, input("key", "Key")), h("td", null, input("value", "Value")), row.note, h("td", null, this.canEdit && h("button", { class: "btn ghost sm", type: "button", "aria-label": `Remove row ${at + 1}`, onclick: () => { this.rows.splice(at, 1); this.draw(); } }, icon("close"))));
    }));
    this.refresh();
  }

  refresh() {
    this.annotate();
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

  asked() { return { path: this.path, version: this.version, body: bodyOf([{ bag: BAG, base: this.base, changes: this.changes }]) }; }
  open() { this.isOpen = true; this.refresh(); /** @type {HTMLElement | null} */ (this.card.querySelector('[data-testid="save"]'))?.focus(); }
  shortcut() { if (!this.isDirty() || this.faults().length > 0 || this.isBusy) return; if (this.isOpen) this.save(); else this.open(); }

  async save() {
    if (this.isBusy) return;
    this.isBusy = true;
    this.refresh();
    fill(this.notice);
    const { changes } = this;
    try {
      const answer = await call("PATCH", this.path, { body: this.asked().body, version: this.version });
      this.adopt(answer);
      const { base } = this;
      toast(`Saved version ${answer.version}`, { label: "Undo", run: () => this.undo(bodyOf([{ bag: BAG, base, changes: inverse(changes) }]), answer.version) });
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
    const now = await fetchClient(this.shared.profile.id);
    const mine = this.changes;
    const clashes = overlap(mine, diff(this.base, now.bag(BAG)));
    const names = clashes.map(({ key, theirs }) => `${key} (now ${theirs.after ?? "removed"})`).join(", ");
    fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "disjoint" },
      h("div", null, clashes.length > 0 ? `Version ${now.version} changed the same: ${names}.` : `Version ${now.version} changed something else; your change does not touch it.`),
      h("button", { class: "btn primary", type: "button", "data-testid": "save-on-top", onclick: async () => {
        if (clashes.length > 0 && !(await confirmed("Overwrite what somebody else saved?", h("p", null, names), "Save mine", "danger"))) return;
        this.adopt(now);
        const merged = members(this.base);
        for (const { key, after } of mine) { if (after === undefined) merged.delete(key); else merged.set(key, after); }
        this.rows = [...merged].map(([key, raw]) => ({ key, value: shown(raw) }));
        this.draw();
        fill(this.notice);
        await this.save();
      } }, clashes.length > 0 ? "Save mine…" : `Save on top of version ${now.version}`),
      clashes.length > 0 && h("button", { class: "btn", type: "button", onclick: () => { this.adopt(now); fill(this.notice); } }, "Take theirs")));
  }

  /** @param {string} body @param {string | null} version */
  async undo(body, version) {
    try {
      const answer = await call("PATCH", this.path, { body, version });
      this.adopt(answer);
      toast(`Undone as version ${answer.version}`);
    } catch (error) {
      fill(this.notice, failure(error));
    }
  }
}
