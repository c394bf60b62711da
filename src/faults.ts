/**
 * Faults: ready-made transforms that make a body late, slow, broken or short on purpose, each usable as a side of a
 * `proxy.stream()` rule and together with others by {@link compose}.
 * @module
 */
export { compose } from './faults/compose.js';
export { type Corruption, corrupt } from './faults/corrupt.js';
export { type Hold, hold } from './faults/hold.js';
export { latency } from './faults/latency.js';
export { cutAfter, resetAfter, stallAfter } from './faults/offset.js';
export { slice } from './faults/slice.js';
export { tee } from './faults/tee.js';
export { throttle } from './faults/throttle.js';
