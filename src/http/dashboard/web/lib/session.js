// @ts-check
// Who is signed in, and what they may do. The page never sees the cookie.

import { call, get } from "./api.js";
import { dropDrafts } from "./drafts.js";

/** @type {any} */ let about = { title: "Dossier", tenant: "default", session: null };

export const info = () => about;
export const isIn = () => about.session !== null;
/** @param {...string} scopes */
export const can = (...scopes) => Boolean(about.session) && scopes.some((scope) => about.session.scopes.includes(scope));
/** Whether there is a history, and this session may read it. @param {"user" | "client"} kind */
export const isKept = (kind = "user") => Boolean(about.history) && can(`read:${kind}s`);
/** Whether metadata is all this session may change. */
export const isEditor = () => about.session?.role === "editor";
/** The path of a page of this tenant. @param {string} rest */
export const home = (rest = "") => `/ui/t/${encodeURIComponent(about.tenant)}${rest}`;

export async function load() { about = (await get("/ui/session")).json(); return about; }

/** @param {{ once: string } | { token: string }} pass */
export async function signIn(pass) { about = (await call("POST", "/ui/session", { body: JSON.stringify(pass) })).json(); return about; }

export async function signOut() {
  about = (await call("DELETE", "/ui/session")).json();
  dropDrafts();
}

export function forget() { about = { ...about, session: null }; }
