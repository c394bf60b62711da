// Takes the code out of README.md and docs/, so that all of it runs. A block's tag says how:
//
//   ts         a module, run as it is beside a test origin (docs/samples.test.ts)
//   ts test    a Playwright file, run as it is (project `docs`)
//   ts body    the body of a Playwright test with `page`, `proxy`, `request` and `expect`
//   ts config  a playwright.config.ts: type-checked and loaded (docs/samples.test.ts)
//   ts addon   an addon of the command: type-checked, and run by it (docs/command.test.ts)
//   js jest    a test file of Jest's, in CommonJS (docs/samples.test.ts)
//   sh, json, text, diff  are not code of this package; `sh` lines that call npm scripts are checked for existence
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const FOLDER = path.join('dist', 'samples');
const KINDS = { '': 'module', test: 'spec', body: 'spec', config: 'config', addon: 'addon' };
const ENDINGS = { spec: '.spec.ts', config: '.config.ts', jest: '.test.cjs' };
/** What the server of the samples becomes: the origin of this run. */
const ORIGIN = "'http://127.0.0.1:' + process.env.ORIGIN_PORT";
const TSCONFIG = {
  extends: '../../tsconfig.base.json',
  compilerOptions: { noEmit: true, noUnusedLocals: false },
  include: ['*.ts'],
};
const TEXTS = ['sh', 'json', 'text', 'diff'];

/** @returns every fenced block of the pages: `{ page, line, language, tag, code }` */
export function blocks() {
  const pages = [
    'README.md',
    ...readdirSync('docs')
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.join('docs', name)),
  ];
  return pages.flatMap((page) => {
    const text = readFileSync(page, 'utf8');
    return [...text.matchAll(/^( *)```(.*)\n([\s\S]*?)^ *```$/gm)].map((match) => {
      const [, margin, info, code] = match;
      const [language = '', tag = ''] = info.trim().split(/\s+/);
      const line = text.slice(0, match.index).split('\n').length;
      return { page, line, language, tag, code: code.replace(new RegExp(`^${margin}`, 'gm'), '') };
    });
  });
}

/**
 * Writes the samples to files.
 * @returns {{ file: string, kind: 'module' | 'spec' | 'config' | 'addon' | 'jest', page: string, line: number }[]}
 * @throws an Error for a block whose tag says nothing of how it runs
 */
export function writeSamples() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const written = [];
  for (const { page, line, language, tag, code } of blocks()) {
    if (TEXTS.includes(language)) continue;
    const kind = language === 'ts' ? KINDS[tag] : `${language} ${tag}` === 'js jest' ? 'jest' : undefined;
    if (kind === undefined) {
      throw new Error(
        `${page}:${line}: a block tagged "${language} ${tag}"; see scripts/samples.mjs for those that run`,
      );
    }
    const name = `${path.basename(page, '.md').toLowerCase()}-${line}`;
    const file = path.join(FOLDER, `${name}${ENDINGS[kind] ?? '.ts'}`);
    const whole = tag === 'body' ? asTest(`${page}:${line}`, code) : code;
    writeFileSync(file, `// ${page}:${line}\n${whole.replaceAll("'http://127.0.0.1:3000'", ORIGIN)}`);
    written.push({ file, kind, page, line });
  }
  writeFileSync(path.join(FOLDER, 'tsconfig.json'), JSON.stringify(TSCONFIG, null, 2));
  // Without one of its own Jest would go on to look above, and find that of the unit tests.
  writeFileSync(path.join(FOLDER, 'jest.config.cjs'), 'module.exports = {};\n');
  return written;
}

/** Wraps statements in a test; their imports go to the top. */
function asTest(title, code) {
  const lines = code.split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  const statements = lines.filter((line) => !line.startsWith('import '));
  return [
    "import { expect, test } from 'sluice/playwright';",
    ...imports,
    `test(${JSON.stringify(title)}, async ({ page, proxy, request }) => {`,
    // A sample need not use everything that it is given.
    '  void [page, proxy, request, expect];',
    ...statements.map((line) => `  ${line}`),
    '});',
    '',
  ].join('\n');
}
