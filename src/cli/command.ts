/**
 * The command `sluice`.
 * @module
 */
import { inspect } from 'node:util';
import { performance } from '../clock.js';
import { isSluiceError } from '../index.js';
import { readArguments } from './arguments.js';
import { help, optionList, version } from './help.js';
import { paintFor, Screen } from './screen.js';
import { type Run, Session } from './session.js';

/** Exit codes. */
const FAILED = 1;
const MISUSED = 2;
/** Milliseconds in which signals are one: npx passes on a Ctrl-C that the terminal sends to this process as well. */
const ECHO = 250;

/** Runs the command in this process, which it ends. @param args without those of Node */
export async function runCommand(args: string[]): Promise<void> {
  const { stdout, stderr } = process;
  const screen = new Screen(stdout, stderr);
  // Of a reader that has gone there is nobody to tell; a session ends with it.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  try {
    const task = readArguments(args);
    if (task.show === undefined) await record(task, screen);
    else show(task.show);
    process.exit();
  } catch (error) {
    screen.draw([]);
    process.exit(complain(error, screen));
  }
}

function show(what: 'help' | 'options' | 'version'): void {
  const text = { help, options: optionList, version }[what];
  process.stdout.write(`${text(process.stdout.columns || Number.POSITIVE_INFINITY)}\n`);
}

async function record(task: Run, screen: Screen): Promise<void> {
  const { stdout, stderr, env } = process;
  // What addons print must not be drawn over.
  if (screen.hasFoot) globalThis.console = screen.console();
  const paint = { out: paintFor(stdout, env), err: paintFor(stderr, env) };
  const session = await Session.start(task, screen, paint);
  const ended = whenAsked(session);
  if (!task.quiet) for (const line of session.greeting()) screen.line(line);
  try {
    await ended;
  } catch (error) {
    // The user has done nothing wrong, but something could not be done.
    if (!isSluiceError(error)) throw error;
    session.note(`sluice: ${error.message}`);
    process.exit(FAILED);
  }
}

/** Resolves when a signal, or a reader that has gone, has ended the session. */
function whenAsked(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => session.stop().then(resolve, reject);
    let last = Number.NEGATIVE_INFINITY;
    const signalled = () => {
      const now = performance.now();
      if (now - last < ECHO) return;
      last = now;
      stop();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, signalled);
    let isUnread = false;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      // Every write fails from now on; only the first asks to stop.
      if (isUnread) return;
      isUnread = true;
      // As when the disk that it goes to is full. A reader that has gone wants to hear no more.
      if (error.code !== 'EPIPE') {
        session.note(`sluice: standard output cannot be written: ${error.message}`);
        process.exitCode = FAILED;
      }
      stop();
    });
    const uncaught = (thrown: unknown) => {
      // As when a hook throws, the proxy goes on.
      if (!session.blameAddon(thrown)) reject(thrown);
    };
    process.on('uncaughtException', uncaught);
    process.on('unhandledRejection', uncaught);
  });
}

/** @returns the exit code */
function complain(error: unknown, screen: Screen): number {
  if (isSluiceError(error)) {
    // A filter's message goes on to show the place, and what there is.
    const [line = ''] = error.message.split('\n');
    const { at } = error as { at?: unknown };
    screen.note(`sluice: ${line}${typeof at === 'number' ? `, at character ${at + 1}` : ''}`);
    return MISUSED;
  }
  screen.note(`sluice: ${error instanceof Error ? error.stack : inspect(error)}`);
  return FAILED;
}
