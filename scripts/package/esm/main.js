import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as sluice from 'sluice';
import * as faults from 'sluice/faults';
import { matchers } from 'sluice/matchers';
import { use } from './uses.cjs';

await use({ sluice, matchers, faults }, ['--import', 'sluice/register']);

// The package's two builds meet in one process: a proxy of one is known by the other, and so are its errors.
const other = createRequire(import.meta.url)('sluice');
assert.notEqual(other.startProxy, sluice.startProxy);
const proxy = await sluice.startProxy();
assert.ok(other.isRecordingProxy(proxy));
await proxy.close();
const error = await proxy.fetch(process.env.ORIGIN).catch((thrown) => thrown);
assert.ok(other.isSluiceError(error), String(error));
