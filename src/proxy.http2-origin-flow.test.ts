import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { createInterface } from 'node:readline';
import { describe, expect, it } from '@jest/globals';
import { octets } from './testing/bytes.js';
import {
  answerOf,
  ask,
  data,
  END_STREAM,
  FramePeer,
  Http2Server,
  headers,
  openHttp2,
  overSocket,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import type { ProxyReport } from './testing/proxy-process.js';
import { rawClient } from './testing/raw-peer.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const GET = { ':path': '/' };
const PART = octets(64 * 1024);
/** The setting's number. */
const INITIAL_WINDOW_SIZE = 4;

/** Writes for as long as there is room. Gives what was written so far. */
function pour(stream: ServerHttp2Stream, size: number): () => number {
  let written = 0;
  const more = () => {
    while (written < size && !stream.destroyed) {
      written += PART.length;
      if (!stream.write(PART)) return;
    }
    if (written >= size) stream.end();
  };
  stream.on('drain', more);
  more();
  return () => written;
}

describe('a client that does not read one of its streams', () => {
  it('stops that one, at the origin too, and no other on the same connections', async () => {
    const poured = new Map<string, () => number>();
    const origin = await Http2Server.listen((stream, { ':path': path = '' }) => {
      stream.respond({ ':status': 200 });
      poured.set(path, pour(stream, path.startsWith('/stalled') ? GiB : 8 * MiB));
    });
    try {
      await withProxy({}, async (stage) => {
        stage.proxy.stream('**');
        const client = await openHttp2(stage, origin.host);
        // More than one connection's window has room for, if they took any of it away.
        const stalled = Array.from({ length: 20 }, (_, i) => client.request({ ':path': `/stalled/${i}` }));
        for (const stream of stalled) {
          stream.on('error', () => undefined);
          await once(stream, 'response');
        }
        for (let i = 0; i < 3; i++) {
          const { code, body } = await ask(client, { ':path': `/free/${i}` });
          expect([code, body.length]).toEqual([0, 8 * MiB]);
        }
        // The windows on both sides, and what the two ends buffer.
        for (let i = 0; i < 20; i++) expect(poured.get(`/stalled/${i}`)?.() ?? GiB).toBeLessThan(3 * MiB);
        expect(origin.sessions).toHaveLength(1);
        const [first] = stalled;
        let read = 0;
        first?.on('data', (bytes: Buffer) => {
          read += bytes.length;
        });
        await stage.eventually(() => read > 16 * MiB, 'the first stream to go on');
        expect(poured.get('/stalled/1')?.() ?? GiB).toBeLessThan(3 * MiB);
      });
    } finally {
      origin.close();
    }
  });
});

describe('an origin that does not read an upload', () => {
  it('stops that one only, at the client', async () => {
    const origin = await Http2Server.listen((stream, { ':path': path = '' }) => {
      if (path === '/stalled') return;
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    try {
      await withProxy({}, async (stage) => {
        stage.proxy.stream('**', { request: true, response: true });
        const client = await openHttp2(stage, origin.host);
        const upload = client.request({ ':method': 'POST', ':path': '/stalled' });
        upload.on('error', () => undefined);
        let written = 0;
        const more = () => {
          while (written < GiB && upload.write(PART)) written += PART.length;
        };
        upload.on('drain', more);
        more();
        await stage.eventually(() => origin.streams === 1, 'the upload');
        const body = octets(4 * MiB);
        for (let i = 0; i < 3; i++) {
          const echoed = await ask(client, { ':method': 'POST', ':path': '/echo' }, body);
          expect(echoed.body.equals(body)).toBe(true);
        }
        expect(written).toBeLessThan(4 * MiB);
      });
    } finally {
      origin.close();
    }
  });

  it('opens its window octet by octet, and gets each', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true });
      const client = await openHttp2(stage, stage.origin.host);
      const asked = ask(client, { ':method': 'POST', ':path': '/' }, 'abc');
      const origin = await FramePeer.server(await stage.origin.accept(), [[INITIAL_WINDOW_SIZE, 0]]);
      await origin.next(TYPE.HEADERS, 1);
      for (const letter of 'abc') {
        await origin.send(windowUpdate(1, 1));
        expect((await origin.next(TYPE.DATA, 1)).payload.toString()).toBe(letter);
      }
      // node:http2 does not end a stream whose window is shut, though that takes none of it.
      await origin.send(windowUpdate(1, 1));
      expect(await origin.next(TYPE.DATA, 1)).toMatchObject({ flags: END_STREAM, payload: Buffer.alloc(0) });
      await origin.send(headers(1, [[':status', '204']]));
      expect((await asked).status).toBe(204);
      const { request, error } = await stage.over();
      expect([request.transfer.sent.bytes, error]).toEqual([3, undefined]);
    }));
});

