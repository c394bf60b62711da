/**
 * Whether one value is contained in another.
 * @module
 */
import { isDeepStrictEqual, types } from 'node:util';

/** What `expect.any(…)`, `expect.stringContaining(…)` and their like are, in every test runner. */
export interface AsymmetricMatcher {
  asymmetricMatch(other: unknown): unknown;
}

/** Whether `value` judges others itself. */
export function isAsymmetricMatcher(value: unknown): value is AsymmetricMatcher {
  return isObject(value) && typeof value.asymmetricMatch === 'function';
}

/**
 * Whether `actual` holds at least what `expected` asks for: of objects each expected key, of arrays the same length
 * and each element in turn, of strings where a RegExp is expected that it is found, elsewhere the same value (Object.is;
 * dates by their time). Asymmetric matchers are asked. A key that is expected to be `undefined` has to be there.
 * Values may contain themselves.
 */
export function matchesSubset(actual: unknown, expected: unknown): boolean {
  return contains(actual, expected, new Map());
}

/** `met` holds the pairs begun: all have to hold, so that one met again, be it inside itself, adds nothing. */
function contains(actual: unknown, expected: unknown, met: Map<object, Set<unknown>>): boolean {
  if (isAsymmetricMatcher(expected)) return Boolean(expected.asymmetricMatch(actual));
  if (!isObject(expected)) return Object.is(actual, expected);
  if (types.isRegExp(expected)) {
    if (typeof actual === 'string') return found(expected, actual);
    return types.isRegExp(actual) && String(actual) === String(expected);
  }
  if (!isObject(actual)) return false;
  if (types.isDate(expected)) return types.isDate(actual) && Object.is(actual.getTime(), expected.getTime());

  const partners = met.get(expected) ?? new Set();
  if (partners.has(actual)) return true;
  met.set(expected, partners.add(actual));
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((element, i) => contains(actual[i], element, met))
    );
  }
  if (Array.isArray(actual)) return false;
  // Maps, sets and buffers have their content elsewhere than in keys.
  if (Object.prototype.toString.call(expected) !== '[object Object]')
    return isDeepStrictEqual(actual, expected);
  return Object.keys(expected).every((key) => key in actual && contains(actual[key], expected[key], met));
}

/** Whether `pattern` is found in `text`, whatever a `g` or `y` pattern was used for before. */
export function found(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}
