import { once } from 'node:events';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { HookTable } from './hooks.js';
import { resolveOptions } from './options/resolve.js';
import { TcpSession } from './tcp/session.js';
import { TcpFlows } from './tcp-flows.js';
import { Verdict } from './verdict.js';

/** A connection, its client's socket without a peer. */
function open() {
  const tcp = new TcpFlows(resolveOptions(), new HookTable(), new Verdict(), () => '1');
  const socket = new Socket();
  const client = { id: 1, address: '127.0.0.1', port: 50000, tls: false };
  return {
    tcp,
    socket,
    session: new TcpSession(tcp, client, { socket, raw: socket, rest: Buffer.alloc(0) }),
  };
}

describe('the list of TCP flows', () => {
  it('lets go of connections that are over', () => {
    const { tcp, session } = open();
    expect([tcp.sessions.size, tcp.flows.length]).toEqual([1, 1]);
    session.unreachable('ORIGIN_UNREACHABLE', 'nobody is there', undefined);
    expect([tcp.sessions.size, tcp.flows.length]).toEqual([0, 1]);
  });

  it('takes a connection that is closed here, without an error, for lost', async () => {
    const { session, socket } = open();
    const server = new Socket();
    const info = { address: '127.0.0.1', port: 1, tls: false, reused: false };
    session.begin({ socket: server, raw: server, rest: Buffer.alloc(0) }, info);
    server.destroy();
    await once(server, 'close');
    expect(session.flow.error).toEqual({
      code: 'ORIGIN_CLOSED',
      message: "the origin's connection was lost",
    });
    expect(socket.destroyed).toBe(true);
  });
});
