// Checks what `npm pack` gives: `npm run package:check`, or `npm run package:check -- jest-esm` for some projects only.
// What is in it, what publint and @arethetypeswrong/cli say of it, and whether projects that install it work: each folder
// of scripts/package/ becomes a project in the folder for temporary files, with nothing installed but what its own
// package.json names, in the versions of this repository. A .mts file there is also a .cts file: the text of both.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'expect';
import { Tally } from './unit-tally.mjs';

const PROJECTS = path.resolve('scripts/package');
/** Types are checked as strictly as can be, and in both of the ways of looking for modules. */
const STRICT = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022', types: ['*'] };
const TSCONFIGS = {
  node16: { compilerOptions: { ...STRICT, module: 'node16' } },
  bundler: {
    compilerOptions: { ...STRICT, module: 'es2022', moduleResolution: 'bundler' },
    exclude: ['*.cts'],
  },
};
/** Packed, in kB. It is 460: much more than that should be on purpose. */
const LARGEST = 600;

const started = performance.now();
const manifest = readJson('package.json');
const asked = process.argv.slice(2);
const projects = readdirSync(PROJECTS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && (asked.length === 0 || asked.includes(entry.name)))
  .map(({ name }) => name);
const unknown = asked.filter((name) => !projects.includes(name));
if (unknown.length > 0) {
  console.error(`no folder ${unknown.join(', ')} in scripts/package`);
  process.exit(1);
}
const temporary = mkdtempSync(path.join(tmpdir(), 'sluice-package-'));
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
const { tarball, files, size } = await pack();

/** Each throws what is wrong. */
const CHECKS = {
  'holds what users need, and nothing else': () => {
    const pages = readdirSync('docs').filter((name) => name.endsWith('.md'));
    const pictures = readdirSync('docs/performance').map((name) => `performance/${name}`);
    const docs = [...pages, ...pictures].map((name) => `docs/${name}`);
    const wanted = ['CHANGELOG.md', 'LICENSE', 'README.md', ...docs];
    expect(files.filter((file) => !file.startsWith('dist/')).sort()).toEqual(
      [...wanted, 'package.json'].sort(),
    );
    const isModule = /^dist\/(esm|cjs)\/(src|fixtures)\/.*\.(js|d\.ts)$/;
    const isTest = /\.test\.|\/testing\//;
    const built = files.filter((file) => file.startsWith('dist/'));
    expect(built.filter((file) => !isModule.test(file) || isTest.test(file))).toEqual([
      'dist/cjs/package.json',
    ]);
  },

  'holds every file that package.json names': () => {
    const named = [...targets(manifest.exports), ...targets(manifest.bin)];
    expect(named.filter((file) => !files.includes(file.replace('./', '')))).toEqual([]);
  },

  'is not large': () => {
    expect(size).toBeLessThan(LARGEST);
  },

  'has nothing that publint finds fault with': async () => {
    await run('node_modules/.bin/publint', ['run', '--strict', tarball]);
  },

  // The profile leaves out `moduleResolution: node10`, which knows no "exports" and is no more in TypeScript 7. None of
  // the rules is left out.
  'has types that TypeScript finds, and that fit the modules': async () => {
    await run('node_modules/.bin/attw', ['--profile', 'node16', tarball]);
  },
};

const tally = new Tally();
for (const [name, check] of Object.entries(CHECKS)) await perform(`the package ${name}`, check);
const origin = await startOrigin();
const waiting = projects.map((name) => () => perform(`a project works: ${name}`, () => tryOut(name)));
// Two at a time.
await Promise.all([work(), work()]);
origin.close();
tally.print(performance.now() - started);

async function work() {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
}

/** Does a check, and says how it went. */
async function perform(name, check) {
  const began = performance.now();
  try {
    await check();
    tally.add('scripts/package.mjs', name, 'passed');
    console.log(`✓ ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    tally.add('scripts/package.mjs', name, 'failed');
    process.exitCode = 1;
    console.log(`\n✘ ${name}\n${error.message.replace(/^/gm, '    ')}\n`);
  }
}

/** Installs the package in a project, runs its tests and checks its types. @throws what is wrong */
async function tryOut(name) {
  const folder = setUp(name);
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', ...flags], { cwd: folder });
  await run('npm', ['test'], { cwd: folder, env: { ORIGIN: origin.url } });
  const isTyped = readdirSync(folder).includes('types.mts');
  for (const [way, tsconfig] of isTyped ? Object.entries(TSCONFIGS) : []) {
    writeJson(path.join(folder, `tsconfig.${way}.json`), tsconfig);
    const compiler = path.resolve('node_modules/typescript/bin/tsc');
    await run(process.execPath, [compiler, '-p', `tsconfig.${way}.json`], { cwd: folder });
  }
  // Thousands of files: at the end nothing else would go on meanwhile.
  await rm(folder, { recursive: true });
}

/** Builds and packs. @returns where it is, the paths in it, and how large it is in kB */
async function pack() {
  const text = await run('npm', ['pack', '--json', '--pack-destination', temporary]);
  // What the build prints comes first.
  const [packed] = JSON.parse(text.slice(text.search(/^\[$/m)));
  const size = Math.ceil(packed.size / 1000);
  const unpacked = Math.ceil(packed.unpackedSize / 1000);
  console.log(`${packed.filename}: ${size} kB, ${unpacked} kB unpacked, in ${packed.files.length} files`);
  return {
    tarball: path.join(temporary, packed.filename),
    files: packed.files.map((file) => file.path),
    size,
  };
}

/** Makes a project of a folder. @returns where it is */
function setUp(name) {
  const folder = path.join(temporary, name);
  cpSync(path.join(PROJECTS, name), folder, { recursive: true });
  for (const file of readdirSync(PROJECTS)) {
    if (file.endsWith('.cjs')) cpSync(path.join(PROJECTS, file), path.join(folder, file));
  }
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.mts'))
      cpSync(path.join(folder, file), path.join(folder, file.replace(/mts$/, 'cts')));
  }
  const project = readJson(path.join(folder, 'package.json'));
  for (const dependency of Object.keys(project.devDependencies)) {
    project.devDependencies[dependency] =
      dependency === manifest.name ? `file:${tarball}` : versionOf(dependency);
  }
  writeJson(path.join(folder, 'package.json'), project);
  return folder;
}

/** What of a package is installed here. */
function versionOf(dependency) {
  return readJson(path.join('node_modules', dependency, 'package.json')).version;
}

/** What the projects make requests to. */
async function startOrigin() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://origin');
    if (pathname === '/big') response.end(Buffer.alloc(1_000_000, 'sluice'));
    else if (pathname === '/orders') response.end('{"orders":[1,2]}');
    else request.resume().on('end', () => response.writeHead(pathname === '/upload' ? 204 : 404).end());
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Runs a command to its end. @returns what it wrote on standard output @throws an Error that has all it wrote */
function run(command, args, { cwd = process.cwd(), env = {} } = {}) {
  const options = { cwd, env: { ...process.env, ...env }, timeout: 120_000, maxBuffer: 2 ** 26 };
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const line = [command, ...args].join(' ');
        const why = error.killed ? 'ended after two minutes' : `exit code ${error.code}`;
        reject(new Error(`${line}\nin ${cwd}: ${why}\n${stdout}${stderr}`));
      }
    });
  });
}

/** The files that the conditions of "exports" lead to. */
function targets(conditions) {
  return typeof conditions === 'string' ? [conditions] : Object.values(conditions).flatMap(targets);
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
