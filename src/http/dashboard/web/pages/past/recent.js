// @ts-check
// The last changes of a user or client, each with what was before and after.

import { failure, fill, h } from "../../lib/dom.js";
import * as past from "../../lib/past.js";
import * as session from "../../lib/session.js";

const SHOWN = 5;

/** @param {import("../../lib/tabs.js").Shared} shared */
export function recentSection(shared) {
  const list = h("ol", { class: "tl" });
  const card = h("div", { class: "card" }, list);
  const head = h("header", null, h("h2", { id: "h-act" }, "Recent changes"), h("p", null, h("a", { href: `${shared.base}/history` }, "All versions")));
  const at = (/** @type {string} */ version) => `${shared.base}/history?version=${version}`;
  async function draw() {
    const wanted = shared.profile.version;
    try {
      const { entries } = await shared.past.changes(SHOWN + 1);
      if (shared.profile.version !== wanted) return;
      fill(list, entries.slice(0, SHOWN).map((entry, index) => {
        const before = entries[index + 1];
        const undo = index === 0 && before && !past.isEnd(before) && session.can(shared.kind.updates) && h("a", { class: "btn ghost sm", href: `${at(before.version)}&restore=1` }, "Undo…", h("span", { class: "vh" }, ` version ${entry.version}`));
        const view = index > 0 && !past.isEnd(entry) && h("a", { class: "btn ghost sm", href: at(entry.version) }, "View then", h("span", { class: "vh" }, `: version ${entry.version}`));
        return past.line(entry, undo || view);
      }), entries.length === 0 && h("li", { class: "muted" }, `The history keeps no change of this ${shared.kind.noun} yet.`));
    } catch (error) {
      fill(list, h("li", null, failure(error)));
    }
  }
  draw();
  shared.listeners.push(draw);
  return h("section", { class: "sect", "aria-labelledby": "h-act", "data-testid": "section-recent" }, head, card);
}
