/**
 * What the table says of an option, and the kinds of options that more than one is of.
 * @module
 */
import { messageOf, SluiceError } from '../errors.js';
import { compileFilter } from '../flow/filter.js';
import { compileFlowMatch, type FlowMatch } from '../flow/match.js';
import { parseSize, SIZE_ACCEPTED } from '../size.js';
import { choiceForm, itemForm, type TextForm, textForm } from './text.js';
import { hostPattern, isObject } from './values.js';

/** One option. */
export interface OptionSpec<T> {
  readonly default: T;
  /** One line, for lists of the options. */
  readonly help: string;
  readonly accepted: string;
  /** How it is written on the command line; its name there is the one here in snake case. */
  readonly text: TextForm;
  /** The value holds keys or passwords: messages must not show it. */
  readonly secret?: boolean;
  /** Gives the checked value, or `undefined` if it is not accepted; throws only for a better message. */
  read(value: unknown, name: string): T | undefined;
}

/** Octets; `Infinity` for no limit. */
export const size = (fallback: number, help: string): OptionSpec<number> => ({
  default: fallback,
  help,
  accepted: SIZE_ACCEPTED,
  text: textForm('size'),
  read: (value, name) => (value === Number.POSITIVE_INFINITY ? (value as number) : parseSize(value, name)),
});

/** One of some values. */
export const oneOf = <T extends string | boolean>(
  fallback: T,
  values: readonly T[],
  help: string,
): OptionSpec<T> => ({
  default: fallback,
  help,
  accepted: values.map((v) => JSON.stringify(v)).join(' or '),
  text: choiceForm(values),
  read: (value) => values.find((v) => v === value),
});

/** Patterns of `host:port`, looked for without regard to case as mitmproxy does, or as a RegExp's own flags say. */
export const hostPatterns = (help: string): OptionSpec<RegExp[]> => ({
  default: [],
  help,
  accepted: 'an array of RegExps or regular expressions as text',
  text: itemForm('regex', 'a regular expression', '^db[.]test:5432$'),
  read: (v, name) => (Array.isArray(v) ? v.map((pattern) => hostPattern(pattern, name)) : undefined),
});

/** Flows; without a value, none match. */
export const flowMatch = (help: string): OptionSpec<FlowMatch | undefined> => ({
  default: undefined,
  help,
  accepted: 'a URL glob, a RegExp, a function or a query, as waitForRequest() takes',
  text: {
    ...textForm('filter', 'a filter expression', '~d app.test'),
    parse: (filter, name) => {
      // It is looked at as such, and not as a part of a match.
      named(name, /^filter: /, () => compileFilter(filter));
      return { filter };
    },
  },
  read: (v, name) => {
    named(name, /^match: (?:filter: (?=filter: ))?/, () => compileFlowMatch(v as FlowMatch));
    return v as FlowMatch;
  },
});

/** @throws SluiceError BAD_OPTION with what `check` throws, by this name instead of its own */
function named(name: string, own: RegExp, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    const error = new SluiceError('BAD_OPTION', `${name}: ${messageOf(cause).replace(own, '')}`, { cause });
    throw isObject(cause) && 'at' in cause ? Object.assign(error, { at: cause.at }) : error;
  }
}
