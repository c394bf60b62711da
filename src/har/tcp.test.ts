import { describe, it } from 'node:test';
import { expect } from 'expect';
import { TcpFlowRecord } from '../flow/tcp.js';
import { toHar } from './har.js';
import { toHtml } from './html.js';
import { summarize } from './summary.js';
import { makeFlow } from './testing/flows.js';

/** A TCP flow to `tunnel`, at `startedAt`. */
function tcpFlow(tunnel: string, startedAt = 1000): TcpFlowRecord {
  const client = { id: 1, address: '127.0.0.1', port: 50000, tls: true, tunnel };
  const flow = new TcpFlowRecord('7', client, () => undefined);
  flow.keep('client', Buffer.from('<b>'), false, 10);
  flow.keep('server', Buffer.alloc(2000), false, 10);
  flow.keep('server', Buffer.alloc(5), false, 10);
  Object.assign(flow.received, { client: 3, server: 2005 });
  return Object.assign(flow, { startedAt });
}

const FACTS = '1 message up, 2 down, 3 B up, 2 kB down';

describe('TCP flows in evidence', () => {
  it('are a line each of the summary, after the table', () => {
    const late = tcpFlow('db.test:5432', 2000);
    late.error = { code: 'ORIGIN_CLOSED', message: 'it was\nlost' };
    late.warn('something');
    late.endedAt = 2500;
    const early = tcpFlow('db.test:5433');
    const lines = summarize([
      late,
      makeFlow({}),
      early,
      Object.assign(tcpFlow('x'), { endedAt: 1012 }),
    ]).split('\n');
    expect(lines).toHaveLength(5);
    expect(lines.slice(2)).toEqual([
      `TCP db.test:5433, TLS: ${FACTS}, open`,
      `TCP x, TLS: ${FACTS}, closed after 12 ms`,
      `TCP db.test:5432, TLS: ${FACTS}, ORIGIN_CLOSED: it was\\x0alost, 1 warning`,
    ]);
  });

  it('leave the table its lines, and are counted where they are many', () => {
    const http = Array.from({ length: 40 }, () => makeFlow({}));
    const tcp = Array.from({ length: 8 }, (_, i) => tcpFlow(`db${i}.test:1`));
    const lines = summarize([...http, ...tcp]).split('\n');
    expect(lines).toHaveLength(30);
    expect(lines[24]).toBe('… 17 more flows left out');
    expect(lines[25]).toMatch(/^TCP db0[.]test/);
    expect(lines[29]).toBe('… 4 TCP flows left out');
    expect(summarize([...http, ...tcp], { maxLines: 3 })).not.toContain('TCP');
    expect(summarize(tcp, { maxLines: 2 }).split('\n')[1]).toBe('… 7 TCP flows left out');
    expect(summarize(tcp.slice(0, 1))).toBe(`TCP db0.test:1, TLS: ${FACTS}, open`);
  });

  it('say that not all is stored', () => {
    const flow = tcpFlow('db.test:1');
    flow.truncated = true;
    expect(summarize([flow])).toContain('2 down and more that are not stored,');
  });

  it('are lines below the table of the page', () => {
    const page = toHtml([makeFlow({}), tcpFlow('<i>:1')]);
    expect(page).toContain(`<ul class="tcp"><li>TCP &#60;i&#62;:1, TLS: ${FACTS}, open</li></ul>`);
    expect(page).toContain('<b>1</b> flow<');
    const alone = toHtml([tcpFlow('db.test:1')]);
    expect(alone).toContain('<li>TCP db.test:1');
    expect(alone).not.toContain('No flows were recorded');
    expect(toHtml([makeFlow({})])).not.toContain('<ul class="tcp"');
  });

  it('are not in HAR', () => {
    expect(toHar([tcpFlow('db.test:1'), makeFlow({})]).log.entries).toHaveLength(1);
  });
});
