// Jest's part of `npm run unit`: prints failures in full, and counts the rest.
import { relative, Tally } from './unit-tally.mjs';

const OUTCOMES = { passed: 'passed', failed: 'failed' };

export default class UnitReporter {
  #tally = new Tally();

  onTestResult(_test, { testFilePath, testResults, testExecError, failureMessage, console: printed }) {
    for (const { message, origin } of printed ?? []) process.stdout.write(`${message}\n${origin}\n`);
    for (const { status, fullName } of testResults) {
      const outcome = OUTCOMES[status] ?? 'skipped';
      if (outcome === 'skipped') process.stdout.write(`skipped: ${fullName}\n`);
      this.#tally.add(testFilePath, fullName, outcome);
    }
    // The file as a whole: it could not be loaded, or threw outside of its tests.
    if (testExecError) this.#tally.add(testFilePath, '', 'failed');
    if (failureMessage) process.stdout.write(`\n✘ ${relative(testFilePath)}\n${failureMessage}\n`);
  }

  onRunComplete(_contexts, { runExecError, openHandles = [] }) {
    if (runExecError) process.stdout.write(`${runExecError.stack ?? runExecError.message}\n`);
    for (const { stack } of openHandles) process.stdout.write(`left open: ${stack}\n`);
    this.#tally.send();
  }
}