describe('an upload that goes on after its client has had the whole answer', () => {
  const scene = async (stage: Stage) => {
    stage.proxy.stream('**', { request: true, response: true });
    const client = await openHttp2(stage, stage.origin.host);
    const asked = ask(client, { ':method': 'POST', ':path': '/' }, 'abcdef');
    const origin = await FramePeer.server(await stage.origin.accept(), [[INITIAL_WINDOW_SIZE, 3]]);
    await origin.next(TYPE.DATA, 1);
    await origin.send(headers(1, [[':status', '200']], 0), data(1, 'answer', END_STREAM));
    expect(await asked).toMatchObject({ status: 200, code: 0, body: Buffer.from('answer') });
    return { client, origin };
  };

  it('reaches the origin to its end', () =>
    withProxy({}, async (stage) => {
      const { origin } = await scene(stage);
      await origin.send(windowUpdate(1, 100));
      expect((await origin.next(TYPE.DATA, 1)).payload.toString()).toBe('def');
      const { request, response, error } = await stage.over();
      expect([request.complete, response?.complete, error]).toEqual([true, true, undefined]);
    }));

  it('ends with the connection of the client', () =>
    withProxy({}, async (stage) => {
      const { client, origin } = await scene(stage);
      client.destroy();
      expect((await origin.next(TYPE.RST_STREAM, 1)).payload).toEqual(Buffer.from([0, 0, 0, 8]));
      const { request, response, error } = await stage.over();
      expect([request.complete, response?.complete]).toEqual([false, true]);
      expect(error?.code).toBe('CLIENT_ABORTED');
    }));
});

describe('a hook that takes its time', () => {
  it('holds up its own stream only, and loses nothing of it', async () => {
    const origin = await Http2Server.listen((stream, { ':path': path }) => {
      // Without a body, its end comes while the hook runs.
      if (path === '/empty') stream.respond({ ':status': 200 });
      else stream.respond({ ':status': 200, 'content-type': 'text/plain' });
      stream.pipe(stream);
    });
    try {
      await withProxy({}, async (stage) => {
        let go = () => {};
        const held = new Promise<void>((resolve) => {
          go = resolve;
        });
        stage.proxy.on('requestHeaders', ({ request }) => (request.path === '/held' ? held : undefined));
        stage.proxy.on('responseHeaders', ({ request }) =>
          request.path === '/held' || request.path === '/empty' ? held : undefined,
        );
        const client = await openHttp2(stage, origin.host);
        const post = { ':method': 'POST' };
        const body = octets(3 * MiB);
        const asked = ask(client, { ...post, ':path': '/held' }, body);
        const empty = ask(client, { ...post, ':path': '/empty' }, '');
        for (let i = 0; i < 3; i++) {
          const answer = await ask(client, { ...post, ':path': '/free' }, body);
          expect(answer.body.equals(body)).toBe(true);
        }
        go();
        expect((await asked).body.equals(body)).toBe(true);
        expect(await empty).toMatchObject({ status: 200, code: 0 });
        expect(stage.proxy.flows.map(({ error }) => error)).toEqual(Array(5).fill(undefined));
      });
    } finally {
      origin.close();
    }
  });

  it('does not lose an end that comes while it runs, of DATA without octets', () =>
    withProxy({}, async (stage) => {
      const client = await openHttp2(stage, stage.origin.host);
      let go = () => {};
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      stage.proxy.on('responseHeaders', () => held);
      const asked = ask(client, GET);
      const origin = await FramePeer.server(await stage.origin.accept());
      await origin.next(TYPE.HEADERS, 1);
      await origin.send(headers(1, [[':status', '200']], 0), data(1, '', END_STREAM));
      await stage.eventually(() => stage.hooks.includes('responseHeaders'), 'the hook');
      // What comes after it has been read as well.
      await origin.send(Buffer.from([0, 0, 8, TYPE.PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
      await origin.next(TYPE.PING);
      go();
      expect(await asked).toMatchObject({ status: 200, code: constants.NGHTTP2_NO_ERROR });
    }));
});

describe('a body of 1 GiB', () => {
  it('passes in flat memory, down and up', async () => {
    const args = ['--expose-gc', '--import', 'tsx', 'src/testing/proxy-process.ts'];
    const options = JSON.stringify({ streamLargeBodies: '1m' });
    const child = spawn(process.execPath, [...args, options], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const next = async (): Promise<ProxyReport> => JSON.parse((await once(lines, 'line'))[0]);
    const report = () => {
      const answer = next();
      child.stdin.write('\n');
      return answer;
    };
    const origin = await Http2Server.listen((stream, { ':method': method, ':path': path = '' }) => {
      if (method === 'GET') {
        stream.respond({ ':status': 200 });
        pour(stream, Number(path.slice(1)));
        return;
      }
      let received = 0;
      stream.on('data', (bytes: Buffer) => {
        received += bytes.length;
      });
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end(String(received));
      });
    });
    try {
      const { port } = await next();
      const peer = await rawClient(port);
      await peer.send(`CONNECT ${origin.host} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await peer.head();
      peer.socket.removeAllListeners('data');
      const client = overSocket(peer.socket, `http://${origin.host}`);
      const down = async (size: number) => {
        const stream = client.request({ ':path': `/${size}` });
        let read = 0;
        stream.on('data', (bytes: Buffer) => {
          read += bytes.length;
        });
        await once(stream, 'close');
        expect([read, stream.rstCode]).toEqual([size, 0]);
      };
      const up = async (size: number) => {
        const stream = client.request({ ':method': 'POST', ':path': '/' });
        const answer = answerOf(stream);
        for (let written = 0; written < size; written += PART.length) {
          if (!stream.write(PART)) await once(stream, 'drain');
        }
        stream.end();
        expect((await answer).body.toString()).toBe(String(size));
      };
      await down(32 * MiB);
      await up(32 * MiB);
      const { peakRss: before } = await report();
      await down(GiB);
      await up(GiB);
      const { peakRss } = await report();
      expect(peakRss - before).toBeLessThan(64 * MiB);
    } finally {
      origin.close();
      child.stdin.end();
      await once(child, 'exit');
    }
  });
});
