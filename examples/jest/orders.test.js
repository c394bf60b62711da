const { setupProxy } = require('sluice/jest');
const { order, reportSize } = require('./src/orders');

// Every test has a proxy of its own, and while it runs the fetch and the https of this process go through it.
const proxy = setupProxy({ global: true, streamLargeBodies: '1m' });

// What is set here holds for all tests of the file. There is no api.test: these rules answer in its place.
proxy.respond({ method: 'POST', path: '/orders' }, { status: 201, json: { id: 7 } });
proxy.respond({ path: '/report' }, { body: Buffer.alloc(3 * 1024 * 1024, 'r') });
proxy.forbid({ path: '/payments' });

test('an order is sent as JSON', async () => {
  expect(await order(4711)).toBe(7);

  const flow = await proxy.waitForFlow('**/orders');
  expect(flow.request.method).toBe('POST');
  await expect(flow.request).toHaveJson({ article: 4711 });
  await expect(flow).toHaveStatus(201);
});

test('a busy server is asked once more', async () => {
  proxy.respond({ path: '/orders' }, { status: 503 }, { times: 1 });

  expect(await order(4711)).toBe(7);
  await expect(proxy).toHaveFlow({ path: '/orders', status: 503 }, { times: 1 });
  await expect(proxy).toHaveFlow({ path: '/orders', status: 201 }, { times: 1 });
});

test('what is not busy but wrong is not tried again', async () => {
  proxy.respond({ path: '/orders' }, { status: 400 });

  await expect(order(4711)).rejects.toThrow('the order was refused: 400');
  expect(proxy.flows).toHaveLength(1);
});

test('a large report passes without being kept', async () => {
  expect(await reportSize()).toBe(3 * 1024 * 1024);

  const { response } = await proxy.waitForFlow('**/report');
  await expect(response).toBeStreamed();
  await expect(response).toHaveArrivedIntact(Buffer.alloc(3 * 1024 * 1024, 'r'));
});
