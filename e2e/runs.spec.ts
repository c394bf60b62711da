import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { startProxy } from 'sluice';
import { type Run, runPlaywright } from './playwright-run.js';

test.setTimeout(90_000);

const origin = () => `http://127.0.0.1:${process.env.ORIGIN_PORT}`;

test('waiting that outlives its test', async ({}, testInfo) => {
  const run = await runPlaywright(['not-awaited', 'timeouts'], testInfo.outputPath('run'));
  expect(run.errors).toEqual([]);

  const forgotten = run.of('forgets to await');
  expect(forgotten.status).toBe('failed');
  expect(forgotten.errors).toEqual([
    expect.stringContaining('expect(proxy).toHaveFlow("**/never") was not awaited: put "await" before it'),
  ]);
  expect(forgotten.locations).toEqual(['not-awaited.inner.ts:4']);
  expect(run.of('forgets to await, with a page').errors).toEqual([
    expect.stringMatching(/expect\(proxy\)\.not\.toHaveFlow\(.*\) was not awaited/),
  ]);
  expect(run.of('forgets to await a wait').errors).toEqual([
    expect.stringContaining('waitForFlow("**/never") was not awaited: put "await" before it'),
  ]);
  expect(run.of('forgets to await a wait').locations).toEqual(['not-awaited.inner.ts:13']);
  expect(run.of('leaves a wait that lost a race').status).toBe('passed');
  expect(run.of('comes next')).toMatchObject({ status: 'passed', errors: [] });
  const failed = run.of('fails before the rest of its waiting is over');
  expect(failed.errors).toEqual([expect.stringContaining('toBe(expected)')]);

  const never = run.of('waits for a flow that never comes');
  expect(never.status).toBe('timedOut');
  expect(never.errors.join('\n').match(/the test ended while this was waiting/g)).toHaveLength(1);
  expect(never.errors.join('\n')).toMatch(
    /waitForFlow\("\*\*\/never"\): the test ended while this was waiting\s+Recorded flows, nearest first:\s+- GET https:\/\/app\.test\/ → 200/,
  );
  expect(never.locations).toContain('timeouts.inner.ts:10');
  const open = run.of('waits for a flow that never ends').errors.join('\n');
  expect(open).toContain('the test ended while this was waiting');
  // Seen as it was when the time was over, not as a page that is closed leaves it.
  expect(open).toMatch(
    /GET https:\/\/app\.test\/held\/never → .*not complete|GET https:\/\/app\.test\/held\/never → no response yet/,
  );
  expect(open).not.toContain('CLIENT_ABORTED');
  const matcher = run.of('has a matcher that waits').errors.join('\n');
  expect(matcher).toContain('time was over while this was waiting: expect(proxy).toHaveFlow({');
  expect(matcher).toContain('method was GET, expected POST');
  expect(run.of('does not wait in vain')).toMatchObject({ status: 'passed', errors: [] });
});

test('problems of a test’s own', async ({}, testInfo) => {
  const run = await runPlaywright(['problems'], testInfo.outputPath('run'));
  const forbidden = run.of('sees a forbidden flow');
  expect(forbidden.status).toBe('failed');
  expect(forbidden.errors).toEqual([
    expect.stringMatching(
      /forbid\("\*\*\/api\/tracking"\): seen all the same:\s+- GET https:\/\/app\.test\/api\/tracking → 200/,
    ),
  ]);
  expect(run.of('sees no forbidden flow')).toMatchObject({ status: 'passed', errors: [] });
  const hook = run.of('has a hook that throws');
  expect(hook.errors).toEqual([expect.stringContaining('TypeError: my hook is wrong')]);
  expect(hook.locations).toEqual(['problems.inner.ts:16']);
  const transform = run.of('has a transform that throws');
  expect(transform.errors).toEqual([expect.stringContaining('RangeError: my transform is wrong')]);
  expect(transform.locations).toEqual(['problems.inner.ts:25']);
  const both = run.of('has two problems').errors.join('\n');
  expect(both).toContain('my other hook is wrong');
  expect(both).toContain('forbid("**"): seen all the same');
});

