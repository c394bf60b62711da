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
