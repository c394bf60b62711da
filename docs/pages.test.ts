// Holds the reference pages to the sources they are about.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { matchers } from '../fixtures/matchers.js';
import { FLOW_KEYS } from '../src/flow/query.js';
import { HOOK_NAMES } from '../src/hooks.js';
import { OPTIONS } from '../src/options/table.js';

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
];

/** The cells of the rows of a page's tables, by heading. */
function tables(page: string): Map<string, string[][]> {
  const found = new Map<string, string[][]>();
  let heading = '';
  for (const line of readFileSync(page, 'utf8').split('\n')) {
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    if (!line.startsWith('| ') || /^\| (-+ \| )*-+ \|$/.test(line)) continue;
    // Bars and asterisks within a cell are written \| and \*.
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    const rows = found.get(heading) ?? [];
    rows.push(cells.map((cell) => cell.trim().replace(/\\([|*])/g, '$1')));
    found.set(heading, rows);
  }
  return found;
}

function body(page: string, heading: string): string[][] {
  const [, ...rows] = tables(page).get(heading) ?? [];
  return rows;
}

/** The members of a union of string literals in a source. */
function union(source: string, name: string): string[] {
  const bare = source.replace(/\/\*\*[\s\S]*?\*\//g, '');
  const declaration = new RegExp(`export type ${name} =([^;]*);`).exec(bare)?.[1] ?? '';
  return [...declaration.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code ?? '');
}

describe('docs/errors.md', () => {
  const source = readFileSync('src/errors.ts', 'utf8');
  for (const [heading, type] of [
    ['Thrown', 'SluiceErrorCode'],
    ['On flows', 'FlowErrorCode'],
  ] as const) {
    it(`lists every ${type}, in the order of the source, with cause and cure`, () => {
      const codes = union(source, type);
      expect(codes.length).toBeGreaterThan(10);
      const rows = body('docs/errors.md', heading);
      expect(rows.map(([code]) => code)).toEqual(codes.map((code) => `\`${code}\``));
      for (const row of rows) expect(row.filter((cell) => cell.length > 3)).toHaveLength(3);
    });
  }
});

describe('docs/options.md', () => {
  it('says of every option what their table in src/options says', () => {
    const wanted = Object.entries(OPTIONS).map(([name, { default: fallback, help, accepted }]) => {
      return [`\`${name}\``, shownDefault(fallback), help, accepted];
    });
    const rows = body('docs/options.md', 'Options');
    const asTable = (cells: string[][]) =>
      cells.map((row) => `| ${row.map((cell) => cell.replace(/[|*]/g, '\\$&')).join(' | ')} |`).join('\n');
    expect(asTable(rows)).toBe(asTable(wanted));
  });
});

function shownDefault(value: unknown): string {
  if (value === undefined) return 'none';
  if (value === Number.POSITIVE_INFINITY) return 'no limit';
  if (Array.isArray(value))
    return value.length === 0 ? 'none' : value.map((item) => `\`${item}\``).join(', ');
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, field]) => `${key}: ${field}`);
    return fields.length === 0 ? 'none' : `\`{ ${fields.join(', ')} }\``;
  }
  return `\`${typeof value === 'string' ? `'${value}'` : value}\``;
}

describe('docs/matchers.md', () => {
  it('lists every matcher, and no other', () => {
    const listed = body('docs/matchers.md', 'Matchers').map(([call]) => /\)\.(\w+)\(/.exec(call ?? '')?.[1]);
    expect(listed.sort()).toEqual(Object.keys(matchers).sort());
  });
});

describe('docs/recording.md', () => {
  const text = readFileSync('docs/recording.md', 'utf8');
  it('names every hook and every key of a query', () => {
    expect([...HOOK_NAMES, ...FLOW_KEYS].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/dependencies.md', () => {
  type Versions = Record<string, string>;
  const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Versions;
    peerDependencies: Versions;
  };
  const rows = (heading: string) => {
    return body('docs/dependencies.md', heading).map(([name, ...rest]) => [
      /`(.*?)`/.exec(name ?? '')?.[1],
      ...rest,
    ]);
  };

  it('justifies every runtime dependency in its version, and no other', () => {
    const listed = rows('Dependencies');
    expect(listed.map(([name, version]) => [name, version])).toEqual(Object.entries(dependencies));
    for (const [, , ...reasons] of listed)
      expect(reasons.filter((reason) => reason && reason.length > 20)).toHaveLength(2);
    expect(rows('Weight').map(([name]) => name)).toEqual(Object.keys(dependencies));
  });

  it('says which peers were tried', () => {
    expect(rows('Peers').map(([name, range]) => [name, range])).toEqual(Object.entries(peerDependencies));
  });
});

describe('the pages', () => {
  for (const page of PAGES) {
    it(`${page} links to what is there`, () => {
      const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
      const targets = [...text.matchAll(/\]\(([^)#]+)(#[^)]*)?\)/g)].map(([, target]) => target ?? '');
      const missing = targets
        .filter((target) => !/^https?:/.test(target))
        .filter((target) => !existsSync(path.join(path.dirname(page), target)));
      expect(missing).toEqual([]);
    });
  }

  it('README.md leads to every page', () => {
    const readme = readFileSync('README.md', 'utf8');
    const unlinked = PAGES.filter(
      (page) => page !== 'README.md' && !readme.includes(`(${page.replace(/\\/g, '/')})`),
    );
    expect(unlinked).toEqual([]);
  });
});
