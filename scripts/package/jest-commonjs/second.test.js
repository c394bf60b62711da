const { slice } = require('sluice/faults');
const { setupProxy } = require('sluice/jest');
const { suite } = require('./suite.cjs');

suite({ setupProxy, slice });
