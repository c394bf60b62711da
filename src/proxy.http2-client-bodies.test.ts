import { once } from 'node:events';
import type { ClientHttp2Session, ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import { openTunnel } from './listen/testing/tunnels.js';
import type { ProxyOptions } from './options/types.js';
import { octets, sha256 } from './testing/bytes.js';
import {
  answerOf,
  ask,
  CODE,
  codeOf,
  data,
  END_STREAM,
  FramePeer,
  frame,
  Http2Server,
  headers,
  openFrames,
  openHttp2,
  PREFACE,
  request,
  type StreamHandler,
  settings,
  statusOf,
  TYPE,
  windowUpdate,
} from './testing/http2.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const POST = { ':method': 'POST', ':path': '/' };
const MIB = 1024 * 1024;

/** A client and an origin of HTTP/2, without TLS. */
async function withOrigin(
  options: ProxyOptions,
  handler: StreamHandler,
  play: (stage: Stage, origin: Http2Server, session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const origin = await Http2Server.listen(handler);
  try {
    await withProxy(options, async (stage) => play(stage, origin, await openHttp2(stage, origin.host)));
  } finally {
    origin.close();
  }
}

/** Resolves when `value` has stayed the same for a while. */
async function settled(stage: Stage, value: () => number, what: string): Promise<number> {
  let last = value();
  let since = Date.now();
  await stage.eventually(() => {
    if (value() !== last || last === 0) {
      last = value();
      since = Date.now();
    }
    return Date.now() - since > 150;
  }, what);
  return last;
}

/** Sends what is asked for as fast as it goes, counting what has left. */
function pour(stream: { write(bytes: Buffer): boolean; once(event: 'drain', next: () => void): unknown }): {
  written: number;
} {
  const count = { written: 0 };
  const piece = Buffer.alloc(64 * 1024, 1);
  const more = () => {
    while (count.written < 512 * MIB) {
      count.written += piece.length;
      if (!stream.write(piece)) {
        stream.once('drain', more);
        return;
      }
    }
  };
  more();
  return count;
}

describe('a streamed upload over HTTP/2', () => {
  it('reaches its origin as it comes, is counted, and its answer comes back', () => {
    const got: Buffer[] = [];
    const handler: StreamHandler = (stream) => {
      stream.on('data', (bytes: Buffer) => got.push(bytes));
      stream.on('end', () => stream.respond({ ':status': 204 }, { endStream: true }));
    };
    return withOrigin({}, handler, async (stage, _origin, session) => {
      stage.proxy.stream('**');
      const body = octets(3 * MIB + 5);
      const stream = session.request(POST);
      const answer = answerOf(stream);
      stream.write(body.subarray(0, 1000));
      await stage.eventually(() => got.length > 0, 'the first octets at the origin');
      expect(Buffer.concat(got)).toEqual(body.subarray(0, 1000));
      stream.end(body.subarray(1000));
      expect((await answer).status).toBe(204);
      const { transfer, bodyStatus, body: recorded } = (await stage.over()).request;
      expect(sha256(Buffer.concat(got))).toBe(sha256(body));
      expect(transfer.received).toMatchObject({ bytes: body.length, sha256: sha256(body) });
      expect(transfer.sent).toMatchObject({ bytes: body.length, sha256: sha256(body) });
      expect(transfer.received.pieces.count).toBe(Math.ceil(body.length / 4096));
      expect([bodyStatus, recorded.length]).toEqual(['streamed', 0]);
    });
  });

  it("stops at its windows while its origin doesn't read, and goes on when it does", () => {
    let upstream: ServerHttp2Stream | undefined;
    const handler: StreamHandler = (stream) => {
      stream.pause();
      upstream = stream;
    };
    return withOrigin({}, handler, async (stage, _origin, session) => {
      stage.proxy.stream('**');
      const stream = session.request(POST);
      stream.on('error', () => undefined);
      const sent = pour(stream);
      const stalled = await settled(stage, () => sent.written, 'the upload to stall');
      // The windows of both connections, and what pipes hold between them.
      expect(stalled).toBeLessThan(4 * MIB);
      upstream?.resume();
      await stage.eventually(() => sent.written > stalled + 8 * MIB, 'the upload to go on');
      stream.close(CODE.CANCEL);
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
    });
  });

  it('of which many are stalled holds no more than their windows', () => {
    const handler: StreamHandler = (stream) => stream.pause();
    return withOrigin({}, handler, async (stage, _origin, session) => {
      stage.proxy.stream('**');
      const others = Array.from({ length: 50 }, () => {
        const stream = session.request(POST);
        stream.on('error', () => undefined);
        return pour(stream);
      });
      // Not what has been written: that stalls before the connection is there, too.
      const received = () =>
        [...stage.proxy.flows].reduce((sum, flow) => sum + flow.request.transfer.received.bytes, 0);
      await settled(stage, received, 'all to stall');
      // A sibling is none the worse for them.
      stage.proxy.respond('**/fine', { body: 'fine' });
      expect((await ask(session, { ':path': '/fine' })).body.toString()).toBe('fine');
      for (const { written } of others) expect(written).toBeLessThan(4 * MIB);
    });
  });

  it('may be answered before it is over; both come to their ends', () => {
    const handler: StreamHandler = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('early');
      stream.on('data', () => undefined);
      stream.on('end', () => stream.end(' and late'));
    };
    return withOrigin({}, handler, async (stage, _origin, session) => {
      stage.proxy.stream('**');
      const stream = session.request(POST);
      const answer = answerOf(stream);
      stream.write('a');
      await once(stream, 'response');
      stream.end('b');
      expect((await answer).body.toString()).toBe('early and late');
      const flow = await stage.over();
      expect(flow.error).toBeUndefined();
      expect([flow.request.complete, flow.response?.complete]).toEqual([true, true]);
    });
  });

  it('whose origin has answered and wants no more is reset with NO_ERROR after the whole answer', async () => {
    const handler: StreamHandler = (stream) => {
      stream.respond({ ':status': 403 });
      stream.end('no');
      stream.close(CODE.NO_ERROR);
    };
    const origin = await Http2Server.listen(handler);
    try {
      await withProxy({}, async (stage) => {
        stage.proxy.stream('**');
        const framed = await openFrames(stage, origin.host);
        await framed.send(headers(1, request(origin.host, '/', [[':method', 'POST']]), 0), data(1, 'begun'));
        expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(403);
        const reset = await framed.next(TYPE.RST_STREAM, 1);
        expect(codeOf(reset)).toBe(CODE.NO_ERROR);
        const body = framed.seen.filter((got) => got.type === TYPE.DATA);
        expect(Buffer.concat(body.map((got) => got.payload)).toString()).toBe('no');
        expect(body.at(-1)?.flags).toBe(END_STREAM);
        expect((await stage.over()).response?.status).toBe(403);
      });
    } finally {
      origin.close();
    }
  });

  it('that is too large to buffer is answered 413 and not read on', () =>
    withProxy({ bodySizeLimit: 1000 }, async (stage) => {
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(
        headers(1, request('app.test', '/', [[':method', 'POST']]), 0),
        data(1, octets(2000)),
      );
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(413);
      expect((await framed.next(TYPE.DATA, 1)).flags).toBe(END_STREAM);
      expect(codeOf(await framed.next(TYPE.RST_STREAM, 1))).toBe(CODE.NO_ERROR);
      expect((await stage.over()).error?.code).toBe('BODY_TOO_LARGE');
    }));
});

describe('a streamed download over HTTP/2', () => {
  it("stops at the client's windows, and holds up no other; its origin waits", () => {
    let sent: { written: number } | undefined;
    const handler: StreamHandler = (stream, fields) => {
      stream.respond({ ':status': 200 });
      if (fields[':path'] === '/large') sent = pour(stream);
      else stream.end('small');
    };
    return withOrigin({}, handler, async (stage, _origin, session) => {
      stage.proxy.stream('**');
      const large = session.request({ ':path': '/large' });
      large.on('error', () => undefined);
      await once(large, 'response');
      const stalled = await settled(stage, () => sent?.written ?? 0, 'the download to stall');
      expect(stalled).toBeLessThan(8 * MIB);
      expect((await ask(session, { ':path': '/small' })).body.toString()).toBe('small');
      let came = 0;
      large.on('data', (bytes: Buffer) => {
        came += bytes.length;
      });
      await stage.eventually(() => came > 16 * MIB, 'the download to go on');
      large.close(CODE.CANCEL);
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
    });
  });

  it('of one octet a window comes whole', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'twelve bytes' });
      const framed = await openFrames(stage, 'app.test:80');
      // SETTINGS_INITIAL_WINDOW_SIZE
      await framed.send(frame(TYPE.SETTINGS, { payload: Buffer.from([0, 4, 0, 0, 0, 1]) }));
      await framed.send(headers(1, request('app.test')));
      let body = '';
      for (;;) {
        const got = await framed.next(TYPE.DATA, 1);
        body += got.payload.toString();
        if (got.flags === END_STREAM) break;
        await framed.send(windowUpdate(1, 1));
      }
      expect(body).toBe('twelve bytes');
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('that its client has not read to the end is not complete when the client leaves', () => {
    const handler: StreamHandler = (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(octets(1000));
    };
    return withOrigin({}, handler, async (stage, origin) => {
      const framed = await openFrames(stage, origin.host);
      await framed.send(frame(TYPE.SETTINGS, { payload: Buffer.from([0, 4, 0, 0, 0, 10]) }));
      await framed.send(headers(1, request(origin.host)));
      await framed.next(TYPE.DATA, 1);
      framed.peer.end();
      const flow = await stage.over();
      expect(flow.error).toMatchObject({
        code: 'CLIENT_ABORTED',
        message: 'the client closed the connection before the exchange was over',
      });
      expect(flow.response?.complete).toBe(false);
    });
  });
});

