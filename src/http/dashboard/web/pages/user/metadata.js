// @ts-check
// The two metadata objects: edited as text, reviewed as changes, saved as the smallest PATCH
// with If-Match. Who changed something else meanwhile is not overwritten, and says nothing;
// who changed the same key is asked about, key by key.

import { ApiError, call, userPath } from "../../lib/api.js";
import { applied, bodyOf, diff, inverse, overlap, stored } from "../../lib/changes.js";
import { ask, confirmed } from "../../lib/dialog.js";
import { badge, failure, fill, h, toast } from "../../lib/dom.js";
import { draftOf, keepDraft } from "../../lib/drafts.js";
import { JsonEditor } from "../../lib/editor.js";
import { counted, grouped, limit, size } from "../../lib/format.js";
import { bytes, check, format, place, read } from "../../lib/json.js";
import * as past from "../../lib/past.js";
import { fetchUser, UserProfile } from "../../lib/profile.js";
import { reviewCard } from "../../lib/review.js";
import * as session from "../../lib/session.js";

/** @typedef {import("../../lib/changes.js").Change} Change */

export const BAGS = [
  { bag: "user_metadata", note: "user can edit", scopes: ["update:users"] },
  { bag: "app_metadata", note: "user cannot edit", scopes: ["update:users", "update:users_app_metadata"] },
];

/** One metadata object: its text, what is wrong with it, what changed. */
class Pane {
  /** @param {{ bag: string, note: string, scopes: string[] }} kind @param {import("../../lib/tabs.js").Shared} shared @param {() => void} onEdit @param {(pane: Pane) => void} onBlame */
  constructor({ bag, note, scopes }, shared, onEdit, onBlame) {
    this.bag = bag;
    this.base = shared.profile.bag(bag);
    this.canEdit = session.can(...scopes);
    /** @type {Change[]} */ this.changes = [];
    this.isAnnotated = false;
    /** @type {import("../../lib/json.js").Finding[]} */ this.errors = [];
    this.limit = session.info().limits[bag];
    this.count = h("span", { class: "badge warn push", role: "status", hidden: true, "data-testid": `dirty-${bag}` });
    this.alert = h("div", { class: "finding bad-text", role: "alert", id: `alert-${bag}`, "data-testid": `errors-${bag}` });
    this.hints = h("div", { class: "finding warn-text", "data-testid": `warnings-${bag}` });
    this.fullness = h("i");
    this.meter = h("span", { class: "meter", "aria-hidden": "true" }, this.fullness);
    this.bytes = h("span", { "data-testid": `bytes-${bag}` });
    this.state = h("span", { class: "badge ok", "data-testid": `state-${bag}` });
    /** @type {Map<string, past.Setter> | null} */ this.blame = null;
    this.who = h("button", { class: "btn ghost sm", type: "button", "aria-pressed": "false", "data-testid": `blame-${bag}`, title: "Who set which key, and when", onclick: () => onBlame(this) }, "Blame", h("span", { class: "vh" }, ` of ${bag}`));
    this.told = h("ul", { class: "vh", "aria-label": `Who set which key of ${bag}` });
    this.tidy = h("button", { class: "btn ghost sm", type: "button", onclick: () => this.format() }, "Format");
    this.discard = h("button", { class: "btn ghost sm", type: "button", onclick: () => this.reset() }, "Discard");
    this.editor = /** @type {JsonEditor} */ (document.createElement("json-editor"));
    this.editor.start(shared.rich, { text: format(this.base), label: `${bag}, JSON`, readOnly: !this.canEdit, describedBy: `alert-${bag}` });
    this.editor.addEventListener("edit", () => { this.look(); onEdit(); });
    this.node = h("article", { class: "card editor", "aria-labelledby": `h-${bag}`, "data-testid": `editor-${bag}` },
      h("header", null, h("h3", { id: `h-${bag}` }, h("code", null, bag)), badge(this.canEdit ? note : "read-only for you"), this.count),
      this.editor, this.alert, this.hints,
      h("footer", null, this.meter, this.bytes, this.state, h("span", { class: "row push" }, past.isKept() && this.who, this.canEdit && [this.tidy, this.discard])), this.told);
    this.look();
  }

