// Builds the package twice from one source: ESM and CommonJS, each with its types.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
for (const project of ['tsconfig.esm.json', 'tsconfig.cjs.json']) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
// Without this marker Node would read dist/cjs as ESM, as the package's own "type" says.
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
