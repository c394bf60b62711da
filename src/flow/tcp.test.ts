import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { expect } from 'expect';
import { TcpFlowRecord, TcpMessageRecord } from './tcp.js';

const MiB = 1024 * 1024;
const client = { id: 1, address: '127.0.0.1', port: 50000, tls: false };
const record = () => new TcpFlowRecord('1', client, () => undefined);

describe('the record of a TCP flow', () => {
  it('has no more than 10 000 messages', () => {
    const flow = record();
    for (let i = 0; i < 10_000; i++) flow.keep('client', Buffer.from('x'), false, 10);
    expect([flow.messages.length, flow.truncated]).toEqual([10_000, false]);
    const late = new TcpMessageRecord(flow, 'server', Buffer.from('y'));
    flow.hold(late);
    flow.settle(late, 10);
    flow.keep('client', Buffer.from('z'), false, 10);
    expect([flow.messages.length, flow.truncated]).toEqual([10_000, true]);
  });

  it('has no more than 64 MiB of data, whoever holds it', () => {
    const flow = record();
    for (let i = 0; i < 31; i++) flow.keep('client', Buffer.alloc(2 * MiB), true, 2 * MiB);
    const held = new TcpMessageRecord(flow, 'server', Buffer.from('small'));
    flow.hold(held);
    held.data = Buffer.alloc(3 * MiB);
    flow.settle(held, Number.POSITIVE_INFINITY);
    expect([held.data.length, held.size, held.truncated, flow.truncated]).toEqual([
      2 * MiB,
      3 * MiB,
      true,
      true,
    ]);
    flow.keep('client', Buffer.from('x'), false, 10);
    expect(flow.messages).toHaveLength(32);
  });

  it('that is full to the octet is not truncated before there is more', () => {
    const flow = record();
    for (let i = 0; i < 64; i++) flow.keep('client', Buffer.alloc(MiB), true, MiB);
    expect([flow.messages.length, flow.truncated]).toEqual([64, false]);
    flow.keep('server', Buffer.from('x'), false, MiB);
    expect([flow.messages.length, flow.truncated]).toEqual([64, true]);
  });

  it('keeps copies of what is borrowed, and only the beginning of what is cut', () => {
    const flow = record();
    const borrowed = Buffer.from('first');
    flow.keep('client', borrowed, true, 10);
    borrowed.fill('-');
    const long = Buffer.alloc(MiB);
    flow.keep('client', long, false, 4);
    expect(flow.messages[0]?.text()).toBe('first');
    expect(flow.messages[1]?.data.buffer).not.toBe(long.buffer);
    expect(flow.messages[1]).toMatchObject({ size: MiB, truncated: true });
    expect(flow.messages[1]?.data).toEqual(Buffer.alloc(4));
  });

  it('is shown without its machinery', () => {
    const flow = record();
    flow.keep('client', Buffer.from('hello'), false, 10);
    const text = inspect(flow, { depth: 4 });
    expect(text).toMatch(/^TcpFlow \{/);
    expect(text).toMatch(/TcpMessage \{ from: 'client', size: 5/);
    expect(text).not.toContain('final');
  });
});
