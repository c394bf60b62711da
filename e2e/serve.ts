// The test origin as a process of its own, as playwright.config.ts starts it: what it takes to make a GiB of bytes
// should not show in the memory of the process that the proxy is in.
import { startOrigin } from './origin.js';

startOrigin().then(
  ({ port }) => console.log(`origin on port ${port}`),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
