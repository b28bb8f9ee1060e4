// @ts-check
// A file of users becomes a job of the API; what came of it is shown here, row by row where
// something was refused.

import { call, get } from "../../lib/api.js";
import { ask, field } from "../../lib/dialog.js";
import { badge, failure, fill, h } from "../../lib/dom.js";
import { grouped } from "../../lib/format.js";
import { read } from "../../lib/json.js";

const EVERY = 300;
const SHOWN = 20;

/** @param {import("../../app.js").Place} place */
export async function importUsers(place) {
  const problem = h("div", { role: "alert" });
  const file = h("input", { class: "input", type: "file", accept: "application/json,.json", required: true });
  const connection = h("select", { class: "input" });
  const upsert = h("input", { type: "checkbox" });
  let job = "";
  try {
    const all = (await get("/api/v2/connections?strategy=auth0")).json();
    fill(connection, all.map((/** @type {any} */ { id, name }) => h("option", { value: id }, name)));
  } catch (error) {
    fill(problem, failure(error));
  }
  const done = await ask("Import users", [field("File", file, "A JSON array of users, as Auth0's export writes it."), field("Into", connection), field("Change users who are there already", upsert), problem], [{ label: "Cancel", value: "" }, { label: "Import", value: "import", kind: "primary" }], {
    testid: "import",
    check: async () => {
      const [chosen] = file.files ?? [];
      if (!chosen) return false;
      const { node, errors } = read(await chosen.text());
      if (!node?.items) {
        fill(problem, h("p", { class: "small bad-text" }, errors.map(({ message, line, column }) => `line ${line}, column ${column}: ${message}`).join("; ") || "The file is not a JSON array."));
        return false;
      }
      try {
        job = await send(chosen, connection.value, upsert.checked);
        return true;
      } catch (error) {
        fill(problem, failure(error));
        return false;
      }
    },
  });
  if (done === "import") await see(job, place);
}

/** A file of users that is made here, into the database connection. @param {any[]} users @param {string} connection @param {import("../../app.js").Place} place */
export async function importMade(users, connection, place) {
  const all = (await get("/api/v2/connections?strategy=auth0")).json();
  const into = all.find((/** @type {any} */ { name }) => name === connection) ?? all[0];
  if (!into) throw new Error("There is no database connection to put users into.");
  await see(await send(new Blob([JSON.stringify(users)], { type: "application/json" }), into.id, false), place);
}

/** Begins an import; its job. @param {Blob} file @param {string} connection @param {boolean} upsert @returns {Promise<string>} */
async function send(file, connection, upsert) {
  const form = new FormData();
  form.append("users", file, "users.json");
  form.append("connection_id", connection);
  form.append("upsert", String(upsert));
  return (await call("POST", "/api/v2/jobs/users-imports", { body: form })).json().id;
}

/** @param {string} job @param {import("../../app.js").Place} place */
async function see(job, place) {
  await watch(job);
  await place.go(location.pathname + location.search, true);
}

/** Shows how a job goes until it is over. @param {string} id */
async function watch(id) {
  const state = h("div", { "aria-live": "polite", "data-testid": "import-state" }, "Waiting…");
  const rows = h("div");
  const closed = ask("Import users", [state, rows], [{ label: "Close", value: "" }], { testid: "import-run" });
  let isOpen = true;
  closed.then(() => { isOpen = false; });
  while (isOpen) {
    try {
      const { status, status_details: details, summary } = (await get(`/api/v2/jobs/${encodeURIComponent(id)}`)).json();
      const counts = summary && `${grouped(summary.total)} rows: ${grouped(summary.inserted)} new, ${grouped(summary.updated)} changed, ${grouped(summary.failed)} refused`;
      fill(state, badge(status, status === "completed" ? "ok" : status === "failed" ? "bad" : "info"), " ", counts, details && ` ${details}`);
      if (status === "completed" || status === "failed") {
        if (summary?.failed > 0) await refused(id, rows);
        break;
      }
    } catch (error) {
      fill(state, failure(error));
      break;
    }
    await new Promise((later) => setTimeout(later, EVERY));
  }
  await closed;
}

/** @param {string} id @param {Element} place */
async function refused(id, place) {
  const all = (await get(`/api/v2/jobs/${encodeURIComponent(id)}/errors`)).json();
  const lines = all.slice(0, SHOWN).map((/** @type {any} */ { user, errors }) => h("tr", null, h("td", { class: "mono" }, user?.email ?? user?.user_id ?? user?.username ?? "a row"), h("td", null, errors.map((/** @type {any} */ one) => one.message).join("; "))));
  fill(place, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Refused rows" }, h("table", null, h("tbody", null, lines))), all.length > SHOWN && h("p", { class: "small muted" }, `and ${grouped(all.length - SHOWN)} more`));
}
