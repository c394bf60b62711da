/**
 * The keys of a flow query: what each accepts, when it holds, and what to say when it does not.
 * @module
 */
import { types } from 'node:util';
import { type FlowErrorCode, shown } from '../errors.js';
import { parseSize, SIZE_ACCEPTED } from '../size.js';
import { describeValue, similarity } from './describe.js';
import { compileFilter } from './filter.js';
import { urlMatcher, wildcardToRegExp } from './glob.js';
import { bodySize, fieldHolds, hostOf, jsonOf, mediaTypeMatches, mediaTypeOf } from './message-facts.js';
import type { FlowQuery, QueryContext, Subject } from './query.js';
import { found, isAsymmetricMatcher, matchesSubset } from './subset.js';
import type { Message } from './types.js';

interface KeySpec {
  readonly accepted: string;
  readonly weight: number;
  /** Gives `undefined` for a value that is not accepted; throws for a better message. */
  compile(value: unknown, context: QueryContext): Compiled | undefined;
}

interface Compiled {
  test(subject: Subject): boolean;
  /** As in `status was …`. */
  was(subject: Subject): string;
  expected: string;
  near?(subject: Subject): number;
  namesMethod?: boolean;
}

/** An object, so that the compiler misses a code that is not in it. */
const FLOW_ERROR_CODES = Object.keys({
  CLIENT_ABORTED: 1,
  CLIENT_PROTOCOL: 1,
  ORIGIN_UNREACHABLE: 1,
  ORIGIN_TLS: 1,
  ORIGIN_TIMEOUT: 1,
  ORIGIN_PROTOCOL: 1,
  ORIGIN_CLOSED: 1,
  UPSTREAM_PROXY: 1,
  BODY_TOO_LARGE: 1,
  HOOK_FAILED: 1,
  RULE_FAILED: 1,
  TRANSFORM_FAILED: 1,
  LENGTH_BROKEN: 1,
  FAULT_RESET: 1,
  WEBSOCKET_PROTOCOL: 1,
  KILLED: 1,
  PROXY_LOOP: 1,
  PROXY_CLOSED: 1,
  INTERNAL: 1,
} satisfies Record<FlowErrorCode, 1>);

/** What `read` finds in a message, or why the message is not there. */
function ofMessage<M>({ flow }: Subject, message: M | undefined, read: (message: M) => string): string {
  if (message !== undefined) return read(message);
  return flow.error === undefined ? 'not known yet (no response)' : `not known (${flow.error.code})`;
}

