import { describe, it } from '@jest/globals';

/** `describe`, skipped where there is a reason, which the summary tells. */
export function describeUnless(reason: string | false, name: string, tests: () => void): void {
  if (reason === false) describe(name, tests);
  else describe.skip(`${name}: ${reason}`, tests);
}

/** `it`, skipped where there is a reason, which the summary tells. */
export function itUnless(reason: string | false, name: string, test: () => Promise<void> | void): void {
  if (reason === false) it(name, test);
  else it.skip(`${name}: ${reason}`, test);
}
