// @ts-check
// The list of users: the API's own search, sorted and paged, everything in the address.

import { ApiError, call, get, userPath } from "../lib/api.js";
import { ask, field } from "../lib/dialog.js";
import { badge, copy, failure, fill, h, icon, toast } from "../lib/dom.js";
import { grouped, initials } from "../lib/format.js";
import { check, read } from "../lib/json.js";
import * as session from "../lib/session.js";
import { chosen, columnsMenu, valueAt } from "./users/columns.js";
import { withSuggestions } from "./users/complete.js";

// What few lists need is loaded when it is asked for.
const canImport = () => session.can("create:users") && session.can("read:connections");
const importUsers = async (/** @type {import("../app.js").Place} */ place) => (await import("./users/import.js")).importUsers(place);
const exportAll = async (/** @type {"json" | "csv"} */ format) => (await import("./users/export.js")).exportAll(format);
const exportFound = async (/** @type {{ q: string, sort: string }} */ asked, /** @type {number} */ total) => (await import("./users/export.js")).exportFound(asked, total);
const loadSamples = async (/** @type {import("../app.js").Place} */ place) => (await import("./users/samples.js")).loadSamples(place);

const SIZES = [10, 20, 50, 100];
const FIELDS = ["user_id", "name", "nickname", "email", "blocked"];
const EXAMPLES = [
  'email:"jane.doe@example.com"', "name:jane*", "email.domain:example.com", "app_metadata.plan:gold", "app_metadata.plan:gold AND logins_count:[10 TO *]",
  "NOT _exists_:user_metadata.hobby", "created_at:[2026-01-01 TO 2026-01-31]", 'user_metadata.addresses.city:"Paris" OR blocked:true',
];
const RECENT = "dossier.searches";

/** @returns {string[]} */
const recent = () => { try { return JSON.parse(localStorage.getItem(`${RECENT}:${session.info().tenant}`) ?? "[]"); } catch { return []; } };
/** @param {string} query */
const remember = (query) => localStorage.setItem(`${RECENT}:${session.info().tenant}`, JSON.stringify([query, ...recent().filter((one) => one !== query)].slice(0, 15)));

/** @param {import("../app.js").Place} place @returns {Promise<import("../app.js").Page>} */
export async function usersPage(place) {
  const asked = {
    q: place.query.get("q") ?? "",
    sort: place.query.get("sort") ?? "",
    page: Math.max(Number(place.query.get("page") ?? 1) || 1, 1),
    size: SIZES.find((one) => String(one) === place.query.get("per_page")) ?? 20,
  };
  /** @param {Partial<typeof asked>} change */
  const address = (change) => {
    const next = { ...asked, page: 1, ...change };
    const query = new URLSearchParams();
    if (next.q) query.set("q", next.q);
    if (next.sort) query.set("sort", next.sort);
    if (next.page > 1) query.set("page", String(next.page));
    if (next.size !== 20) query.set("per_page", String(next.size));
    return session.home(`/users${query.size ? `?${query}` : ""}`);
  };
  const result = h("div", { class: "stack" });
  const more = h("span", { class: "row" });
  const node = h("div", { class: "stack" },
    h("div", { class: "row wrap" }, h("h1", null, "Users"), h("span", { class: "row wrap push" }, more, canImport() && h("button", { class: "btn", type: "button", "data-testid": "import", onclick: () => importUsers(place) }, "Import JSON…"),
      session.can("create:users") && h("button", { class: "btn primary", type: "button", "data-testid": "new-user", onclick: () => create(place) }, icon("plus"), "Create user"))),
    searchForm(asked.q, (q) => place.go(address({ q }))), result);
  const page = { title: "Users", section: "users", crumbs: /** @type {[string, string?][]} */ ([["Users"]]), node };

  /** Asks and draws; once more when other columns are wanted. */
  async function load() {
    const columns = chosen();
    const fields = [...new Set([...FIELDS, ...columns.flatMap((column) => column.fields)])].join(",");
    const query = new URLSearchParams({ include_totals: "true", page: String(asked.page - 1), per_page: String(asked.size), fields });
    if (asked.q) query.set("q", asked.q);
    if (asked.sort) query.set("sort", asked.sort);
    try {
      const answer = await get(`/api/v2/users?${query}`);
      const { users, total } = answer.json();
      if (asked.q) remember(asked.q);
      fill(result, total === 0 ? empty(asked.q, () => place.go(address({ q: "" })), place) : list({ users, total, text: answer.text, took: told(answer) }, columns, asked, address, place));
      return total;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(result, queryFault(asked.q, error) ?? [failure(error), h("p", null, h("button", { class: "btn", type: "button", "data-testid": "again", onclick: load }, "Try again"))]);
      return 0;
    }
  }
  const total = await load();
  fill(more, columnsMenu(load), total > 0 && exportMenu(asked, total));
  return page;
}

