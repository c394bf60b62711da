import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import type { HttpFlow } from '../flow/types.js';
import { toHtml } from './html.js';
import { LAY_OUT_JSON } from './layout.js';
import { Redactor } from './redact.js';
import { EPOCH, type FlowSpec, makeFlow } from './testing/flows.js';
import { type FlowView, type MessageView, verdictOf, viewOf } from './view.js';

/** The page's data, read as its script reads it. */
function dataOf(page: string): { pairs: [string, string][]; flows: FlowView[] } {
  const found = /<script type="application\/json" id="data">([^<]*)<\/script>/.exec(page);
  return JSON.parse(found?.[1] ?? 'null');
}

const view = (spec: FlowSpec): FlowView => viewOf(makeFlow(spec), new Redactor());
const answer = (type: string, body: string | Buffer): MessageView | undefined =>
  view({ response: { headers: [['content-type', type]], body } }).response;

describe('toHtml', () => {
  it('is one page that loads nothing', () => {
    const page = toHtml([makeFlow({ url: 'https://app.test/x' })], { title: 'uploads' });
    expect(page).toMatch(/^<!doctype html>\n/);
    expect(page).toContain('<title>uploads</title>');
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<(?:link|iframe|img|object|embed)\b/g)).toBeNull();
    expect(page.match(/\b(?:src|href)\s*=\s*["']/g)).toBeNull();
    expect(page.match(/url\(|@import/g)).toBeNull();
    expect(page).toContain('prefers-color-scheme: dark');
  });

  it('shows that there is nothing', () => {
    const page = toHtml([]);
    expect(page).toContain('No flows were recorded.');
    expect(page).not.toContain('<input');
    expect(dataOf(page)).toEqual({ pairs: [], flows: [] });
  });

  it('lets no text become markup', () => {
    const evil = `"'></td></script></style></title><script>alert(1)</script><!--<img src=x onerror=alert(1)>`;
    const hostile: HttpFlow = makeFlow({
      id: evil,
      method: evil,
      url: `https://app.test/${evil}`,
      request: { headers: [['X-Evil', evil]], body: evil, parts: [{ name: evil, filename: evil, bytes: 1 }] },
      response: {
        statusText: evil,
        headers: [
          ['Content-Type', `text/${evil}`],
          [evil, evil],
        ],
        body: evil,
        trailers: [['x', evil]],
      },
      warnings: [evil],
      error: { code: 'KILLED', message: evil, cause: evil },
      server: { address: evil },
    });
    const page = toHtml([hostile, makeFlow()], { title: evil });
    const plain = toHtml([makeFlow(), makeFlow()], { title: 'plain' });
    // Whatever the record holds, the page has the tags that it has without it.
    const tags = (html: string) =>
      html
        .replace(/<tr [\s\S]*<\/tr>/, '')
        .replace(/<button[\s\S]*<\/button>/, '')
        .match(/<[!/]?[a-z-]+/gi)
        ?.filter((tag) => tag !== '<b' && tag !== '</b' && tag !== '<i' && tag !== '</i');
    expect(tags(page)).toEqual(tags(plain));
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<img|<!--/g)).toBeNull();
    const rows = /<tbody>([\s\S]*)<\/tbody>/.exec(page)?.[1] ?? '';
    expect(new Set(rows.match(/<\/?[a-z]+/g))).toEqual(
      new Set(['<tr', '</tr', '<td', '</td', '<span', '</span', '<div', '</div', '<i', '</i']),
    );
    // Nor does it leave an attribute: all of them are the page's own.
    expect(new Set(rows.match(/\s[a-z-]+(?==")/g)?.map((name) => name.trim()))).toEqual(
      new Set(['class', 'data-i', 'data-marks', 'id', 'tabindex', 'aria-expanded', 'title', 'style']),
    );
    // And it is all there, as text.
    const { flows, pairs } = dataOf(page);
    expect(flows[0]?.response?.body.text ?? flows[0]?.response?.body.notes.join()).toBeDefined();
    expect(flows[0]?.request.body.text).toBe(evil);
    expect(flows[0]?.warnings).toEqual([evil]);
    expect(pairs).toContainEqual(['X-Evil', evil]);
  });

  it('keeps 2000 flows under 10 MB', () => {
    const text = JSON.stringify(
      Array.from({ length: 800 }, (_, i) => ({ i, html: '<p class="x">&amp;</p>' })),
    );
    const headers = Array.from({ length: 15 }, (_, i): [string, string] => [
      `x-header-${i}`,
      'usual words '.repeat(5),
    ]);
    const png = Buffer.alloc(200_000, 'z');
    const flows = Array.from({ length: 2000 }, (_, i) =>
      makeFlow({
        url: `https://app.test/api/things/${i}?with=some&query=${i}`,
        request: { startedAt: EPOCH + i, headers: [...headers, ['x-id', `id-${i}`]], digest: false },
        response: {
          headers: [['content-type', i % 10 === 0 ? 'image/png' : 'application/json'], ...headers],
          body: i === 7 ? '{"small":true}' : i % 10 === 0 ? png : text,
          digest: false,
        },
      }),
    );
    const page = toHtml(flows);
    expect(Buffer.byteLength(page)).toBeLessThan(10_000_000);
    const data = dataOf(page);
    expect(data.flows).toHaveLength(2000);
    // Small bodies stay whole; large ones are shortened, all to the same size, and say so.
    expect(data.flows[7]?.response?.body).toMatchObject({ text: '{"small":true}', notes: [] });
    const large = data.flows[1]?.response?.body;
    expect(large?.text?.length).toBeGreaterThan(500);
    expect(text.startsWith(large?.text ?? '-')).toBe(true);
    expect(large?.notes).toEqual([
      expect.stringMatching(/^Only the first [\d,]+ characters are shown; the body has /),
    ]);
    expect(data.flows[10]?.response?.body.image).toBeUndefined();
    expect(data.flows[10]?.response?.body.notes).toEqual(['An image, left out to keep this page small.']);
    // What repeats stands once.
    expect(data.pairs.filter(([name]) => name === 'x-header-3')).toHaveLength(1);
  });

  it('marks rows for its filters', () => {
    const page = toHtml([
      makeFlow({ error: { code: 'KILLED', message: '' }, response: null }),
      makeFlow({ response: { status: 500, bodyStatus: 'streamed', body: 'x' }, warnings: ['w'] }),
      makeFlow(),
    ]);
    expect(page.match(/data-marks="[a-z]*"/g)).toEqual([
      'data-marks="f"',
      'data-marks="esw"',
      'data-marks=""',
    ]);
    expect(page.match(/data-only="."/g)).toEqual(['f', 'e', 's', 'w'].map((key) => `data-only="${key}"`));
  });
});

describe('viewOf', () => {
  it('previews text up to 64 KiB', () => {
    expect(answer('text/plain', 'short')?.body).toMatchObject({ text: 'short', cut: false, notes: [] });
    const long = answer('text/plain', 'y'.repeat(70_000))?.body;
    expect(long).toMatchObject({ cut: true, size: '70,000 B (70 kB)' });
    expect(long?.text).toHaveLength(65_536);
    const page = toHtml([makeFlow({ response: { body: 'y'.repeat(70_000) } })]);
    expect(page).toContain('Only the first 65,536 characters are shown; the body has 70,000 B (70 kB).');
  });

  it('has only JSON laid out', () => {
    expect(answer('application/problem+json', '{"a":1}')?.body.json).toBe(true);
    expect(answer('application/json', '{"a":1')?.body.json).toBeUndefined();
    expect(answer('text/plain', '{"a":1}')?.body.json).toBeUndefined();
  });

  it('shows small images, and the beginning of other octets', () => {
    const body = Buffer.from([0x89, 0x50, 0, 0xff]);
    expect(answer('image/png', body)?.body.image).toBe(`data:image/png;base64,${body.toString('base64')}`);
    expect(answer('image/png', Buffer.alloc(256 * 1024, 1))?.body).toEqual({
      notes: ['An image of 262 kB, too large to be shown here.'],
    });
    // The type goes into a URL: only types that are known do.
    expect(answer('image/png"onerror=x', body)?.body.image).toBeUndefined();
    expect(answer('application/octet-stream', body)?.body).toEqual({
      notes: ['4 B of binary data, beginning with:'],
      text: `0000  89 50 00 ff${' '.repeat(36)}  .P..`,
    });
  });

  it('says what could not be decoded', () => {
    const { body } =
      view({ response: { headers: [['content-encoding', 'gzip']], body: 'no' } }).response ?? {};
    expect(body?.notes[0]).toContain('the gzip data is broken');
    const gzipped = view({ response: { headers: [['content-encoding', 'gzip']], body: gzipSync('yes') } });
    expect(gzipped.response?.body.text).toBe('yes');
  });

  it('judges how a body came through', () => {
    const verdict = (spec: FlowSpec['response'], server?: null) => {
      const flow = makeFlow({ response: spec, server });
      return flow.response && verdictOf(flow, flow.response);
    };
    expect(verdict({})).toBeUndefined();
    expect(verdict({ body: 'a' })).toBe('intact');
    expect(verdict({ body: 'a', sent: 'b' })).toBe('altered');
    expect(verdict({ body: 'a', sent: 'bc', digest: false })).toBe('altered');
    expect(verdict({ body: 'a', digest: false })).toBe('same size');
    expect(verdict({ body: 'a', complete: false })).toBe('incomplete');
    expect(verdict({ body: 'mine' }, null)).toBe('made by the proxy');
    const answered = makeFlow({ request: { body: 'a' }, server: null });
    expect(verdictOf(answered, answered.request)).toBe('not forwarded');
  });

  it('tells pieces and digests', () => {
    const rows = view({ response: { bodyStatus: 'streamed', body: 'x'.repeat(10_000) } }).response?.transfer
      ?.rows;
    expect(rows?.slice(0, 2)).toEqual([
      ['bytes', '10,000 B (10 kB)', '10,000 B (10 kB)'],
      ['pieces', '3 (2 × 4,096 + 1,808)', '3 (2 × 4,096 + 1,808)'],
    ]);
    expect(rows?.[2]).toEqual(['SHA-256', expect.stringMatching(/^[0-9a-f]{64}$/), 'the same']);
  });
});

describe('layOutJson', () => {
  const layOut = new Function(`${LAY_OUT_JSON}; return layOutJson;`)() as (text: string) => string;

  it('indents and keeps every token', () => {
    expect(layOut('{"n":12345678901234567890,"a":[1,{"b":"x, {\\"y\\\\"}],"e":{},"l":[ ],"n":1.0}')).toBe(
      '{\n  "n": 12345678901234567890,\n  "a": [\n    1,\n    {\n      "b": "x, {\\"y\\\\"\n    }\n  ],\n  "e": {},\n  "l": [],\n  "n": 1.0\n}',
    );
    expect(layOut('"just text"')).toBe('"just text"');
    const value = { a: [{ b: [[], {}, null, true, 'é\n"'] }], c: '' };
    expect(layOut(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
  });

  it('takes text whose end is missing, and deep nesting', () => {
    expect(layOut('{"a":"unfinis')).toBe('{\n  "a": "unfinis');
    expect(layOut('["x\\')).toBe('[\n  "x\\');
    expect(layOut('['.repeat(20_000)).length).toBeLessThan(20_000 * 65);
  });
});
