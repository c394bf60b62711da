import { type AnsweredFlow, isSluiceError } from 'sluice';

export function responseHeaders(flow: AnsweredFlow): void {
  const value: 'typed' | 'not' = isSluiceError(flow) ? 'not' : 'typed';
  flow.response.headers.set('x-addon', value);
}
