import { SluiceError } from './errors.js';
import type { CompiledMatch } from './flow/match.js';
import type { HttpFlow } from './flow/types.js';
import { describeFlow } from './har/summary.js';

interface Forbidden {
  readonly match: CompiledMatch;
  readonly hits: Set<HttpFlow>;
  /** Hits that `verify()` has thrown already. */
  readonly told: WeakSet<HttpFlow>;
  /** Where it was forbidden. */
  readonly frames: string | undefined;
  /** Its predicate threw: it is not asked again, or it would throw for each step of each flow. */
  broken: boolean;
}

/** What a test must not miss: forbidden flows, and its own hooks, predicates and transforms that threw. */
export class Verdict {
  readonly #forbidden = new Set<Forbidden>();
  readonly #problems: unknown[] = [];
  readonly #judging = new Set<Promise<void>>();

  /** @returns what lifts the ban; what was seen before that still counts */
  forbid(match: CompiledMatch): () => void {
    let lifted = false;
    const whileItHolds = { ...match, test: (flow: HttpFlow) => !lifted && match.test(flow) };
    this.#forbidden.add({
      match: whileItHolds,
      hits: new Set(),
      told: new WeakSet(),
      frames: new Error().stack?.split('\n').slice(3).join('\n'),
      broken: false,
    });
    return () => {
      lifted = true;
    };
  }

  /** Something went on in a flow. */
  happened(flow: HttpFlow): void {
    for (const entry of this.#forbidden) this.#judge(entry, flow);
  }

  /** Something of the test's own threw. */
  problem(thrown: unknown): void {
    this.#problems.push(thrown);
  }

  /** @throws SluiceError FORBIDDEN_FLOW, or what was thrown; an AggregateError of several */
  async verify(flows: Iterable<HttpFlow>): Promise<void> {
    for (const entry of this.#forbidden) for (const flow of flows) this.#judge(entry, flow);
    await Promise.all(this.#judging);
    const problems = this.#problems.splice(0);
    for (const { match, hits, told, frames } of this.#forbidden) {
      if (hits.size === 0) continue;
      const list = [...hits].map((flow) => `  - ${describeFlow(flow)}`).join('\n');
      const error = new SluiceError(
        'FORBIDDEN_FLOW',
        `forbid(${match.describe}): seen all the same:\n${list}`,
      );
      if (frames !== undefined) error.stack = `${error.name}: ${error.message}\n${frames}`;
      problems.push(error);
      for (const flow of hits) told.add(flow);
      hits.clear();
    }
    const [only] = problems;
    if (problems.length === 1) throw only;
    if (problems.length > 1) throw new AggregateError(problems, problems.map(String).join('\n'));
  }

  #judge(entry: Forbidden, flow: HttpFlow): void {
    if (entry.broken || entry.hits.has(flow) || entry.told.has(flow)) return;
    const threw = (error: unknown) => {
      if (!entry.broken) this.#problems.push(error);
      entry.broken = true;
    };
    try {
      const matches = entry.match.test(flow);
      if (matches === true) entry.hits.add(flow);
      if (typeof matches === 'boolean') return;
      const judging = matches
        .then((result) => {
          if (result) entry.hits.add(flow);
        }, threw)
        .finally(() => this.#judging.delete(judging));
      this.#judging.add(judging);
    } catch (error) {
      threw(error);
    }
  }
}
