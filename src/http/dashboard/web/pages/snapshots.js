// @ts-check
// Taking a snapshot of every tenant that changed: a button, and the place where it says what came of it.

import { call } from "../lib/api.js";
import { badge, failure, fill, h } from "../lib/dom.js";
import { counted, size } from "../lib/format.js";

/** @param {() => void} [after] what follows a snapshot that was taken */
export function taker(after) {
  const result = h("div", { "aria-live": "polite", "data-testid": "snapshot-result" });
  const button = h("button", { class: "btn", type: "button", "data-testid": "take-snapshot", onclick: take }, "Take one now");
  /** It may take a while. */
  async function take() {
    button.disabled = true;
    fill(result, h("div", { class: "row small" }, h("progress", { "aria-label": "Taking a snapshot" }), "Writing…"));
    try {
      const { snapshots } = (await call("POST", "/dossier/v1/snapshots")).json();
      fill(result, snapshots.length === 0 ? h("div", { class: "small muted" }, "Nothing has changed since the last snapshot.") : snapshots.map(line));
      after?.();
    } catch (error) {
      fill(result, failure(error));
    }
    button.disabled = false;
  }
  return { button, result };
}

/** @param {{ file: string, tenant: string, users: number, bytes: number, milliseconds: number, verified: boolean }} one */
const line = (one) => h("div", { class: "small" }, "Taken: ", h("span", { class: "mono" }, one.file), ` · ${one.tenant} · ${counted(one.users, "user")} · ${size(one.bytes)} · ${(one.milliseconds / 1000).toFixed(2)} s`, one.verified && [" ", badge("verified", "ok")]);
