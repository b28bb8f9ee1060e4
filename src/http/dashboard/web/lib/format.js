// @ts-check
// Numbers, sizes and times as people read them.

/** @param {number} number */
export const grouped = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

/** A short time that was measured. @param {number} micros */
export function brief(micros) {
  if (micros < 10_000) return `${(micros / 1000).toFixed(2)} ms`;
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(micros < 100_000 ? 1 : 0)} ms`;
  return `${(micros / 1_000_000).toFixed(1)} s`;
}

/** A limit without digits it does not need. @param {number} bytes */
export const limit = (bytes) => size(bytes).replace(".0 ", " ");

const STEPS = /** @type {const} */ ([[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "h"], [60, "min"]]);

/** @param {number} millis */
export function ago(millis, now = Date.now()) {
  const seconds = Math.round((now - millis) / 1000);
  if (seconds < 0) return "just now";
  if (seconds < 10) return "just now";
  for (const [length, name] of STEPS) {
    if (seconds < length) continue;
    const count = Math.floor(seconds / length);
    return `${count} ${name}${count > 1 && name.length > 3 ? "s" : ""} ago`;
  }
  return `${seconds} s ago`;
}

/** @param {number} millis */
export function lasting(millis) {
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

const ZONE = "dossier.zone";
export const zone = () => (localStorage.getItem(ZONE) === "local" ? "local" : "UTC");
/** @param {string} name */
export const setZone = (name) => localStorage.setItem(ZONE, name);

/** A moment as text, in UTC or in this browser's zone. @param {string | number} moment */
export function when(moment) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment);
  const options = /** @type {Intl.DateTimeFormatOptions} */ ({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
  const utc = zone() === "UTC";
  return new Intl.DateTimeFormat("en-GB", utc ? { ...options, timeZone: "UTC" } : options).format(date) + (utc ? " UTC" : "");
}

/** Two letters for who has no picture. @param {string} name */
export function initials(name) {
  const words = name.replace(/@.*$/, "").split(/[\s._|-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[1]] : [words[0] ?? "?"];
  return letters.map((word) => [...word][0]).join("").toUpperCase();
}