test('what a result carries', async ({}, testInfo) => {
  const run = await runPlaywright(['attachments'], testInfo.outputPath('run'));
  const names = (title: string) => run.of(title).attachments.map(({ name }) => name);
  expect(names('passes')).toEqual([]);
  expect(names('fails quietly')).toEqual([]);
  expect(names('fails')).toEqual(['flows', 'flows.har', 'flows.html']);
  expect(names('passes loudly')).toEqual(['flows', 'flows.har', 'flows.html']);
  expect(run.of('fails as it should')).toMatchObject({ status: 'failed', attachments: [] });

  const text = (title: string, name: string) => {
    const found = run.of(title).attachments.find((attachment) => attachment.name === name);
    if (found?.body !== undefined) return Buffer.from(found.body, 'base64').toString();
    return readFileSync(found?.path ?? 'none', 'utf8');
  };
  expect(text('fails', 'flows')).toMatch(
    /^METHOD +URL +STATUS.*\nGET +https:\/\/app\.test\/text\?words=hello +200/,
  );
  const summary = text('passes loudly', 'flows').trimEnd().split('\n');
  expect(summary).toHaveLength(30);
  expect(summary.at(-1)).toContain('12 more flows left out');
  const har = JSON.parse(text('fails', 'flows.har'));
  expect(har.log.entries).toHaveLength(1);
  for (const name of ['flows.har', 'flows.html']) {
    expect(text('fails', name)).not.toMatch(/secret-of-mine|my-cookie/);
    expect(text('fails', name)).toContain('[redacted]');
  }
  expect(text('fails openly', 'flows.har')).toContain('secret-of-mine');
  expect(text('fails', 'flows.html')).toMatch(/<h1>.*fails<\/h1>/);
});

test('when a result carries it', async ({}, testInfo) => {
  const carried = async (attach: string) => {
    const env = { RUN_RETRIES: '2', RUN_ATTACH: attach };
    const run = await runPlaywright(['retries'], testInfo.outputPath(attach), env);
    return run.outcomes.map(({ attachments }) => attachments.length > 0);
  };
  expect(await carried('on-first-retry')).toEqual([false, true, false]);
  expect(await carried('retain-on-first-failure')).toEqual([true, false, false]);
});

test('an attach that is no mode', async ({}, testInfo) => {
  const run = await runPlaywright(['retries'], testInfo.outputPath('run'), { RUN_ATTACH: 'sometimes' });
  expect(run.of('fails each time').errors.join('\n')).toMatch(
    /attach: "sometimes" is not accepted; give 'off', 'on', 'retain-on-failure'/,
  );
});

test.describe('surroundings', () => {
  const passes = (run: Run, titles: string[]) => {
    for (const title of titles) expect(run.of(title), title).toMatchObject({ status: 'passed', errors: [] });
  };

  test('hooks, plain tests, merged tests, trust', async ({}, testInfo) => {
    const files = ['hooks', 'plain', 'merged', 'trust', 'launch', 'commonjs'];
    const run = await runPlaywright(files, testInfo.outputPath('run'));
    expect(run.errors).toEqual([]);
    passes(run, ['uses the page of beforeAll', 'uses it once more, and a page of its own']);
    passes(run, [
      'records in a plain test',
      'is one recorder, with the options of both',
      'keeps its page in a plain test',
      'records without seeing to certificates',
      'records',
    ]);
    expect(run.of('forgets to await in a plain test').errors).toEqual([
      expect.stringContaining('was not awaited'),
    ]);
    expect(run.of('asks for a recorder where there is none').errors).toEqual([
      expect.stringContaining('recorderOf: proxy is undefined, so nothing is recorded here'),
    ]);
    passes(run, [
      'merged, user first',
      'merged, sluice first',
      'reuses the outer recorder, with its rules',
      'verifies origins',
      'goes without',
      'is the user’s wish to trust origins',
      'keeps the arguments of the config',
      'works as CommonJS',
    ]);
  });

  test('a proxy in the config becomes the upstream', async ({}, testInfo) => {
    await using upstream = await startProxy();
    const env = { RUN_UPSTREAM: upstream.server, RUN_ORIGIN: origin() };
    const run = await runPlaywright(['upstream'], testInfo.outputPath('run'), env);
    passes(run, ['goes through the proxy of the config']);
    expect(upstream.flows.map((flow) => flow.request.path)).toContain('/text?words=chained');
  });

  test('pages that pass the proxy by leave a hint', async ({}, testInfo) => {
    const env = { PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK: '1', RUN_ORIGIN: origin() };
    const run = await runPlaywright(['loopback'], testInfo.outputPath('run'), env);
    expect(run.of('opens a page past the proxy')).toMatchObject({
      status: 'passed',
      annotations: [{ type: 'sluice', description: expect.stringContaining('they did not use the proxy') }],
    });
  });
});
