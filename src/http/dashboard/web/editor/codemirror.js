// The JSON editor, bundled from CodeMirror 6 by build.rs. It knows nothing of metadata:
// which lines are marked, and how, is decided by lib/editor.js, as for the plain text area.

import { defaultKeymap, history, historyKeymap, isolateHistory } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, gutter, gutterLineClass, GutterMarker, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: tags.propertyName, class: "k" },
  { tag: tags.string, class: "s" },
  { tag: tags.number, class: "n" },
  { tag: [tags.bool, tags.null], class: "w" },
  { tag: [tags.punctuation, tags.separator, tags.brace, tags.squareBracket], class: "p" },
]);

class LineClass extends GutterMarker {
  constructor(name) { super(); this.elementClass = name; }
  eq(other) { return other.elementClass === this.elementClass; }
}

const setMarks = StateEffect.define();
const lineClass = new Map();
const markerOf = (name) => {
  if (!lineClass.has(name)) lineClass.set(name, new LineClass(`g-${name}`));
  return lineClass.get(name);
};

// Marks are pairs of a line's number and a class; they move with the text until they are set anew.
const marks = StateField.define({
  create: () => ({ lines: Decoration.none, gutter: new RangeSetBuilder().finish() }),
  update(value, transaction) {
    let next = { lines: value.lines.map(transaction.changes), gutter: value.gutter.map(transaction.changes) };
    for (const effect of transaction.effects) {
      if (!effect.is(setMarks)) continue;
      const lines = new RangeSetBuilder();
      const gutter = new RangeSetBuilder();
      const { doc } = transaction.state;
      for (const [number, name] of effect.value) {
        if (number > doc.lines) continue;
        const { from } = doc.line(number);
        lines.add(from, from, Decoration.line({ class: `ln-${name}` }));
        gutter.add(from, from, markerOf(name));
      }
      next = { lines: lines.finish(), gutter: gutter.finish() };
    }
    return next;
  },
  provide: (field) => [
    EditorView.decorations.from(field, (value) => value.lines),
    gutterLineClass.from(field, (value) => value.gutter),
  ],
});

class Note extends GutterMarker {
  constructor(text) { super(); this.text = text; }
  eq(other) { return other.text === this.text; }
  toDOM() {
    const words = document.createElement("span");
    words.textContent = words.title = this.text;
    return words;
  }
}

// A few words beside lines; without any there is no such gutter.
const setNotes = StateEffect.define();
const notes = StateField.define({
  create: () => new RangeSetBuilder().finish(),
  update(value, transaction) {
    let next = value.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setNotes)) continue;
      const set = new RangeSetBuilder();
      const { doc } = transaction.state;
      for (const [number, text] of effect.value) {
        if (number > doc.lines) continue;
        const { from } = doc.line(number);
        set.add(from, from, new Note(text));
      }
      next = set.finish();
    }
    return next;
  },
});
const noteGutter = [notes, gutter({ class: "cm-notes", markers: (view) => view.state.field(notes) })];

export function createEditor({ parent, text, label, nonce, readOnly, onChange, describedBy }) {
  const writable = new Compartment();
  const locked = (is) => [EditorState.readOnly.of(is), EditorView.editable.of(!is)];
  const attributes = { "aria-label": label, spellcheck: "false", autocapitalize: "off" };
  if (describedBy) attributes["aria-describedby"] = describedBy;
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(nonce),
        noteGutter, lineNumbers(), foldGutter(), highlightSpecialChars(), history(), drawSelection(), indentOnInput(),
        bracketMatching(), highlightSelectionMatches(), search({ top: true }), json(),
        syntaxHighlighting(colours), indentUnit.of("  "), marks, EditorView.lineWrapping,
        // Tab is not bound: it leaves the editor, as in any other field.
        keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap]),
        EditorView.contentAttributes.of(attributes),
        EditorView.updateListener.of((update) => { if (update.docChanged) onChange(); }),
        writable.of(locked(readOnly)),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    // A step of its own, so that it can be undone without what was typed before.
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, annotations: isolateHistory.of("full") }),
    setMarks: (list) => view.dispatch({ effects: setMarks.of(list) }),
    setNotes: (list) => view.dispatch({ effects: setNotes.of(list) }),
    select: (from, to) => { view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true }); view.focus(); },
    setReadOnly: (is) => view.dispatch({ effects: writable.reconfigure(locked(is)) }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
