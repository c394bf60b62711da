/**
 * An addon: streams every response. It is mitmproxy's `examples/complex/stream.py`, and the same as
 * `streamLargeBodies: 0`, but for responses only.
 *
 * `proxy.use(stream)` with `import * as stream from './stream.js'`.
 */
import type { AnsweredFlow } from 'sluice';

export function responseHeaders(flow: AnsweredFlow): void {
  flow.response.stream = true;
}
