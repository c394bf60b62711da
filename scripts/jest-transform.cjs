// TypeScript, and ES modules of dependencies, as the CommonJS that Jest runs. The source map goes along, so that stack
// traces name lines of the source.
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { transformSync, version } = require('esbuild');

const SELF = readFileSync(__filename);

module.exports = {
  process(source, file) {
    const { code } = transformSync(source, {
      loader: file.endsWith('.ts') ? 'ts' : 'js',
      format: 'cjs',
      target: 'node20',
      platform: 'node',
      // Jest has no import() without a flag of Node's: it is made a require().
      supported: { 'dynamic-import': false },
      sourcefile: file,
      sourcemap: 'inline',
    });
    return { code };
  },
  getCacheKey: (source, file) =>
    createHash('sha256')
      .update(SELF)
      .update(version)
      .update(file)
      .update('\0')
      .update(source)
      .digest('hex')
      .slice(0, 32),
};
