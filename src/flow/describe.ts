/**
 * Matches and misses in words and numbers, for failure messages.
 * @module
 */
import { inspect } from 'node:util';
import { shown } from '../errors.js';
import { type AsymmetricMatcher, isAsymmetricMatcher } from './subset.js';

/** A value of a match as it should appear in a message: short, on one line. */
export function describeValue(value: unknown): string {
  if (typeof value === 'function' && value.name === '') return shorten(String(value).replace(/\s+/g, ' '));
  if (typeof value !== 'object' || value === null) return shown(value);
  const oneLine = { depth: 4, breakLength: Number.POSITIVE_INFINITY, compact: true, maxStringLength: 80 };
  return shorten(inspect(named(value, 4), oneLine));
}

/** Asymmetric matchers in `value` replaced by their names; their insides say little. */
function named(value: unknown, depth: number): unknown {
  if (isAsymmetricMatcher(value)) {
    const name = nameOf(value);
    return { [inspect.custom]: () => name };
  }
  if (depth === 0) return value;
  if (Array.isArray(value)) return value.slice(0, 100).map((element) => named(element, depth - 1));
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  return Object.fromEntries(Object.entries(value as object).map(([key, v]) => [key, named(v, depth - 1)]));
}

function nameOf(matcher: AsymmetricMatcher): string {
  const { toAsymmetricMatcher, sample } = matcher as { toAsymmetricMatcher?: unknown; sample?: unknown };
  if (typeof toAsymmetricMatcher === 'function') return String(toAsymmetricMatcher.call(matcher));
  return sample === undefined ? String(matcher) : `${String(matcher)} ${describeValue(sample)}`;
}

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

/** How much of `pattern` is found in `text`, 0 to 1: by the pairs of letters they share, so that typos cost little. */
export function similarity(pattern: string, text: string): number {
  const wanted = pairs(pattern.replace(/[*{}\\]+/g, ' '));
  if (wanted.size === 0) return 0;
  const given = pairs(text);
  let shared = 0;
  for (const pair of wanted) if (given.has(pair)) shared++;
  // Of texts that hold the pattern equally well, the one with the least besides it is nearer.
  return 0.9 * (shared / wanted.size) + 0.1 * ((2 * shared) / (wanted.size + given.size));
}

function pairs(text: string): Set<string> {
  const lower = text.toLowerCase();
  const found = new Set<string>();
  for (let i = 0; i + 1 < lower.length; i++) {
    const pair = lower.slice(i, i + 2);
    if (!pair.includes(' ')) found.add(pair);
  }
  return found;
}
