// What came of the tests, whichever runner ran them. Its reporter counts, `npm run unit` sums up: a line per file, the
// names of what failed, and `unit: 812 passed, 0 failed in 14.2 s`.
import { writeSync } from 'node:fs';
import path from 'node:path';

/** Where a runner's tally is written. */
export const CHANNEL = 3;

export class Tally {
  #files = {};
  #failures = [];

  /** @param {'passed' | 'failed' | 'skipped'} outcome */
  add(file, name, outcome) {
    this.#of(relative(file))[outcome]++;
    if (outcome === 'failed') this.#failures.push(`${relative(file)} ${name}`.trim());
  }

  #of(file) {
    this.#files[file] ??= { passed: 0, failed: 0, skipped: 0 };
    return this.#files[file];
  }

  /** Called by a reporter, at the end. */
  send() {
    writeSync(CHANNEL, JSON.stringify({ files: this.#files, failures: this.#failures }));
  }

  /** @param {string} sent by another one */
  merge(sent) {
    const { files, failures } = JSON.parse(sent);
    for (const [file, counts] of Object.entries(files)) {
      const sum = this.#of(file);
      for (const outcome of Object.keys(counts)) sum[outcome] += counts[outcome];
    }
    this.#failures.push(...failures);
  }

  /** @param {number} milliseconds that all of it took */
  print(milliseconds) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const [file, counts] of Object.entries(this.#files).sort(([a], [b]) => a.localeCompare(b))) {
      for (const outcome of Object.keys(count)) count[outcome] += counts[outcome];
      const { passed, failed, skipped } = counts;
      const parts = [
        `${passed} passed`,
        ...(failed ? [`${failed} FAILED`] : []),
        ...(skipped ? [`${skipped} skipped`] : []),
      ];
      console.log(`${failed ? '✘' : '✓'} ${file} (${parts.join(', ')})`);
    }
    if (this.#failures.length > 0) {
      console.log(`\nFailed:\n${this.#failures.map((failure) => `  ✘ ${failure}`).join('\n')}`);
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    const seconds = (milliseconds / 1000).toFixed(1);
    console.log(`\nunit: ${count.passed} passed, ${count.failed} failed${skipped} in ${seconds} s`);
  }
}

/** As it is named in a message. */
export function relative(file) {
  return file === undefined ? '(no file)' : path.relative(process.cwd(), file);
}