/** @param {{ q: string, sort: string }} asked @param {number} total */
function exportMenu(asked, total) {
  // Who changes metadata and nothing else begins no jobs.
  const jobs = !session.isEditor();
  const item = (/** @type {string} */ label, /** @type {() => Promise<void>} */ act) => h("li", null, h("button", { type: "button", onclick: async () => { menu.open = false; await act(); } }, label));
  const menu = h("details", { class: "drop", "data-testid": "export-menu" }, h("summary", { class: "btn" }, "Export", icon("down")), h("ul", { class: "card menu-list" },
    item(`${asked.q ? "What this search finds" : "This list"}, as JSON`, () => exportFound(asked, total)), jobs && [item("All users, as JSON lines (gzip)", () => exportAll("json")), item("All users, as CSV (gzip)", () => exportAll("csv"))]));
  return menu;
}

/** The query with a caret under the column the server names. @param {string} query @param {ApiError} error */
function queryFault(query, error) {
  const column = error.body?.column;
  if (!query || typeof column !== "number") return null;
  const message = String(error.message).replace(/^Invalid query: /, "").replace(/ \(column \d+\)$/, "");
  return h("div", { class: "banner bad", role: "alert", "data-testid": "query-error" },
    h("div", null, h("strong", null, "The query cannot be read. "), `Column ${column}: ${message}`, h("pre", { class: "caret mono" }, `${query}\n${" ".repeat(Math.max(column - 1, 0))}^`)));
}

/** @param {string} q @param {(q: string) => void} run */
function searchForm(q, run) {
  const input = h("input", { class: "input grow mono", id: "query", type: "search", value: q, placeholder: "app_metadata.plan:gold AND logins_count:[10 TO *]", autocomplete: "off", spellcheck: "false" });
  const help = h("details", { class: "help" }, h("summary", { class: "btn ghost" }, "Examples"),
    h("ul", { class: "card menu-list" }, EXAMPLES.map((example) => h("li", null, h("button", { type: "button", class: "mono", onclick: () => run(example) }, example)))));
  return h("form", { class: "row wrap", role: "search", "aria-label": "Query", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); run(input.value.trim()); } },
    h("label", { class: "vh", for: "query" }, "Query"), withSuggestions(input, recent),
    h("button", { class: "btn", type: "submit" }, "Search"), q && h("button", { class: "btn ghost", type: "button", onclick: () => run("") }, "Clear"), help);
}

