/**
 * What went wrong in an addon, in one line that says where.
 * @module
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { messageOf } from '../errors.js';
import { printable } from '../internal.js';
import type { AddonLoader, Place } from './addon-loader.js';

/** `examples/x.ts:12:3`, of the topmost frame in one of `files`; `undefined` if none is. */
export function placeOf(
  thrown: unknown,
  files: ReadonlySet<string>,
  loader: AddonLoader,
): string | undefined {
  for (const line of stackOf(thrown)?.split('\n') ?? []) {
    const frame = frameOf(line);
    if (frame === undefined || !files.has(frame.file)) continue;
    const { file, line: at, column } = loader.original(frame);
    return `${shownPath(file)}:${at}:${column}`;
  }
  return undefined;
}

/** Where a module is no program, and why, as its loader puts it; `undefined` of anything else that was thrown. */
export function syntaxErrorOf(thrown: unknown): { place: string; why: string } | undefined {
  const [, why, file, line, column] =
    /^(ParseError: [^\n]*?)\.?\s*\n\s*(\S[^\n]*):(\d+):(\d+)$/.exec(messageOf(thrown)) ?? [];
  if (why === undefined || file === undefined) return undefined;
  // It counts columns from 0.
  return { place: `${shownPath(file)}:${line}:${Number(column) + 1}`, why: printable(why) };
}

/** A path as the user would type it. */
export function shownPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') ? file : relative;
}

/** Anything that was thrown, in one line. */
export function inOneLine(thrown: unknown): string {
  // Where a module is missing, Node lists who asked for it.
  const text = messageOf(thrown).replace(/\nRequire stack:[\s\S]*$/, '');
  return printable(text.replace(/\s+/g, ' ').trim());
}

/** Anything that was thrown, with its stack if it has one. */
export function inFull(thrown: unknown): string {
  return (stackOf(thrown) ?? inspected(thrown)).split('\n').map(printable).join('\n');
}

/** What is thrown may be anything, and what it says of itself may be no text, or throw. */
function stackOf(thrown: unknown): string | undefined {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined;
    return typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}

function inspected(thrown: unknown): string {
  try {
    return inspect(thrown);
  } catch {
    return messageOf(thrown);
  }
}

function frameOf(line: string): Place | undefined {
  const [, place = '', at, column] = /^\s+at (?:.*\()?(.+?):(\d+):(\d+)\)?$/.exec(line) ?? [];
  if (at === undefined) return undefined;
  const bare = place.replace(/^async /, '');
  const file = bare.startsWith('file:') ? fileOf(bare) : bare;
  return file === undefined ? undefined : { file, line: Number(at), column: Number(column) };
}

function fileOf(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    // Of another machine, or no URL: none of ours.
    return undefined;
  }
}