  get isDirty() { return this.changes.length > 0 || this.errors.length > 0; }

  /** Reads the text anew. */
  look() {
    const text = this.editor.value;
    const { node, errors, warnings } = check(text);
    this.changes = node ? diff(this.base, text) : [];
    this.errors = [...errors, ...this.beyond()];
    const used = bytes(node ? stored(text) : text);
    if (used > this.limit) this.errors.push({ severity: "error", message: `${grouped(used)} bytes are too many, at most ${grouped(this.limit)} are stored`, line: 1, column: 1, offset: 0 });
    const share = used / this.limit;
    this.fullness.style.width = `${Math.min(share * 100, 100)}%`;
    this.meter.className = `meter ${share >= 1 ? "bad" : share >= 0.8 ? "warn" : ""}`.trim();
    this.meter.title = `${grouped(used)} bytes of ${limit(this.limit)}`;
    fill(this.bytes, share >= 0.8 ? `${grouped(used)} of ${grouped(this.limit)} B` : used < 1024 ? size(used) : `${grouped(used)} B`);
    const [first] = this.errors;
    fill(this.state, first ? `line ${first.line}, column ${first.column}` : "valid JSON");
    this.state.className = `badge ${first ? "bad" : "ok"}`;
    // Said once: a screen reader reads what is put in anew.
    const said = this.errors.map(({ message, line, column }) => `Line ${line}, column ${column}: ${message}`).join("\n");
    if (this.alert.textContent !== said) fill(this.alert, said);
    fill(this.hints, warnings.map(({ message, line }) => h("div", null, `Line ${line}: ${message}`)));
    this.count.hidden = this.changes.length === 0;
    fill(this.count, counted(this.changes.length, "unsaved change"));
    this.discard.disabled = !this.isDirty;
    this.mark(text, node, warnings);
  }

  /** What a session with prefixes may not change. @returns {import("../../lib/json.js").Finding[]} */
  beyond() {
    /** @type {string[]} */ const prefixes = session.info().session.prefixes;
    if (prefixes.length === 0) return [];
    return this.changes.filter(({ key }) => !prefixes.some((prefix) => key.startsWith(prefix)))
      .map(({ key }) => ({ severity: "error", message: `you may change keys that begin with ${prefixes.join(" or ")}, not ${key}`, line: 1, column: 1, offset: 0 }));
  }

  /** @param {string} text @param {import("../../lib/json.js").Node | null} node @param {import("../../lib/json.js").Finding[]} warnings */
  mark(text, node, warnings) {
    /** @type {[number, string][]} */ const marks = [...this.errors.map(({ line }) => /** @type {[number, string]} */ ([line, "bad"])), ...warnings.map(({ line }) => /** @type {[number, string]} */ ([line, "warn"]))];
    const kinds = new Map(this.changes.map(({ key, op }) => [key, op === "add" ? "add" : "chg"]));
    for (const { key, keyStart, value } of node?.members ?? []) {
      const kind = kinds.get(key);
      if (!kind) continue;
      for (let line = place(text, keyStart).line; line <= place(text, value.end).line; line += 1) marks.push([line, kind]);
    }
    this.editor.mark(marks);
    this.annotate(text, node, kinds);
  }

  /** Says beside each key who set it and when. @param {string} text @param {import("../../lib/json.js").Node | null} node @param {Map<string, string>} kinds */
  annotate(text, node, kinds) {
    if (!this.blame && !this.isAnnotated) return;
    this.isAnnotated = this.blame !== null;
    const known = this.blame ?? new Map();
    const notes = (this.blame ? node?.members ?? [] : []).map(({ key, keyStart }) => {
      const words = kinds.has(key) ? "not saved" : past.setBy(known.get(key));
      return { key, line: place(text, keyStart).line, words };
    });
    this.editor.annotate(notes.filter(({ line }, at) => at === 0 || notes[at - 1].line !== line).map(({ line, words }) => /** @type {[number, string]} */ ([line, words])));
    fill(this.told, notes.map(({ key, words }) => h("li", null, `${key}: ${words}`)));
  }

