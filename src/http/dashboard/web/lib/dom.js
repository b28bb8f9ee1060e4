// @ts-check
// Making elements. Text goes in as text: there is no way here from a string to markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children; `on…` are listeners, `false` and `null` are left out.
 * @param {string} tag @param {Record<string, any> | null} [attributes] @param {...any} children
 * @returns {any}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in element) /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...flat(children));
  return element;
}

/** @param {any[]} children @returns {(string | globalThis.Node)[]} */
function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof globalThis.Node ? child : String(child)));
}

/** Puts other children in place. @param {Element} element @param {...any} children */
export function fill(element, ...children) { element.replaceChildren(...flat(children)); return element; }

const PATHS = {
  overview: ["M2 13V7l6-5 6 5v6M6 13V9h4v4"],
  users: ["M8 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z", "M2.5 14c.6-3 2.8-4.5 5.5-4.5s4.9 1.5 5.5 4.5"],
  clients: ["M4 3h8a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2Z", "M2 6.5h12"],
  history: ["M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z", "M8 4.5V8l2.5 1.5"],
  settings: ["M2 4h6m4 0h2M2 8h2m4 0h6M2 12h7m4 0h1", "M10 2.3a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4ZM6 6.3a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4ZM11 10.3a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4Z"],
  requests: ["M3 3h10M3 8h7M3 13h4", "m11 11 2 2-2 2"],
  search: ["M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Z", "m10.5 10.5 3 3"],
  moon: ["M13.5 9.5A5.7 5.7 0 0 1 6.5 2.500a5.7 5.7 0 1 0 7 7Z"],
  copy: ["M6.5 5h5A1.5 1.5 0 0 1 13 6.500v6a1.5 1.5 0 0 1-1.5 1.5h-5A1.5 1.5 0 0 1 5 12.500v-6A1.5 1.5 0 0 1 6.5 5Z", "M3 11V3.500A1.5 1.5 0 0 1 4.5 2H10"],
  down: ["m4 6 4 4 4-4"],
  lock: ["M5 7h6a1.5 1.5 0 0 1 1.5 1.5V12a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 12V8.500A1.5 1.5 0 0 1 5 7Z", "M5.5 7V5a2.5 2.5 0 0 1 5 0v2"],
  menu: ["M2 4h12M2 8h12M2 12h12"],
  close: ["m4 4 8 8M12 4l-8 8"],
  plus: ["M8 3v10M3 8h10"],
  out: ["M6 2H3v12h3M10 5l3 3-3 3M13 8H6"],
};

/** A drawing from the list above; it says nothing to a screen reader. @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["class", "i"], ["viewBox", "0 0 16 16"], ["aria-hidden", "true"], ["focusable", "false"]]) svg.setAttribute(key, value);
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A link inside the dashboard or to a web page; anything else stays text. @param {string} text */
export function linked(text) {
  return /^https?:\/\/[^\s]+$/.test(text) ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, text) : text;
}

/** A chip with text and a button that copies it. @param {string} text @param {string} what @param {string} [testid] */
export function chip(text, what, testid) {
  const button = h("button", { type: "button", "aria-label": `Copy ${what}`, onclick: () => copy(text, what) }, icon("copy"));
  return h("span", { class: "chip", "data-testid": testid }, h("span", { class: "chip-text" }, text), button);
}

/** @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS and away from localhost a browser has no clipboard for pages; the old way still works.
    const field = h("textarea", { class: "vh", value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  toast(`Copied ${what}`);
}

/** A short message at the foot of the page. @param {string} text @param {{ label: string, run: () => void }} [action] */
export function toast(text, action) {
  const place = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  const item = h("div", { class: "toast", "data-testid": "toast" }, h("span", null, text));
  const remove = () => item.remove();
  if (action) item.append(h("button", { class: "btn sm", type: "button", onclick: () => { remove(); action.run(); } }, action.label));
  item.append(h("button", { class: "btn ghost sm", type: "button", "aria-label": "Dismiss", onclick: remove }, icon("close")));
  place.replaceChildren(item);
  setTimeout(remove, action ? 20_000 : 6_000);
}

/** A small coloured word. @param {string} text @param {string} [kind] */
export const badge = (text, kind = "", more = {}) => h("span", { class: `badge ${kind}`.trim(), ...more }, text);

/** What went wrong, with everything the server said of it. @param {any} error */
export function failure(error) {
  const { body, status, requestId } = error;
  const head = status ? `${body?.statusCode ?? status} ${body?.error ?? ""}`.trim() : "No answer";
  const details = [body?.errorCode && `errorCode ${body.errorCode}`, requestId && `request ${requestId}`].filter(Boolean).join(" · ");
  return h("div", { class: "banner bad", role: "alert", "data-testid": "failure" },
    h("div", null, h("strong", null, head), " ", body?.message ?? error.message, details && h("div", { class: "small mono" }, details)));
}
