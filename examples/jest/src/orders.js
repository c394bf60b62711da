// The code under test: it knows nothing of proxies.
const https = require('node:https');

const API = 'https://api.test';

/** Orders something, with the global `fetch`, and tries once more if the server is busy. */
async function order(article, attempts = 2) {
  const response = await fetch(`${API}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ article }),
  });
  if (response.status === 503 && attempts > 1) return order(article, attempts - 1);
  if (!response.ok) throw new Error(`the order was refused: ${response.status}`);
  return (await response.json()).id;
}

/** Downloads a report with node:https. @returns its size */
function reportSize() {
  return new Promise((resolve, reject) => {
    https
      .get(`${API}/report`, (response) => {
        let size = 0;
        response.on('data', (piece) => {
          size += piece.length;
        });
        response.on('end', () => resolve(size));
      })
      .on('error', reject);
  });
}

module.exports = { order, reportSize };
