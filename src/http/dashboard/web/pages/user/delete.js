// @ts-check
// Deleting a user, which wants the id typed.

import { call, userPath } from "../../lib/api.js";
import { ask, field } from "../../lib/dialog.js";
import { failure, fill, h } from "../../lib/dom.js";
import { isKept } from "../../lib/past.js";

/** Asks, then deletes one user. @param {string} id @param {string} name @param {string | null} version */
export async function deleteUser(id, name, version) {
  const typed = h("input", { class: "input mono", autocomplete: "off", spellcheck: "false" });
  const problem = h("div", null);
  const done = await ask(`Delete ${name}`, [h("p", null, "The user and all metadata are deleted at once.", isKept() && " They can be brought back from their page as long as the history keeps how they were."), field(`Type the user ID ${id} to confirm`, typed), problem], [{ label: "Cancel", value: "" }, { label: "Delete user", value: "delete", kind: "danger" }], {
    testid: "delete-user",
    check: async () => {
      if (typed.value.trim() !== id) { fill(problem, h("p", { role: "alert", class: "small bad-text" }, "That is not the user ID.")); return false; }
      try { await call("DELETE", userPath(id), { version }); return true; } catch (error) { fill(problem, failure(error)); return false; }
    },
  });
  return done === "delete";
}
