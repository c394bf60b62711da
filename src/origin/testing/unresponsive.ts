import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';

/** A server in a process that is stopped, with a full backlog: it neither accepts nor refuses. */
export async function unresponsive(play: (port: number) => Promise<void>): Promise<void> {
  const script =
    "const s=require('net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))";
  const child: ChildProcess = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve) => {
    child.stdout?.once('data', (text: Buffer) => resolve(Number(text.toString())));
  });
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 4 }, () =>
    net.connect(port, '127.0.0.1').on('error', () => undefined),
  );
  await new Promise((resolve) => fillers[0]?.once('connect', resolve));
  await new Promise((resolve) => fillers[1]?.once('connect', resolve));
  try {
    await play(port);
  } finally {
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
  }
}
