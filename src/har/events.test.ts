import { describe, it } from 'node:test';
import { expect } from 'expect';
import { eventEntry } from './event-har.js';
import { toHar } from './har.js';
import { toHtml } from './html.js';
import { Redactor } from './redact.js';
import { describeFlow, summarize } from './summary.js';
import { EPOCH, type EventSpec, type FlowSpec, makeFlow } from './testing/flows.js';
import type { FlowView } from './view.js';
import { viewOf } from './view.js';

const EVENTS: EventSpec[] = [
  { data: '{"price":12}', event: 'price', id: '7', retry: 1000 },
  { data: 'plain\ntext' },
];

/** The flow of an event stream; it is open unless `more` says otherwise. */
function stream(events: EventSpec[], more: FlowSpec['response'] = {}, truncated = false) {
  const flow = makeFlow({
    url: 'https://app.test/events',
    request: { headers: [['Accept', 'text/event-stream']] },
    response: {
      headers: [['Content-Type', 'text/event-stream']],
      body: 'x'.repeat(40),
      bodyStatus: 'streamed',
      complete: false,
      endedAt: null,
      events,
      ...more,
    },
  });
  return Object.assign(flow, {
    response: Object.assign(flow.response ?? {}, { eventsTruncated: truncated }),
  });
}

describe('toHar of an event stream', () => {
  it('writes its events', () => {
    const [entry] = JSON.parse(JSON.stringify(toHar([stream(EVENTS)]))).log.entries;
    expect(entry._eventSourceMessages).toEqual([
      { time: EPOCH / 1000 + 0.02, eventName: 'price', eventId: '7', data: '{"price":12}', _retry: 1000 },
      { time: EPOCH / 1000 + 0.03, eventName: 'message', eventId: '', data: 'plain\ntext' },
    ]);
    expect(entry._resourceType).toBe('eventsource');
    expect(entry.comment).toBe('This flow was still in flight when the file was written.');
    expect(toHar([makeFlow()]).log.entries[0]).not.toHaveProperty('_eventSourceMessages');
  });

  it('says what is missing', () => {
    const [entry] = toHar([stream(EVENTS, { complete: true, endedAt: EPOCH + 50 }, true)]).log.entries;
    expect(entry?.comment).toBe('What came after the first 2 events was not recorded.');
    const writer = { redactor: new Redactor(), left: 210 };
    const long = 'x'.repeat(120);
    const found = eventEntry(stream([{ data: long }, { data: 'y' }, { data: 'z' }]).response, writer);
    expect(found._eventSourceMessages).toMatchObject([
      { data: '', comment: expect.stringMatching(/^The data \(120 characters\) was left out/) },
      { data: 'y' },
    ]);
    expect(found.notes).toEqual([
      expect.stringMatching(/^What came after the first 2 of 3 events was left out/),
    ]);
  });
});

describe('an event stream in text', () => {
  it('has the number of its events', () => {
    expect(describeFlow(stream(EVENTS))).toBe(
      'GET https://app.test/events → 200 (0 B up, 40 B down, response streamed in 1 piece, 2 events, not complete)',
    );
    expect(summarize([stream(EVENTS)])).toMatch(/200 +0 B +40 B +streamed down in 2 events +in flight/);
  });
});

