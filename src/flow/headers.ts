import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import { SluiceError, shown } from '../errors.js';
import { remembered } from './remembered.js';
import type { HeaderList } from './types.js';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a field value may hold (RFC 9110 section 5.5), obs-text included. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Asked before each change of fields that belong to a message. */
export interface HeadersGuard {
  headMayChange(what: string): boolean;
}

/**
 * The fields of a head or trailer section. It keeps the text it was parsed from, so that an untouched section, and
 * each untouched line of a changed one, leaves with the very octets it came with.
 */
export class Headers implements HeaderList {
  /** Name, value, name, value ...; read from the text again where {@link compact} let go of it. */
  #fields: string[] | undefined;
  /** What it was read from, to the end: the section as it came, lines ended by CRLF. `undefined` once changed. */
  #text: string | undefined;
  /** Where the section begins in it. A string of its own, for each head that is kept, would be one object more. */
  readonly #start: number;
  /** One wire line a field, made when the section is first changed. */
  #lines: string[] | undefined;
  #guard: HeadersGuard | undefined;

  constructor(fields: string[] = [], text?: string, start = 0) {
    this.#fields = fields;
    this.#text = text;
    this.#start = start;
  }

  static from(init: Record<string, string | string[]>): Headers {
    const headers = new Headers();
    for (const [name, value] of Object.entries(init)) headers.set(name, value);
    return headers;
  }

  /** From now on changes are refused where `guard` says so. */
  guard(guard: HeadersGuard | undefined): void {
    this.#guard = guard;
  }

  get(name: string): string | undefined {
    const list = this.#list();
    const lower = lowerCaseName(name);
    let joined: string | undefined;
    for (let i = 0; i < list.length; i += 2) {
      if (!same(list[i], lower)) continue;
      const value = list[i + 1] ?? '';
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  getAll(name: string): string[] {
    const list = this.#list();
    const lower = lowerCaseName(name);
    const values: string[] = [];
    for (let i = 0; i < list.length; i += 2) {
      if (same(list[i], lower)) values.push(list[i + 1] ?? '');
    }
    return values;
  }

  has(name: string): boolean {
    const list = this.#list();
    const lower = lowerCaseName(name);
    for (let i = 0; i < list.length; i += 2) if (same(list[i], lower)) return true;
    return false;
  }

  set(name: string, value: string | string[]): void {
    const values = Array.isArray(value) ? value : [value];
    for (const v of values) check(name, v);
    if (!this.#mayChange()) return;
    const lines = this.#ownLines();
    const lower = name.toLowerCase();
    let at = lines.length;
    for (let i = lines.length - 1; i >= 0; i--) {
      if (!same(this.#list()[i * 2], lower)) continue;
      this.#list().splice(i * 2, 2);
      lines.splice(i, 1);
      at = i;
    }
    this.#list().splice(at * 2, 0, ...values.flatMap((v) => [name, v]));
    lines.splice(at, 0, ...values.map((v) => `${name}: ${v}`));
  }

  append(name: string, value: string): void {
    check(name, value);
    if (!this.#mayChange()) return;
    this.#ownLines().push(`${name}: ${value}`);
    this.#list().push(name, value);
  }

  delete(name: string): void {
    if (!this.has(name) || !this.#mayChange()) return;
    const lines = this.#ownLines();
    const lower = name.toLowerCase();
    for (let i = lines.length - 1; i >= 0; i--) {
      if (!same(this.#list()[i * 2], lower)) continue;
      this.#list().splice(i * 2, 2);
      lines.splice(i, 1);
    }
  }

  /** Gives every field called `from` the name `to`, in place; a duplicate of an existing `to` is dropped. */
  rename(from: string, to: string): void {
    if (!this.has(from)) return;
    if (this.has(to)) {
      this.delete(from);
      return;
    }
    this.set(from, this.getAll(from));
    const lines = this.#ownLines();
    const lower = from.toLowerCase();
    for (let i = 0; i < lines.length; i++) {
      if (!same(this.#list()[i * 2], lower)) continue;
      this.#list()[i * 2] = to;
      lines[i] = `${to}: ${this.#list()[i * 2 + 1] ?? ''}`;
    }
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (let i = 0; i < this.#list().length; i += 2) yield [this.#list()[i] ?? '', this.#list()[i + 1] ?? ''];
  }

  /** The name of field line `index`. */
  nameAt(index: number): string {
    return this.#list()[index * 2] ?? '';
  }

  /** The value of field line `index`. */
  valueAt(index: number): string {
    return this.#list()[index * 2 + 1] ?? '';
  }

  /** What `console.log` shows: the field lines. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    return inspect(
      [...this].map(([name, value]) => `${name}: ${value}`),
      options,
    );
  }

  /** How many field lines. */
  get size(): number {
    return this.#list().length / 2;
  }

  /** The section as it goes out: lines ended by CRLF, latin1, without the empty line after it. */
  toWire(): string {
    if (this.#text !== undefined) return this.#text.slice(this.#start);
    const lines = this.#ownLines();
    return lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`;
  }

  clone(): Headers {
    const copy = new Headers([...this.#list()], this.#text, this.#start);
    copy.#lines = this.#lines?.slice();
    return copy;
  }

  /** Nobody needs the fields one by one for now. A suite keeps every flow: the text alone is a third of the memory. */
  compact(): void {
    if (this.#text !== undefined) this.#fields = undefined;
  }

  #list(): string[] {
    this.#fields ??= fieldsOf(this.#text?.slice(this.#start) ?? '');
    return this.#fields;
  }

  #mayChange(): boolean {
    return this.#guard === undefined || this.#guard.headMayChange('headers');
  }

  #ownLines(): string[] {
    if (this.#lines === undefined) {
      this.#lines =
        this.#text === undefined
          ? [...this].map(([name, value]) => `${name}: ${value}`)
          : this.#text.slice(this.#start).split('\r\n').slice(0, this.size);
    }
    this.#text = undefined;
    return this.#lines;
  }
}

/** The fields of a section that has been found valid. */
function fieldsOf(source: string): string[] {
  return source
    .split('\r\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), trimmed(line, colon + 1)];
    });
}

/** Without the blanks around it that HTTP knows (RFC 9110 section 5.6.3): `trim()` also takes what others keep. */
export function trimmed(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

const isBlank = (code: number) => code === 0x20 || code === 0x09;

/** A field name in lower case. */
export const lowerCaseName = remembered((name) => name.toLowerCase());

function same(name: string | undefined, lower: string): boolean {
  return (
    name !== undefined && name.length === lower.length && (name === lower || lowerCaseName(name) === lower)
  );
}

function check(name: string, value: string): void {
  if (!TOKEN.test(name)) {
    throw new SluiceError(
      'BAD_HEADER',
      `${shown(name)} is not a field name; a token (RFC 9110 section 5.6.2) is`,
    );
  }
  if (typeof value !== 'string' || !VALUE.test(value) || value !== trimmed(value)) {
    throw new SluiceError(
      'BAD_HEADER',
      `${name}: ${shown(value)} is not a field value; give latin1 text without line breaks, NUL or outer spaces`,
    );
  }
}
