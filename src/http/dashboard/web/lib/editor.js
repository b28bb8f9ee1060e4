// @ts-check
// <json-editor>: CodeMirror where it was bundled and is wanted, else a plain text area.
// Both take the same marks, tell the same event and are checked by the same code.

import { h } from "./dom.js";

const meta = (/** @type {string} */ name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";

/** Whether the person prefers the plain text area. */
export const prefersPlain = () => localStorage.getItem("dossier.editor") === "plain";
export const hasRich = () => meta("dossier-editor") !== "";

/** @type {Promise<any> | null} */ let loading = null;

/** Loads the bundled editor, if there is one; `null` means the text area. */
export function loadEditor() {
  if (prefersPlain() || !hasRich()) return Promise.resolve(null);
  loading ??= import(`../${meta("dossier-editor")}`).catch(() => null);
  return loading;
}

class PlainEditor {
  /** @param {any} options */
  constructor({ parent, text, label, describedBy, readOnly, onChange }) {
    this.gutter = h("div", { class: "plain-gutter", "aria-hidden": "true" });
    this.area = h("textarea", { class: "plain-text", "aria-label": label, "aria-describedby": describedBy, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", readonly: readOnly, value: text });
    this.box = h("div", { class: "plain" }, this.gutter, this.area);
    /** @type {[number, string][]} */ this.marks = [];
    /** @type {Map<number, string>} */ this.notes = new Map();
    this.area.addEventListener("input", () => { this.number(); onChange(); });
    this.area.addEventListener("scroll", () => { this.gutter.scrollTop = this.area.scrollTop; });
    parent.append(this.box);
    this.number();
  }
  number() {
    const lines = this.area.value.split("\n").length;
    const marked = new Map(this.marks);
    this.area.rows = Math.min(Math.max(lines, 10), 30);
    const notes = this.notes;
    this.gutter.replaceChildren(...Array.from({ length: lines }, (_, at) => h("div", { class: marked.has(at + 1) ? `g-${marked.get(at + 1)}` : null }, notes.size > 0 && h("span", { class: "note", title: notes.get(at + 1) }, notes.get(at + 1) ?? ""), at + 1)));
  }
  text() { return this.area.value; }
  /** @param {string} next */
  setText(next) {
    // Typed in, as it were, so that the browser can undo it.
    const active = document.activeElement;
    this.area.focus();
    this.area.select();
    if (this.area.readOnly || !document.execCommand("insertText", false, next)) this.area.value = next;
    if (active instanceof HTMLElement) active.focus();
    this.number();
  }
  /** @param {[number, string][]} marks */
  setMarks(marks) { this.marks = marks; this.number(); }
  /** @param {[number, string][]} notes */
  setNotes(notes) { this.notes = new Map(notes); this.number(); }
  /** @param {number} from @param {number} to */
  select(from, to) { this.area.focus(); this.area.setSelectionRange(from, to); }
  /** @param {boolean} is */
  setReadOnly(is) { this.area.readOnly = is; }
  focus() { this.area.focus(); }
  destroy() { this.box.remove(); }
}

export class JsonEditor extends HTMLElement {
  /** @param {any} rich @param {{ text: string, label: string, readOnly?: boolean, describedBy?: string }} options */
  start(rich, { text, label, readOnly = false, describedBy }) {
    const onChange = () => this.dispatchEvent(new CustomEvent("edit"));
    const options = { parent: this, text, label, readOnly, describedBy, onChange, nonce: meta("dossier-nonce") };
    this.dataset.kind = rich ? "rich" : "plain";
    this.inner = rich ? rich.createEditor(options) : new PlainEditor(options);
    return this;
  }
  get value() { return this.inner?.text() ?? ""; }
  set value(text) { if (this.inner && text !== this.value) this.inner.setText(text); }
  /** Marks lines, the first of several marks for one line counting. @param {[number, string][]} marks */
  mark(marks) {
    /** @type {Map<number, string>} */ const first = new Map();
    for (const [line, name] of marks) if (!first.has(line)) first.set(line, name);
    this.inner?.setMarks([...first].sort((left, right) => left[0] - right[0]));
  }
  /** Puts a few words beside lines, in their order. @param {[number, string][]} notes */
  annotate(notes) { this.inner?.setNotes(notes); }
  /** @param {number} from @param {number} to */
  select(from, to) { this.inner?.select(from, to); }
  /** @param {boolean} is */
  lock(is) { this.inner?.setReadOnly(is); }
  edit() { this.inner?.focus(); }
}

customElements.define("json-editor", JsonEditor);
