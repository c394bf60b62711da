/** The origin's page: what an application does to its network, with as little around it as possible. */
export const PAGE = `<!doctype html>
<html lang="en">
<title>Sluice's test origin</title>
<link rel="icon" href="data:,">
<h1>Files</h1>
<form id="upload" action="/upload" method="post" enctype="multipart/form-data">
  <label>Note <input name="note"></label>
  <label>File <input type="file" name="file"></label>
  <button>Upload</button>
</form>
<p><a href="/download?bytes=10000&name=report.bin">Download the report</a></p>
<output></output>
<script>
  const output = document.querySelector('output');
  // Sends a request and shows the answer's text.
  async function send(url, init) {
    try {
      const response = await fetch(url, init);
      output.textContent = await response.text();
      return output.textContent;
    } catch (error) {
      output.textContent = 'failed: ' + error.message;
      throw error;
    }
  }
  document.querySelector('#upload').addEventListener('submit', (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    send(form.getAttribute('action'), { method: 'POST', body: new FormData(form) });
  });
</script>
</html>
`;

/** A page that is done once its service worker controls it. */
export const WORKER_PAGE = `<!doctype html>
<html lang="en">
<title>A page with a service worker</title>
<link rel="icon" href="data:,">
<output></output>
<script>
  const output = document.querySelector('output');
  const controlled = new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve));
  navigator.serviceWorker.register('/worker.js').then(
    async () => {
      if (!navigator.serviceWorker.controller) await controlled;
      output.textContent = await (await fetch('/from-worker')).text();
    },
    (error) => { output.textContent = 'failed: ' + error.message; },
  );
</script>
</html>
`;

/** Answers one path by a request of its own, which page.route() does not see. */
export const WORKER_SCRIPT = `
self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (new URL(event.request.url).pathname === '/from-worker') event.respondWith(fetch('/api/worker'));
});
`;

/** Live prices: subscribes when it is opened, shows what comes, and buys at the push of a button, once there is a price. */
export const MARKET_PAGE = `<!doctype html>
<html lang="en">
<title>Live prices</title>
<link rel="icon" href="data:,">
<h1>ACME: <span>no price yet</span></h1>
<button disabled>Buy one</button>
<p role="status"></p>
<p role="alert"></p>
<script>
  const show = (where, text) => { document.querySelector(where).textContent = text; };
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/prices');
  const say = (message) => socket.send(JSON.stringify(message));
  const shows = {
    subscribed: ({ symbol }) => show('[role=status]', 'Watching ' + symbol),
    price: ({ price }) => {
      show('span', price.toFixed(2));
      document.querySelector('button').disabled = false;
    },
    ordered: ({ count, symbol }) => show('[role=status]', 'Bought ' + count + ' ' + symbol),
  };
  socket.onopen = () => say({ type: 'subscribe', symbol: 'ACME' });
  socket.onmessage = ({ data }) => {
    try {
      const message = JSON.parse(data);
      shows[message.type](message);
    } catch {
      show('[role=alert]', 'The market sent something that makes no sense');
    }
  };
  socket.onclose = ({ code, reason }) => show('[role=alert]', 'Connection lost: ' + code + ' ' + reason);
  document.querySelector('button').addEventListener('click', () => {
    show('[role=status]', 'Buying');
    say({ type: 'order', symbol: 'ACME', count: 1 });
  });
</script>
</html>
`;

/** Follows an order by events, and says when it has lost it. */
export const ORDER_PAGE = `<!doctype html>
<html lang="en">
<title>Your order</title>
<link rel="icon" href="data:,">
<h1>Your order</h1>
<p role="status"></p>
<p role="alert"></p>
<script>
  const show = (where, text) => { document.querySelector(where).textContent = text; };
  const source = new EventSource('/order/events');
  source.addEventListener('status', ({ data }) => {
    show('[role=alert]', '');
    show('[role=status]', JSON.parse(data).status);
  });
  source.onerror = () => show('[role=alert]', 'Trying to reach us again');
</script>
</html>
`;
