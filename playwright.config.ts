import { defineConfig } from '@playwright/test';
import type { SluiceOptions } from 'sluice/playwright';

// scripts/browser.mjs finds it; without it Playwright takes the browser of its own installer.
const executablePath = process.env.SLUICE_CHROMIUM;
const isRoot = process.getuid?.() === 0;
const isDemo = process.env.SLUICE_DEMO !== undefined;
// The origin below gives its port when it listens, so it is known in the workers only.
const origin = `http://127.0.0.1:${process.env.ORIGIN_PORT ?? 0}`;

export default defineConfig<SluiceOptions>({
  // *.test.ts are unit tests.
  testMatch: '**/*.spec.ts',
  fullyParallel: true,
  workers: 2,
  forbidOnly: process.env.CI !== undefined,
  timeout: 30_000,
  reporter: 'list',
  outputDir: 'test-results',
  webServer: {
    command: 'node --import tsx e2e/serve.ts',
    wait: { stdout: /origin on port (?<origin_port>\d+)/ },
  },
  use: {
    baseURL: 'https://app.test',
    // The demo makes its table of what is attached.
    proxyOptions: { hosts: { '*.test': origin }, attach: isDemo ? 'on' : 'retain-on-failure' },
    launchOptions: {
      ...(executablePath !== undefined && { executablePath }),
      args: [
        // Chromium's sandbox refuses to start as root.
        ...(isRoot ? ['--no-sandbox'] : []),
        // What a browser asks of its vendor is not the test's traffic.
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        // Without this it sends the outlines of forms to its vendor.
        '--autofill-server-url=about:blank',
      ],
    },
  },
  projects: [
    { name: 'e2e', testDir: 'e2e' },
    { name: 'examples', testDir: 'examples' },
    // scripts/samples.mjs takes them out of README.md and docs/.
    { name: 'docs', testDir: 'dist/samples' },
  ],
});
