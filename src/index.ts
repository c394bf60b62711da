/**
 * Sluice: a recording, streaming proxy for tests.
 * @module
 */
export type { Answer } from './answers.js';
export {
  type FlowError,
  type FlowErrorCode,
  isSluiceError,
  SluiceError,
  type SluiceErrorCode,
} from './errors.js';
export { FlowList } from './flow/flow-list.js';
export type { FlowMatch, FlowQuery, StreamMatch } from './flow/match.js';
export type * from './flow/payload-types.js';
export type * from './flow/tcp-types.js';
export type * from './flow/types.js';
export { type HarOptions, toHar } from './har/har.js';
export { type HtmlOptions, toHtml } from './har/html.js';
export type { Redact } from './har/redact.js';
export { describeFlow, formatBytes, type SummaryOptions, summarize } from './har/summary.js';
export type { Har } from './har/types.js';
export type { Hooks } from './hooks.js';
export type { ProxyMode } from './options/mode.js';
export type { ProxyOptions, UpstreamProxy } from './options/types.js';
export {
  type Disposer,
  isRecordingProxy,
  type ProxyContext,
  RecordingProxy,
  startProxy,
} from './proxy.js';
export type { Size } from './size.js';
export type { StreamRuleSides } from './stream/rules.js';
export { decoded, keepsLength } from './stream/transforms.js';
export type { EndedWait, Wait } from './waits/waits.js';
