// What programs of all kinds request, seen by a test that runs them: their environment leads them through the proxy.
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { expect, setupProxy } from 'sluice/expect';

const run = promisify(execFile);
const proxy = setupProxy({ hooks: { beforeEach, afterEach } });

// There is no api.test: these rules answer in its place.
proxy.respond({ path: '/orders' }, { json: [{ id: 7 }, { id: 8 }] });
proxy.respond({ method: 'POST', path: '/report' }, { status: 202 });

/** The environment of the test's programs. */
const env = () => ({ ...process.env, ...proxy.env });

test('curl goes through the proxy, and trusts its certificates', async () => {
  const { stdout } = await run('curl', ['-sS', 'https://api.test/orders'], { env: env() });

  expect(JSON.parse(stdout)).toHaveLength(2);
  const flow = await proxy.waitForFlow('**/orders');
  await expect(flow.request).toHaveHeader('user-agent', /^curl/);
  await expect(flow).toHaveStatus(200);
});

test('so does Node, by fetch and by node:https', async () => {
  // Not needed from Node 22.21 and 24.5 on, which heed the variables themselves.
  const args = ['--import', 'sluice/register', 'examples/child-process/report.mjs'];
  const { stdout } = await run(process.execPath, args, { env: env() });

  expect(stdout).toBe('2 orders reported: 202\n');
  await expect(proxy).toHaveFlow({ path: '/orders', status: 200 }, { times: 1 });
  const report = await proxy.waitForFlow({ method: 'POST', path: '/report' });
  await expect(report.request).toHaveJson({ orders: 2 });
});

test('a program that fails is seen failing', async () => {
  proxy.respond({ path: '/orders' }, { status: 500, body: 'out of order' });

  const failed = run('curl', ['-sS', '--fail', 'https://api.test/orders'], { env: env() });

  await expect(failed).rejects.toMatchObject({ code: 22 });
  await expect(proxy).toHaveFlow({ path: '/orders', status: 500 });
});
