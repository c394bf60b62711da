import { describe, it } from 'node:test';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import type { HttpFlow } from '../flow/types.js';
import { toHar } from './har.js';
import { toHtml } from './html.js';
import { SCRIPT } from './page-script.js';
import { type Redact, Redactor } from './redact.js';
import { describeFlow, summarize } from './summary.js';
import { EPOCH, makeFlow } from './testing/flows.js';

/** Every value in it that starts with `hush-` is a credential in another place. */
function secretFlow(): HttpFlow {
  return makeFlow({
    url: 'https://user:hush-userinfo@app.test/x',
    request: {
      headers: [
        ['AUTHORIZATION', 'Bearer hush-bearer'],
        ['Cookie', 'sid=hush-cookie; other=hush-other'],
        ['Proxy-Authorization', 'Basic hush-proxy'],
        ['X-Api-Key', 'hush-key'],
      ],
      trailers: [['Authorization', 'hush-trailer']],
    },
    response: {
      headers: [
        ['Set-Cookie', 'sid=hush-set; Path=/'],
        ['Location', 'https://user:hush-location@app.test/y'],
      ],
      trailers: [['Set-Cookie', 'late=hush-late']],
    },
    informational: [
      {
        status: 103,
        statusText: 'Early Hints',
        headers: Headers.from({ 'Set-Cookie': 'x=hush-early' }),
        timestamp: EPOCH,
      },
    ],
    warnings: ['could not set "Bearer hush-bearer" any more'],
    error: {
      code: 'ORIGIN_PROTOCOL',
      message: 'refused hush-cookie',
      cause: new Error('because of hush-proxy'),
    },
  });
}

const WRITERS: Record<string, (redact?: Redact) => string> = {
  har: (redact) => JSON.stringify(toHar([secretFlow()], { redact })),
  html: (redact) => toHtml([secretFlow()], { redact }),
  summary: (redact) => summarize([secretFlow()], { redact }),
  line: (redact) => describeFlow(secretFlow(), { redact }),
};

const hushed = (text: string) => [...new Set(text.match(/hush-[a-z]+/g))].sort();

describe('redaction', () => {
  for (const [name, write] of Object.entries(WRITERS)) {
    it(`hides credentials wherever ${name} would show them`, () => {
      expect(hushed(write())).toEqual(name === 'har' || name === 'html' ? ['hush-key'] : []);
      expect(write()).toContain('[redacted]');
    });

    it(`writes everything into ${name} if asked to`, () => {
      const words = 'bearer cookie early key late location other proxy set trailer userinfo'.split(' ');
      const expected = name === 'har' || name === 'html' ? words : ['cookie', 'userinfo'];
      expect(hushed(write(false))).toEqual(expected.map((word) => `hush-${word}`));
      expect(write(false).replace(SCRIPT, '')).not.toContain('[redacted]');
    });
  }

  it('replaces the list', () => {
    const text = JSON.stringify(toHar([secretFlow()], { redact: ['x-API-key'] }));
    expect(text).not.toContain('hush-key');
    expect(text).toContain('hush-bearer');
    const [entry] = toHar([secretFlow()], { redact: ['cookie'] }).log.entries;
    expect(entry?.request.cookies).toEqual([
      { name: 'sid', value: '[redacted]' },
      { name: 'other', value: '[redacted]' },
    ]);
    expect(entry?.response.cookies).toEqual([{ name: 'sid', value: 'hush-set', path: '/' }]);
  });

  it('hides a secret of which a message quotes only the beginning', () => {
    const token = 'abcdefghij'.repeat(20);
    const flow = makeFlow({ request: { headers: [['Authorization', `Bearer ${token}`]] } });
    expect(new Redactor().sentence(flow, `bad: "Bearer ${token.slice(0, 50)}..." here`)).toBe(
      'bad: "Bearer [redacted]" here',
    );
  });

  it('refuses what is not a list of names', () => {
    for (const bad of [true, 'cookie', [1]]) {
      expect(() => new Redactor(bad as unknown as Redact)).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining('redact: ') }),
      );
    }
  });
});
