// @ts-check
// Calls to the public API. The session's cookie goes along by itself; a change also says
// that it comes from these pages, which a page of another origin cannot say.

export class ApiError extends Error {
  /** @param {number} status @param {any} body @param {string} requestId @param {number} retryAfter */
  constructor(status, body, requestId, retryAfter) {
    super(body?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** @type {string[]} */ const sent = [];
const REMEMBERED = 200;
/** Whether a change came from this page. @param {string} requestId */
export const isOwn = (requestId) => sent.includes(requestId);

/**
 * What must hold for a change to be made: that there is still this version, or that there is nothing.
 * @typedef {{ version?: string | null, isNew?: boolean }} Condition
 * @param {Condition} condition @returns {[string, string] | null} as a header
 */
export const headerOf = ({ version, isNew }) => (isNew ? ["if-none-match", "*"] : version ? ["if-match", `"${version}"`] : null);

/**
 * @param {string} method @param {string} path @param {Condition & { body?: string | FormData, signal?: AbortSignal }} [more]
 */
export async function call(method, path, { body, signal, ...condition } = {}) {
  /** @type {Record<string, string>} */ const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-dossier-ui"] = "1";
  if (typeof body === "string") headers["content-type"] = "application/json";
  const [name, value] = headerOf(condition) ?? [];
  if (name && value) headers[name] = value;
  const began = performance.now();
  /** @type {Response} */ let response;
  /** @type {string} */ let text;
  try {
    response = await fetch(path, { method, headers, body, signal, credentials: "same-origin", cache: "no-store", redirect: "error" });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    const what = method === "GET" ? "The server did not answer." : "The server did not answer: whether the change was made is unknown. Reload to see.";
    throw new ApiError(0, { message: what }, "", 0);
  }
  const took = performance.now() - began;
  const requestId = response.headers.get("x-request-id") ?? "";
  if (method !== "GET" && requestId) { sent.push(requestId); sent.splice(0, sent.length - REMEMBERED); }
  if (!response.ok) {
    const retryAfter = Number(response.headers.get("retry-after") ?? 0);
    if (response.status === 401 && !path.startsWith("/ui/")) document.dispatchEvent(new CustomEvent("signed-out"));
    throw new ApiError(response.status, parsed(text), requestId, retryAfter);
  }
  const etag = /^(?:W\/)?"(.*)"$/.exec(response.headers.get("etag") ?? "");
  return { status: response.status, text, requestId, took, timing: response.headers.get("server-timing") ?? "", version: etag ? etag[1] : null, json: () => JSON.parse(text) };
}

/** @param {string} text */
function parsed(text) { try { return JSON.parse(text); } catch { return null; } }

/** @param {string} path @param {AbortSignal} [signal] */
export const get = (path, signal) => call("GET", path, { signal });

/** @param {string} id */
export const userPath = (id) => `/api/v2/users/${encodeURIComponent(id)}`;
/** @param {string} id */
export const clientPath = (id) => `/api/v2/clients/${encodeURIComponent(id)}`;
/** @param {string} id */
export const entriesPath = (id) => `/api/user/${encodeURIComponent(id)}/metadata`;
