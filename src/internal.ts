/**
 * What the fixtures use besides the public API. Not an entry point of the package: it may change at any time.
 * @module
 */
export { isFlow } from './flow/flow.js';
export { flowOf, isHeadFinal, isMessage, isOver, onProgress } from './flow/progress.js';
export { isAsymmetricMatcher, matchesSubset } from './flow/subset.js';
export type { FlowSearch } from './seen.js';
export { loadCa, processCa } from './tls/ca.js';
export type { EndedWait } from './waits.js';
