// @ts-check
// Going back: the metadata keys that differ are put back as they were, as a new version,
// after the same review as any other change.

import { ApiError } from "../../lib/api.js";
import { diff } from "../../lib/changes.js";
import { failure, fill, h, toast } from "../../lib/dom.js";
import { bytes } from "../../lib/json.js";
import * as past from "../../lib/past.js";
import { reviewCard } from "../../lib/review.js";
import * as session from "../../lib/session.js";
import { fetchProfile, Profile } from "../user.js";
import { BAGS } from "./metadata.js";

export class Restore {
  /** @param {import("../user.js").Shared} shared @param {Profile} was */
  constructor(shared, was) {
    this.shared = shared;
    this.was = was;
    this.version = shared.profile.version;
    this.isOpen = false;
    this.isBusy = false;
    this.total = 0;
    this.left = 0;
    /** @type {{ bag: string, changes: import("../../lib/changes.js").Change[] }[]} */ this.parts = [];
    this.notice = h("div", { "aria-live": "polite" });
    this.card = h("div");
    this.node = h("div", { class: "stack-s" }, this.notice, this.card);
    this.button = session.can("update:users") ? h("button", { class: "btn primary", type: "button", "data-testid": "restore", onclick: () => this.open() }, "Restore this version…") : null;
    this.look();
  }

  /** What this session may put back: an editor's keys are the editor's own. */
  look() {
    const { prefixes } = session.info().session;
    const isMine = (/** @type {string} */ key) => prefixes.length === 0 || prefixes.some((/** @type {string} */ prefix) => key.startsWith(prefix));
    this.version = this.shared.profile.version;
    const all = BAGS.map(({ bag, scopes }) => ({ bag, scopes, changes: diff(this.shared.profile.bag(bag), this.was.bag(bag)) }));
    this.parts = all.map(({ bag, scopes, changes }) => ({ bag, changes: session.can(...scopes) ? changes.filter(({ key }) => isMine(key)) : [] }));
    const count = (/** @type {{ changes: any[] }[]} */ parts) => parts.reduce((sum, { changes }) => sum + changes.length, 0);
    this.total = count(this.parts);
    this.left = count(all) - this.total;
    if (this.button) this.button.disabled = this.total === 0;
    if (this.total === 0) this.isOpen = false;
    this.draw();
  }

  /** Somebody changed the user: the review shows what it would change now. */
  renew() { if (!this.isBusy) this.look(); }

  asked() {
    const only = this.parts.flatMap(({ bag, changes }) => changes.map(({ key }) => `${bag}.${key}`));
    return { method: "POST", url: session.info().url, path: past.revertPath(this.was.id), version: this.version, body: JSON.stringify({ to: Number(this.was.version), only }) };
  }

  draw() {
    fill(this.card, this.isOpen && reviewCard({ parts: this.parts, asked: this.asked(), isBusy: this.isBusy, verb: "Restore", back: "Close", onSave: () => this.save(), onBack: () => { this.isOpen = false; this.draw(); this.button?.focus(); } }),
      this.isOpen && this.left > 0 && h("p", { class: "small muted", "data-testid": "not-yours" }, `${this.left} other ${this.left === 1 ? "key differs" : "keys differ"} that you may not change; they stay as they are.`));
  }

  open() {
    if (!this.button || this.total === 0) return;
    this.isOpen = true;
    this.draw();
    /** @type {HTMLElement | null} */ (this.card.querySelector('[data-testid="save"]'))?.focus();
  }

  shortcut() { if (this.isOpen) this.save(); else this.open(); }

  async save() {
    if (this.isBusy || this.total === 0) return;
    this.isBusy = true;
    this.draw();
    fill(this.notice);
    const asked = this.asked();
    try {
      const answer = await past.revert(this.was.id, asked.body, asked.version);
      this.isOpen = false;
      this.isBusy = false;
      this.shared.renew(new Profile(answer.text, answer.version, bytes(answer.text)));
      toast(`Restored as version ${answer.version}`);
      await this.shared.place.go(this.shared.base);
    } catch (error) {
      this.isBusy = false;
      await this.complain(/** @type {ApiError} */ (error));
      this.draw();
    }
  }

  /** @param {ApiError} error */
  async complain(error) {
    if (error.status !== 412) { fill(this.notice, failure(error)); return; }
    try {
      this.shared.renew(await fetchProfile(this.was.id));
      fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "restore-conflict" }, h("div", null, `Somebody changed the user meanwhile. Nothing was written; below is what restoring would change now, on top of version ${this.version}.`)));
    } catch (again) {
      fill(this.notice, failure(again));
    }
  }
}
