// @ts-check
// Going back: the metadata keys that differ, or those of them that are ticked, are put back as
// they were, as a new version, after the same review as any other change. Who was deleted comes
// back whole.

import { ApiError } from "../../lib/api.js";
import { diff } from "../../lib/changes.js";
import { failure, fill, h, toast } from "../../lib/dom.js";
import { reviewCard } from "../../lib/review.js";
import * as session from "../../lib/session.js";

/** @typedef {{ bag: string, changes: import("../../lib/changes.js").Change[] }[]} Parts */

/** @param {Parts} parts */
const count = (parts) => parts.reduce((sum, { changes }) => sum + changes.length, 0);

/** @param {string} bag @param {string} key */
const name = (bag, key) => `${bag}.${key}`;

export class Restore {
  /** @param {import("../../lib/tabs.js").Shared} shared @param {import("../../lib/profile.js").Profile} was */
  constructor(shared, was) {
    this.shared = shared;
    this.was = was;
    /** @type {string | null} */ this.version = null;
    this.isOpen = false;
    this.isBusy = false;
    this.left = 0;
    /** @type {Parts} */ this.parts = [];
    /** What was unticked, by name: a review that is drawn anew keeps it. @type {Set<string>} */ this.unwanted = new Set();
    this.notice = h("div", { "aria-live": "polite" });
    this.card = h("div");
    this.node = h("div", { class: "stack-s" }, this.notice, this.card);
    this.button = this.mayOpen() ? h("button", { class: "btn primary", type: "button", "data-testid": "restore", onclick: () => this.open() }, this.label()) : null;
    this.look();
  }

  mayOpen() { return session.can(this.shared.kind.updates); }
  label() { return "Restore this version…"; }

  /** What this session may put back: an editor's keys are the editor's own. */
  look() {
    const { prefixes } = session.info().session;
    const isMine = (/** @type {string} */ key) => prefixes.length === 0 || prefixes.some((/** @type {string} */ prefix) => key.startsWith(prefix));
    this.version = this.shared.profile.version;
    const all = this.shared.kind.bags.map(({ bag, scopes }) => ({ bag, scopes, changes: diff(this.shared.profile.bag(bag), this.was.bag(bag)) }));
    this.parts = all.map(({ bag, scopes, changes }) => ({ bag, changes: session.can(...scopes) ? changes.filter(({ key }) => isMine(key)) : [] }));
    this.left = count(all) - count(this.parts);
    this.ready();
  }

  ready() {
    const isEmpty = count(this.parts) === 0;
    if (this.button) this.button.disabled = isEmpty;
    if (isEmpty) this.isOpen = false;
    this.draw();
  }

  /** Somebody changed it: the review shows what it would change now. */
  renew() { if (!this.isBusy) this.look(); }

  /** The names of what is put back. */
  wanted() { return this.parts.flatMap(({ bag, changes }) => changes.map(({ key }) => name(bag, key))).filter((one) => !this.unwanted.has(one)); }

  /** @returns {import("../../lib/snippets.js").Asked} */
  asked() {
    return { method: "POST", path: this.shared.past.revertPath, version: this.version, body: JSON.stringify({ to: Number(this.was.version), only: this.wanted() }) };
  }

  /** What the review's card says of this. @returns {Partial<Parameters<typeof reviewCard>[0]>} */
  words() {
    const picked = {
      has: (/** @type {string} */ bag, /** @type {string} */ key) => !this.unwanted.has(name(bag, key)),
      set: (/** @type {string} */ bag, /** @type {string} */ key, /** @type {boolean} */ is) => { this.unwanted[is ? "delete" : "add"](name(bag, key)); this.draw(); },
    };
    return { verb: "Restore", picked };
  }

  draw() {
    const close = () => { this.isOpen = false; this.draw(); this.button?.focus(); };
    fill(this.card, this.isOpen && reviewCard({ parts: this.parts, asked: this.asked(), isBusy: this.isBusy, back: "Close", onSave: () => this.save(), onBack: close, ...this.words() }),
      this.isOpen && this.left > 0 && h("p", { class: "small muted", "data-testid": "not-yours" }, `${this.left} other ${this.left === 1 ? "key differs" : "keys differ"} that you may not change; they stay as they are.`));
  }

  open() {
    if (!this.button || count(this.parts) === 0) return;
    this.isOpen = true;
    this.draw();
    /** @type {HTMLElement | null} */ (this.card.querySelector('[data-testid="save"]'))?.focus();
  }

  shortcut() { if (this.isOpen) this.save(); else this.open(); }

  async save() {
    if (this.isBusy || this.wanted().length === 0) return;
    this.isBusy = true;
    this.draw();
    fill(this.notice);
    const { body, version, isNew } = this.asked();
    try {
      const answer = await this.shared.past.revert(body, { version, isNew });
      this.isOpen = false;
      this.isBusy = false;
      this.shared.renew(this.shared.kind.read(answer.text, answer.version));
      toast(this.done(answer.version));
      await this.shared.place.go(this.shared.base);
    } catch (error) {
      this.isBusy = false;
      await this.complain(/** @type {ApiError} */ (error));
      this.draw();
    }
  }

  /** @param {string | null} version */
  done(version) { return `Restored as version ${version}`; }

  /** @param {ApiError} error */
  async complain(error) {
    if (error.status !== 412) { fill(this.notice, failure(error)); return; }
    try {
      const { kind, profile } = this.shared;
      this.shared.renew(await kind.fetch(profile.id));
      fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "restore-conflict" }, h("div", null, `Somebody changed the ${kind.noun} meanwhile. Nothing was written; below is what restoring would change now, on top of version ${this.version}.`)));
    } catch (again) {
      fill(this.notice, failure(again));
    }
  }
}

/**
 * Who was deleted comes back as they were, whole: nothing of them is there that could be kept. An
 * account that is linked to somebody now would be two users', so it is left there.
 */
export class BringBack extends Restore {
  mayOpen() { return !this.shared.heir && session.can(this.shared.kind.updates) && session.can(this.shared.kind.creates) && !session.isEditor(); }
  label() { return "Bring back…"; }

  look() {
    this.parts = [{ bag: this.shared.kind.noun, changes: diff("{}", this.was.visible) }];
    this.ready();
  }

  /** @returns {import("../../lib/snippets.js").Asked} */
  asked() { return { method: "POST", path: this.shared.past.revertPath, isNew: true, body: JSON.stringify({ to: Number(this.was.version) }) }; }

  words() {
    const { noun } = this.shared.kind;
    const title = [h("h3", null, "Review what comes back"), h("p", null, `the ${noun} as of version ${this.was.version}, whole; what signs them in too`)];
    return { title, label: `Bring back the ${noun}` };
  }

  /** @param {string | null} version */
  done(version) { return `Brought back as version ${version}`; }

  /** @param {ApiError} error */
  async complain(error) {
    if (error.status !== 412) { fill(this.notice, failure(error)); return; }
    const { kind, base } = this.shared;
    fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "restore-conflict" }, h("div", null, `This ${kind.noun} is there again: somebody was faster. Nothing was written.`), h("a", { class: "btn", href: base }, `Open the ${kind.noun}`)));
  }
}
