const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As people write it: `1.4 GiB`. */
export function bytesText(bytes: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[power]}`;
}

export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** The two largest units: `2 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 10 * SECOND) return `${(Math.max(0, ms) / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${Math.floor((ms % MINUTE) / SECOND)} s`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

export function agoText(at: string, now: number): string {
  const ms = now - Date.parse(at);
  return ms < 0 ? `${durationText(-ms)} ahead of this clock` : `${durationText(ms)} ago`;
}

/** In UTC, as the names of the backups are. */
export function timeText(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}

/** What a terminal does not show as it is: control characters, also those of 8 bits, and what turns the direction of writing. */
const SPECIAL = /[\p{Cc}\p{Cf}\p{Co}\u2028\u2029]/gu;

/** Text of another's, made harmless for a terminal: a label or a name may hold control characters. Its line breaks begin no line. */
export function plainText(text: string): string {
  return text.replaceAll(SPECIAL, (character) => (character === "\n" ? "\n    " : escaped(character)));
}

/** The same value, in which no character is a terminal's to obey: of these JSON escapes by itself only some. */
export function plainJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return text.replaceAll(SPECIAL, (character) => (character === "\n" ? "\n" : escaped(character)));
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }).join("");
}
