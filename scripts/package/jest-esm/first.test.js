import { slice } from 'sluice/faults';
import { setupProxy } from 'sluice/jest';
import { suite } from './suite.cjs';

suite({ setupProxy, slice });
