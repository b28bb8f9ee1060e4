// @ts-check
// A user or a client as the API sent it. It is kept as that text, and its parts are taken as
// places in it, so that nothing is lost between the server and whoever looks.

import { clientPath, get, userPath } from "./api.js";
import { bytes, compact, members, read, shown } from "./json.js";

/** What was sent, with its version. */
export class Profile {
  /** @param {string} text @param {string | null} version */
  constructor(text, version) { this.text = text; this.version = version; this.members = members(text); }
  /** The member's compact JSON text. @param {string} key */
  raw(key) { return this.members.get(key); }
  /** The member as text for people. @param {string} key */
  show(key) { return shown(this.members.get(key)); }
  /** A metadata object's text; who has none has an empty one. @param {string} bag */
  bag(bag) { return this.members.get(bag) ?? "{}"; }
  /** The text as everybody may see it on a screen. */
  get visible() { return this.text; }
  get size() { return bytes(this.text); }
}

export class UserProfile extends Profile {
  get id() { return this.show("user_id"); }
  get name() { return this.show("name") || this.show("nickname") || this.show("email") || this.id; }
  get isBlocked() { return this.raw("blocked") === "true"; }
  /** The identities, each as its members. */
  get identities() {
    const text = this.raw("identities") ?? "[]";
    return (read(text).node?.items ?? []).map((item) => new Map((item.members ?? []).map(({ key, value }) => [key, compact(text, value)])));
  }
  /** The connection of the first identity. */
  get connection() { return shown(this.identities[0]?.get("connection")); }
}

export class ClientProfile extends Profile {
  get id() { return this.show("client_id"); }
  get name() { return this.show("name") || this.id; }
  /** A secret is shown to nobody over somebody's shoulder. */
  get visible() { return this.without(); }
  /** What is visible without some of its members. @param {...string} keys */
  without(...keys) {
    const all = [...this.members].filter(([key]) => key !== "signing_keys" && !keys.includes(key));
    return `{${all.map(([key, raw]) => `${JSON.stringify(key)}:${key === "client_secret" ? '"••••••••"' : raw}`).join(",")}}`;
  }
}

/** @param {string} id */
export async function fetchUser(id) {
  const { text, version } = await get(userPath(id));
  return new UserProfile(text, version);
}

/** @param {string} id */
export async function fetchClient(id) {
  const { text, version } = await get(clientPath(id));
  return new ClientProfile(text, version);
}

/** The user that an account belongs to which was linked: its own id is nobody's any more. @param {string} id */
export async function fetchHeir(id) {
  const [, provider, account] = /^([^|]*)\|(.*)$/s.exec(id) ?? [];
  if (!account) return null;
  const quoted = (/** @type {string} */ text) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const query = new URLSearchParams({ q: `identities.user_id:${quoted(account)} AND identities.provider:${quoted(provider)}`, fields: "user_id,name,nickname,email,identities" });
  const { text } = await get(`/api/v2/users?${query}`);
  const found = (read(text).node?.items ?? []).map((item) => new UserProfile(compact(text, item), null));
  return found.find(({ identities }) => identities.some((own) => shown(own.get("provider")) === provider && shown(own.get("user_id")) === account)) ?? null;
}
