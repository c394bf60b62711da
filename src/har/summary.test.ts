import { describe, it } from 'node:test';
import { expect } from 'expect';
import type { HttpFlow } from '../flow/types.js';
import { describeFlow, summarize } from './summary.js';
import { EPOCH, type FlowSpec, makeFlow } from './testing/flows.js';

const at = (ms: number, spec: FlowSpec = {}): HttpFlow =>
  makeFlow({
    url: `https://app.test/${ms}`,
    ...spec,
    request: { startedAt: EPOCH + ms, ...spec.request },
  });
const failed = { error: { code: 'ORIGIN_CLOSED', message: 'gone' }, response: null } as const;

describe('summarize', () => {
  it('is a table in order of start, favicons last', () => {
    const flows = [
      at(9, {
        method: 'POST',
        url: 'https://app.test/upload',
        request: { bodyStatus: 'streamed', body: 'x'.repeat(10_000) },
      }),
      at(5, { url: 'https://app.test/favicon.ico' }),
      at(7, failed),
      at(8, { response: { body: 'hello', status: 404 } }),
    ];
    expect(summarize(flows).split('\n')).toEqual([
      'METHOD  URL                           STATUS            UP  DOWN  BODIES                    TIME',
      'GET     https://app.test/7            ORIGIN_CLOSED    0 B   0 B  -                         2 ms  gone',
      'GET     https://app.test/8            404              0 B   5 B  recorded                 40 ms',
      'POST    https://app.test/upload       200            10 kB   0 B  streamed up in 3 pieces  40 ms',
      'GET     https://app.test/favicon.ico  200              0 B   0 B  -                        40 ms',
    ]);
    expect(flows[0]?.request.url).toContain('upload');
  });

  it('keeps to its lines and never leaves out failures for good flows', () => {
    const flows = Array.from({ length: 100 }, (_, i) => at(i, i % 20 === 3 ? failed : {}));
    const lines = summarize(flows).split('\n');
    expect(lines).toHaveLength(30);
    expect(lines.filter((line) => line.includes('ORIGIN_CLOSED'))).toHaveLength(5);
    expect(lines.at(-1)).toBe('… 72 more flows left out');
    expect(lines.at(-2)).toContain('/99');
    expect(summarize(flows.slice(0, 29)).split('\n')).toHaveLength(30);
    expect(summarize(flows.slice(0, 29))).not.toContain('left out');
    const tight = summarize(flows, { maxLines: 5 }).split('\n');
    expect(tight.slice(1, 4).every((line) => line.includes('ORIGIN_CLOSED'))).toBe(true);
    expect(tight.at(-1)).toBe('… 97 more flows left out (2 of them failed)');
    expect(summarize(flows, { maxLines: 2 })).toBe('… 100 more flows left out (5 of them failed)');
    expect(summarize(flows.slice(0, 1), { maxLines: 1 })).toBe('… 1 more flow left out');
  });

  it('leaves out favicons first, then preflights, then what went well', () => {
    const flows = [
      at(1, { response: { status: 500 } }),
      at(2),
      at(3, { preflight: true }),
      at(4, { url: 'https://app.test/favicon.ico', response: { status: 404 } }),
    ];
    const paths = (maxLines: number) =>
      summarize(flows, { maxLines })
        .split('\n')
        .slice(1, -1)
        .map((line) => /test\/(\S+)/.exec(line)?.[1]);
    expect(paths(4)).toEqual(['1', '2']);
    expect(paths(3)).toEqual(['1']);
    expect(summarize(flows)).toContain('CORS preflight');
  });

  it('stays a table whatever flows hold', () => {
    const flows = [
      at(1, { url: `https://app.test/${'very-long/'.repeat(30)}end?q`, warnings: ['a', 'b'] }),
      at(2, {
        url: 'https://app.test/\n\x1b[31mred\u202e',
        error: { code: 'KILLED', message: 'two\nlines' },
      }),
      at(3, { response: null, request: { bodyStatus: 'pending', complete: false, endedAt: null } }),
    ];
    const lines = summarize(flows).split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/https:\/\/app\.test\/very\S+…\S+end\?q .*2 warnings$/);
    expect(lines[2]).toContain('\\x0a\\x1b[31mred\\u202e');
    expect(lines[2]).toContain('after a 200: two\\x0alines');
    expect(lines[3]).toMatch(/pending .*in flight$/);
    expect(summarize([])).toBe('No flows were recorded.');
  });

  it('refuses lines it cannot count', () => {
    for (const maxLines of [0, 1.5, Number.NaN]) {
      expect(() => summarize([], { maxLines })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
    }
  });
});

describe('describeFlow', () => {
  it('puts a flow into a line', () => {
    const upload = makeFlow({
      method: 'POST',
      url: 'https://app.test/upload',
      request: { bodyStatus: 'streamed', body: 'x'.repeat(1200), pieceSize: 100 },
      response: { status: 204, body: 'abc' },
    });
    expect(describeFlow(upload)).toBe(
      'POST https://app.test/upload → 204 (1.2 kB up, 3 B down, request streamed in 12 pieces)',
    );
    expect(describeFlow(makeFlow(failed))).toBe(
      'GET https://app.test/ → ORIGIN_CLOSED: gone (0 B up, 0 B down)',
    );
    expect(describeFlow(makeFlow({ error: { code: 'KILLED', message: '' }, preflight: true }))).toBe(
      'GET https://app.test/ → 200, KILLED (0 B up, 0 B down, CORS preflight)',
    );
    expect(describeFlow(makeFlow({ response: null }))).toBe(
      'GET https://app.test/ → no response yet (0 B up, 0 B down)',
    );
    const half = makeFlow({
      response: { bodyStatus: 'streamed', body: 'x', complete: false, endedAt: null },
    });
    expect(describeFlow(half)).toBe(
      'GET https://app.test/ → 200 (0 B up, 1 B down, response streamed in 1 piece, not complete)',
    );
  });
});
