// @ts-check
// What the API answers, byte for byte; of a client without its secrets.

import { clientPath, userPath } from "../../lib/api.js";
import { badge, copy, fill, h } from "../../lib/dom.js";
import { grouped } from "../../lib/format.js";
import { format } from "../../lib/json.js";

/** @param {import("../../lib/tabs.js").Shared} shared @returns {Promise<import("../../lib/tabs.js").Tab>} */
export async function rawTab(shared) {
  const head = h("header");
  const code = h("pre", { class: "code raw", tabindex: "0", "aria-label": "Raw JSON", "data-testid": "raw" });
  const filter = h("input", { class: "input", type: "search", placeholder: "Filter lines", "aria-label": "Filter lines", oninput: () => draw() });
  const indent = h("input", { type: "checkbox", id: "indent", checked: true, onchange: () => draw() });
  const wrap = h("input", { type: "checkbox", id: "wrap", checked: true, onchange: () => code.classList.toggle("nowrap", !wrap.checked) });
  function draw() {
    const { profile, kind } = shared;
    const path = kind.noun === "client" ? clientPath(profile.id) : userPath(profile.id);
    fill(head, h("h2", { id: "h-raw" }, "Raw JSON"), h("p", { class: "mono" }, `GET ${path}`), badge("200", "ok"), h("span", { class: "small muted" }, `etag "${profile.version}" · ${grouped(profile.size)} B${profile.visible === profile.text ? "" : " · secrets are hidden here"}`));
    const text = indent.checked ? format(profile.visible) : profile.visible;
    const wanted = filter.value.toLowerCase();
    fill(code, wanted ? text.split("\n").filter((/** @type {string} */ line) => line.toLowerCase().includes(wanted)).join("\n") || "No line contains this." : text);
  }
  const download = () => {
    const url = URL.createObjectURL(new Blob([shared.profile.visible], { type: "application/json" }));
    h("a", { href: url, download: `${shared.profile.id.replace(/[^A-Za-z0-9._-]+/g, "_")}.json` }).click();
    URL.revokeObjectURL(url);
  };
  draw();
  shared.listeners.push(draw);
  return {
    node: h("section", { class: "sect", "aria-labelledby": "h-raw", "data-testid": "section-raw" },
      head,
      h("div", { class: "row wrap" }, filter, h("span", { class: "row" }, indent, h("label", { for: "indent" }, "Indent")), h("span", { class: "row" }, wrap, h("label", { for: "wrap" }, "Wrap")),
        h("button", { class: "btn push", type: "button", onclick: () => copy(shared.profile.visible, "the JSON") }, "Copy"), h("button", { class: "btn", type: "button", onclick: download }, "Download .json")),
      code),
  };
}
