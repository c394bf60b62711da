/**
 * The waits for TCP flows.
 * @module
 */
import type { TcpFlowRecord } from '../flow/tcp.js';
import { compileTcpMatch } from '../flow/tcp-match.js';
import type { TcpFlow, TcpFlowMatch } from '../flow/tcp-types.js';
import { failureOf, listTcpFlows } from './seen.js';
import { type EndedWait, type Wait, Waits } from './waits.js';

/** The methods of the proxy that wait for TCP flows, on {@link Waits} of their own. */
export class TcpWaits {
  readonly #waits: Waits<TcpFlowRecord, undefined>;

  /**
   * @param flows those recorded so far
   * @param defaultTimeout milliseconds
   */
  constructor(
    private readonly flows: Iterable<TcpFlow>,
    defaultTimeout?: number,
  ) {
    this.#waits = new Waits(() => flows as Iterable<TcpFlowRecord>, defaultTimeout);
  }

  /** Something went on in a flow. */
  happened(flow: TcpFlowRecord): void {
    this.#waits.happened(flow, undefined);
  }

  /** @returns the waits that were pending, which are rejected with `why` */
  end(why: string): EndedWait[] {
    return this.#waits.end(why);
  }

  close(why: string): void {
    this.#waits.close(why);
  }

  connected(match: TcpFlowMatch, options?: Wait): Promise<TcpFlowRecord> {
    const compiled = compileTcpMatch(match);
    return this.#waits.for(
      {
        what: `waitForTcpFlow(${compiled.describe})`,
        late: 'no such flow',
        // This method, and the proxy's.
        frames: 2,
        match: compiled,
        reached: (flow) => flow.server !== undefined,
        failed: (flow) => (flow.server === undefined ? failureOf(flow, 'waitForTcpFlow') : undefined),
        result: (flow) => flow,
        seen: () => listTcpFlows(this.flows),
      },
      options,
    );
  }
}
