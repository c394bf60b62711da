/**
 * Options as the command line writes them.
 * @module
 */
import { type ProxyOptions, SluiceError } from '../index.js';
import { nearest } from '../nearest.js';
import { OPTIONS } from '../options/table.js';
import { asText, type TextForm } from '../options/text.js';

/** An option of the table, as the command knows it. */
interface Row {
  /** In code. */
  readonly name: string;
  readonly default: unknown;
  readonly help: string;
  readonly accepted: string;
  readonly text: TextForm;
  readonly secret?: boolean;
  read(value: unknown, name: string): unknown;
}

/** What the command does otherwise than the proxy in code: mitmproxy's port, so that clients can be set up once. */
const DEFAULTS: ProxyOptions = { port: 8080 };

/** The table's rows by their names in snake case. */
const ROWS: ReadonlyMap<string, Row> = new Map(
  Object.entries(OPTIONS).map(([name, spec]) => [
    inSnakeCase(name),
    { name, ...(spec as Omit<Row, 'name'>) },
  ]),
);

/** An option, for lists. */
export interface Described {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly help: string;
}

/** What is known of an option. @param name in snake case */
export function describeOption(name: string): Described | undefined {
  const row = ROWS.get(name);
  if (row === undefined) return undefined;
  const { text, help } = row;
  const fallback = asText(row.name in DEFAULTS ? DEFAULTS[row.name as keyof ProxyOptions] : row.default);
  const example = text.example === undefined ? '' : `, as in ${text.example}`;
  return { name, type: text.type, default: fallback, help: help + example };
}

/** Every option, in the order of the table. */
export function describeOptions(): Described[] {
  return [...ROWS.keys()].flatMap((name) => describeOption(name) ?? []);
}

/** The options that were set, in order. */
export class Settings {
  readonly #set = new Map<Row, { value: unknown; given: string; called: string }>();

  /** Takes `NAME=VALUE`, and gives the name. @throws SluiceError UNKNOWN_OPTION or BAD_OPTION */
  setting(setting: string): string {
    const at = setting.indexOf('=');
    const name = at === -1 ? setting : setting.slice(0, at);
    if (name === '')
      throw new SluiceError('BAD_OPTION', `--set ${setting} has no name; write --set NAME=VALUE`);
    if (at === -1) {
      const { type } = rowOf(name).text;
      throw new SluiceError('BAD_OPTION', `--set ${name} has no value; write ${name}=${type}`);
    }
    this.set(name, setting.slice(at + 1), name);
    return name;
  }

  /**
   * Sets one. Of several values the last counts; lists and objects grow.
   * @param name in snake case
   * @param called what to call it in messages
   * @throws SluiceError UNKNOWN_OPTION or BAD_OPTION
   */
  set(name: string, given: string, called: string): void {
    const row = rowOf(name);
    const { join, parse } = row.text;
    const earlier = this.#set.get(row)?.value;
    const value = parse(given, called);
    const joined = join === undefined || earlier === undefined ? value : value && join(earlier, value);
    this.#set.set(row, { value: joined, given, called });
    // What grows may be acceptable only once all of it is there.
    if (join === undefined || value === undefined) check(row, value, given, called);
  }

  /** The proxy's options, with the command's own defaults. @throws SluiceError BAD_OPTION */
  options(): ProxyOptions {
    const set = [...this.#set].map(([row, { value, given, called }]) => {
      check(row, value, given, called);
      return [row.name, value];
    });
    return { ...DEFAULTS, ...Object.fromEntries(set) };
  }
}

/** A message of the proxy's with options called as they are written here. */
export function asTyped(message: string): string {
  return message.replace(
    /(\bthe option )?\b(\w+)\b/g,
    (text, introduced: string | undefined, name: string) => {
      const written = inSnakeCase(name);
      if (!ROWS.has(written)) return text;
      if (introduced !== undefined) return `--set ${written}=`;
      return written === name ? text : written;
    },
  );
}

/** @throws SluiceError BAD_OPTION */
function check(row: Row, value: unknown, given: string, called: string): void {
  if (value !== undefined && row.read(value, called) !== undefined) return;
  const shown = row.secret === true ? 'the value given' : JSON.stringify(given);
  const { accepted = row.accepted, example } = row.text;
  const hint = example === undefined ? accepted : `${accepted}, as in ${example}`;
  throw new SluiceError('BAD_OPTION', `${called}: ${shown} is not accepted; give ${hint}`);
}

function rowOf(name: string): Row {
  const row = ROWS.get(name);
  if (row !== undefined) return row;
  const near = nearest(name, [...ROWS.keys()]);
  const hint = near === undefined ? 'sluice --options lists them' : `did you mean ${near}?`;
  throw new SluiceError('UNKNOWN_OPTION', `unknown option ${JSON.stringify(name)}; ${hint}`);
}

function inSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
