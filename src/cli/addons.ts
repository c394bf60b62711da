/**
 * Addons of the command: loaded from files, loaded again when these change, and told apart by file and line when they
 * throw.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Disposer, type Hooks, isSluiceError, type RecordingProxy, SluiceError } from '../index.js';
import { HOOK_NAMES, printable } from '../internal.js';
import { nearest } from '../nearest.js';
import { inOneLine, placeOf, shownPath, syntaxErrorOf } from './addon-errors.js';
import { AddonLoader } from './addon-loader.js';
import { FileWatch } from './file-watch.js';

type AnyHook = (...args: unknown[]) => unknown;

/** What an addon has to tell. */
export interface AddonReport {
  /** Something went wrong, in one line. */
  failed(what: string): void;
  /** Something seems wrong, in one line. */
  warned(what: string): void;
  /** It was loaded again. */
  reloaded(what: string): void;
}

/** The addons of one proxy, in order. */
export class Addons {
  readonly #loader = new AddonLoader();
  readonly #addons: Addon[] = [];
  readonly #told = new WeakSet<object>();
  #installed: Disposer[] = [];
  #proxy: Pick<RecordingProxy, 'use'> | undefined;
  /** Modules are loaded one after another: the loader has one cache. */
  #loading: Promise<void> = Promise.resolve();

  constructor(private readonly report: AddonReport) {}

