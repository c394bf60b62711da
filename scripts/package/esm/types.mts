import { type AnsweredFlow, type HttpFlow, keepsLength, type RecordingProxy, startProxy } from 'sluice';
import { compose, hold, throttle } from 'sluice/faults';
import { matchers, type SluiceMatchers } from 'sluice/matchers';
import 'sluice/register';

const upperCase = keepsLength(async function* (pieces) {
  for await (const piece of pieces) yield piece.toString().toUpperCase();
});

export async function core(): Promise<void> {
  const proxy: RecordingProxy = await startProxy({ streamLargeBodies: '3m', port: { from: 9000, to: 9009 } });
  proxy.stream('**/big', { request: upperCase, response: compose(throttle('1m'), hold('1m')) });
  proxy.on('responseHeaders', (flow) => {
    flow.response.headers.set('x-seen', '1');
  });
  const flow: AnsweredFlow = await proxy.waitForFlow({ path: '/a', status: 200 });
  const first: HttpFlow | undefined = proxy.flows.find(({ request }) => request.method === 'GET');
  const status: number = flow.response.status;
  const response: Response = await proxy.fetch('https://a.test/');
  const some: Pick<SluiceMatchers, 'toHaveStatus'> = { toHaveStatus: async () => undefined };
  void [first, status, response, matchers.toHaveFlow, some];
  // @ts-expect-error: there is no such option
  await startProxy({ streamLargeBody: '3m' });
  // @ts-expect-error: nor such a hook
  proxy.on('responseHeader', () => undefined);
  // @ts-expect-error: and a status is a number
  flow.response.status.startsWith('2');
  await proxy.close();
}
