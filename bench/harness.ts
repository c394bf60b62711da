/** Processes of the benchmarks, what they tell of themselves, and measurements that take turns. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

export const GIB = 1024 ** 3;
export const MIB = 1024 ** 2;

/** How often each measurement is taken, beside one that warms up. */
export const rounds = Number(process.env.ROUNDS ?? 3);

/** A process that listens. */
export interface Listening {
  child: ChildProcess;
  port: number;
}

/** What a script of ours tells of itself. */
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

const children = new Set<ChildProcess>();

function watch(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Starts a script of this folder, which tells its port. `PROF=folder` leaves a CPU profile of each when it ends. */
export async function script(file: string, ...args: string[]): Promise<Listening> {
  const prof = `${process.env.PROF}/${file.replace(/\W/g, '-')}-${args[0] ?? ''}`;
  const child = watch(
    fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      execArgv: [
        ...(file.endsWith('.ts') ? ['--import', 'tsx'] : []),
        '--expose-gc',
        ...(process.env.PROF ? ['--cpu-prof', `--cpu-prof-dir=${prof}`] : []),
      ],
      // What other people's proxies say under load is theirs.
      stdio: ['ignore', 'ignore', file.endsWith('.ts') ? 'inherit' : 'ignore', 'ipc'],
    }),
  );
  const [message] = await Promise.race([
    once(child, 'message') as Promise<[{ port: number }]>,
    once(child, 'exit').then(([code]): never => {
      throw new Error(`${file} ${args.join(' ')} ended at once: ${code}`);
    }),
  ]);
  return { child, port: message.port };
}

/** Starts a program that is to listen on `port`, and waits until it does. */
export async function program(command: string, args: string[], port: number): Promise<Listening> {
  const child = watch(spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  const failed = Promise.race([
    once(child, 'error').then(([error]): never => {
      throw error;
    }),
    once(child, 'exit').then(([code]): never => {
      throw new Error(`${command} ${args.join(' ')} ended at once: ${code}`);
    }),
  ]);
  await Promise.race([failed, listens(port)]);
  failed.catch(() => undefined);
  return { child, port };
}

async function listens(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function end({ child }: Listening): void {
  // A script ends with its channel, and writes its profile; a program is asked to.
  if (child.connected) child.disconnect();
  else child.kill();
}

/** Ends a process and waits until it has. */
export async function ended(listening: Listening): Promise<void> {
  const { child } = listening;
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  end(listening);
  await exit;
}

/** Ends whatever still runs. */
export function endAll(): void {
  for (const child of children) end({ child, port: 0 });
}

let asked = 0;

export function ask(peer: Listening, what: 'state' | 'gc' | 'clear' | 'messages'): Promise<State> {
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

/** Of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** Measurements that take turns, A B C A B C; a first round warms up. */
export async function turns(
  measures: readonly (() => Promise<number>)[],
  times = rounds,
): Promise<number[][]> {
  const results = measures.map((): number[] => []);
  for (let round = -1; round < times; round++) {
    for (const [i, measure] of measures.entries()) {
      const value = await measure();
      if (round >= 0) results[i]?.push(value);
    }
  }
  return results;
}

/** MiB by which a peer's RSS grows beyond what it is now, at its largest, while something runs. */
export async function growth(peer: Listening, run: () => Promise<unknown>): Promise<number> {
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
