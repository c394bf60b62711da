/**
 * Runs Playwright on the files of e2e/runs/ in a process of its own, for what only a whole run shows: what a failed test
 * reports, what the next one sees, what a config does.
 * @module
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { JSONReport, JSONReportSuite } from '@playwright/test/reporter';

const ROOT = path.resolve(process.cwd());

/** One run of one test. */
export interface Outcome {
  title: string;
  status: string;
  /** Each error's message, without colours. */
  errors: string[];
  /** File and line of each error. */
  locations: (string | undefined)[];
  attachments: { name: string; contentType: string; path?: string; body?: string }[];
  annotations: { type: string; description?: string }[];
}

export interface Run {
  /** Every result, in order; a test that was retried has several. */
  outcomes: Outcome[];
  /** The only result of a test. */
  of(title: string): Outcome;
  /** Errors that belong to no test. */
  errors: string[];
}

/**
 * Runs files of e2e/runs/ in one worker, one after another.
 * @param output a folder for what the run writes
 * @param env told to the run; its config looks at it, too
 */
export async function runPlaywright(
  files: readonly string[],
  output: string,
  env: Record<string, string> = {},
): Promise<Run> {
  const cli = path.join(ROOT, 'node_modules/@playwright/test/cli.js');
  const config = path.join(ROOT, 'e2e/runs/playwright.config.ts');
  const args = [cli, 'test', '--config', config, '--output', output, ...files.map((file) => `runs/${file}`)];
  // What the outer run tells its workers is not for the inner one.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(TEST_|PW|PLAYWRIGHT_|FORCE_COLOR|NODE_OPTIONS)/.test(name),
  );
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  let report: JSONReport;
  try {
    report = JSON.parse(stdout) as JSONReport;
  } catch (error) {
    throw new Error(`the run gave no report:\n${stdout}\n${stderr}`, { cause: error });
  }
  const outcomes = report.suites.flatMap(outcomesOf);
  return {
    outcomes,
    errors: report.errors.map((error) => plain(error.message ?? '')),
    of: (title) => {
      const found = outcomes.filter((outcome) => outcome.title === title);
      const [only] = found;
      if (found.length !== 1 || only === undefined) {
        const titles = outcomes.map((outcome) => outcome.title).join(', ');
        throw new Error(
          `${found.length} results of "${title}"; there are ${titles}; ${report.errors.map((e) => e.message)}`,
        );
      }
      return only;
    },
  };
}

function outcomesOf(suite: JSONReportSuite): Outcome[] {
  const own = suite.specs.flatMap((spec) =>
    spec.tests.flatMap((test) =>
      test.results.map((result) => ({
        title: spec.title,
        status: result.status ?? 'none',
        errors: result.errors.map((error) => plain(error.message ?? '')),
        locations: result.errors.map(
          ({ location }) => location && `${path.basename(location.file)}:${location.line}`,
        ),
        attachments: result.attachments.filter(({ name }) => name.startsWith('flows')),
        annotations: result.annotations,
      })),
    ),
  );
  return [...own, ...(suite.suites ?? []).flatMap(outcomesOf)];
}

function plain(text: string): string {
  return stripVTControlCharacters(text);
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
