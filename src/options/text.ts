/**
 * How options are written as text, on a command line. One rule for all: a value is written as in code without its
 * quotes; several stand between commas; a part of an object is `part=value`; a key or certificate is the name of its
 * file; and what is an object or array in code may be written as JSON.
 * @module
 */
import { readFileSync } from 'node:fs';
import { messageOf, SluiceError } from '../errors.js';

/** How one option is written as text. */
export interface TextForm {
  /** What kind of value it is, in a word or two. */
  readonly type: string;
  /** What may be written, where that is not what the option accepts in code. */
  readonly accepted?: string;
  /** Something that may be written, where the type does not say it. */
  readonly example?: string;
  /** Gives what the option takes in code, as far as that can be told. @throws SluiceError BAD_OPTION for a better message */
  parse(text: string, name: string): unknown;
  /** What the option is when it is set again. Default: the later value. */
  join?(earlier: unknown, later: unknown): unknown;
}

/** Anything, as it stands. */
export const textForm = (type = 'text', accepted?: string, example?: string): TextForm => ({
  type,
  ...(accepted === undefined ? {} : { accepted }),
  ...(example === undefined ? {} : { example }),
  parse: (given) => given,
});

/** One of some words or truth values. */
export const choiceForm = (values: readonly (string | boolean)[]): TextForm => ({
  type: values.join('|'),
  parse: (given) => values.find((value) => String(value) === given) ?? given,
});

/** A port, or a range of them. */
export const portForm: TextForm = {
  type: 'port',
  accepted: 'a port from 0 to 65535, or a range within 1024 to 65535',
  example: '8000-8099',
  parse: (given) => {
    const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(given) ?? [];
    if (from === undefined) return given;
    return to === undefined ? Number(from) : { from: Number(from), to: Number(to) };
  },
};

/** An array: items between commas, none of an empty text. Set again, it grows. */
export const listForm = (type: string, accepted: string, example: string): TextForm => ({
  type: `${type},...`,
  accepted,
  example,
  parse: (given) => (isJson(given, '[') ? jsonIn(given) : split(given)),
  join: grow,
});

/** An array of which each setting gives one item, whatever that holds. Empty for none. Set again, it grows. */
export const itemForm = (type: string, accepted: string, example: string): TextForm => ({
  type,
  accepted,
  example,
  parse: (given) => (given === '' ? [] : [given]),
  join: grow,
});

/** Files with PEM between commas. Set again, it grows. */
export const filesForm = (accepted: string, example: string): TextForm => ({
  type: 'file,...',
  accepted,
  example,
  parse: (given, name) => split(given).map((path) => contentOf(path, name)),
  join: grow,
});

/**
 * An object: parts between commas, each `part=value`. Set again, its parts are added, the later one of a name counts.
 * @param named the parts in their order, if the option has fixed ones: those written without a name are taken so
 * @param value reads a part's value
 */
export const partsForm = (
  accepted: string,
  example: string,
  named: readonly string[] = [],
  value: (given: string, name: string) => unknown = (given) => given,
): TextForm => ({
  type: named.length === 0 ? 'name=value,...' : named.join(','),
  accepted,
  example,
  parse: (given, name) => {
    if (isJson(given, '{')) return jsonIn(given);
    const found: [string, unknown][] = [];
    for (const [index, part] of split(given).entries()) {
      // Of fixed parts only their own names count, so that a URL with a = in it is a value.
      const at = part.indexOf('=');
      const isNamed = at !== -1 && (named.length === 0 || /^\w+$/.test(part.slice(0, at)));
      const key = isNamed ? part.slice(0, at) : named[index];
      if (key === undefined) return undefined;
      found.push([key, value(isNamed ? part.slice(at + 1) : part, name)]);
    }
    return Object.fromEntries(found);
  },
  join: (earlier, later) => ({ ...(earlier as object), ...(later as object) }),
});

/** A value of {@link partsForm} that is a file's content. */
export function contentOf(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'BAD_OPTION',
      `${name}: the file cannot be read: ${messageOf(cause)}; give the path of one`,
      { cause },
    );
  }
}

/** A default or other value as it would be written. */
export function asText(value: unknown): string {
  if (value === undefined) return 'none';
  if (value === Number.POSITIVE_INFINITY) return 'no limit';
  if (typeof value !== 'object' || value === null) return String(value);
  const items = Array.isArray(value)
    ? value.map(String)
    : Object.entries(value).map(([name, part]) => `${name}=${part}`);
  return items.length === 0 ? 'none' : items.join(',');
}

function grow(earlier: unknown, later: unknown): unknown {
  return Array.isArray(later) && later.length === 0
    ? []
    : [...(earlier as unknown[]), ...(later as unknown[])];
}

function split(given: string): string[] {
  return given === '' ? [] : given.split(',').map((item) => item.trim());
}

function isJson(given: string, opening: '[' | '{'): boolean {
  return given.trimStart().startsWith(opening);
}

/** `undefined` if it is none. */
function jsonIn(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
