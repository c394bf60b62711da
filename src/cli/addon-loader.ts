/**
 * Addons' modules: TypeScript or JavaScript, ES modules or CommonJS, on any Node that the package runs on.
 * @module
 */
import { SourceMap, type SourceMapPayload } from 'node:module';
import path from 'node:path';
import type { createJiti } from 'jiti';
import * as faults from '../faults.js';
import * as sluice from '../index.js';

/** An addon's module as it was loaded. */
export interface LoadedModule {
  readonly exports: unknown;
  /** Its file and those of every module that it imports, but for installed packages. */
  readonly files: string[];
}

/** A place in a source. Counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

// Of its CommonJS types only the function is exported.
type Jiti = ReturnType<typeof createJiti>;

/** What jiti puts before a module's first line. */
const WRAPPER = '(function (exports, require, module, __filename, __dirname, jitiImport, jitiESMResolve) { ';
const MAP = /\n?\/\/# sourceMappingURL=data:application\/json;[^,]*;base64,(.*)\s*$/;

/** Loads modules, anew each time. */
export class AddonLoader {
  #jiti: Jiti | undefined;
  readonly #transformed = new Map<string, { map: SourceMap; before: number }>();

  /** @param file an absolute path. @throws whatever the module throws, or an error that says where it cannot be read */
  async load(file: string): Promise<LoadedModule> {
    const jiti = await this.#loader();
    // Addons don't share their modules, so that one can be loaded again without the others.
    for (const known of Object.keys(jiti.cache)) if (isOwn(known)) delete jiti.cache[known];
    let exports: unknown;
    try {
      exports = jiti(file);
    } catch (error) {
      // Only an asynchronous module can await at its top; but then what it imports is loaded by Node, and for good.
      if (!(error instanceof SyntaxError && /\bawait\b/.test(error.message))) throw error;
      exports = await jiti.import(file);
    }
    return { exports, files: [...new Set([file, ...Object.keys(jiti.cache).filter(isOwn)])] };
  }

  /** The place of a file that was loaded, as its author wrote it. */
  original({ file, line, column }: Place): Place {
    const { map, before } = this.#transformed.get(file) ?? { before: 0 };
    const entry = map?.findEntry(line - 1, column - 1 - (line === 1 ? before : 0));
    if (entry === undefined || !('originalLine' in entry)) return { file, line, column };
    return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  }

  async #loader(): Promise<Jiti> {
    if (this.#jiti !== undefined) return this.#jiti;
    const { createJiti } = await import('jiti');
    const base = path.resolve('addons.js');
    const transformer = createJiti(base, { fsCache: false });
    this.#jiti = createJiti(base, {
      // What it has read of a file must not outlive the file.
      fsCache: false,
      interopDefault: false,
      // The running copy: an addon meets the very classes and symbols of the proxy that it is in.
      virtualModules: { sluice, 'sluice/faults': faults },
      transform: (options) => {
        const { filename = '' } = options;
        const babel = { ...options.babel, sourceMaps: 'inline', sourceFileName: filename };
        const code = transformer.transform({ ...options, babel });
        const map = MAP.exec(code)?.[1];
        const before = WRAPPER.length + (options.async === true ? 'async '.length : 0);
        if (map !== undefined) this.#transformed.set(filename, { map: new SourceMap(decode(map)), before });
        return { code: code.replace(MAP, '') };
      },
    });
    return this.#jiti;
  }
}

function decode(map: string): SourceMapPayload {
  return JSON.parse(Buffer.from(map, 'base64').toString()) as SourceMapPayload;
}

function isOwn(file: string): boolean {
  return !file.split(path.sep).includes('node_modules') && path.isAbsolute(file);
}
