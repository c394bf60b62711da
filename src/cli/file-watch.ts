import { existsSync, type FSWatcher, realpathSync, watch } from 'node:fs';
import path from 'node:path';
import { clearTimeout, setTimeout } from '../clock.js';

/** Saving a file is several changes: they are taken for one that comes when it has been quiet for so long, in ms. */
const QUIET = 50;

/** Watches files. It is their folders that are watched: editors put a new file in the old one's place. */
export class FileWatch {
  readonly #folders = new Map<string, FSWatcher>();
  #files = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param failed told when a folder cannot be watched: there are more than the system takes, or it has gone */
  constructor(
    private readonly changed: () => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Watches these instead of those before. */
  follow(files: readonly string[]): void {
    this.#files = new Set(files.flatMap(placesOf));
    const folders = new Set([...this.#files].map((file) => path.dirname(file)));
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders) {
      if (this.#folders.has(folder)) continue;
      try {
        this.#folders.set(folder, this.#watch(folder));
      } catch (error) {
        this.failed(error);
      }
    }
  }

  #watch(folder: string): FSWatcher {
    const watcher = watch(folder, (_, name) => {
      if (name === null || this.#files.has(path.join(folder, name))) this.#changed();
    });
    watcher.on('error', this.failed);
    return watcher;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.changed, QUIET);
  }
}

/** A file and, if it is a link, what it leads to: either may be replaced. */
function placesOf(file: string): string[] {
  return existsSync(file) ? [file, realpathSync(file)] : [file];
}