/** @param {string} q @param {() => void} clear @param {import("../app.js").Place} place */
function empty(q, clear, place) {
  if (q) {
    return h("div", { class: "empty card", "data-testid": "no-results" }, h("h2", null, "Nobody matches"), h("p", null, "No user matches ", h("code", null, q), ". Values match whole words and, in metadata, upper and lower case."),
      h("p", null, h("button", { class: "btn", type: "button", onclick: clear }, "Clear the search")));
  }
  const command = `curl -s "$DOSSIER_URL/api/v2/users" \\\n  -H "authorization: Bearer $DOSSIER_TOKEN" \\\n  -H 'content-type: application/json' \\\n  -d '{"connection":"Username-Password-Authentication","email":"jane.doe@example.com"}'`;
  return h("div", { class: "empty card", "data-testid": "no-users" }, h("h2", null, "No users yet"), h("p", null, "Create the first one here, or from a terminal:"),
    h("pre", { class: "code", tabindex: "0", "aria-label": "Command" }, command),
    h("p", { class: "row wrap" }, session.can("create:users") && h("button", { class: "btn primary", type: "button", onclick: () => create(place) }, "Create user"), canImport() && h("button", { class: "btn", type: "button", onclick: () => importUsers(place) }, "Import JSON…"),
      h("button", { class: "btn", type: "button", onclick: () => copy(command, "the command") }, "Copy the command"), session.info().test_mode && canImport() && samplesButton(place)));
}

/** @param {import("../app.js").Place} place */
function samplesButton(place) {
  const problem = h("div", { role: "alert" });
  const button = h("button", { class: "btn", type: "button", "data-testid": "samples", onclick: async () => {
    button.disabled = true;
    try { await loadSamples(place); } catch (error) { fill(problem, failure(error)); button.disabled = false; }
  } }, "Load 100 sample users");
  return [button, problem];
}

/** How long the server searched and where it looked, else how long the answer took. @param {{ timing: string, took: number }} answer */
function told({ timing, took }) {
  const how = /desc="(index|hybrid|scan)"/.exec(timing);
  const millis = /dur=([0-9.]+)/.exec(timing);
  return how && millis ? `${Number(millis[1]).toFixed(1)} ms · ${how[1]}` : `${took.toFixed(0)} ms`;
}

/**
 * @param {{ users: any[], total: number, text: string, took: string }} found @param {import("./users/columns.js").Column[]} columns
 * @param {any} asked @param {(change: any) => string} address @param {import("../app.js").Place} place
 */
function list({ users, total, text, took }, columns, asked, address, place) {
  const head = [{ label: "Name", sort: "name", id: "name" }, ...columns].map(({ label, sort, id }) => {
    if (!sort) return h("th", null, label);
    const order = asked.sort === `${sort}:1` ? "ascending" : asked.sort === `${sort}:-1` ? "descending" : "none";
    const next = order === "ascending" ? `${sort}:-1` : `${sort}:1`;
    return h("th", { "aria-sort": order, title: id }, h("a", { class: "sort", href: address({ sort: next }), "data-sort": sort }, label, order === "ascending" ? " ▲" : order === "descending" ? " ▼" : ""));
  });
  // Read once more, with every digit, only where a column shows a field as it is.
  const nodes = columns.some(({ isOwn }) => isOwn) ? read(text).node?.members?.find(({ key }) => key === "users")?.value.items ?? [] : [];
  const ticked = new Set();
  const bulk = h("div", { class: "bulk", "aria-live": "polite" });
  const refresh = () => fill(bulk, ticked.size === 0 ? null : bulkBar(ticked, place));
  const rows = users.map((user, at) => {
    const raw = (/** @type {string} */ path) => (nodes[at] ? valueAt(text, nodes[at], path) : "");
    const name = user.name || user.nickname || user.email || user.user_id;
    const href = session.home(`/users/${encodeURIComponent(user.user_id)}`);
    const tick = h("input", { type: "checkbox", "aria-label": `Select ${name}`, onchange: () => { if (tick.checked) ticked.add(user.user_id); else ticked.delete(user.user_id); refresh(); } });
    return h("tr", { "data-row": user.user_id }, h("td", null, tick),
      h("td", null, h("a", { class: "person", href, "data-open": true }, h("span", { class: "avatar small-avatar", "aria-hidden": "true" }, initials(name)), h("span", null, name)), user.blocked && badge("blocked", "bad")),
      columns.map(({ kind, cell }) => h("td", { class: kind }, cell(user, raw, name))));
  });
  // As at Auth0 a list can be paged through so far only; beyond, it has to be searched or sorted.
  const { paging_window: window } = session.info().limits;
  const all = Math.max(Math.ceil(total / asked.size), 1);
  const pages = window > 0 ? Math.min(all, Math.max(Math.floor(window / asked.size), 1)) : all;
  const step = (/** @type {number} */ to, /** @type {string} */ label) => (to >= 1 && to <= pages ? h("a", { class: "btn sm", href: address({ page: to }) }, label) : h("span", { class: "btn sm", "aria-disabled": "true" }, label));
  const sizes = h("select", { class: "input", "aria-label": "Users on a page", onchange: () => place.go(address({ size: Number(sizes.value) })) }, SIZES.map((one) => h("option", { value: one, selected: one === asked.size }, `${one} / page`)));
  return [
    h("p", { class: "small muted", "data-testid": "summary" }, `${grouped(total)} ${total === 1 ? "user" : "users"}${asked.q ? " match" : ""} · ${took}`),
    bulk,
    h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Users" }, h("table", { class: "wide people" }, h("thead", null, h("tr", null, h("th", null, h("span", { class: "vh" }, "Selected")), head)), h("tbody", null, rows))),
    h("nav", { class: "row wrap", "aria-label": "Pages" }, sizes, h("span", { class: "push small muted" }, `Page ${grouped(asked.page)} of ${grouped(pages)}`), step(asked.page - 1, "‹ Previous"), numbers(asked.page, pages, (page) => address({ page })), step(asked.page + 1, "Next ›")),
    pages < all && h("p", { class: "small muted", "data-testid": "window" }, `Only the first ${grouped(window)} can be paged through (limits.paging_window). Search, or sort the other way, to come to the others.`),
  ];
}

