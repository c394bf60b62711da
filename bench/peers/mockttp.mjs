// mockttp, passing everything on: its own way of being a proxy that records for tests.
import { generateCACertificate, getLocal } from 'mockttp';

const server = getLocal({ https: await generateCACertificate(), recordTraffic: true });
await server.start();
await server.forAnyRequest().thenPassThrough({ ignoreHostHttpsErrors: true });
await server.forAnyWebSocket().thenPassThrough({ ignoreHostHttpsErrors: true });
process.send({ port: server.port });
process.on('disconnect', () => process.exit());
