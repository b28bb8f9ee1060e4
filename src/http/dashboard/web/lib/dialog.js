// @ts-check
// Questions that must be answered before anything else, as native modal dialogs:
// the browser keeps the focus inside, Esc closes, and the focus goes back where it was.

import { fill, h } from "./dom.js";

let number = 0;

/**
 * @param {string} title @param {any} content
 * @param {{ label: string, value: string, kind?: string }[]} actions
 * @param {{ testid?: string, ready?: (dialog: HTMLDialogElement) => void, check?: (value: string, dialog: HTMLDialogElement) => boolean | Promise<boolean> }} [more]
 * @returns {Promise<string>} the value of the action, "" when it was closed
 */
export function ask(title, content, actions, { testid, ready, check } = {}) {
  const id = `dialog-${(number += 1)}`;
  return new Promise((resolve) => {
    const buttons = actions.map(({ label, value, kind = "" }) => h("button", { class: `btn ${kind}`.trim(), type: "submit", value, "data-action": value }, label));
    const form = h("form", { method: "dialog" }, h("header", null, h("h2", { id }, title)), h("div", { class: "dialog-body" }, content), h("footer", null, buttons));
    const dialog = h("dialog", { "aria-labelledby": id, "data-testid": testid }, form);
    form.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const value = /** @type {HTMLButtonElement} */ (event.submitter)?.value ?? "";
      if (value && check && !(await check(value, dialog))) return;
      dialog.close(value);
    });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue); });
    document.body.append(dialog);
    ready?.(dialog);
    dialog.showModal();
  });
}

/** A question with yes and no. @param {string} title @param {any} content @param {string} yes */
export async function confirmed(title, content, yes, kind = "primary") {
  return (await ask(title, content, [{ label: "Cancel", value: "" }, { label: yes, value: "yes", kind }], { testid: "confirm" })) === "yes";
}

/** A labelled field. @param {string} label @param {any} input @param {any} [hint] */
export function field(label, input, hint) {
  const id = `field-${(number += 1)}`;
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "small muted" }, hint));
}

/** Writes what is wrong under a form. @param {Element} place @param {any} content */
export const complain = (place, content) => fill(place, content);

const KEYS = [
  ["/", "Search users"], ["g then o, u, c, h, s", "Overview, users, clients, history, settings"], ["j, k", "Next and previous row of a list"],
  ["Enter", "Open the row"], ["Ctrl S or ⌘ S", "Review the changes, then save them"], ["Esc", "Close"], ["?", "This list"],
];

export function showKeys() {
  const rows = KEYS.map(([keys, what]) => h("tr", null, h("td", { class: "mono" }, keys), h("td", null, what)));
  return ask("Keyboard", h("table", null, h("thead", null, h("tr", null, h("th", null, "Keys"), h("th", null, "What they do"))), h("tbody", null, rows)), [{ label: "Close", value: "" }], { testid: "keys" });
}
