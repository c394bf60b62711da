import { afterEach, beforeEach, test } from 'node:test';
import { expect, setupProxy } from 'sluice/expect';

const { ORIGIN } = process.env;
const proxy = setupProxy({ hooks: { beforeEach, afterEach }, streamLargeBodies: '64k' });

test('a large download passes unrecorded', async () => {
  const response = await proxy.fetch(`${ORIGIN}/big`);
  expect((await response.arrayBuffer()).byteLength).toBe(1_000_000);
  await expect(proxy.flows.last?.response).toBeStreamed();
});

test('a failure says what was recorded instead', async () => {
  await proxy.fetch(`${ORIGIN}/orders`);
  await expect(expect(proxy).toHaveFlow('**/order', { timeout: 10 })).rejects.toThrow(/GET .*\/orders/);
});
