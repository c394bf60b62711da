const { use } = require('./uses.cjs');

const entries = {
  sluice: require('sluice'),
  faults: require('sluice/faults'),
  matchers: require('sluice/matchers').matchers,
};
use(entries, ['--require', 'sluice/register']).catch((error) => {
  console.error(error);
  process.exit(1);
});
