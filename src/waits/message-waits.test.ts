import { describe, expect, it } from '@jest/globals';
import {
  fromClient,
  fromServer,
  type Opened,
  openWebSocket,
  SWITCHED,
  TEXT,
  UPGRADE,
  whenOver,
} from '../testing/websocket.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';

/** Both ends say both, one after another. */
async function talk(stage: Stage, { client, upstream, flow }: Opened, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    const { length } = flow.websocket.messages;
    await client.send(fromClient(TEXT, text));
    await stage.eventually(() => flow.websocket.messages.length === length + 1, text);
    await upstream.send(fromServer(TEXT, text));
    await stage.eventually(() => flow.websocket.messages.length === length + 2, text);
  }
}

describe('waitForMessage()', () => {
  it('gives past and future messages, of one end or either', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      const { websocket } = opened.flow;
      const future = websocket.waitForMessage('two', { from: 'server' });
      await talk(stage, opened, 'one', 'two');
      const [one, one2, two, two2] = websocket.messages;
      expect(await websocket.waitForMessage('one')).toBe(one);
      expect(await websocket.waitForMessage(/^o/, { from: 'server' })).toBe(one2);
      expect(await websocket.waitForMessage(Buffer.from('two'))).toBe(two);
      expect(await future).toBe(two2);
    }));

  it('gives those after another one', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      const { websocket } = opened.flow;
      await talk(stage, opened, 'a', 'b', 'a');
      const first = await websocket.waitForMessage('a', { from: 'client' });
      expect(await websocket.waitForMessage('a', { from: 'client', after: first })).toBe(
        websocket.messages[4],
      );
      const last = websocket.messages.at(-1);
      const options = last === undefined ? {} : { after: last };
      const next = websocket.waitForMessage('a', options);
      await talk(stage, opened, 'c', 'a');
      expect(await next).toBe(websocket.messages[8]);
    }));

  it('takes no message of another connection to come after', () =>
    withProxy({}, async (stage) => {
      const [one, other] = [await openWebSocket(stage), await openWebSocket(stage)];
      await talk(stage, other, 'hello');
      const [after] = other.flow.websocket.messages;
      expect(after).toBeDefined();
      expect(() => one.flow.websocket.waitForMessage('x', after === undefined ? {} : { after })).toThrow(
        /after is no message of this connection/,
      );
    }));

  it('gives what send() made, and what a hook edited', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', (_flow, message) => {
        if (message.text() === 'edit') message.data = 'edited';
      });
      const { upstream, flow } = await openWebSocket(stage);
      const injected = flow.websocket.waitForMessage('mine');
      const edited = flow.websocket.waitForMessage('edited');
      flow.websocket.send('client', 'mine');
      await upstream.send(fromServer(TEXT, 'edit'));
      expect((await injected).injected).toBe(true);
      expect((await edited).from).toBe('server');
    }));

  it('judges a message when the hooks have edited it', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('websocketMessage', async (_flow, message) => {
        await new Promise((resolve) => setImmediate(resolve));
        message.data = `${message.text()}, edited`;
      });
      const { upstream, flow } = await openWebSocket(stage);
      await upstream.send(fromServer(TEXT, 'first'));
      await stage.eventually(() => flow.websocket.messages.length === 1, 'the message to be in its hook');
      expect((await flow.websocket.waitForMessage('first, edited')).text()).toBe('first, edited');
    }));

  it('says at a timeout what came instead', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      const { websocket } = opened.flow;
      const none = websocket.waitForMessage('x', { timeout: 1 });
      await expect(none).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
      await expect(none).rejects.toThrow(
        /^waitForMessage\("x"\): no such message within 1 ms\n\nNo messages were recorded/,
      );
      await talk(stage, opened, 'hello');
      const wait = websocket.waitForMessage({ type: 'x' }, { from: 'server', timeout: 1 });
      await expect(wait).rejects.toThrow(
        /client → server, text, 5 B: 'hello'\n.*server → client, text, 5 B: 'hello'/,
      );
    }));

  it('ends with the connection, saying what came', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      const { client, upstream, flow } = opened;
      const wait = flow.websocket.waitForMessage('never');
      await talk(stage, opened, 'hello');
      client.end();
      upstream.end();
      await expect(wait).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(wait).rejects.toThrow(/the connection was closed.*1006[\s\S]*text, 5 B: 'hello'/);
      await whenOver(stage, flow);
      await expect(flow.websocket.waitForMessage('never')).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      expect((await flow.websocket.waitForMessage('hello')).from).toBe('client');
    }));

  it('points at whoever waits', () =>
    withProxy({}, async (stage) => {
      const { flow } = await openWebSocket(stage);
      for (const wait of [
        flow.websocket.waitForMessage('x', { timeout: 1 }),
        flow.websocket.waitForClose({ timeout: 1 }),
        stage.proxy.waitForWebSocket('/nowhere', { timeout: 1 }),
      ]) {
        const error = await wait.then(
          () => undefined,
          (thrown: Error) => thrown,
        );
        const [first] = error?.stack?.match(/^ +at .*$/m) ?? [];
        expect(first).toContain('message-waits.test.ts');
      }
    }));

  it('ends with the proxy', () =>
    withProxy({}, async (stage) => {
      const { flow } = await openWebSocket(stage);
      const wait = flow.websocket.waitForMessage('never', { timeout: 0 });
      await stage.proxy.close();
      await expect(wait).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(flow.websocket.waitForMessage('never')).rejects.toMatchObject({ code: 'WAIT_ENDED' });
    }));

  it('ends with its signal, and with what its own function throws', () =>
    withProxy({}, async (stage) => {
      const opened = await openWebSocket(stage);
      const { websocket } = opened.flow;
      const controller = new AbortController();
      const wait = websocket.waitForMessage('never', { signal: controller.signal });
      controller.abort(new Error('no more'));
      await expect(wait).rejects.toThrow('no more');
      const throwing = websocket.waitForMessage(() => {
        throw new Error('mine');
      });
      await talk(stage, opened, 'hello');
      await expect(throwing).rejects.toThrow('mine');
    }));

  it('looks at the messages of its own connection only', () =>
    withProxy({}, async (stage) => {
      const one = await openWebSocket(stage);
      const two = await openWebSocket(stage);
      expect(two.flow).not.toBe(one.flow);
      const wait = one.flow.websocket.waitForMessage('hello', { from: 'server' });
      await talk(stage, two, 'hello');
      await talk(stage, one, 'hello');
      expect(await wait).toBe(one.flow.websocket.messages[1]);
    }));
});

