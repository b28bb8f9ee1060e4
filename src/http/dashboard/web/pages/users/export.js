// @ts-check
// Users as a file: everybody by a job of the API, or those that a search finds, page by page.

import { call, get } from "../../lib/api.js";
import { ask } from "../../lib/dialog.js";
import { badge, failure, fill, h } from "../../lib/dom.js";
import { counted, grouped } from "../../lib/format.js";
import * as session from "../../lib/session.js";

const EVERY = 400;
const AT_ONCE = 100;

/** @param {string} name @param {string} href */
function save(name, href) {
  const link = h("a", { href, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

const today = () => new Date().toISOString().slice(0, 10);

/** Everybody, as the API's export writes it. @param {"json" | "csv"} format */
export async function exportAll(format) {
  let isOver = false;
  const said = h("div", { "aria-live": "polite", "data-testid": "export-said" }, "Asking for the export…");
  const bar = h("progress", { "aria-label": "Export" });
  const closed = ask(`Export all users as ${format === "csv" ? "CSV" : "JSON"}`, [h("p", { class: "small muted" }, "Without passwords and secrets. The file is packed (gzip); the server keeps it for a day, and the link to it works for a minute."), bar, said], [{ label: "Close", value: "" }], { testid: "export" });
  closed.then(() => { isOver = true; });
  try {
    // A CSV has the columns that are asked for.
    const fields = format === "csv" ? { fields: ["user_id", "email", "email_verified", "name", "nickname", "created_at", "updated_at", "last_login", "logins_count"].map((name) => ({ name })) } : {};
    let job = (await call("POST", "/api/v2/jobs/users-exports", { body: JSON.stringify({ format, ...fields }) })).json();
    while (!isOver && (job.status === "pending" || job.status === "processing")) {
      await new Promise((resolve) => { setTimeout(resolve, EVERY); });
      job = (await get(`/api/v2/jobs/${encodeURIComponent(job.id)}`)).json();
      if (typeof job.percentage_done === "number") { bar.max = 100; bar.value = job.percentage_done; }
      fill(said, `${job.percentage_done ?? 0} %`);
    }
    if (isOver) return;
    bar.remove();
    if (job.status !== "completed" || !job.location) { fill(said, badge("failed", "bad"), " The export came to nothing. ", h("span", { class: "mono small" }, job.id)); return; }
    save(`users-${session.info().tenant}-${today()}.${format}.gz`, new URL(job.location).pathname);
    fill(said, badge("done", "ok"), " Your browser downloads it.");
  } catch (error) {
    bar.remove();
    fill(said, failure(error));
  }
}

/** Those that a search finds, with everything the API tells of them, byte for byte. @param {{ q: string, sort: string }} asked @param {number} total */
export async function exportFound(asked, total) {
  let isOver = false;
  const { paging_window: window } = session.info().limits;
  const most = window > 0 ? Math.min(total, window) : total;
  const bar = h("progress", { max: most, value: 0, "aria-label": "Export" });
  const said = h("div", { "aria-live": "polite", "data-testid": "export-said" });
  const closed = ask(`Export ${counted(most, "user")} as JSON`, [most < total && h("p", { class: "small muted" }, `${grouped(total)} match; only the first ${grouped(most)} can be paged through (limits.paging_window).`), bar, said], [{ label: "Close", value: "" }], { testid: "export" });
  closed.then(() => { isOver = true; });
  /** @type {string[]} */ const parts = [];
  try {
    for (let page = 0; page * AT_ONCE < most && !isOver; page += 1) {
      const query = new URLSearchParams({ page: String(page), per_page: String(AT_ONCE) });
      if (asked.q) query.set("q", asked.q);
      if (asked.sort) query.set("sort", asked.sort);
      const text = (await get(`/api/v2/users?${query}`)).text.trim();
      const inner = text.slice(1, -1).trim();
      if (!inner) break;
      parts.push(inner);
      bar.value = Math.min((page + 1) * AT_ONCE, most);
    }
    if (isOver) return;
    const url = URL.createObjectURL(new Blob(["[\n", parts.join(",\n"), "\n]\n"], { type: "application/json" }));
    save(`users-${session.info().tenant}-${today()}.json`, url);
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    fill(said, badge("done", "ok"), " Your browser saves it.");
  } catch (error) {
    fill(said, failure(error));
  }
}
