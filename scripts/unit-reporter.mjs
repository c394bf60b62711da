// node:test's part of `npm run unit`: prints failures in full, and counts the rest.
import { inspect } from 'node:util';
import { relative, Tally } from './unit-tally.mjs';

const ONLY_A_PARENT = new Set(['subtestsFailed', 'cancelledByParent']);

export default async function* report(source) {
  const tally = new Tally();
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
      tally.add(data.file, data.name, outcome);
      if (outcome === 'failed') yield failure(data);
    } else if (type === 'test:stderr') {
      yield data.message;
    } else if (type === 'test:stdout' && data.message.trim() !== '') {
      yield data.message;
    }
  }
  tally.send();
}

function failure({ details, file, name }) {
  const error = details?.error;
  // node:test wraps what was thrown.
  const cause = error?.cause ?? error;
  const text = typeof cause?.stack === 'string' ? cause.stack : inspect(cause);
  // No line: it would be one of what tsx made of the file.
  return `\n✘ ${relative(file)} ${name}\n${text.replace(/^/gm, '    ')}\n\n`;
}