/** Pages by their numbers: the first, the last, and those around this one. @param {number} now @param {number} pages @param {(page: number) => string} href */
function numbers(now, pages, href) {
  if (pages < 2) return null;
  const near = [...new Set([1, now - 1, now, now + 1, pages])].filter((page) => page >= 1 && page <= pages).sort((a, b) => a - b);
  return h("span", { class: "row numbers" }, near.map((page, at) => [at > 0 && page - near[at - 1] > 1 && h("span", { class: "dim", "aria-hidden": "true" }, "…"), h("a", { class: "btn sm", href: href(page), "aria-label": `Page ${page}`, "aria-current": page === now ? "page" : null }, grouped(page))]));
}

/** @param {Set<string>} ticked @param {import("../app.js").Place} place */
function bulkBar(ticked, place) {
  const ids = [...ticked];
  return h("div", { class: "card row wrap bulk-bar", "data-testid": "bulk" }, h("strong", null, `${ids.length} selected`),
    h("button", { class: "btn sm", type: "button", onclick: () => copy(ids.join("\n"), "the user IDs") }, "Copy ids"),
    session.can("update:users") && h("button", { class: "btn sm", type: "button", onclick: () => patchAll(ids, place) }, "Patch metadata…"),
    session.can("delete:users") && h("button", { class: "btn sm danger", type: "button", onclick: () => deleteAll(ids, place) }, "Delete…"));
}

