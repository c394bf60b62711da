// The config of the inner runs, whose files are tests of tests: some are meant to fail.
import outer from '../../playwright.config.js';

const { RUN_UPSTREAM, RUN_RETRIES, RUN_ATTACH } = process.env;
// A list of the user's own, which the fixture has to join.
const someKey = Buffer.alloc(32).toString('base64');

export default {
  ...outer,
  testDir: '.',
  testMatch: '*.inner.{ts,cjs}',
  projects: undefined,
  webServer: undefined,
  fullyParallel: false,
  workers: 1,
  retries: Number(RUN_RETRIES ?? 0),
  timeout: 10_000,
  reporter: 'json',
  use: {
    ...outer.use,
    launchOptions: {
      ...outer.use?.launchOptions,
      args: [
        ...(outer.use?.launchOptions?.args ?? []),
        '--user-agent=mine',
        `--ignore-certificate-errors-spki-list=${someKey}`,
      ],
    },
    ...(RUN_UPSTREAM !== undefined && { proxy: { server: RUN_UPSTREAM, bypass: 'direct.test' } }),
    proxyOptions: { ...outer.use?.proxyOptions, ...(RUN_ATTACH !== undefined && { attach: RUN_ATTACH }) },
  },
};
