/**
 * A proxy in a process of its own, for tests that measure its memory. Options are JSON in the first argument; each line
 * on standard input is answered with what is recorded, as JSON.
 * @module
 */
import { createInterface } from 'node:readline';
import { startProxy } from '../proxy.js';

/** What the process tells. Sizes are in octets. */
export interface ProxyReport {
  port: number;
  rss: number;
  /** The most it has ever been. */
  peakRss: number;
  messages: { size: number; stored: number; truncated: boolean; fragments: number }[];
  warnings: string[];
}

async function main(): Promise<void> {
  const proxy = await startProxy(JSON.parse(process.argv[2] ?? '{}'));
  const report = () => {
    globalThis.gc?.();
    const flows = [...proxy.flows];
    const messages = flows.flatMap(({ websocket }) =>
      (websocket?.messages ?? []).map(({ size, data, truncated, fragments }) => ({
        size,
        stored: data.length,
        truncated,
        fragments: fragments.length,
      })),
    );
    const told: ProxyReport = {
      port: proxy.port,
      rss: process.memoryUsage.rss(),
      peakRss: process.resourceUsage().maxRSS * 1024,
      messages,
      warnings: flows.flatMap(({ warnings }) => warnings),
    };
    console.log(JSON.stringify(told));
  };
  const lines = createInterface({ input: process.stdin });
  lines.on('line', report);
  lines.on('close', () => process.exit(0));
  report();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
