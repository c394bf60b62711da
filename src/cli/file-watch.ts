import { existsSync, type FSWatcher, realpathSync, watch } from 'node:fs';
import path from 'node:path';
import { clearTimeout, setTimeout } from '../clock.js';

/** Saving a file is several changes: they are taken for one that comes when it has been quiet for so long, in ms. */
const QUIET = 50;

/**
 * Watches files. It is their folders that are watched: editors put a new file in the old one's place; and the folders
 * that these are in: builds make theirs anew.
 */
export class FileWatch {
  readonly #folders = new Map<string, FSWatcher>();
  #files = new Set<string>();
  /** Folders of files. */
  #homes = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param failed told when a folder cannot be watched: there are more than the system takes, or it has gone */
  constructor(
    private readonly changed: () => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Watches these instead of those before. */
  follow(files: readonly string[]): void {
    this.#files = new Set(files.flatMap(placesOf));
    this.#homes = new Set([...this.#files].map((file) => path.dirname(file)));
    const folders = new Set([...this.#homes].flatMap((home) => [path.dirname(home), home]));
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders) if (!this.#folders.has(folder)) this.#watch(folder);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, (event, name) => {
        const place = name === null ? folder : path.join(folder, name);
        if (event === 'rename' && place !== folder && this.#homes.has(place)) this.#watchAnew(place);
        if (name === null || this.#files.has(place) || this.#homes.has(place)) this.#changed();
      });
      watcher.on('error', this.failed);
      this.#folders.set(folder, watcher);
    } catch (error) {
      this.failed(error);
    }
  }

  /** A folder has gone, or there is another in its place: what watched it hears of nothing any more. */
  #watchAnew(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
    if (existsSync(folder)) this.#watch(folder);
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