  /** Shows who set what, or no more. @param {Map<string, past.Setter> | null} blame */
  show(blame) {
    this.blame = blame;
    this.who.setAttribute("aria-pressed", String(blame !== null));
    this.look();
  }

  format() { if (read(this.editor.value).node) this.editor.value = format(this.editor.value); }
  reset() { this.editor.value = format(this.base); }

  /** Goes on from another state of the user, keeping these changes. @param {UserProfile} profile @param {Change[]} changes */
  rebase(profile, changes) {
    this.base = profile.bag(this.bag);
    this.editor.value = applied(this.base, changes);
    this.look();
  }
}

/** Who changed the user since, as far as that is kept and may be known. @param {past.Past} own @param {string | null} since @returns {Promise<string[]>} */
async function others(own, since) {
  if (!past.isKept()) return [];
  const { entries } = await own.changes(20).catch(() => ({ entries: [] }));
  return [...new Set(entries.filter(({ version, actor }) => Number(version) > Number(since) && actor).map(({ actor }) => actor))];
}

export class MetadataSection {
  /** @param {import("../../lib/tabs.js").Shared} shared */
  constructor(shared) {
    this.shared = shared;
    this.version = shared.profile.version;
    this.isOpen = false;
    this.isBusy = false;
    this.draftTimer = 0;
    this.panes = BAGS.map((kind) => new Pane(kind, shared, () => this.edited(), (pane) => this.blame(pane)));
    this.notice = h("div", { "aria-live": "polite" });
    this.card = h("div");
    this.button = h("button", { class: "btn primary", type: "button", "data-testid": "review-button", onclick: () => this.open() }, "Review changes");
    const canEdit = this.panes.some((pane) => pane.canEdit);
    this.node = h("section", { class: "sect", "aria-labelledby": "h-md", "data-testid": "section-metadata" },
      h("header", null, h("h2", { id: "h-md" }, "Metadata"), h("p", null, "The part of the profile you can change. Keys at the root merge on save; everything below a key is replaced; a removed key is sent as ", h("code", null, "null"), ".")),
      this.notice, h("div", { class: "two" }, this.panes.map((pane) => pane.node)),
      canEdit && h("div", { class: "row wrap" }, this.button, h("span", { class: "small muted" }, "Nothing is sent before you have seen it.")), this.card);
    shared.listeners.push(() => { this.take(shared.profile); this.blameAgain(); });
    this.offerDrafts();
    this.refresh();
  }

  isDirty() { return this.panes.some((pane) => pane.isDirty); }
  get total() { return this.panes.reduce((sum, pane) => sum + pane.changes.length, 0); }
  get isSound() { return this.panes.every((pane) => pane.errors.length === 0); }

  /** @param {Pane} pane */
  async blame(pane) {
    if (pane.blame) { pane.show(null); return; }
    try {
      pane.show((await this.shared.past.blame()).get(pane.bag) ?? new Map());
    } catch (error) {
      fill(this.notice, failure(error));
    }
  }

  async blameAgain() {
    const open = this.panes.filter((pane) => pane.blame);
    if (open.length === 0) return;
    const found = await this.shared.past.blame().catch(() => new Map());
    for (const pane of open) pane.show(found.get(pane.bag) ?? new Map());
  }

  edited() {
    this.refresh();
    clearTimeout(this.draftTimer);
    this.draftTimer = window.setTimeout(() => this.keepDrafts(), 300);
  }

