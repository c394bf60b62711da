/** What the scenarios share: peers in processes of their own, measurements that take turns, and the table at the end. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const GIB = 1024 ** 3;
export const MIB = 1024 ** 2;
const rounds = Number(process.env.ROUNDS ?? 5);

export interface Peer {
  child: ChildProcess;
  port: number;
}

/** What a peer tells of itself. */
export interface State {
  rss: number;
  heapUsed: number;
  external: number;
  /** Microseconds of CPU that it has used. */
  cpu: number;
  /** How many flows are recorded. */
  flows: number;
  /** Of all recorded WebSocket messages. */
  messages: { count: number; octets: number; truncated: number; stored: number };
}

interface Row {
  what: string;
  measured: string;
  target: string;
  met: boolean;
}

const children: ChildProcess[] = [];
const rows: Row[] = [];

/** Starts a script of this folder. `PROF=folder` leaves a CPU profile in a folder for each peer when it ends. */
export function spawn(script: string, ...args: string[]): Promise<Peer> {
  const prof = `${process.env.PROF}/${children.length}-${script.replace(/\W/g, '')}-${args[0] ?? ''}`;
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, {
    execArgv: [
      ...['--import', 'tsx', '--expose-gc'],
      ...(process.env.PROF ? ['--cpu-prof', `--cpu-prof-dir=${prof}`] : []),
    ],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${script} ${args.join(' ')} ended at once: ${code}`)));
    child.once('message', (message: { port: number }) => resolve({ child, port: message.port }));
  });
}

/** The proxy; `rule` is one of peer.ts. */
export const spawnSluice = (options: object, rule: string): Promise<Peer> =>
  spawn('./peer.ts', 'sluice', JSON.stringify(options), rule);

let asked = 0;

export function ask(peer: Peer, what: 'state' | 'gc' | 'clear' | 'messages'): Promise<State> {
  const id = ++asked;
  return new Promise((resolve) => {
    const listen = (answer: State & { id: number }) => {
      // Samplings may overlap.
      if (answer.id !== id) return;
      peer.child.off('message', listen);
      resolve(answer);
    };
    peer.child.on('message', listen);
    peer.child.send({ id, what });
  });
}

export const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Medians of measurements that take turns. */
export async function turns(measures: (() => Promise<number>)[]): Promise<number[]> {
  const results = measures.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, measure] of measures.entries()) {
      const value = await measure();
      // The first round warms up.
      if (round >= 0) results[i]?.push(value);
    }
  }
  return results.map(median);
}

/** MiB by which a peer's RSS grows beyond what it is now, at its largest, while something runs. */
export async function growth(peer: Peer, run: () => Promise<unknown>): Promise<number> {
  const before = (await ask(peer, 'state')).rss;
  let peak = before;
  const sampling = setInterval(async () => {
    peak = Math.max(peak, (await ask(peer, 'state')).rss);
  }, 50);
  try {
    await run();
  } finally {
    clearInterval(sampling);
  }
  peak = Math.max(peak, (await ask(peer, 'state')).rss);
  return (peak - before) / MIB;
}

export function report(what: string, measured: string, target: string, met: boolean): void {
  rows.push({ what, measured, target, met });
  console.log(`${met ? 'ok  ' : 'MISS'} ${what}: ${measured} (target ${target})`);
}

export const ratio = (value: number): string => value.toFixed(2);

/** Ends all peers, prints the table, and sets the exit code. */
export function finish(): void {
  for (const child of children) if (child.connected) child.disconnect();
  console.log('');
  console.table(
    rows.map(({ what, measured, target, met }) => ({ what, measured, target, met: met ? 'yes' : 'NO' })),
  );
  process.exitCode = rows.every((row) => row.met) ? 0 : 1;
}
