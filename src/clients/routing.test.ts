import http from 'node:http';
import https from 'node:https';
import { describe, expect, it } from '@jest/globals';
import { routeProcess } from './routing.js';
import { ask, withEcho } from './testing/echo.js';

const places = () => [globalThis.fetch, http.globalAgent, https.globalAgent];

describe('routeProcess', () => {
  it('leads fetch, node:http and node:https through the proxy, and puts them back', () =>
    withEcho(async ({ proxy }) => {
      const before = places();
      const unroute = routeProcess(proxy.way);
      try {
        expect((await fetch('https://api.test/1')).status).toBe(200);
        expect((await fetch('http://api.test/2')).status).toBe(200);
        expect(await ask(http, 'http://api.test/3')).toMatchObject({
          url: '/3',
          headers: { host: 'api.test' },
        });
        expect(await ask(https, 'https://api.test/4')).toMatchObject({
          url: '/4',
          headers: { host: 'api.test' },
        });
      } finally {
        unroute();
      }
      expect(places()).toEqual(before);
      places().forEach((place, i) => {
        expect(place).toBe(before[i]);
      });
      expect(proxy.flows.map(({ request }) => request.url)).toEqual([
        'https://api.test/1',
        'http://api.test/2',
        'http://api.test/3',
        'https://api.test/4',
      ]);
    }));

  it('adds the CA to those that a request brings', () =>
    withEcho(async ({ proxy, originCa }) => {
      const unroute = routeProcess(proxy.way);
      try {
        for (const ca of [originCa, [originCa], Buffer.from(originCa)]) {
          expect((await ask(https, 'https://api.test/', { ca })).url).toBe('/');
        }
        expect(proxy.flows).toHaveLength(3);
      } finally {
        unroute();
      }
    }));

  it('and needs those where the proxy leaves certificates as they are', () =>
    withEcho(
      async ({ proxy, secure, originCa }) => {
        proxy.mapHost('api.test', new URL(secure).host.replace('localhost', '127.0.0.1'));
        const unroute = routeProcess({ server: proxy.server, trusted: [proxy.ca.cert] });
        try {
          expect((await ask(https, 'https://api.test/', { ca: originCa })).url).toBe('/');
          await expect(ask(https, 'https://api.test/')).rejects.toMatchObject({ code: expect.any(String) });
        } finally {
          unroute();
        }
      },
      { ignoreHosts: ['api.test:443'], hosts: {} },
    ));

  it('leaves a request with an agent of its own alone', () =>
    withEcho(async ({ proxy, plain, secure, originCa }) => {
      const unroute = routeProcess(proxy.way);
      const agents = { http: new http.Agent(), https: new https.Agent({ ca: originCa }) };
      try {
        expect((await ask(http, `${plain}/own`, { agent: agents.http })).url).toBe('/own');
        expect((await ask(https, `${secure}/own`, { agent: agents.https })).url).toBe('/own');
        expect(proxy.flows).toHaveLength(0);
      } finally {
        unroute();
      }
    }));

  it('leads a request with `agent: false`, which asks for a new one of the usual kind', () =>
    withEcho(async ({ proxy }) => {
      const unroute = routeProcess(proxy.way);
      try {
        expect((await ask(http, 'http://api.test/', { agent: false })).url).toBe('/');
        expect((await ask(https, 'https://api.test/', { agent: false })).url).toBe('/');
        expect(proxy.flows).toHaveLength(2);
      } finally {
        unroute();
      }
    }));

  it('does not trust what is not the proxy', () =>
    withEcho(async ({ proxy }) => {
      const unroute = routeProcess({ server: proxy.server, trusted: [] });
      try {
        await expect(ask(https, 'https://api.test/')).rejects.toMatchObject({
          code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/),
        });
        await expect(fetch('https://api.test/')).rejects.toThrow('fetch failed');
      } finally {
        unroute();
      }
    }));

  for (const order of ['the inner first', 'the outer first']) {
    it(`nested, ended ${order}: the newest leads, and at last all is as it was`, () =>
      withEcho(({ proxy: outer }) =>
        withEcho(async ({ proxy: inner }) => {
          const before = places();
          const unrouteOuter = routeProcess(outer.way);
          const unrouteInner = routeProcess(inner.way);
          await fetch('https://api.test/');
          await ask(https, 'https://api.test/');
          expect([outer.flows.length, inner.flows.length]).toEqual([0, 2]);
          const [first, last, left] =
            order === 'the inner first'
              ? [unrouteInner, unrouteOuter, outer]
              : [unrouteOuter, unrouteInner, inner];
          first();
          const already = left.flows.length;
          await fetch('https://api.test/');
          await ask(https, 'https://api.test/');
          expect(left.flows.length).toBe(already + 2);
          last();
          places().forEach((place, i) => {
            expect(place).toBe(before[i]);
          });
        }),
      ));
  }

  it('leaves alone what somebody else has put there since', () =>
    withEcho(async ({ proxy, plain }) => {
      const [fetchBefore, httpBefore, httpsBefore] = [globalThis.fetch, http.globalAgent, https.globalAgent];
      const unroute = routeProcess(proxy.way);
      const [routed, agent] = [globalThis.fetch, new http.Agent()];
      const mock: typeof fetch = (...args) => routed(...args);
      try {
        globalThis.fetch = mock;
        http.globalAgent = agent;
        unroute();
        expect([globalThis.fetch, http.globalAgent]).toEqual([mock, agent]);
        expect(globalThis.fetch).toBe(mock);
        expect(https.globalAgent).toBe(httpsBefore);
        // What it has kept of ours leads past the proxy now.
        expect((await fetch(`${plain}/kept`)).status).toBe(200);
        expect(proxy.flows).toHaveLength(0);
      } finally {
        globalThis.fetch = fetchBefore;
        http.globalAgent = httpBefore;
      }
    }));

  it('undone twice, it is undone once', () =>
    withEcho(async ({ proxy }) => {
      const before = places();
      const unroute = routeProcess(proxy.way);
      unroute();
      const second = routeProcess(proxy.way);
      const third = routeProcess(proxy.way);
      unroute();
      expect((await fetch('https://api.test/')).status).toBe(200);
      second();
      third();
      places().forEach((place, i) => {
        expect(place).toBe(before[i]);
      });
    }));
});
