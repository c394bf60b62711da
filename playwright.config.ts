import { defineConfig } from '@playwright/test';
import type { SluiceOptions } from 'sluice/playwright';

// scripts/browser.mjs finds it; without it Playwright takes the browser of its own installer.
const executablePath = process.env.SLUICE_CHROMIUM;
const isRoot = process.getuid?.() === 0;
// The origin below gives its port when it listens, so it is known in the workers only.
const origin = `http://127.0.0.1:${process.env.ORIGIN_PORT ?? 0}`;

export default defineConfig<SluiceOptions>({
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
    proxyOptions: { hosts: { '*.test': origin } },
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
