// What both kinds of module do with the package once it is installed: everything here works without any peer, and needs
// each of the libraries that the package depends on.
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { promisify } = require('node:util');

const run = promisify(execFile);
const { ORIGIN } = process.env;

/**
 * @param entries what the entry points `sluice`, `sluice/matchers` and `sluice/faults` export
 * @param register Node's flags with which a child process loads `sluice/register`
 */
exports.use = async ({ sluice, matchers, faults }, register) => {
  // A range takes get-port.
  const proxy = await sluice.startProxy({
    port: { from: 20_000, to: 29_999 },
    streamLargeBodies: '64k',
    hosts: { 'secure.test': ORIGIN },
  });
  assert.ok(proxy.port >= 20_000 && proxy.port <= 29_999, `port ${proxy.port}`);

  const big = await proxy.fetch(`${ORIGIN}/big`);
  assert.equal((await big.arrayBuffer()).byteLength, 1_000_000);
  const streamed = await proxy.waitForFlow('**/big');
  assert.equal(streamed.response.bodyStatus, 'streamed');
  assert.equal(streamed.response.transfer.received.bytes, 1_000_000);

  // Certificates take node-forge, and a client that trusts them undici.
  const secure = await proxy.fetch('https://secure.test/orders');
  assert.deepEqual(await secure.json(), { orders: [1, 2] });
  const recorded = await proxy.waitForFlow('https://secure.test/orders');
  assert.deepEqual(recorded.response.json(), { orders: [1, 2] });

  // The parts of a multipart body take @fastify/busboy.
  const form = new FormData();
  form.set('file', new Blob(['hello']), 'hello.txt');
  assert.equal((await proxy.fetch(`${ORIGIN}/upload`, { method: 'POST', body: form })).status, 204);
  const [part] = (await proxy.waitForFlow('**/upload')).request.parts;
  assert.deepEqual([part?.filename, part?.bytes], ['hello.txt', 5]);

  // A file's content type takes mrmime.
  writeFileSync('logo.svg', '<svg/>');
  proxy.respond('**/logo', { path: 'logo.svg' });
  assert.equal((await proxy.fetch(`${ORIGIN}/logo`)).headers.get('content-type'), 'image/svg+xml');

  proxy.stream('**/big?cut', { response: faults.compose(faults.slice(1000), faults.cutAfter(10_000)) });
  const cut = await proxy.fetch(`${ORIGIN}/big?cut`);
  assert.equal((await cut.arrayBuffer()).byteLength, 10_000);
  assert.equal((await proxy.waitForFlow('**/big?cut')).response.transfer.sent.bytes, 10_000);

  const verdict = await matchers.toHaveStatus.call({}, streamed, 200);
  assert.equal(verdict.pass, true, verdict.message());

  // Child processes are routed by sluice/register: Node heeds the variables by itself from 22.21 and 24.5 on only.
  const child = `
    const read = require('node:http').get(process.argv[1], (response) => response.pipe(process.stdout));
    read.on('error', (error) => { throw error; });
  `;
  const env = { ...process.env, ...proxy.env };
  const { stdout } = await run(process.execPath, [...register, '-e', child, `${ORIGIN}/orders`], { env });
  assert.equal(stdout, '{"orders":[1,2]}');
  await proxy.waitForFlow(`${ORIGIN}/orders`);

  await assert.rejects(sluice.startProxy({ streamLargeBody: '3m' }), (error) => {
    return sluice.isSluiceError(error) && error.code === 'UNKNOWN_OPTION';
  });
  await proxy.saveHar('flows.har');
  assert.equal(JSON.parse(readFileSync('flows.har', 'utf8')).log.entries.length, proxy.flows.length);
  await proxy.close();
};
