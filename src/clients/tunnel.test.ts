import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { holdTimers } from '../testing/timers.js';
import { makeAgents } from './agents.js';
import { makeDispatcher } from './dispatcher.js';
import { openTunnel } from './tunnel.js';

/** A proxy that answers every CONNECT with `answer`; `connections` counts those that were made. */
async function withAnswer(
  answer: (socket: Socket) => void,
  play: (server: string, proxy: { connections: number }) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const proxy = { connections: 0 };
  const server = net.createServer((socket) => {
    proxy.connections++;
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await play(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, proxy);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** What it is told, as text. */
function opened(server: string): Promise<string> {
  return new Promise((resolve) => {
    openTunnel(server, 'app.test', 80, (error, socket) => {
      socket?.destroy();
      resolve(error?.message ?? 'opened');
    });
  });
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n';

describe('a tunnel through a proxy', () => {
  for (const [what, answer, says] of [
    ['refuses', 'HTTP/1.1 407 No\r\n\r\n', /refused CONNECT app\.test:80: HTTP\/1\.1 407 No$/],
    ['speaks no HTTP', 'SSH-2.0-x\r\n\r\n', /refused CONNECT app\.test:80: SSH-2\.0-x$/],
    ['closes', '', /closed the connection instead of answering CONNECT$/],
  ] as const) {
    it(`fails if that ${what}, however its answer is cut`, async () => {
      const whole = (socket: Socket) => socket.end(answer);
      const cut = async (socket: Socket) => {
        for (const octet of Buffer.from(answer)) {
          socket.write(Buffer.from([octet]));
          await new Promise(setImmediate);
        }
        socket.end();
      };
      for (const way of [whole, cut]) {
        await withAnswer(way, async (server) => expect(await opened(server)).toMatch(says));
      }
    });
  }

  it('is not opened by a head that does not end', async () => {
    const endless = (socket: Socket) => socket.write(`${ESTABLISHED}X: ${'a'.repeat(100_000)}`);
    await withAnswer(endless, async (server) => {
      expect(await opened(server)).toMatch(/answered CONNECT with more than 65536 bytes$/);
    });
  });

  it('is given up if that does not answer', async () => {
    using timers = holdTimers();
    let asked = () => {};
    const asks = new Promise<void>((resolve) => {
      asked = resolve;
    });
    await withAnswer(
      () => asked(),
      async (server) => {
        const told = opened(server);
        await asks;
        timers.fire();
        expect(await told).toMatch(/did not answer CONNECT within 30000 ms$/);
      },
    );
  });

  it('to an origin that speaks first fails a request once', async () => {
    const early = (socket: Socket) => socket.write(`${ESTABLISHED}\r\nHello.`);
    await withAnswer(early, async (server, proxy) => {
      const dispatcher = makeDispatcher({ server, trusted: [] });
      const failure = await fetch('http://app.test/', { dispatcher } as RequestInit).catch((error) => error);
      expect(failure.cause.message).toBe('the origin spoke before it was asked');
      expect(proxy.connections).toBe(1);
      await dispatcher.destroy();
    });
    await withAnswer(early, async (server) => {
      const agents = makeAgents({ server, trusted: [] });
      const failure = await new Promise<Error>((resolve) => {
        http.get('http://app.test/', { agent: agents.http }).on('error', resolve);
      });
      expect(failure.message).toMatch(/^Parse Error/);
      agents.http.destroy();
    });
  });
});
