/**
 * What went wrong in an addon, in one line that says where.
 * @module
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AddonLoader, Place } from './addon-loader.js';

/** `examples/x.ts:12:3`, of the topmost frame in one of `files`; `undefined` if none is. */
export function placeOf(
  thrown: unknown,
  files: ReadonlySet<string>,
  loader: AddonLoader,
): string | undefined {
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  for (const line of stack?.split('\n') ?? []) {
    const frame = frameOf(line);
    if (frame === undefined || !files.has(frame.file)) continue;
    const { file, line: at, column } = loader.original(frame);
    return `${shownPath(file)}:${at}:${column}`;
  }
  return undefined;
}

/** A path as the user would type it. */
export function shownPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') ? file : relative;
}

/** Anything that was thrown, in one line. */
export function inOneLine(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  // Where a module is missing, Node lists who asked for it.
  return text
    .replace(/\nRequire stack:[\s\S]*$/, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function frameOf(line: string): Place | undefined {
  const [, place = '', at, column] = /^\s+at (?:.*\()?(.+?):(\d+):(\d+)\)?$/.exec(line) ?? [];
  if (at === undefined) return undefined;
  const bare = place.replace(/^async /, '');
  const file = bare.startsWith('file:') ? fileURLToPath(bare) : bare;
  return { file, line: Number(at), column: Number(column) };
}
