import { setupProxy } from 'sluice/jest';

const proxy = setupProxy({ streamLargeBodies: '3m', global: true });

test('with the globals of @types/jest', async () => {
  await proxy.fetch('https://api.test/');
  await expect(proxy).toHaveFlow({ path: '/', status: 200 });
  await expect(proxy.flows.last?.response).not.toBeStreamed();
  expect([1]).toContain(1);
  // @ts-expect-error: there is no such matcher
  await expect(proxy).toHaveFlows({ path: '/' });
  // @ts-expect-error: nor can flows be asked for by that
  await expect(proxy).toHaveFlow({ paths: '/' });
});
