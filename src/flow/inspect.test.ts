import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { expect } from 'expect';
import { FlowList } from './flow-list.js';
import { sampleFlow } from './testing/sample-flow.js';

describe('what console.log shows of flows', () => {
  it('is the exchange, not the machinery', () => {
    const flow = sampleFlow({ method: 'POST', url: 'https://app.test/a' }, { status: 204 });
    const text = inspect(new FlowList([flow]), { depth: 6 });
    expect(text).toMatch(/^FlowList \[/);
    expect(text).toContain('POST https://app.test/a');
    expect(text).toMatch(/response: 204 /);
    expect(text).not.toContain('owner');
    expect(text).not.toContain('bodyEdited');
  });

  it('is times and octets of a transfer', () => {
    const { transfer } = sampleFlow({ body: 'four' }).request;
    transfer.begin();
    transfer.end();
    const text = inspect(transfer);
    expect(text).toMatch(/^Transfer \{\s+startedAt: \d+(?:\.\d+)?,\s+firstByteAt: \d+/);
    expect(text).toContain('bytes: 4');
    const { startedAt, firstByteAt = Number.NaN, endedAt = Number.NaN } = transfer;
    expect(startedAt).toBeLessThanOrEqual(firstByteAt);
    expect(firstByteAt).toBeLessThanOrEqual(endedAt);
  });
});

describe('what a flow is as text', () => {
  it('is its exchange in a few words', () => {
    const flow = sampleFlow({ url: 'https://app.test/a' }, { status: 204 });
    expect(String(flow.request)).toBe('GET https://app.test/a');
    expect(`${flow}`).toBe(`GET https://app.test/a → ${flow.response}`);
    expect(String(flow.response)).toMatch(/^204/);
    expect(String(sampleFlow())).toBe('GET https://app.test/ → no response yet');
    const error = { code: 'ORIGIN_CLOSED', message: 'closed' } as const;
    expect(String(sampleFlow({}, { status: 200 }, error))).toBe('GET https://app.test/ → ORIGIN_CLOSED');
  });
});
