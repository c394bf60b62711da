// mockttp, passing everything on: its own way of being a proxy that records for tests.
import { generateCACertificate, getLocal } from 'mockttp';

const server = getLocal({ https: await generateCACertificate(), recordTraffic: true });

async function passOn() {
  await server.forAnyRequest().thenPassThrough({ ignoreHostHttpsErrors: true });
  await server.forAnyWebSocket().thenPassThrough({ ignoreHostHttpsErrors: true });
}

await server.start();
await passOn();
process.send({ port: server.port });
process.on('message', async ({ id, what }) => {
  if (what === 'clear') {
    // It takes the rules away with what was recorded.
    server.reset();
    await passOn();
  }
  if (what === 'gc') globalThis.gc();
  process.send({ id });
});
process.on('disconnect', () => process.exit());
