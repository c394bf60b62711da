// What both Jest projects test: the package at work in Jest's sandboxes and workers.
const http = require('node:http');

const { ORIGIN } = process.env;

/** Defines the tests, in a file of Jest's. */
exports.suite = ({ setupProxy, slice }) => {
  const proxy = setupProxy({
    streamLargeBodies: '64k',
    hosts: { 'secure.test': ORIGIN },
    port: { from: 30_000, to: 39_999 },
  });
  proxy.respond('**/answered', { json: { by: 'a rule of the file' } });

  test('a large download passes unrecorded', async () => {
    const response = await proxy.fetch(`${ORIGIN}/big`);
    expect((await response.arrayBuffer()).byteLength).toBe(1_000_000);
    await expect(proxy.flows.last?.response).toBeStreamed();
    await expect(proxy.flows.last?.response).toHaveArrivedIntact();
  });

  test('each test has a proxy of its own, whose certificates its fetch trusts', async () => {
    expect(proxy.flows.length).toBe(0);
    const response = await proxy.fetch('https://secure.test/orders');
    expect(await response.json()).toEqual({ orders: [1, 2] });
    await expect(proxy).toHaveFlow({ host: 'secure.test', path: '/orders', status: 200 });
    await expect(proxy.flows.last?.response).toHaveJson({ orders: expect.any(Array) });
  });

  test('the rules of the file hold, and those of the test', async () => {
    proxy.stream('**/big', { response: slice(100_000) });
    expect(await (await proxy.fetch(`${ORIGIN}/answered`)).json()).toEqual({ by: 'a rule of the file' });
    await (await proxy.fetch(`${ORIGIN}/big`)).arrayBuffer();
    await expect(proxy.flows.last?.response).toHavePieces(Array(10).fill(100_000));
  });

  test('a failure says what was recorded instead', async () => {
    await proxy.fetch(`${ORIGIN}/orders`);
    await expect(expect(proxy).toHaveFlow('**/order', { timeout: 10 })).rejects.toThrow(/GET .*\/orders/);
  });

  describe('the clients of this process', () => {
    const proxy = setupProxy({ global: true });

    test('go through the proxy', async () => {
      await fetch(`${ORIGIN}/orders?fetch`);
      await new Promise((resolve, reject) => {
        const read = (response) => response.resume().on('end', resolve);
        http.get(`${ORIGIN}/orders?http`, read).on('error', reject);
      });
      await expect(proxy).toHaveFlow('**/orders?fetch');
      await expect(proxy).toHaveFlow('**/orders?http');
    });
  });
};
