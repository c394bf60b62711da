/**
 * What the fixtures and the command use besides the public API. Not an entry point of the package: it may change at any time.
 * @module
 */

export { describeValue } from './flow/describe.js';
export { describeEvent, listEvents } from './flow/describe-event.js';
export {
  describeClosing,
  describeMessage,
  describeTcpMessage,
  listItems,
  listMessages,
} from './flow/describe-message.js';
export { compileEventMatch, type EventGoal, payloadOf } from './flow/event-match.js';
export { finalEvents, whyNoMoreEvents } from './flow/events.js';
export { compileFilter } from './flow/filter.js';
export { isFlow } from './flow/flow.js';
export { comparePayload, type Payload } from './flow/payload-match.js';
export { flowOf, isHeadFinal, isMessage, isOver, isTcpFlow, onProgress } from './flow/progress.js';
export { isAsymmetricMatcher, matchesSubset } from './flow/subset.js';
export { compileMessageMatch, isHeld, type MessageGoal } from './flow/websocket-match.js';
export { shownError } from './har/failure.js';
export { HAR_CREATOR } from './har/har.js';
export { flowWords } from './har/summary.js';
export { describeTcp } from './har/tcp.js';
export { formatDuration, plural, printable, shorten, shortenUrl } from './har/text.js';
export { HOOK_NAMES } from './hooks.js';
export { ClientDistrust } from './listen/distrust.js';
export { refuseUnknown } from './nearest.js';
export { resolveOptions } from './options/resolve.js';
export { OPTION_NAMES } from './options/table.js';
export { loadCa, processCa } from './tls/ca.js';
export type { FlowSearch } from './waits/seen.js';
export type { EndedWait } from './waits/waits.js';

/** Loaded by those only who want it: it brings two libraries along. */
export const loadRouting = () => import('./clients/routing.js');
