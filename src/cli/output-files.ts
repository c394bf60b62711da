/**
 * The files that the command writes.
 * @module
 */
import { constants, openSync, type Stats } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { type HttpFlow, SluiceError, toHar } from '../index.js';

/** The latest flows, as many as the command keeps. */
const LIMIT = 10_000;

/** Finished flows. */
export class KeptFlows {
  #flows: HttpFlow[] = [];

  get length(): number {
    return Math.min(this.#flows.length, LIMIT);
  }

  add(flow: HttpFlow): void {
    this.#flows.push(flow);
    // Not at each flow, since the rest moves up.
    if (this.#flows.length >= LIMIT * 1.1) this.#flows = this.#flows.slice(-LIMIT);
  }

  /** As HTTP Archive. */
  har(): string {
    return JSON.stringify(toHar(this.#flows.slice(-LIMIT)), null, 2);
  }
}

/**
 * Whether a file can be written, as far as can be told before.
 * @param flag that names it
 * @throws SluiceError BAD_OPTION
 */
export async function checkWritable(flag: string, file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const refuse = (why: string) =>
    new SluiceError('BAD_OPTION', `${flag} ${file}: ${why}; give a file that can be written`);
  const [found, folder] = [await statOf(file), path.dirname(file)];
  if (found?.isDirectory()) throw refuse('this is a folder');
  if (found?.isSocket()) throw refuse('this is a socket');
  if (!(await statOf(folder))?.isDirectory()) throw refuse(`there is no folder ${folder}`);
  try {
    await access(found === undefined ? folder : file, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(`${found === undefined ? folder : 'it'} may not be written to (${code})`);
  }
}

/** A pipe has to have a reader by now: one would be waited for without end. @throws SluiceError BAD_OPTION that names the file */
export async function save(file: string, content: string): Promise<void> {
  try {
    if ((await statOf(file))?.isFIFO()) await pipeTo(file, content);
    else await writeFile(file, content);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SluiceError('BAD_OPTION', `${file} cannot be written: ${why}; give another file`, { cause });
  }
}

async function pipeTo(file: string, content: string): Promise<void> {
  // Takes the descriptor over, and waits where the reader is slow.
  const pipe = new Socket({ fd: openPipe(file), readable: false });
  pipe.end(content);
  try {
    await finished(pipe, { readable: false });
  } finally {
    pipe.destroy();
  }
}

function openPipe(file: string): number {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENXIO')
      throw new Error('nobody reads this pipe', { cause });
    throw cause;
  }
}

async function statOf(file: string): Promise<Stats | undefined> {
  // Whatever the reason is, it cannot be looked at.
  return stat(file).catch(() => undefined);
}
