import { defineConfig } from '@playwright/test';
import type { SluiceOptions } from 'sluice/playwright';

export default defineConfig<SluiceOptions>({
  workers: 2,
  reporter: 'line',
  use: { baseURL: process.env.ORIGIN, proxyOptions: { streamLargeBodies: '64k' } },
});