/** Does the same to each user, one after the other, and says how each went. @param {string} title @param {string[]} ids @param {(id: string) => Promise<any>} act @param {import("../app.js").Place} place */
async function each(title, ids, act, place) {
  let stopped = false;
  const rows = ids.map((id) => h("tr", null, h("td", { class: "mono" }, id), h("td", null, "waiting")));
  const bar = h("progress", { max: ids.length, value: 0, "aria-label": "Progress" });
  const closed = ask(title, [bar, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Results" }, h("table", null, h("tbody", null, rows)))], [{ label: "Stop or close", value: "" }], { testid: "bulk-run" });
  closed.then(() => { stopped = true; });
  for (const [at, id] of ids.entries()) {
    if (stopped) break;
    try {
      await act(id);
      fill(rows[at].lastChild, badge("done", "ok"));
    } catch (error) {
      fill(rows[at].lastChild, badge("failed", "bad"), ` ${/** @type {Error} */ (error).message}`);
    }
    bar.value = at + 1;
  }
  await closed;
  place.go(location.pathname + location.search, true);
}

/** @param {string[]} ids @param {import("../app.js").Place} place */
async function patchAll(ids, place) {
  const bag = h("select", { class: "input" }, h("option", null, "user_metadata"), h("option", null, "app_metadata"));
  const text = h("textarea", { class: "input area mono", rows: 6, spellcheck: "false" });
  const problem = h("div", { role: "alert", class: "small bad-text" });
  const done = await ask(`Patch ${ids.length} users`, [field("Into", bag), field("JSON object, merged at the root; null removes a key", text), problem], [{ label: "Cancel", value: "" }, { label: `Patch ${ids.length} users`, value: "patch", kind: "primary" }], {
    check: () => {
      const { node, errors } = check(text.value);
      fill(problem, errors.map(({ message, line, column }) => `line ${line}, column ${column}: ${message}`).join("; ") || (node?.members?.length === 0 ? "{} would remove every key of every user; name the keys" : ""));
      return Boolean(node) && node?.members?.length !== 0;
    },
  });
  if (done === "patch") await each(`Patching ${ids.length} users`, ids, (id) => call("PATCH", userPath(id), { body: `{"${bag.value}":${text.value}}` }), place);
}

/** @param {string[]} ids @param {import("../app.js").Place} place */
async function deleteAll(ids, place) {
  const typed = h("input", { class: "input", autocomplete: "off", inputmode: "numeric" });
  const done = await ask(`Delete ${ids.length} users`, [h("p", null, "They and their metadata are deleted at once."), field(`Type ${ids.length} to confirm`, typed)], [{ label: "Cancel", value: "" }, { label: "Delete", value: "delete", kind: "danger" }], { check: () => typed.value.trim() === String(ids.length) });
  if (done === "delete") await each(`Deleting ${ids.length} users`, ids, (id) => call("DELETE", userPath(id)), place);
}

/** @param {import("../app.js").Place} place */
async function create(place) {
  const email = h("input", { class: "input", type: "email", autocomplete: "off" });
  const name = h("input", { class: "input", autocomplete: "off" });
  const password = h("input", { class: "input", type: "password", autocomplete: "new-password" });
  const connection = h("input", { class: "input", value: "Username-Password-Authentication", autocomplete: "off", required: true });
  const metadata = h("textarea", { class: "input area mono", rows: 4, spellcheck: "false", value: "{}" });
  const problem = h("div", null);
  /** @type {string} */ let made = "";
  const done = await ask("Create user", [field("Email", email), field("Name", name, "Left empty, it is the email."), field("Password", password), field("Connection", connection), field("user_metadata", metadata), problem],
    [{ label: "Cancel", value: "" }, { label: "Create user", value: "create", kind: "primary" }], {
      testid: "create-user",
      check: async () => {
        const { node, errors } = check(metadata.value);
        if (!node) { fill(problem, h("p", { role: "alert", class: "small bad-text" }, errors.map(({ message, line, column }) => `user_metadata, line ${line}, column ${column}: ${message}`).join("; "))); return false; }
        const rest = Object.entries({ connection: connection.value, email: email.value, name: name.value, password: password.value }).filter(([, value]) => value !== "");
        const parts = rest.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
        if (node.members?.length) parts.push(`"user_metadata":${metadata.value}`);
        try {
          made = (await call("POST", "/api/v2/users", { body: `{${parts.join(",")}}` })).json().user_id;
          return true;
        } catch (error) {
          fill(problem, failure(error));
          return false;
        }
      },
    });
  if (done === "create") {
    toast("Created");
    await place.go(session.home(`/users/${encodeURIComponent(made)}`));
  }
}
