import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'sluice/playwright';

test('a service worker over https registers, and is on the record', async ({ page, proxy }) => {
  await page.goto('/worker');
  await expect(page.locator('output')).toContainText('/api/worker');
  await expect(proxy).toHaveFlow({ path: '/api/worker', status: 200 });
});

test('the HTTP cache of the browser works over https', async ({ page, proxy }) => {
  const server = http.createServer((_request, response) => {
    response
      .writeHead(200, { 'Cache-Control': 'max-age=3600', 'Access-Control-Allow-Origin': '*' })
      .end('kept');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    // The page speaks TLS, the server does not.
    proxy.mapHost('cached.test', `http://127.0.0.1:${port}`);
    await page.goto('/');
    for (let i = 0; i < 3; i++) {
      expect(await page.evaluate("fetch('https://cached.test/').then((response) => response.text())")).toBe(
        'kept',
      );
    }
    await expect(proxy).toHaveFlow('https://cached.test/', { times: 1 });
    expect(proxy.flows.last?.client.sni).toBe('cached.test');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('preflights are recorded, and told apart', async ({ page, proxy }) => {
  await page.goto('/');
  await page.evaluate("send('https://api.test/api/things', { method: 'PUT', body: '{}' })");
  await expect(proxy).toHaveFlow('https://api.test/api/things', { times: 1 });
  await expect(proxy).toHaveFlow({ method: 'OPTIONS', host: 'api.test' }, { times: 1 });
  const [preflight] = proxy.flows.filter((flow) => flow.preflight);
  await expect(preflight?.request).toHaveHeader('access-control-request-method', 'PUT');
});

test('an answer of the test’s own stands across origins, its preflight too', async ({ page, proxy }) => {
  proxy.respond({ method: 'DELETE', host: 'nowhere.test' }, { status: 202, json: { deleted: true } });
  await page.goto('/');
  await page.evaluate(
    "send('https://nowhere.test/thing', { method: 'DELETE', headers: { 'X-Mine': '1' }, credentials: 'include' })",
  );
  await expect(page.locator('output')).toHaveText('{"deleted":true}');
  await expect(proxy).toHaveFlow({ method: 'OPTIONS', host: 'nowhere.test', status: 204 });
  await expect(proxy).toHaveFlow({ method: 'DELETE', host: 'nowhere.test', status: 202 }, { times: 1 });
});

test('the flows that an action causes', async ({ page, proxy }) => {
  await page.goto('/');
  const flows = await proxy.during(() => page.evaluate("send('/api/a').then(() => send('/api/b'))"));
  expect(flows.map((flow) => flow.request.path)).toEqual(['/api/a', '/api/b']);
  expect(flows.map((flow) => flow.response?.complete)).toEqual([true, true]);
});

test('every client of the test goes through the proxy', async ({
  page,
  context,
  request,
  browser,
  proxy,
}) => {
  await page.goto('/text?words=page');
  await request.get('/text?words=request');
  await context.request.get('/text?words=context');
  const other = await browser.newContext();
  await (await other.newPage()).goto('https://app.test/text?words=other');
  await other.close();
  for (const words of ['page', 'request', 'context', 'other']) {
    await expect(proxy).toHaveFlow(`**/text?words=${words}`, { times: 1 });
  }
});

test('an origin that fails is a network error of the page', async ({ page, proxy }) => {
  proxy.mapHost('closed.test', '127.0.0.1:1');
  await expect(page.goto('https://closed.test/')).rejects.toThrow(/net::ERR_/);
  await expect(proxy).toHaveFlow({ host: 'closed.test', error: 'ORIGIN_UNREACHABLE' });
});

test('options of a file are merged over those of the project', async ({ page, proxy }) => {
  // The project's `hosts` leads here.
  await page.goto('https://app.test/');
  await expect((await proxy.waitForFlow('https://app.test/')).response).toBeRecorded();
});

test.describe('with options of its own', () => {
  test.use({ proxyOptions: { streamLargeBodies: 10 } });

  test('they are merged over those of the project', async ({ page, proxy }) => {
    await page.goto('https://app.test/');
    await expect((await proxy.waitForFlow('https://app.test/')).response).toBeStreamed();
  });
});
