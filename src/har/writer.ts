import type { Redactor } from './redact.js';

/** So many characters of bodies in a file: V8 cannot make a longer string than 512 Mi of the JSON, escapes included. */
export const MAX_TEXT = 192 * 1024 * 1024;

/** What every part of a HAR file needs to know. */
export interface Writer {
  readonly redactor: Redactor;
  /** Characters of bodies and messages that may still be written. */
  left: number;
}

/** Why something is not in the file. */
export function leftOut(what: string): string {
  return `${what} left out: the file's bodies would be over ${MAX_TEXT} characters.`;
}