  refresh() {
    const isReady = this.total > 0 && this.isSound;
    this.button.disabled = !isReady || this.isOpen;
    fill(this.button, this.total > 0 ? `Review ${counted(this.total, "change")}` : "Review changes");
    if (!isReady) this.isOpen = false;
    if (!this.isOpen) { fill(this.card); return; }
    fill(this.card, reviewCard({ parts: this.panes, asked: this.asked(), isBusy: this.isBusy, onSave: () => this.save(), onBack: () => { this.isOpen = false; this.refresh(); this.panes.find((pane) => pane.isDirty)?.editor.edit(); } }));
  }

  asked() {
    return { path: userPath(this.shared.profile.id), version: this.version, body: bodyOf(this.panes) };
  }

  open() {
    this.isOpen = true;
    this.refresh();
    const save = /** @type {HTMLElement | null} */ (this.card.querySelector('[data-testid="save"]'));
    save?.focus();
    this.card.scrollIntoView({ block: "nearest" });
  }

  /** Ctrl+S: shows what would be sent, then sends it. */
  shortcut() {
    if (this.total === 0 || !this.isSound || this.isBusy || document.querySelector("dialog[open]")) return;
    if (this.isOpen) this.save(); else this.open();
  }

  /** @param {boolean} is */
  busy(is) {
    this.isBusy = is;
    for (const pane of this.panes) pane.editor.lock(is || !pane.canEdit);
    this.refresh();
  }

  /** Sends a PATCH. @param {string} body @param {string | null} version @returns {Promise<UserProfile>} */
  async send(body, version) {
    const answer = await call("PATCH", userPath(this.shared.profile.id), { body, version });
    return new UserProfile(answer.text, answer.version);
  }

  async save() {
    if (this.isBusy || this.total === 0 || !this.isSound) return;
    const saved = this.panes.map(({ bag, changes }) => ({ bag, changes }));
    fill(this.notice);
    this.busy(true);
    try {
      const profile = await this.send(this.asked().body, this.version);
      this.isOpen = false;
      this.adopt(profile);
      toast(`Saved version ${profile.version}`, { label: "Undo", run: () => this.undo(saved, profile) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 412) await this.conflict(error);
      else this.complain(error);
    } finally {
      this.busy(false);
    }
  }

  /** @param {ApiError} error */
  complain(error) {
    const shown = failure(error);
    fill(this.notice, shown);
    if (!error.retryAfter) return;
    const wait = h("div", { class: "small" });
    shown.append(wait);
    const until = Date.now() + error.retryAfter * 1000;
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      fill(wait, left > 0 ? `Try again in ${left} s.` : "You can try again now.");
      if (left > 0 && wait.isConnected) setTimeout(tick, 250);
    };
    tick();
  }

  /** Shows a state of the user everywhere; nothing is unsaved after it. @param {UserProfile} profile */
  adopt(profile) {
    this.version = profile.version;
    for (const pane of this.panes) pane.rebase(profile, []);
    this.keepDrafts();
    this.shared.renew(profile);
    this.refresh();
  }

  /** Takes over what something else on this page changed, where that costs no unsaved change. @param {UserProfile} profile */
  take(profile) {
    // What is being reviewed or sent is not changed under anybody's hands.
    if (profile.version === this.version || this.isOpen || this.isBusy) return;
    const kept = this.panes.map((pane) => ({ pane, mine: pane.changes, theirs: diff(pane.base, profile.bag(pane.bag)) }));
    // With a clash the old version stays, and saving asks.
    if (this.panes.some((pane) => pane.errors.length > 0) || kept.some(({ mine, theirs }) => overlap(mine, theirs).length > 0)) return;
    const other = kept.filter(({ theirs }) => theirs.length > 0);
    if (other.some(({ pane, mine }) => mine.length > 0 && pane.node.contains(document.activeElement))) return;
    this.version = profile.version;
    for (const { pane, mine } of other) pane.rebase(profile, mine);
    this.refresh();
  }

  /** Whether somebody's change waits until these are saved. */
  isBehind() { return this.version !== this.shared.profile.version; }

