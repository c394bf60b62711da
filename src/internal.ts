/**
 * What the fixtures use besides the public API. Not an entry point of the package: it may change at any time.
 * @module
 */
export { describeEvent, listEvents } from './flow/describe-event.js';
export { describeClosing, describeMessage, listMessages } from './flow/describe-message.js';
export { compileEventMatch, type EventGoal, payloadOf } from './flow/event-match.js';
export { finalEvents, whyNoMoreEvents } from './flow/events.js';
export { isFlow } from './flow/flow.js';
export type { Payload } from './flow/payload-match.js';
export { flowOf, isHeadFinal, isMessage, isOver, onProgress } from './flow/progress.js';
export { isAsymmetricMatcher, matchesSubset } from './flow/subset.js';
export { compileMessageMatch, isHeld, type MessageGoal } from './flow/websocket-match.js';
export type { FlowSearch } from './seen.js';
export { loadCa, processCa } from './tls/ca.js';
export type { EndedWait } from './waits.js';