describe('waitForClose()', () => {
  it('ends with the connection, at once if that is over', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, flow } = await openWebSocket(stage);
      const closed = flow.websocket.waitForClose();
      const early = flow.websocket.waitForClose({ timeout: 1 });
      await expect(early).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
      await expect(early).rejects.toThrow(/^waitForClose\(\): the connection did not close within 1 ms/);
      client.end();
      upstream.end();
      await closed;
      expect(flow.websocket.closed).toBe(true);
      await flow.websocket.waitForClose({ timeout: 1 });
    }));
});

describe('waitForWebSocket()', () => {
  const head = `GET http://{origin}/chat HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}`;

  it('gives a past and a future connection', () =>
    withProxy({}, async (stage) => {
      const wait = stage.proxy.waitForWebSocket('**/chat');
      const { flow } = await openWebSocket(stage);
      expect(await wait).toBe(flow);
      expect(await stage.proxy.waitForWebSocket({ path: '/chat' })).toBe(flow);
      expect(await stage.proxy.waitForFlow('**/chat')).toBe(flow);
    }));

  it('is rejected when the handshake is refused', () =>
    withProxy({}, async (stage) => {
      const wait = stage.proxy.waitForWebSocket('**/chat');
      const { upstream } = await stage.exchange(head);
      await upstream.send('HTTP/1.1 403 Not Here\r\nContent-Length: 2\r\n\r\nno');
      await expect(wait).rejects.toMatchObject({ code: 'FLOW_FAILED', flow: stage.proxy.flows.last });
      await expect(wait).rejects.toThrow(/the handshake was answered with 403 Not Here/);
      await expect(stage.proxy.waitForWebSocket('**/chat')).rejects.toThrow(/403/);
    }));

  it('does not take a page of the same path for it', () =>
    withProxy({}, async (stage) => {
      const wait = stage.proxy.waitForWebSocket('**/chat');
      const { upstream } = await stage.exchange('GET http://{origin}/chat HTTP/1.1\r\nHost: {origin}');
      await upstream.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno');
      await stage.over();
      const { upstream: other } = await stage.exchange(head);
      await other.send(`${SWITCHED}\r\n`);
      expect((await wait).id).toBe('2');
    }));

  it('is rejected with the error of a handshake that failed', () =>
    withProxy({}, async (stage) => {
      const wait = stage.proxy.waitForWebSocket('**/chat');
      const { upstream } = await stage.exchange(head);
      upstream.reset();
      await expect(wait).rejects.toThrow(/the flow failed with ORIGIN_CLOSED/);
    }));
});

describe('an open WebSocket', () => {
  it('is waited for neither by idle() nor by during()', () =>
    withProxy({}, async (stage) => {
      let opened: Opened | undefined;
      const flows = await stage.proxy.during(async () => {
        opened = await openWebSocket(stage);
      });
      expect([...flows]).toEqual([opened?.flow]);
      await stage.proxy.idle({ quiet: 1 });
      expect(opened?.flow.websocket.closed).toBe(false);
    }));
});
