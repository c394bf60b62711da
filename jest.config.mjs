// The unit tests that need a proxy run on Jest, with the fixture that its users have: `npm run unit`, or `npx jest`.
import { availableParallelism } from 'node:os';
import { unitTests } from './scripts/unit-files.mjs';

export default {
  testEnvironment: 'node',
  testMatch: unitTests().jest.map((file) => `<rootDir>/${file.replaceAll('\\', '/')}`),
  // The last build is a second package of the same name.
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  moduleFileExtensions: ['js', 'ts', 'mjs', 'cjs', 'json', 'node'],
  // Sources import each other by the names that they are built to.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '\\.[jt]s$': '<rootDir>/scripts/jest-transform.cjs' },
  // Of dependencies, those that are ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!get-port/)'],
  cacheDirectory: 'node_modules/.cache/jest',
  maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
  // They grow with each file, since Node keeps what it compiled.
  workerIdleMemoryLimit: '1GB',
  // One that hangs says what it waits for after 30 s.
  testTimeout: 120_000,
};
