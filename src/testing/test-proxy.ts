import { setupProxy } from '../../fixtures/jest.js';
import { LEFT_OUT } from '../../fixtures/left-out.js';
import { outcomeOf } from '../../fixtures/runner/outcome.js';
import type { RunnerGlobals } from '../../fixtures/runner/setup.js';
import { siteOf } from '../../fixtures/runner/site.js';
import { TestProxy } from '../../fixtures/runner/test-proxy.js';
import type { ProxyOptions } from '../options/types.js';
import type { ProxyContext, RecordingProxy } from '../proxy.js';

/** Milliseconds. What a test waits for in vain should fail it, but not because the machine is busy. */
const WAIT_TIMEOUT = 30_000;

/** What the fixture has to do after the test that runs. */
const ends: (() => Promise<void>)[] = [];
// Helpers are imported by tests of node:test too, which need no proxy.
const { afterEach } = globalThis as RunnerGlobals;
afterEach?.(async () => {
  const endings = await Promise.allSettled(ends.splice(0).map((end) => end()));
  for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;
});

/**
 * The fixture's proxy, with options for one test where users have them for a file: started here, judged and closed
 * after the test. The hooks that the fixture registers are those of the test that runs.
 */
export async function testProxy(
  options: ProxyOptions = {},
  { baseURL, waitTimeout = WAIT_TIMEOUT }: ProxyContext = {},
): Promise<RecordingProxy> {
  // What clients of a proxy see by default is what is tested, not what the fixture makes of it.
  const given: ProxyOptions = { originErrors: 'respond', ...options };
  if (LEFT_OUT.some((name) => name in given)) return startAlike(given, { baseURL, waitTimeout });
  let start = () => Promise.resolve();
  const proxy = setupProxy({
    ...given,
    baseURL,
    waitTimeout,
    hooks: {
      beforeEach: (hook) => {
        start = hook;
      },
      afterEach: (hook) => ends.push(hook),
    },
  });
  await start();
  return proxy;
}

/** For options that `setupProxy` does not take: what is behind it does. */
async function startAlike(options: ProxyOptions, context: ProxyContext): Promise<RecordingProxy> {
  const test = new TestProxy({ options, context, global: false, site: siteOf(testProxy) });
  await test.start();
  ends.push(() => test.end(outcomeOf(undefined)));
  return test.proxy;
}
