// @ts-check
// The feed of events, as it comes. A browser has few connections to one server, so a page
// that nobody sees gives its own back, and goes on where it was when it is seen again.

import * as session from "./session.js";

const KINDS = ["user.created", "user.updated", "user.deleted"];
const SOON = 2_000;
const LATE = 60_000;

/**
 * Tells of every change of a user from now on. What changed before it began, or in a gap,
 * nobody tells: `missed` is called once it listens.
 * @param {(id: string, version: number) => void} seen @param {() => void} missed
 * @returns {() => void} ends it
 */
export function follow(seen, missed) {
  if (!session.info().history || !session.can("read:events") || typeof EventSource !== "function") return () => {};
  /** @type {EventSource | null} */ let source = null;
  let [position, wait, timer] = ["", SOON, 0];
  /** @param {MessageEvent} event */
  const heard = (event) => {
    wait = SOON;
    if (event.lastEventId) position = event.lastEventId;
    if (!event.data || event.type === "offset-only") return;
    const id = JSON.parse(event.data).event?.data?.object?.user_id;
    if (typeof id === "string") seen(id, Number.parseInt(event.lastEventId, 10));
  };
  function open() {
    clearTimeout(timer);
    source = new EventSource(`/api/v2/events${position ? `?from=${encodeURIComponent(position)}` : ""}`);
    for (const kind of [...KINDS, "offset-only"]) source.addEventListener(kind, /** @type {any} */ (heard));
    if (!position) source.addEventListener("open", () => missed(), { once: true });
    source.addEventListener("error", () => {
      // The browser comes back by itself but where it was refused: too many readers, or too far back.
      if (source?.readyState !== EventSource.CLOSED) return;
      position = "";
      timer = window.setTimeout(open, wait);
      wait = Math.min(wait * 2, LATE);
    });
  }
  function close() { clearTimeout(timer); source?.close(); source = null; }
  const turn = () => { if (document.hidden) close(); else if (!source) open(); };
  document.addEventListener("visibilitychange", turn);
  turn();
  return () => { document.removeEventListener("visibilitychange", turn); close(); };
}
