import { describe, expect, it } from '@jest/globals';
import { openTunnel, secured } from './listen/testing/tunnels.js';
import { withProxy } from './testing/with-proxy.js';

describe('a client that resets its connection when its request has been answered', () => {
  for (const where of ['in a tunnel', 'inside TLS']) {
    it(`is nothing to tell of, ${where}`, () =>
      withProxy({}, async (stage) => {
        const { proxy } = stage;
        const errors: string[] = [];
        let gone = 0;
        proxy.on('clientError', (_, { message }) => void errors.push(message));
        proxy.on('clientDisconnect', () => void gone++);
        proxy.respond('**', { body: 'ok' });
        const tunnel = await openTunnel(stage, 'app.test:443');
        const inside = { servername: 'app.test', ca: proxy.ca.cert };
        const client = where === 'inside TLS' ? await secured(tunnel, inside) : tunnel;
        await client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
        await client.head();
        expect(String(await client.read(2))).toBe('ok');
        client.socket.on('error', () => undefined);
        tunnel.reset();
        await stage.eventually(() => gone > 0, 'clientDisconnect');
        expect(errors).toEqual([]);
      }));
  }
});
