import { describe, it } from 'node:test';
import { expect } from 'expect';
import { rowsPerSocket } from './budget.js';
import { toHtml } from './html.js';
import { SCRIPT } from './page-script.js';
import { WORDS_OF } from './page-websocket.js';
import { Redactor } from './redact.js';
import { EPOCH, type FlowSpec, makeFlow, type SocketMessageSpec, type SocketSpec } from './testing/flows.js';
import { type FlowView, viewOf } from './view.js';
import type { FrameView, SocketView } from './websocket-view.js';

function view(websocket: SocketSpec, room?: number, more: FlowSpec = {}): SocketView {
  const found = viewOf(makeFlow({ ...more, websocket }), new Redactor(), room).websocket;
  if (found === undefined) throw new Error('no WebSocket was made');
  return found;
}

const frame = (spec: SocketMessageSpec): FrameView => view({ messages: [spec] }).rows[0] as FrameView;
const lines = ({ rows }: SocketView): string[] => rows.map((row) => ('gap' in row ? row.gap : row.line));
const flowsOf = (page: string): FlowView[] =>
  JSON.parse(/id="data">([^<]*)<\/script>/.exec(page)?.[1] ?? 'null').flows;

describe('a WebSocket in the page', () => {
  it('lists messages, pings and the end in order of time', () => {
    const found = view({
      messages: [
        { data: 'up' },
        { from: 'server', data: Buffer.from('\0\xff', 'latin1'), timestamp: EPOCH + 9000 },
      ],
      pings: [
        { at: EPOCH + 4000, from: 'server', data: 'hb' },
        { at: EPOCH + 4001, type: 'pong' },
      ],
      close: { code: 4001, reason: 'done', by: 'server' },
    });
    expect(found.rows).toEqual([
      { up: true, time: '+20 ms', size: '2 B', kind: 'text', marks: [], line: 'up' },
      { up: false, time: '+4.00 s', size: '2 B', kind: 'ping', marks: [], line: '68 62' },
      { up: true, time: '+4.00 s', size: '0 B', kind: 'pong', marks: [], line: '' },
      { up: false, time: '+9.00 s', size: '2 B', kind: 'binary', marks: [], line: '00 ff' },
      { up: false, kind: 'close', marks: [], line: '4001 done' },
    ]);
    expect(found).toMatchObject({ end: 'closed 4001 "done" by server', mood: 'own' });
    expect(found.facts).toEqual([
      ['sent', '1 message, 2 B'],
      ['received', '1 message, 2 B'],
      ['pings', '1 ping, 1 pong'],
    ]);
    expect(lines(view({ close: { code: 1006, by: 'client' } }))).toEqual([
      'the client left without closing (1006)',
    ]);
    expect(lines(view({ close: { code: 1005, by: 'client' } }))).toEqual(['without a code (1005)']);
    expect(view({ stream: true })).toMatchObject({ rows: [], end: 'open', mood: 'open' });
  });

  it('opens what one line cannot show', () => {
    expect(frame({ data: 'a\n\x1b[31m  b' })).toMatchObject({
      line: 'a \\x1b[31m b',
      body: { text: 'a\n\x1b[31m  b', cut: false },
    });
    expect(frame({ data: '{"a":[1]}' })).toMatchObject({ line: '{"a":[1]}', body: { json: true } });
    expect(frame({ data: '{"a":[1}' }).body).toBeUndefined();
    expect(frame({ data: '12' }).body).toBeUndefined();
    const long = frame({ data: 'x'.repeat(40_000) });
    expect(long.line).toBe(`${'x'.repeat(120)}…`);
    expect(long.body).toMatchObject({ cut: true, size: '40,000 B (40 kB)' });
    expect(long.body?.text).toHaveLength(32_768);
    const binary = frame({ data: Buffer.alloc(1000, 7) });
    expect(binary.line).toMatch(/^07( 07){15} …$/);
    expect(binary.body?.text?.split('\n')).toHaveLength(16);
    expect(binary.body?.notes).toEqual(['The first 256 B of 1 kB are shown.']);
  });

  it('marks what is not as usual', () => {
    expect(
      frame({ data: 'a', injected: true, edited: true, dropped: true, fragments: [0, 1] }).marks,
    ).toEqual(['injected', 'edited', 'dropped', '2 frames']);
    expect(frame({ data: '{"a":"grün"}', kept: 9 })).toMatchObject({
      marks: ['truncated'],
      line: '{"a":"gr',
      size: '13 B',
      body: { text: '{"a":"gr', notes: ['Only the first 9 B of 13 B were recorded.'] },
    });
    expect(frame({ data: '{"a":1} ', kept: 7 }).body).not.toHaveProperty('json');
    expect(frame({ data: Buffer.from([0xff]), type: 'text' })).toMatchObject({
      marks: ['not UTF-8'],
      line: 'ff',
    });
  });

  it('leaves the middle of a long list out and says how much', () => {
    const messages = Array.from({ length: 1300 }, (_, i) => ({ data: String(i), timestamp: EPOCH + i }));
    const found = view({ messages, pings: [{ at: EPOCH + 600.5 }], close: { code: 1000, by: 'client' } }, 5);
    expect(lines(found)).toEqual([
      '0',
      '1',
      '2',
      '1,295 messages and 1 ping or pong left out here, to keep this page small',
      '1298',
      '1299',
      '1000',
    ]);
    expect(lines(view({ messages: messages.slice(0, 5) }, 5))).toEqual(['0', '1', '2', '3', '4']);
    expect(lines(view({ messages: messages.slice(0, 2) }, 0))).toEqual([
      '2 messages left out here, to keep this page small',
    ]);
  });

  it('shares the rows of a page', () => {
    expect(rowsPerSocket([])).toBe(400);
    expect(rowsPerSocket([1_000_000])).toBe(400);
    expect(rowsPerSocket(Array(2000).fill(100))).toBe(3);
    expect(rowsPerSocket([...Array(100).fill(3), ...Array(57).fill(1000)])).toBe(100);
  });

  it('keeps pages under 10 MB', () => {
    const data = `"${'<'.repeat(3000)}"`;
    const messages = Array.from({ length: 500 }, () => ({ data }));
    const flows = Array.from({ length: 200 }, () => makeFlow({ websocket: { messages } }));
    const page = toHtml(flows);
    expect(Buffer.byteLength(page)).toBeLessThan(10_000_000);
    const rows = flowsOf(page)[7]?.websocket?.rows as FrameView[];
    expect(rows).toHaveLength(31);
    expect(data.startsWith(rows[0]?.body?.text ?? '-')).toBe(true);
    expect(rows[0]?.body?.notes).toEqual([
      expect.stringMatching(/^Only the first \d+ characters are shown; the message has 3,002 B \(3 kB\)\.$/),
    ]);
  });

  it('shows messages whole where there is room', () => {
    const messages = Array.from({ length: 160 }, () => ({ data: 'x'.repeat(32_000) }));
    const [flow] = flowsOf(toHtml([makeFlow({ websocket: { messages } })]));
    const texts = flow?.websocket?.rows.map((row) => ('gap' in row ? 0 : row.body?.text?.length));
    expect(new Set(texts)).toEqual(new Set([32_000]));
  });

  it('has a row that tells it apart', () => {
    const row = (websocket: SocketSpec) =>
      /<tr [\s\S]*<\/tr>/.exec(toHtml([makeFlow({ websocket })]))?.[0] ?? '';
    const messages = [{ data: 'a' }, { data: 'b' }, { from: 'server' as const, data: 'c' }];
    const failed = row({ messages, stream: true, close: { code: 1006, by: 'server' } });
    expect(failed).toContain('data-marks="sm"');
    expect(failed).toContain('<td class="type">websocket</td>');
    expect(failed).toContain(
      '<span class="pill" title="2 up, 1 down, streamed, closed 1006 by server">3 messages</span>',
    );
    expect(failed).toContain('<span class="status bad" title="closed 1006 by server">1006</span>');
    expect(row({ close: { code: 4000, by: 'server' } })).toContain('<span class="status own"');
    const open = row({});
    expect(open).toContain('data-marks="m"');
    expect(open).toContain('<td class="number time">open</td>');
    expect(row({ close: { code: 1000, by: 'client' } })).not.toMatch(/1000<\/span>/);
  });

  it('lets no message become markup, nor a close reason', () => {
    const evil = `"'></script><script>alert(1)</script><!--<img src=x>`;
    const page = toHtml([
      makeFlow({
        websocket: {
          messages: [{ data: evil }, { data: `{"a":"</script>"}` }],
          close: { code: 4000, reason: evil, by: 'server' },
        },
      }),
    ]);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<img|<!--/g)).toBeNull();
    const [row] = flowsOf(page)[0]?.websocket?.rows ?? [];
    expect(row).toMatchObject({ line: evil });
  });

  it('has no body in its handshake', () => {
    const found = viewOf(makeFlow({ websocket: {} }), new Redactor());
    expect(found.response?.body).toEqual({ notes: [] });
    expect(found.response?.transfer).toBeUndefined();
  });

  it('is found by the words of its messages and events', () => {
    const wordsOf = new Function(`${WORDS_OF}; return wordsOf;`)() as (view: FlowView) => string;
    const long = `${'x'.repeat(200)} Needle`;
    const socket = makeFlow({
      websocket: {
        messages: [
          { data: 'Hello  there' },
          { data: JSON.stringify({ type: 'subscribe', long }) },
          { data: Buffer.from([0xab, 0xcd]) },
        ],
        pings: [{ at: EPOCH + 30, data: 'beat' }],
        close: { code: 4001, reason: 'Enough', by: 'client' },
      },
    });
    const words = wordsOf(viewOf(socket, new Redactor()));
    for (const word of ['hello  there', '"subscribe"', 'needle', '4001 enough'])
      expect(words).toContain(word);
    expect(words).not.toMatch(/ab cd|abcd|62 65 61 74/);
    const events = makeFlow({ response: { events: [{ data: 'Price 12', event: 'Tick', id: 'No7' }] } });
    expect(wordsOf(viewOf(events, new Redactor()))).toMatch(/tick.*price 12/s);
    expect(wordsOf(viewOf(makeFlow(), new Redactor()))).toBe('');
  });

  it('is shown by a script that parses', () => {
    expect(() => new Function(SCRIPT)).not.toThrow();
    expect(SCRIPT).toContain('wordsOf(data.flows[');
    expect(SCRIPT).toContain('nodes.push(frames(view.websocket || view.events));');
  });
});
