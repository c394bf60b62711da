/**
 * Words and numbers as people read them, in tables, messages and the page.
 * @module
 */

/** A number of octets for people, 1000-based as browsers show it: `3 B`, `1.2 kB`, `26.2 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    const digits = unit === 'B' || value >= 99.95 ? 0 : 1;
    const text = value.toFixed(digits);
    if (Number(text) < 1000) return `${text.replace(/\.0$/, '')} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1).replace(/\.0$/, '')} TB`;
}

/** Milliseconds for people: `12 ms`, `1.25 s`, `2 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_995) return `${(milliseconds / 1000).toFixed(2)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `text` with its middle left out, `width` characters at most. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${tail === 0 ? '' : text.slice(-tail)}`;
}

/** Less of a query, in characters, says nothing. */
const LEAST_QUERY = 12;

/** A URL, `width` characters at most: the middle of its query is left out rather than anything of its path. */
export function shortenUrl(url: string, width: number): string {
  const path = url.replace(/[?#].*/s, '');
  const query = url.slice(path.length);
  if (url.length <= width || query.length <= LEAST_QUERY || width < LEAST_QUERY) return shorten(url, width);
  const room = width - path.length;
  if (room >= LEAST_QUERY) return path + shorten(query, room);
  return `${shorten(path, width - 2)}${query.charAt(0)}…`;
}

/** `text` in one line: what would move the cursor, or reverse the reading direction, is written as an escape. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The beginning of `text`, `width` characters at most. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** All digits, and the rounded number where there are many: `70,000 B (70 kB)`. */
export function exactBytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${count(bytes)} B (${formatBytes(bytes)})`;
}

/** Digits in groups, the same in every locale. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 message`, `12 messages`. */
export function plural(many: number, noun: string): string {
  return `${count(many)} ${noun}${many === 1 ? '' : 's'}`;
}

/** Octets in rows of 16: offset, hexadecimal, ASCII. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const ascii = Array.from(row, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join('\n');
}
