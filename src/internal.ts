/**
 * What the fixtures use besides the public API. Not an entry point of the package: it may change at any time.
 * @module
 */
export { describeClosing, describeMessage, listMessages } from './flow/describe-message.js';
export { isFlow } from './flow/flow.js';
export { flowOf, isHeadFinal, isMessage, isOver, onProgress } from './flow/progress.js';
export { isAsymmetricMatcher, matchesSubset } from './flow/subset.js';
export { compileMessageMatch, isHeld, type MessageGoal } from './flow/websocket-match.js';
export type { FlowSearch } from './seen.js';
export { loadCa, processCa } from './tls/ca.js';
export type { EndedWait } from './waits.js';
