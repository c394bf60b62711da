// A program that is run by a test: it knows nothing of proxies, nor of tests.
import https from 'node:https';

const response = await fetch('https://api.test/orders');
const orders = await response.json();

const request = https.request('https://api.test/report', { method: 'POST' }, (answer) => {
  answer.resume();
  console.log(`${orders.length} orders reported: ${answer.statusCode}`);
});
request.end(JSON.stringify({ orders: orders.length }));
