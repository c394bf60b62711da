#!/usr/bin/env node
import { runCommand } from './command.js';

runCommand(process.argv.slice(2));
