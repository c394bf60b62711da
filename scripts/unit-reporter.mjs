// A line per file, failures in full, and a closing line: `unit: 812 passed, 0 failed in 14.2 s`.
import path from 'node:path';
import { inspect } from 'node:util';

const ONLY_A_PARENT = new Set(['subtestsFailed', 'cancelledByParent']);

export default async function* report(source) {
  const started = performance.now();
  const files = new Map();
  const failures = [];
  const count = { passed: 0, failed: 0, skipped: 0 };
  const of = (file) => {
    const name = file === undefined ? '(no file)' : path.relative(process.cwd(), file);
    if (!files.has(name)) files.set(name, { passed: 0, failed: 0, skipped: 0, printed: false });
    return files.get(name);
  };
  for await (const { type, data } of source) {
    if (type === 'test:pass' || type === 'test:fail') {
      if (data.details?.type === 'suite' && type === 'test:pass' && data.skip === undefined) continue;
      if (typeof data.skip === 'string') yield `skipped: ${data.name}: ${data.skip}\n`;
      const cause = data.details?.error;
      if (type === 'test:fail' && ONLY_A_PARENT.has(cause?.failureType) && data.details?.type === 'suite')
        continue;
      const outcome =
        type === 'test:fail'
          ? 'failed'
          : data.skip !== undefined || data.todo !== undefined
            ? 'skipped'
            : 'passed';
      count[outcome]++;
      of(data.file)[outcome]++;
      if (outcome === 'failed') {
        failures.push(data);
        yield failure(data);
      }
    } else if (type === 'test:stderr') {
      yield data.message;
    } else if (type === 'test:stdout' && data.message.trim() !== '') {
      yield data.message;
    }
  }
  for (const [name, { passed, failed, skipped }] of [...files].sort(([a], [b]) => a.localeCompare(b))) {
    const parts = [
      `${passed} passed`,
      ...(failed ? [`${failed} FAILED`] : []),
      ...(skipped ? [`${skipped} skipped`] : []),
    ];
    yield `${failed ? '✘' : '✓'} ${name} (${parts.join(', ')})\n`;
  }
  if (failures.length > 0) {
    yield `\nFailed:\n${failures.map((data) => `  ✘ ${place(data)} ${data.name}\n`).join('')}`;
  }
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  yield `\nunit: ${count.passed} passed, ${count.failed} failed${skipped} in ${seconds} s\n`;
}

function failure(data) {
  const error = data.details?.error;
  // node:test wraps what was thrown.
  const cause = error?.cause ?? error;
  const text = typeof cause?.stack === 'string' ? cause.stack : inspect(cause);
  return `\n✘ ${place(data)} ${data.name}\n${text.replace(/^/gm, '    ')}\n\n`;
}

// The line would be one of what tsx made of the file.
function place({ file }) {
  return file === undefined ? '' : path.relative(process.cwd(), file);
}
