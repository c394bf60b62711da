import { describe, expect, it } from '@jest/globals';
import { data, END_STREAM, headers, openFrames, request, statusOf, TYPE } from './testing/http2.js';
import { withProxy } from './testing/with-proxy.js';

const UPLOAD: [string, string][] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'app.test'],
  [':path', '/a'],
];

describe('a request over HTTP/2 whose stream ends later', () => {
  it('is recorded as empty where its length is 0, whatever is to stream', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      stage.proxy.respond('**', { body: 'fine' });
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(headers(1, [...UPLOAD, ['content-length', '0']], 0));
      await framed.send(data(1, '', END_STREAM));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(200);
      const { request: recorded } = await stage.over();
      expect(recorded.bodyStatus).toBe('recorded');
      expect(recorded.transfer.received.bytes).toBe(0);
    }));

  it('may not say in its trailers how long it was', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'fine' });
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(headers(1, UPLOAD, 0), data(1, 'abc'), headers(1, [['content-length', '3']]));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(400);
      const { error } = await stage.over();
      expect(error).toMatchObject({
        code: 'CLIENT_PROTOCOL',
        message: expect.stringMatching(/among the trailers/),
      });
    }));

  it('is recorded as one of HTTP/2 when it is refused', () =>
    withProxy({}, async (stage) => {
      const framed = await openFrames(stage, 'app.test:80');
      await framed.send(headers(1, request('app.test', '/a', [['host', 'other.test']])));
      expect(statusOf(await framed.next(TYPE.HEADERS, 1))).toBe(400);
      expect(stage.proxy.flows.at(0)?.request.httpVersion).toBe('2.0');
    }));
});
