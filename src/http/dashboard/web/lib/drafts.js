// @ts-check
// Unsaved text survives a reload, in this browser only, until it is saved or its owner signs out.
// A draft keeps the text it began with, so that only its own changes are brought back.

const PREFIX = "dossier.draft:";
/** @param {string} tenant @param {string} user @param {string} bag */
const keyOf = (tenant, user, bag) => PREFIX + JSON.stringify([tenant, user, bag]);

/** @param {string} tenant @param {string} user @param {string} bag @param {{ text: string, base: string, version: string | null } | null} draft */
export function keepDraft(tenant, user, bag, draft) {
  try {
    const key = keyOf(tenant, user, bag);
    if (draft) localStorage.setItem(key, JSON.stringify({ ...draft, at: Date.now() }));
    else localStorage.removeItem(key);
  } catch {
    // A full or forbidden store costs the draft, not the page.
  }
}

/** @param {string} tenant @param {string} user @param {string} bag @returns {{ text: string, base: string, version: string, at: number } | null} */
export function draftOf(tenant, user, bag) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(tenant, user, bag)) ?? "null");
  } catch {
    return null;
  }
}

export function dropDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
}