  /** Loads addons. @throws SluiceError BAD_OPTION, in one line, for one that cannot be used */
  async load(files: readonly string[]): Promise<void> {
    for (const file of files) {
      const addon = new Addon(path.resolve(file), this.#loader);
      await addon.load();
      for (const stray of addon.strays) this.report.warned(stray);
      this.#addons.push(addon);
    }
  }

  /** Adds their hooks to a proxy, in order. */
  install(proxy: Pick<RecordingProxy, 'use'>): void {
    this.#proxy = proxy;
    // All of them anew, so that each stays at its place; nothing happens in between.
    for (const installed of this.#installed) installed.dispose();
    this.#installed = this.#addons.map((addon) =>
      proxy.use(addon.hooks((hook, thrown) => this.threw(thrown, hook, addon.name))),
    );
  }

  /** Loads addons again when their files change, until {@link close}. */
  watch(): void {
    for (const addon of this.#addons) {
      addon.watch(
        () => {
          this.#loading = this.#loading.then(() => this.#reload(addon));
        },
        (error) => this.report.failed(`addon ${addon.name}: changes may go unnoticed: ${inOneLine(error)}`),
      );
    }
  }

  close(): void {
    for (const addon of this.#addons) addon.close();
  }

  /**
   * Reports what an addon threw, once.
   * @param doing the hook it was in, or what else it did
   * @param by the addon whose hook it was
   * @returns whether it was an addon that threw it
   */
  threw(thrown: unknown, doing?: string, by = this.#only()): boolean {
    const isObject = typeof thrown === 'object' && thrown !== null;
    if (isObject && this.#told.has(thrown)) return true;
    const files = new Set(this.#addons.flatMap((addon) => addon.files));
    const place = placeOf(thrown, files, this.#loader);
    if (place === undefined && doing === undefined) return false;
    if (isObject) this.#told.add(thrown);
    const words = [place ?? by, doing, inOneLine(thrown)].filter((word) => word !== undefined && word !== '');
    this.report.failed(`addon ${words.join(': ')}`);
    return true;
  }

  /** The addon that it must have been, if there is one only. */
  #only(): string | undefined {
    return this.#addons.length === 1 ? this.#addons[0]?.name : undefined;
  }

  async #reload(addon: Addon): Promise<void> {
    try {
      if (!(await addon.reload())) return;
      if (this.#proxy !== undefined) this.install(this.#proxy);
      for (const stray of addon.strays) this.report.warned(stray);
      this.report.reloaded(`addon ${addon.name}: loaded again`);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      this.report.failed(`${error.message}; the version before it stays`);
    }
  }
}

/** One addon. */
class Addon {
  readonly name: string;
  files: string[];
  /** Of functions that are no hooks but seem meant as such, a line each. */
  strays: string[] = [];
  #hooks: Partial<Hooks> = {};
  #watch: FileWatch | undefined;
  /** What its files held when they were last loaded, or tried. */
  #seen = '';

  constructor(
    private readonly file: string,
    private readonly loader: AddonLoader,
  ) {
    this.name = shownPath(file);
    this.files = [file];
  }

  /** @throws SluiceError BAD_OPTION. What was loaded before stays */
  async load(): Promise<void> {
    const found = await stat(this.file).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error) {
      const why = found.code === 'ENOENT' ? 'there is no such file' : found.message;
      throw this.#refusal(`${why}; give the path of a module`);
    }
    if (!found.isFile()) throw this.#refusal('this is not a file; give the path of a module');
    const before = await this.#content();
    this.#seen = before;
    const { exports, files } = await this.#module();
    const hooks = this.#hooksIn(exports);
    const isLatest = (await this.#content()) === before;
    this.files = files;
    this.#hooks = hooks;
    this.strays = straysIn(hooks as Record<string, unknown>).map(
      ([name, hook]) => `addon ${this.name}: exports ${name}, which is no hook; did you mean ${hook}?`,
    );
    // What was written meanwhile may not be what was loaded: its change, which is told yet, must be taken for one.
    this.#seen = isLatest ? await this.#content() : '';
    this.#watch?.follow(files);
  }

  /** @returns whether there was something new. @throws SluiceError BAD_OPTION */
  async reload(): Promise<boolean> {
    if ((await this.#content()) === this.#seen) return false;
    await this.load();
    return true;
  }

  /** The hooks it has, told on when they throw. */
  hooks(threw: (hook: string, thrown: unknown) => void): Partial<Hooks> {
    const hooks = this.#hooks as Record<string, AnyHook | undefined>;
    const call = (name: string) => {
      // The flow has the error too: the proxy fails it.
      const failed = (thrown: unknown): never => {
        threw(name, thrown);
        throw thrown;
      };
      return (...args: unknown[]): unknown => {
        try {
          const running = hooks[name]?.(...args);
          return running instanceof Promise ? running.catch(failed) : running;
        } catch (thrown) {
          return failed(thrown);
        }
      };
    };
    const names = HOOK_NAMES.filter((name) => hooks[name] !== undefined);
    return Object.fromEntries(names.map((name) => [name, call(name)]));
  }

  watch(changed: () => void, failed: (error: unknown) => void): void {
    this.#watch = new FileWatch(changed, failed);
    this.#watch.follow(this.files);
  }

  close(): void {
    this.#watch?.close();
  }

  async #module(): Promise<{ exports: unknown; files: string[] }> {
    try {
      return await this.loader.load(this.file);
    } catch (thrown) {
      const wrong = syntaxErrorOf(thrown);
      if (wrong !== undefined) throw this.#refusal(wrong.why, wrong.place);
      const place = placeOf(thrown, new Set([this.file]), this.loader);
      throw this.#refusal(`cannot be loaded: ${inOneLine(thrown)}`, place);
    }
  }

  #hooksIn(exports: unknown): Partial<Hooks> {
    const candidates = [exports, (exports as { default?: unknown } | undefined)?.default].map(instanceOf);
    const isHooks = (value: unknown): value is Record<string, unknown> =>
      typeof value === 'object' && value !== null && HOOK_NAMES.some((name) => name in value);
    const hooks = candidates.find(isHooks);
    if (hooks === undefined) {
      const names = candidates.flatMap((value) => (value instanceof Object ? Object.keys(value) : []));
      const near = names
        .map((name) => [name, nearest(name, HOOK_NAMES)])
        .find(([, hook]) => hook !== undefined);
      const hint =
        near === undefined
          ? `export one or more of ${HOOK_NAMES.join(', ')}`
          : `of ${near[0]}: did you mean ${near[1]}?`;
      throw this.#refusal(`exports no hooks; ${hint}`);
    }
    const wrong = HOOK_NAMES.find((name) => hooks[name] !== undefined && typeof hooks[name] !== 'function');
    if (wrong !== undefined) throw this.#refusal(`${wrong} is not a function; export a function`);
    return hooks;
  }

  #refusal(what: string, place = this.name): SluiceError {
    return new SluiceError('BAD_OPTION', `addon ${place}: ${what}`);
  }

  async #content(): Promise<string> {
    const hash = createHash('sha256');
    for (const file of this.files) {
      const content = await readFile(file).catch((error: NodeJS.ErrnoException) => String(error.code));
      hash.update(`${file}\0${content.length}\0`).update(content);
    }
    return hash.digest('hex');
  }
}

/** Functions that are called nearly as hooks which are not there. */
function straysIn(hooks: Record<string, unknown>): [name: string, hook: string][] {
  const prototype: unknown = Object.getPrototypeOf(hooks);
  // An instance has its methods there.
  const inherited =
    prototype === null || prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  return [...Object.keys(hooks), ...inherited].flatMap((name) => {
    const near = nearest(name, HOOK_NAMES);
    // Beside the hook itself it is something else, as the hook itself is.
    if (near === undefined || hooks[near] !== undefined || typeof hooks[name] !== 'function') return [];
    return [[printable(name), near]];
  });
}

/** A class of hooks is made an instance of; anything else is as it is. */
function instanceOf(exported: unknown): unknown {
  if (typeof exported !== 'function') return exported;
  const { prototype } = exported as { prototype?: object };
  const isOfHooks = prototype !== undefined && HOOK_NAMES.some((name) => name in prototype);
  return isOfHooks ? new (exported as new () => unknown)() : exported;
}