describe('a thousand streams at once', () => {
  it('complete on one connection', () => {
    let open = 0;
    let most = 0;
    let held: (() => void)[] = [];
    const handler: StreamHandler = (stream) => {
      most = Math.max(most, ++open);
      held.push(() => {
        open--;
        stream.respond({ ':status': 200 });
        stream.end(octets(2000));
      });
    };
    return withOrigin({}, handler, async (stage, origin, session) => {
      await stage.eventually(() => session.remoteSettings.maxConcurrentStreams === 1000, 'the settings');
      const answers = Array.from({ length: 1000 }, (_, i) => ask(session, { ':path': `/${i}` }));
      await stage.eventually(() => open === 1000, 'all of them at the origin');
      for (const go of held) go();
      held = [];
      for (const { status, body, code } of await Promise.all(answers)) {
        expect([status, body.length, code]).toEqual([200, 2000, 0]);
      }
      await stage.eventually(
        () => [...stage.proxy.flows].every((flow) => flow.response?.complete === true),
        'all',
      );
      expect([most, origin.sessions.length]).toEqual([1000, 1]);
    });
  });

  it('and one more is refused, so that it can be sent again, or breaks the rules that were agreed on', () => {
    const handler: StreamHandler = () => undefined;
    return withOrigin({}, handler, async (stage, origin) => {
      const many = Array.from({ length: 1001 }, (_, i) => headers(1 + 2 * i, request(origin.host)));
      const hasty = new FramePeer(await openTunnel(stage, origin.host));
      // The limit is not acknowledged yet.
      await hasty.send(Buffer.from(PREFACE), settings(), ...many);
      expect(codeOf(await hasty.next(TYPE.RST_STREAM, 2001))).toBe(CODE.REFUSED_STREAM);
      expect(stage.proxy.flows).toHaveLength(1000);
      hasty.peer.destroy();
      const knowing = await openFrames(stage, origin.host);
      await knowing.send(...many);
      expect(codeOf(await knowing.next(TYPE.GOAWAY))).toBe(CODE.PROTOCOL_ERROR);
      await knowing.peer.ending;
    });
  });
});
