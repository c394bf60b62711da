import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import type { TcpFlow } from './tcp-types.js';
import type { HttpFlow } from './types.js';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Recorded flows, in order of their start. */
export class FlowList<F extends HttpFlow | TcpFlow = HttpFlow> implements Iterable<F> {
  #flows: F[];

  constructor(flows: Iterable<F> = []) {
    this.#flows = [...flows];
  }

  get length(): number {
    return this.#flows.length;
  }

  /** The flow that began last. */
  get last(): F | undefined {
    return this.#flows.at(-1);
  }

  /** The flow at `index`; negative from the end. */
  at(index: number): F | undefined {
    return this.#flows.at(index);
  }

  find(predicate: (flow: F, index: number) => boolean): F | undefined {
    return this.#flows.find(predicate);
  }

  filter(predicate: (flow: F, index: number) => boolean): F[] {
    return this.#flows.filter(predicate);
  }

  map<T>(mapper: (flow: F, index: number) => T): T[] {
    return this.#flows.map(mapper);
  }

  [Symbol.iterator](): Iterator<F> {
    return this.#flows[Symbol.iterator]();
  }

  /** Forgets every flow; those in flight go on unrecorded. */
  clear(): void {
    this.#flows = [];
  }

  /** What `console.log` shows: the flows. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    return `FlowList ${inspect(this.#flows, options)}`;
  }

  /** @internal */
  add(flow: F): void {
    this.#flows.push(flow);
  }
}
