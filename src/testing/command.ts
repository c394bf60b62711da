/**
 * The command `sluice` in a process of its own, for tests.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** The command from its sources. */
const FROM_SOURCES = [process.execPath, '--import', 'tsx', path.resolve('src/cli/main.ts')];
/** A test that waits longer hangs, in milliseconds. */
const PATIENCE = 60_000;

/** How a process ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Program and its first arguments. Default: the command from its sources. */
  command?: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Close what reads standard output, once it has read so much. */
  closeStdoutAfter?: RegExp;
}

/** A command that runs. */
export class RunningCommand {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  readonly child: ChildProcess;
  #end: Ended | undefined;
  readonly #checks = new Set<() => void>();

  constructor(args: readonly string[], options: CommandOptions = {}) {
    const [program = '', ...first] = options.command ?? FROM_SOURCES;
    const { NO_COLOR: _, ...env } = process.env;
    const child = spawn(program, [...first, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      if (options.closeStdoutAfter?.test(this.stdout) === true) child.stdout.destroy();
      this.#look();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.#end = { code, signal, stdout: this.stdout, stderr: this.stderr };
        this.#look();
        resolve(this.#end);
      });
    });
  }

  /** The first match in standard output, from `after` on. */
  prints(wanted: RegExp, after = 0): Promise<RegExpExecArray> {
    return this.#until(wanted, () => wanted.exec(this.stdout.slice(after)));
  }

  /** The first match in standard error. */
  complains(wanted: RegExp, after = 0): Promise<RegExpExecArray> {
    return this.#until(wanted, () => wanted.exec(this.stderr.slice(after)));
  }

  /** Its port, once it listens. */
  async port(): Promise<number> {
    const [, port] = await this.prints(/sluice listens on \w+:\/\/[^ \n]*:(\d+)/);
    return Number(port);
  }

  /** Waits until it listens, where it does not say so. */
  async listensOn(port: number): Promise<void> {
    while (!(await isListening(port))) {
      if (this.#end !== undefined)
        throw new Error(`the command ended with ${this.#end.code}: ${this.stderr}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Types something, where a terminal is between. */
  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Ends it as Ctrl-C does. */
  interrupt(): Promise<Ended> {
    this.child.kill('SIGINT');
    return this.ended;
  }

  /** Sends a signal as often as it takes: of two that are close the second does not count. */
  async insist(signal: NodeJS.Signals): Promise<Ended> {
    const again = setInterval(() => this.child.kill(signal), 50);
    try {
      return await this.ended;
    } finally {
      clearInterval(again);
    }
  }

  #until(wanted: RegExp, look: () => RegExpExecArray | null): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        finish();
        reject(new Error(`${why}: no ${wanted}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`));
      };
      const timer = setTimeout(() => fail('the command hangs'), PATIENCE);
      const finish = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const check = () => {
        const found = look();
        if (found !== null) {
          finish();
          resolve(found);
        } else if (this.#end !== undefined) fail(`the command ended with ${this.#end.code}`);
      };
      this.#checks.add(check);
      check();
    });
  }

  #look(): void {
    for (const check of [...this.#checks]) check();
  }
}

/** What a test of the command plays with; all of it is ended and removed afterwards. */
export interface CommandStage {
  /** Starts the command on any free port; another `command` is given all its arguments here. */
  start(args?: readonly string[], options?: CommandOptions): RunningCommand;
  /** A folder for files. */
  readonly folder: string;
  /** An origin's address: what {@link serve} answers. */
  readonly origin: string;
}

/** A port that nothing listens on right now. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `/bytes/N` is answered with so many octets, anything else with `hello`; `handle` may answer before. */
export async function withCommand(
  play: (stage: CommandStage) => Promise<void>,
  handle: (request: http.IncomingMessage, response: http.ServerResponse) => boolean = () => false,
): Promise<void> {
  const started: RunningCommand[] = [];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-command-'));
  const server = http.createServer((request, response) => {
    if (handle(request, response)) return;
    const [, bytes] = /^\/bytes\/(\d+)/.exec(request.url ?? '') ?? [];
    response.end(bytes === undefined ? 'hello' : Buffer.alloc(Number(bytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await play({
      folder,
      origin: `http://127.0.0.1:${port}`,
      start(args = [], options = {}) {
        const first = options.command === undefined && !args.includes('-p') ? ['-p', '0'] : [];
        const command = new RunningCommand([...first, ...args], options);
        started.push(command);
        return command;
      },
    });
  } finally {
    for (const { child } of started) if (child.exitCode === null) child.kill('SIGKILL');
    await Promise.all(started.map(({ ended }) => ended));
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
}

/** Fetches a URL through a proxy on a connection of its own. Gives what came, also of a response that is cut. */
export function through(
  port: number,
  url: string,
  options: { method?: string; body?: string } = {},
): Promise<{ status: number; body: string; whole: boolean }> {
  return new Promise((resolve, reject) => {
    const { host } = URL.canParse(url) ? new URL(url) : { host: `127.0.0.1:${port}` };
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: url,
      method: options.method ?? 'GET',
      headers: { host },
      agent: false,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        resolve({ status: response.statusCode ?? 0, body, whole: response.complete });
      });
    });
    request.end(options.body);
  });
}

/** Whether something accepts connections there. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
