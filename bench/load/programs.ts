/** Load by programs that nobody here wrote: curl for bodies, wrk for many requests. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Subject } from '../subjects.js';

const run = promisify(execFile);

/** Where a request goes. */
export interface Destination {
  /** The origin's port. */
  port: number;
  secure: boolean;
  path: string;
}

/** What curl is told so that a request goes through `subject`. */
function through(subject: Subject, { port, secure, path }: Destination): string[] {
  const scheme = secure ? 'https' : 'http';
  const insecure = secure ? ['-k'] : [];
  if (subject.kind === 'proxy') {
    return [...insecure, '-x', `http://127.0.0.1:${subject.port}`, `${scheme}://localhost:${port}${path}`];
  }
  return [
    ...insecure,
    '--connect-to',
    `::127.0.0.1:${subject.port}`,
    `${scheme}://localhost:${subject.port}${path}`,
  ];
}

/** Seconds of a download. @throws unless `octets` came */
export function curlDown(subject: Subject, destination: Destination, octets: number): Promise<number> {
  return curl(subject, destination, 'size_download', octets);
}

/** Seconds of an upload of a file. @throws unless it was answered with 200 */
export function curlUp(
  subject: Subject,
  destination: Destination,
  file: string,
  octets: number,
): Promise<number> {
  const upload = ['-X', 'POST', '-T', file, '-H', 'Expect:'];
  return curl(subject, destination, 'size_upload', octets, upload);
}

/** Seconds of a request. @param moved curl's variable that is to come to `octets` */
async function curl(
  subject: Subject,
  destination: Destination,
  moved: 'size_download' | 'size_upload',
  octets: number,
  more: readonly string[] = [],
): Promise<number> {
  const told = ['-w', `%{http_code} %{${moved}} %{time_total}`];
  const asked = ['-s', '-S', '--http1.1', '--noproxy', '', '-o', '/dev/null', ...told];
  const { stdout } = await run('curl', [...asked, ...more, ...through(subject, destination)]);
  const [status, size, time] = stdout.split(' ');
  if (status !== '200' || Number(size) !== octets) throw new Error(`${subject.name}: ${stdout}`);
  return Number(time);
}

/** Requests per second by wrk, with one thread. @throws if any was not answered with 200 */
export async function wrk(
  subject: Subject,
  { port, path: asked }: Destination,
  { connections, seconds, folder }: { connections: number; seconds: number; folder: string },
): Promise<number> {
  const form = subject.kind === 'proxy' ? `http://127.0.0.1:${port}${asked}` : asked;
  const lua = path.join(folder, 'request.lua');
  // wrk knows of no proxies, but what it sends can be said.
  writeFileSync(lua, `wrk.path = "${form}"\nwrk.headers["Host"] = "127.0.0.1:${port}"\n`);
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '30s',
    '-s',
    lua,
    `http://127.0.0.1:${subject.port}`,
  ];
  const { stdout } = await run('wrk', args);
  const rate = /Requests\/sec: +([\d.]+)/.exec(stdout)?.[1];
  const refused = /Non-2xx or 3xx responses: .*|Socket errors: .*/.exec(stdout)?.[0];
  if (rate === undefined || refused !== undefined) throw new Error(`${subject.name}: ${refused ?? stdout}`);
  return Number(rate);
}
