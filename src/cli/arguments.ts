/**
 * The command's arguments.
 * @module
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type ProxyOptions, SluiceError } from '../index.js';
import { nearest } from '../nearest.js';
import { Settings } from './settings.js';

/** A flag of the command. */
export interface Flag {
  readonly short?: string;
  /** What its value is called; without one it takes none. */
  readonly value?: string;
  /** It may be given again. */
  readonly repeats?: boolean;
  /** The option it sets, as `--set` would. */
  readonly option?: string;
  /** What it does, unless it sets an option, which says so itself. */
  readonly help?: string;
}

/** Every flag, in the order of the help. */
export const FLAGS: Readonly<Record<string, Flag>> = {
  port: { short: 'p', value: 'PORT', option: 'port' },
  'listen-host': { value: 'HOST', option: 'host' },
  mode: { value: 'MODE', option: 'mode' },
  set: { value: 'NAME=VALUE', repeats: true, help: 'sets an option; --options lists them' },
  script: { short: 's', value: 'ADDON', repeats: true, help: 'a TypeScript or JavaScript module of hooks' },
  'save-har': { value: 'FILE', help: 'writes the flows there at the end, as HTTP Archive' },
  'save-ca': { value: 'FILE', help: "writes the CA's certificate there, for clients to trust" },
  quiet: { short: 'q', help: 'prints nothing but what goes wrong' },
  options: { help: 'lists every option with type, default and meaning' },
  help: { short: 'h', help: 'prints this' },
  version: { help: 'prints the version' },
};

/** What the command is asked to do. */
export type Task =
  | { readonly show: 'help' | 'options' | 'version' }
  | {
      readonly show?: undefined;
      readonly options: ProxyOptions;
      /** Paths, in order. */
      readonly addons: string[];
      readonly saveHar: string | undefined;
      readonly saveCa: string | undefined;
      readonly quiet: boolean;
      /** A filter expression. */
      readonly filter: string | undefined;
    };

const CONFIG: ParseArgsConfig['options'] = Object.fromEntries(
  Object.entries(FLAGS).map(([name, { short, value }]) => [
    name,
    {
      type: value === undefined ? 'boolean' : 'string',
      multiple: true,
      ...(short === undefined ? {} : { short }),
    },
  ]),
);

/** @throws SluiceError UNKNOWN_OPTION or BAD_OPTION, in one line */
export function readArguments(args: string[]): Task {
  // Its own refusals of what is unknown or missing don't say what to do, so they are made here.
  const { tokens } = parseArgs({
    args,
    options: CONFIG,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const filter: string[] = [];
  const settings = new Settings();
  const set = new Set<string>();
  /** Flags by the options that they set. */
  const flagged = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') filter.push(token.value);
    if (token.kind !== 'option') continue;
    const value = checked(token, given.has(token.name));
    given.set(token.name, [...(given.get(token.name) ?? []), value]);
    const { option } = FLAGS[token.name] ?? {};
    if (option !== undefined) settings.set(option, value, token.rawName);
    if (token.name === 'set') set.add(settings.setting(value));
    if (option !== undefined) flagged.set(option, token.rawName);
  }
  for (const [option, flag] of flagged) {
    if (set.has(option))
      throw new SluiceError('BAD_OPTION', `${flag} and --set ${option}= are the same; give one`);
  }
  const last = (name: string) => given.get(name)?.at(-1);
  const show = (['help', 'options', 'version'] as const).find((name) => given.has(name));
  if (show !== undefined) return { show };
  return {
    options: settings.options(),
    addons: given.get('script') ?? [],
    saveHar: last('save-har'),
    saveCa: last('save-ca'),
    quiet: given.has('quiet'),
    filter: filter.length === 0 ? undefined : filter.join(' '),
  };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

/** The flag's value, empty of one that takes none. */
function checked({ name, rawName, value, inlineValue }: OptionToken, again: boolean): string {
  const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
  if (flag === undefined) {
    const near = nearest(name, Object.keys(FLAGS));
    const hint = near === undefined ? 'sluice --help lists them' : `did you mean --${near}?`;
    throw new SluiceError('UNKNOWN_OPTION', `unknown flag ${rawName}; ${hint}`);
  }
  if (flag.value === undefined) {
    if (value === undefined) return '';
    throw new SluiceError('BAD_OPTION', `${rawName} takes no value; write ${rawName} alone`);
  }
  // What looks like a flag is taken for one, unless it is written with an equals sign.
  if (value === undefined || value === '' || (inlineValue !== true && /^-./.test(value))) {
    throw new SluiceError('BAD_OPTION', `${rawName} needs a value; write ${rawName} ${flag.value}`);
  }
  if (again && flag.repeats !== true) {
    throw new SluiceError('BAD_OPTION', `${rawName} is given twice; give one`);
  }
  return value;
}