describe('an event stream that its client closed', () => {
  const message = "the client's connection was lost";
  const closed = { ...stream(EVENTS), error: { code: 'CLIENT_ABORTED' as const, message } };
  const failed = { ...stream(EVENTS), error: { code: 'ORIGIN_CLOSED' as const, message: 'lost' } };

  it('has not failed', () => {
    expect(describeFlow(closed)).toBe(
      'GET https://app.test/events → 200 (0 B up, 40 B down, response streamed in 1 piece, 2 events, closed by the client)',
    );
    const lines = summarize([closed, failed]).split('\n');
    expect(lines[1]).toMatch(/200 +0 B +40 B +streamed down in 2 events +\d+ ms +closed by the client$/);
    expect(lines[2]).toMatch(/ORIGIN_CLOSED .* after a 200: lost$/);
    expect(summarize([closed, failed], { maxLines: 1 })).toBe('… 2 more flows left out (1 of them failed)');
    const kept = summarize([failed, ...Array.from({ length: 9 }, () => closed)], { maxLines: 3 });
    expect(kept).toContain('ORIGIN_CLOSED');
    expect(closed.error.code).toBe('CLIENT_ABORTED');
  });

  it('shows no failure in the page', () => {
    const view = viewOf(closed, new Redactor());
    expect(view.error).toBeUndefined();
    expect(view.events).toMatchObject({ end: 'closed by the client', mood: 'good' });
    expect(view.response?.transfer?.verdict).toBe('closed by the client');
    const page = toHtml([closed]);
    const body = page.slice(page.indexOf('<body>'), page.indexOf('<script'));
    for (const shown of ['CLIENT_ABORTED', 'failed', 'Failed', 'class="open" style']) {
      expect(body).not.toContain(shown);
    }
    expect(toHtml([failed])).toContain('<b class="bad">1</b> failed');
  });

  it('is one with the head of one: what was lost before it failed', () => {
    const early = makeFlow({ response: null, error: { code: 'CLIENT_ABORTED', message } });
    const download = makeFlow({ response: { complete: false }, error: { code: 'CLIENT_ABORTED', message } });
    for (const flow of [early, download]) {
      expect(describeFlow(flow)).toContain('CLIENT_ABORTED');
      expect(viewOf(flow, new Redactor()).error?.code).toBe('CLIENT_ABORTED');
    }
  });
});

describe('an event stream in the page', () => {
  const view = (flow: Parameters<typeof viewOf>[0], room?: number) => {
    const found = viewOf(flow, new Redactor(), room).events;
    if (found === undefined) throw new Error('no events are shown');
    return found;
  };

  it('lists its events', () => {
    expect(view(stream(EVENTS))).toEqual({
      title: 'Events',
      facts: [['received', '2 events']],
      end: 'open',
      mood: 'open',
      rows: [
        {
          up: false,
          time: '+20 ms',
          kind: 'text',
          name: 'price',
          size: '12 B',
          marks: ['id 7', 'retry 1000'],
          line: '{"price":12}',
          body: expect.objectContaining({ text: '{"price":12}', json: true, of: 'message' }),
        },
        {
          up: false,
          time: '+30 ms',
          kind: 'text',
          size: '10 B',
          marks: [],
          line: 'plain text',
          body: expect.objectContaining({ text: 'plain\ntext' }),
        },
      ],
    });
  });

  it('shows how it ended, and the first and last of many', () => {
    const ended = stream(EVENTS, { complete: true, endedAt: EPOCH + 50 }, true);
    expect(view(ended)).toMatchObject({ end: 'ended', mood: 'good' });
    expect(view(ended).facts).toContainEqual(['not recorded', 'what came after them']);
    const failed = { ...stream(EVENTS), error: { code: 'ORIGIN_CLOSED' as const, message: 'lost' } };
    expect(view(failed)).toMatchObject({ end: 'ORIGIN_CLOSED', mood: 'bad' });
    const many = stream(Array.from({ length: 9 }, (_, i) => ({ data: String(i) })));
    expect(view(many, 4).rows.map((row) => ('gap' in row ? row.gap : row.line))).toEqual([
      '0',
      '1',
      '5 events left out here, to keep this page small',
      '7',
      '8',
    ]);
  });

  it('shares the room of the page', () => {
    const events = Array.from({ length: 400 }, () => ({ data: 'x'.repeat(100_000) }));
    expect(toHtml([stream(events)]).length).toBeLessThan(10_000_000);
  });

  it('carries markup as text only', () => {
    const evil = '</script><img src=x onerror=alert(1)>';
    const page = toHtml([stream([{ data: evil, event: evil }])]);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<img/g)).toBeNull();
    const { flows } = JSON.parse(/id="data">([^<]*)<\/script>/.exec(page)?.[1] ?? 'null') as {
      flows: FlowView[];
    };
    expect(flows[0]?.events?.rows[0]).toMatchObject({ line: evil, name: evil });
    expect(page).toContain('<span class="pill" title="response streamed">1 event</span>');
  });
});
