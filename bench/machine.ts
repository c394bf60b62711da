/** What there is to measure with, and on. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** How each program tells its version, and the Debian package that has it. */
const TOOLS = {
  nginx: { args: ['-v'], package: 'nginx-light' },
  wrk: { args: ['-v'], package: 'wrk' },
  curl: { args: ['--version'], package: 'curl' },
  h2load: { args: ['--version'], package: 'nghttp2-client' },
  mitmdump: { args: ['--version'], package: 'mitmproxy' },
} as const;

export type Tool = keyof typeof TOOLS;

const versions = new Map<Tool, string | undefined>();

/** A program's version; `undefined` where it is not installed. */
export function versionOf(tool: Tool): string | undefined {
  if (!versions.has(tool)) {
    const { stdout, stderr, error } = spawnSync(tool, TOOLS[tool].args, { encoding: 'utf8' });
    const version = /\d+\.\d[\w.]*/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0];
    versions.set(tool, error === undefined ? version : undefined);
  }
  return versions.get(tool);
}

/** Why something is left out. */
export const lacks = (tool: Tool): string =>
  `no ${tool} on the PATH (Debian's package ${TOOLS[tool].package} has it)`;

/** A package's version as installed, seen from here; `undefined` where it is not. */
export function packageVersion(name: string): string | undefined {
  try {
    const file = new URL(`./node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** One line about the machine. */
export function machine(): string {
  const cpus = os.cpus();
  const memory = `${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  return `${cpus.length} x ${cpus[0]?.model.trim() ?? 'CPU'}, ${memory}, ${os.type()} ${os.release()}, Node ${process.versions.node}`;
}

/** The programs' versions, or that they are absent. */
export function toolVersions(): Record<string, string> {
  return Object.fromEntries(
    (Object.keys(TOOLS) as Tool[]).map((tool) => [tool, versionOf(tool) ?? 'absent']),
  );
}