/** The table, cheapest test first. A new key is a row here and a field in {@link FlowQuery}. */
export const QUERY_KEYS: { readonly [K in keyof FlowQuery]-?: KeySpec } = {
  method: {
    accepted: "one method, as 'POST'; for several use filter: '~m GET|PUT' or a function",
    weight: 2,
    compile: (value) => {
      if (typeof value !== 'string' || !/^[a-z][\w-]*$/i.test(value)) return undefined;
      const method = value.toUpperCase();
      return {
        test: ({ flow }) => flow.request.method.toUpperCase() === method,
        was: ({ flow }) => flow.request.method,
        expected: method,
        namesMethod: true,
      };
    },
  },
  status: {
    accepted: 'a status code from 100 to 999; for several use filter or a function',
    weight: 1,
    compile: (value) => {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 100 || value > 999)
        return undefined;
      return {
        test: ({ response }) => response?.status === value,
        was: (subject) => ofMessage(subject, subject.response, ({ status }) => String(status)),
        expected: String(value),
        near: ({ response }) =>
          response && Math.floor(response.status / 100) === Math.floor(value / 100) ? 0.5 : 0,
      };
    },
  },
  error: {
    accepted: `true, false or one of ${FLOW_ERROR_CODES.join(', ')}`,
    weight: 1,
    compile: (value) => {
      if (typeof value !== 'boolean' && !(FLOW_ERROR_CODES as unknown[]).includes(value)) return undefined;
      return {
        test: ({ flow: { error } }) =>
          typeof value === 'boolean' ? (error !== undefined) === value : error?.code === value,
        was: ({ flow: { error } }) => (error === undefined ? 'none' : `${error.code} (${error.message})`),
        expected: value === true ? 'any' : value === false ? 'none' : String(value),
        near: ({ flow }) => (value !== false && flow.error !== undefined ? 0.5 : 0),
      };
    },
  },
  host: {
    accepted: "a glob of a host name or host:port, as 'app.test', '*.cdn.test' or 'app.test:8443'",
    weight: 2,
    compile: (value) => {
      if (typeof value !== 'string' || value === '' || /[/\s]/.test(value)) return undefined;
      const pattern = wildcardToRegExp(value, 'host');
      const withPort = value.includes(':');
      return {
        test: ({ flow }) => {
          const [name, port] = hostOf(flow.request.url);
          return pattern.test(name) || (withPort && pattern.test(`${name}:${port}`));
        },
        was: ({ flow }) => shown(hostOf(flow.request.url).join(':')),
        expected: shown(value),
        near: ({ flow }) => similarity(value, hostOf(flow.request.url)[0]),
      };
    },
  },
  path: {
    accepted: "a glob that starts with '/' or '*', as '/api/*' or '/search?q=*'",
    weight: 3,
    compile: (value) => {
      if (typeof value !== 'string' || !/^[/*{\\]/.test(value)) return undefined;
      const pattern = wildcardToRegExp(value, 'path');
      const withQuery = value.includes('?');
      const pathOf = ({ flow: { request } }: Subject) =>
        withQuery ? request.path : request.path.replace(/\?.*/s, '');
      return {
        test: (subject) => pattern.test(pathOf(subject)),
        was: (subject) => shown(pathOf(subject)),
        expected: shown(value),
        near: (subject) => similarity(value, pathOf(subject)),
      };
    },
  },
  url: {
    accepted: "a glob, as '**/api/*', or a RegExp",
    weight: 3,
    compile: (value, { baseURL }) => {
      if (!types.isRegExp(value) && (typeof value !== 'string' || value === '')) return undefined;
      const test =
        typeof value === 'string' ? urlMatcher(value, baseURL) : (url: string) => found(value, url);
      const literal = typeof value === 'string' ? value : value.source.replace(/\\(.)/g, '$1');
      return {
        test: ({ flow }) => test(flow.request.url),
        was: ({ flow }) => shown(flow.request.url),
        expected: describeValue(value),
        near: ({ flow }) => similarity(literal, flow.request.url),
      };
    },
  },
  contentType: {
    accepted:
      "a media type without parameters, as 'application/json', or its beginning and a '*', as 'image/*'",
    weight: 1,
    compile: (value) => {
      if (typeof value !== 'string' || !/^(?:[^\s/;*]+\/[^\s/;*]+|[^\s/;*]*(?:\/[^\s/;*]*)?\*)$/.test(value))
        return undefined;
      const wanted = value.toLowerCase();
      return {
        test: ({ message }) => message !== undefined && mediaTypeMatches(mediaTypeOf(message), wanted),
        was: (subject) =>
          ofMessage(subject, subject.message, (message) => mediaTypeOf(message) || 'not given'),
        expected: value,
        near: ({ message }) =>
          message && mediaTypeOf(message).split('/')[0] === wanted.split('/')[0] ? 0.5 : 0,
      };
    },
  },
  largerThan: {
    accepted: SIZE_ACCEPTED,
    weight: 1,
    compile: (value, { atHead }) => {
      const limit = parseSize(value, 'size');
      const sizeOf = ({ flow, message }: Subject) => (message ? bodySize(message, flow, atHead) : 0);
      return {
        test: (subject) => sizeOf(subject) > limit,
        was: (subject) => ofMessage(subject, subject.message, () => `${sizeOf(subject)} bytes`),
        expected: `more than ${limit}`,
        near: (subject) => (limit === 0 ? 0 : sizeOf(subject) / limit),
      };
    },
  },
  headers: {
    accepted: "an object of field names to strings or RegExps, as { 'cache-control': /max-age/ }",
    weight: 1,
    compile: (value) => {
      if (!isFields(value)) return undefined;
      const fields = Object.entries(value);
      for (const [, wanted] of fields) {
        if (typeof wanted !== 'string' && !types.isRegExp(wanted) && !isAsymmetricMatcher(wanted))
          return undefined;
      }
      const missing = (message: Message | undefined) =>
        fields.filter(([name, wanted]) => message === undefined || !fieldHolds(message, name, wanted));
      return {
        test: ({ message }) => message !== undefined && missing(message).length === 0,
        was: (subject) =>
          ofMessage(subject, subject.message, (message) => {
            return missing(message)
              .map(([name]) => `${name}: ${describeValue(message.headers.get(name))}`)
              .join(', ');
          }),
        expected: fields.map(([name, wanted]) => `${name}: ${describeValue(wanted)}`).join(', '),
        near: ({ message }) => 1 - missing(message).length / fields.length,
      };
    },
  },
  filter: {
    accepted: "a filter expression, as '~m POST & ~u upload'",
    weight: 2,
    compile: (value) => {
      if (typeof value !== 'string') return undefined;
      const filter = compileFilter(value);
      const { namesMethod } = filter;
      return { test: ({ flow }) => filter(flow), was: () => 'not met', expected: value, namesMethod };
    },
  },
  json: {
    accepted: 'any value; objects are compared as subsets',
    weight: 2,
    compile: (value) => ({
      test: ({ flow }) => {
        const read = jsonOf(flow);
        return 'json' in read && matchesSubset(read.json, value);
      },
      was: ({ flow }) => {
        const read = jsonOf(flow);
        return 'json' in read ? describeValue(read.json) : read.why;
      },
      expected: describeValue(value),
      near: ({ flow }) => ('json' in jsonOf(flow) ? 0.3 : 0),
    }),
  },
};

/** A non-empty object; an array is none. */
function isFields(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
  );
}