  /** Somebody else was faster. @param {ApiError} refused */
  async conflict(refused) {
    /** @type {UserProfile} */ let profile;
    try {
      profile = await fetchUser(this.shared.profile.id);
    } catch (error) {
      this.complain(/** @type {ApiError} */ (error));
      return;
    }
    const parts = this.panes.map((pane) => {
      const theirs = diff(pane.base, profile.bag(pane.bag));
      return { pane, mine: pane.changes, theirs, clashes: overlap(pane.changes, theirs) };
    });
    const clashes = parts.flatMap(({ pane, clashes: all }) => all.map((clash) => ({ ...clash, bag: pane.bag })));
    if (clashes.length > 0) { await this.choose(profile, parts, clashes); return; }
    const named = parts.flatMap(({ pane, theirs }) => theirs.map(({ key }) => `${pane.bag}.${key}`));
    const told = Array.isArray(refused.body?.changed) ? refused.body.changed.map((/** @type {any} */ one) => one.path).filter((/** @type {any} */ path) => typeof path === "string") : [];
    const paths = named.length > 0 ? named : told.length > 0 ? told : ["something outside the metadata"];
    const actors = await others(this.shared.past, this.version);
    fill(this.notice, h("div", { class: "banner info", role: "alert", "data-testid": "disjoint" },
      h("div", null, `Version ${profile.version}`, actors.length > 0 && [" by ", actors.flatMap((actor, at) => [at > 0 && ", ", h("code", null, actor)])], " changed ", paths.flatMap((/** @type {string} */ path, /** @type {number} */ at) => [at > 0 && ", ", h("code", null, path)]), "; your change does not touch it."),
      h("button", { class: "btn primary", type: "button", "data-testid": "save-on-top", onclick: () => {
        for (const { pane, mine } of parts) pane.rebase(profile, mine);
        this.version = profile.version;
        this.shared.renew(profile);
        this.save();
      } }, `Save on top of version ${profile.version}`)));
  }

  /**
   * Asks about every key both changed. @param {UserProfile} profile
   * @param {{ pane: Pane, mine: Change[] }[]} parts @param {{ key: string, bag: string, mine: Change, theirs: Change }[]} clashes
   */
  async choose(profile, parts, clashes) {
    const groups = clashes.map(({ key, bag, mine, theirs }, at) => {
      const option = (/** @type {string} */ value, /** @type {string} */ label, /** @type {string | undefined} */ raw) => {
        const id = `choice-${at}-${value}`;
        return h("div", { class: "choice" }, h("input", { type: "radio", name: `choice-${at}`, id, value, required: true }), h("label", { for: id }, h("strong", null, label), " ", h("code", null, raw ?? "(not there)")));
      };
      return h("fieldset", { "data-key": key, "data-bag": bag }, h("legend", { class: "mono" }, `${bag}.${key}`), option("mine", "Mine", mine.after), option("theirs", "Theirs", theirs.after), option("base", "As it was", mine.before));
    });
    const content = [h("p", null, `Version ${profile.version} changed the same ${clashes.length === 1 ? "key" : "keys"} while you were editing. Nothing was written. Choose what to keep:`), groups];
    const picked = (/** @type {HTMLElement} */ dialog, /** @type {number} */ at) => /** @type {HTMLInputElement | null} */ (dialog.querySelector(`input[name="choice-${at}"]:checked`))?.value;
    /** @type {(string | undefined)[]} */ let choices = [];
    const done = await ask("Both changed the same", content, [{ label: "Keep editing", value: "" }, { label: "Keep these and save", value: "save", kind: "primary" }], {
      testid: "conflict",
      check: (_, dialog) => { choices = clashes.map((_clash, at) => picked(dialog, at)); return choices.every(Boolean); },
    });
    if (done !== "save") return;
    for (const { pane, mine } of parts) {
      const kept = mine.flatMap((change) => {
        const at = clashes.findIndex(({ bag, key }) => bag === pane.bag && key === change.key);
        if (at < 0 || choices[at] === "mine") return [change];
        if (choices[at] === "theirs") return [];
        return [/** @type {Change} */ ({ key: change.key, op: change.before === undefined ? "remove" : "change", after: change.before })];
      });
      pane.rebase(profile, kept);
    }
    this.version = profile.version;
    this.shared.renew(profile);
    this.isBusy = false;
    if (this.total > 0) await this.save();
    else { this.keepDrafts(); toast("Theirs was kept; nothing was sent"); }
  }

