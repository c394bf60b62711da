// Runs the code of README.md and docs/ as scripts/samples.mjs takes it out. Playwright runs those that are tests.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { expect } from 'expect';
import { type Origin, startOrigin } from '../e2e/origin.js';
import { runJest } from '../fixtures/testing/jest-run.js';
import { blocks, FOLDER, writeSamples } from '../scripts/samples.mjs';

/** Runs a program to its end, and gives its exit code with what it printed. */
function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout: 60_000,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        text += data;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

describe('the samples of README.md and docs/', () => {
  const samples = writeSamples();
  let origin: Origin;
  before(async () => {
    origin = await startOrigin();
  });
  after(() => origin.close());

  it('are of every kind', () => {
    expect(new Set(samples.map(({ kind }) => kind))).toEqual(
      new Set(['module', 'spec', 'config', 'addon', 'jest']),
    );
  });

  it('have the types that they claim', async () => {
    const { code, text } = await run(['node_modules/typescript/bin/tsc', '-p', `${FOLDER}/tsconfig.json`]);
    expect({ text, code }).toEqual({ text: '', code: 0 });
  });

  for (const { file, kind, page, line } of samples) {
    if (kind === 'spec' || kind === 'addon' || kind === 'jest') continue;
    it(`${page}:${line} runs`, async () => {
      // A configuration does nothing when it is loaded: that it loads is all there is to see.
      const { code, text } = await run(['--import', 'tsx', file], { ORIGIN_PORT: String(origin.port) });
      if (code !== 0) throw new Error(`it ended with exit code ${code}:\n${text}`);
      if (kind === 'module') expect(text).not.toBe('');
    });
  }

  it('pass in Jest, where they are tests of its', async () => {
    const jest = await runJest(path.resolve(FOLDER), [], ['--testMatch=**/*.test.cjs', '--transform={}']);
    expect(jest.titles('failed')).toEqual([]);
    expect(jest.titles('passed').length).toBeGreaterThan(2);
    expect(jest.code).toBe(0);
  });

  it('call npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const called = blocks()
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => [...code.matchAll(/npm (?:run ([\w:-]+)|(test)\b)/g)])
      .map(([, script, test]) => script ?? test ?? '');
    expect(called.length).toBeGreaterThan(2);
    for (const script of called) expect(Object.keys(scripts)).toContain(script);
  });
});
