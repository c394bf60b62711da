export type { RecordingProxy } from 'sluice';
export { expect, test } from 'sluice/playwright';
