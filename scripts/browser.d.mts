/** See browser.mjs. */
export function findChromium(say?: (line: string) => void): Promise<string>;
