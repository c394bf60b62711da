import { afterEach, beforeEach, test } from 'node:test';
import { expect, setupProxy } from 'sluice/expect';

const proxy = setupProxy({ hooks: { beforeEach, afterEach } });

test('with the bare expect', async () => {
  await expect(proxy).toHaveFlow({ path: '/', status: 200 });
  await expect(proxy.flows.last?.response).not.toBeStreamed();
  expect({ a: 1 }).toEqual({ a: expect.any(Number) });
  await expect(Promise.resolve(1)).resolves.toBe(1);
  // @ts-expect-error: there is no such matcher
  await expect(proxy).toHaveFlows({ path: '/' });
});