  /** Takes a saved change back, as a new version. @param {{ bag: string, changes: Change[] }[]} saved @param {UserProfile} after */
  async undo(saved, after) {
    const back = (/** @type {UserProfile} */ profile) => bodyOf(saved.map(({ bag, changes }) => ({ bag, base: profile.bag(bag), changes: inverse(changes) })));
    fill(this.notice);
    try {
      let profile;
      try {
        profile = await this.send(back(after), after.version);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 412) throw error;
        const current = await fetchUser(after.id);
        const lost = saved.flatMap(({ bag, changes }) => overlap(inverse(changes), diff(after.bag(bag), current.bag(bag))).map(({ key }) => `${bag}.${key}`));
        const text = h("p", null, "Version ", current.version, " changed ", h("code", null, lost.join(", ")), " since. Undo puts back what was there before your change.");
        if (lost.length > 0 && !(await confirmed("Undo over somebody else's change?", text, "Undo anyway", "danger"))) return;
        profile = await this.send(back(current), current.version);
      }
      this.shared.renew(profile);
      toast(`Undone as version ${profile.version}`);
    } catch (error) {
      this.complain(/** @type {ApiError} */ (error));
    }
  }

  /** Puts a key with the provider's value into user_metadata; saving stays a step of its own. @param {string} key @param {string} raw */
  override(key, raw) {
    const [pane] = this.panes;
    if (!read(pane.editor.value).node) { toast("Mend the JSON of user_metadata first"); pane.editor.edit(); return; }
    pane.editor.value = applied(pane.editor.value, [{ key, op: "add", after: raw }]);
    const text = pane.editor.value;
    const member = read(text).node?.members?.find((one) => one.key === key);
    if (!member) return;
    const isText = member.value.kind === "string";
    pane.node.scrollIntoView({ block: "center" });
    pane.editor.select(member.value.start + (isText ? 1 : 0), member.value.end - (isText ? 1 : 0));
  }

  keepDrafts() {
    const { tenant } = session.info();
    for (const pane of this.panes) keepDraft(tenant, this.shared.profile.id, pane.bag, pane.isDirty ? { text: pane.editor.value, base: pane.base, version: this.version } : null);
  }

  offerDrafts() {
    const { tenant } = session.info();
    const drafts = this.panes.flatMap((pane) => {
      const draft = pane.canEdit ? draftOf(tenant, this.shared.profile.id, pane.bag) : null;
      return draft ? [{ pane, draft }] : [];
    });
    if (drafts.length === 0) return;
    const at = new Date(Math.max(...drafts.map(({ draft }) => draft.at)));
    const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const restore = () => {
      for (const { pane, draft } of drafts) {
        const isSound = read(draft.text).node !== null;
        // Only the draft's own changes come back, not the state it began with.
        pane.editor.value = draft.base === pane.base || !isSound ? draft.text : applied(pane.base, diff(draft.base, draft.text));
      }
      fill(this.notice);
      this.refresh();
    };
    const drop = () => { for (const { pane } of drafts) keepDraft(tenant, this.shared.profile.id, pane.bag, null); fill(this.notice); };
    fill(this.notice, h("div", { class: "banner info", "data-testid": "draft" }, h("div", null, `There is an unsaved draft of ${drafts.map(({ pane }) => pane.bag).join(" and ")} in this browser.`),
      h("button", { class: "btn", type: "button", onclick: restore }, `Restore draft from ${time}`), h("button", { class: "btn ghost", type: "button", onclick: drop }, "Drop it")));
  }

  close() {
    clearTimeout(this.draftTimer);
    this.keepDrafts();
    for (const pane of this.panes) pane.editor.inner?.destroy();
  }
}
