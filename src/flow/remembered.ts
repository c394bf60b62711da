/** Results that are kept, of each function. */
const KEPT = 1000;

/** `make`, asked but once for each text. The same few come again and again: their results are not made anew each time. */
export function remembered<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size >= KEPT) return make(text);
    // A string of its own: a part of a head would keep the whole head.
    const own = Buffer.from(text).toString();
    const made = make(own);
    known.set(own, made);
    return made;
  };
}
