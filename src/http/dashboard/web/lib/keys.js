// @ts-check
// Shortcuts. They rest while somebody types, all but Ctrl+S.

import { showKeys } from "./dialog.js";

const isTyping = (/** @type {EventTarget | null} */ target) =>
  target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

/** @param {{ go: (page: string) => void, save: () => boolean, search: () => void }} actions */
export function listen({ go, save, search }) {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
      if (save()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const wasGoing = isGoing;
    isGoing = false;
    if (wasGoing && { o: 1, u: 1, c: 1, h: 1, s: 1 }[event.key]) go(event.key);
    else if (event.key === "g") isGoing = true;
    else if (event.key === "/") search();
    else if (event.key === "?") showKeys();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else return;
    event.preventDefault();
  });
}

/** Moves to the next or previous row of the list on the page. @param {number} by */
function step(by) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row] a[data-open]")]);
  const at = rows.indexOf(/** @type {any} */ (document.activeElement));
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
