// Builds the package twice from one source: ESM and CommonJS, each with its types. The last build stays in its place
// until this one is done, so that whoever runs from it meanwhile finds all of it.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const made = `dist.${process.pid}`;
process.on('exit', () => rmSync(made, { recursive: true, force: true }));

for (const kind of ['esm', 'cjs']) {
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', `tsconfig.${kind}.json`, '--outDir', `${made}/${kind}`],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
}
// Without this marker Node would read dist/cjs as ESM, as the package's own "type" says.
writeFileSync(`${made}/cjs/package.json`, '{ "type": "commonjs" }\n');
// npm makes it executable where it installs it, but not in this folder.
chmodSync(`${made}/esm/src/cli/main.js`, 0o755);

const old = `${made}.old`;
if (existsSync('dist')) renameSync('dist', old);
renameSync(made, 'dist');
rmSync(old, { recursive: true, force: true });
