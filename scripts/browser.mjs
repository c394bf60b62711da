// Finds a Chromium for the browser tests, or gets one: what is set, what is installed, Playwright's installer, the
// system's package manager. `node scripts/browser.mjs` prints its path.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);

/** Where the result stands; set it to use a browser of your own. */
export const VARIABLE = 'SLUICE_CHROMIUM';
const PLAYWRIGHT = path.join(path.dirname(require.resolve('@playwright/test/package.json')), 'cli.js');
const DOWNLOAD_SECONDS = Number(process.env.SLUICE_BROWSER_TIMEOUT ?? 240);

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
];
const PLACES = {
  linux: ['/usr/bin', '/usr/local/bin', '/snap/bin', '/usr/lib/chromium', '/opt/google/chrome'].flatMap(
    (folder) => NAMES.map((name) => path.join(folder, name)),
  ),
  darwin: ['Chromium', 'Google Chrome', 'Microsoft Edge'].map(
    (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
  ),
  win32: [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA].flatMap(
    (folder) =>
      folder === undefined
        ? []
        : ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe'].map((file) =>
            path.join(folder, file),
          ),
  ),
};

/** How each package manager is asked, step by step; a first step that fails is not the end (an old index may do). */
const MANAGERS = {
  'apt-get': [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
  ],
  dnf: [['install', '-y', '-q', 'chromium']],
  apk: [['add', '--quiet', 'chromium']],
  pacman: [['-Sy', '--noconfirm', '--needed', 'chromium']],
  zypper: [['--non-interactive', '--quiet', 'install', 'chromium']],
  brew: [['install', '--cask', 'chromium']],
};

/**
 * @param {(line: string) => void} say hears of every step that takes long
 * @returns {Promise<string>} the path of a Chromium that runs
 * @throws an Error of one sentence that says what was tried and what to do
 */
export async function findChromium(say = (line) => console.error(line)) {
  const wanted = process.env[VARIABLE];
  if (wanted) {
    if (runs(wanted)) return wanted;
    throw new Error(`${VARIABLE} is ${wanted}, which does not run; unset it or set it to a Chromium's path.`);
  }
  const found = installed();
  if (found !== undefined) return found;

  const failures = [];
  say(`No Chromium on this machine. Trying Playwright's installer (at most ${DOWNLOAD_SECONDS} s) ...`);
  const download = await playwrightInstall(say);
  if (download === undefined) {
    const browser = playwrightsOwn();
    if (browser !== undefined) return browser;
    failures.push("what Playwright's installer fetched does not run here");
  } else {
    failures.push(`Playwright's installer failed (${download})`);
  }
  say(`${capital(failures[0])}. Trying the system's package manager ...`);
  const packaged = await packageInstall(say);
  const browser = installed();
  if (browser !== undefined) return browser;
  failures.push(packaged ?? "the package manager's Chromium does not run");
  throw new Error(
    `No Chromium to run the browser tests in: none is installed, ${failures.join(', and ')}; ` +
      `install Chromium or Chrome, or set ${VARIABLE} to its path.`,
  );
}

function installed() {
  return playwrightsOwn() ?? systems();
}

/** The browser of this Playwright version, if its installer has put it there. */
function playwrightsOwn() {
  const file = require('@playwright/test').chromium.executablePath();
  return file !== '' && runs(file) ? file : undefined;
}

function systems() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const onPath = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name + suffix)));
  // For trying out what a machine without a browser does.
  const known = process.env.SLUICE_BROWSER_PATH_ONLY ? [] : (PLACES[process.platform] ?? []);
  return [...onPath, ...known].find(runs);
}

/** It is there and starts: a browser without its libraries, or Ubuntu's stub that only names the snap, does not. */
function runs(file) {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    return false;
  }
  // Chrome on Windows has no --version: it would open a window.
  if (process.platform === 'win32') return true;
  const { status, stdout } = spawnSync(file, ['--version'], {
    encoding: 'utf8',
    timeout: 20_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 && /\d+\.\d+/.test(stdout);
}

/** Fetches first and installs libraries only if the browser does not start: without internet the one fails fast. */
async function playwrightInstall(say) {
  const failed = await step(process.execPath, [PLAYWRIGHT, 'install', 'chromium'], say);
  if (failed !== undefined) return failed;
  if (playwrightsOwn() !== undefined) return undefined;
  const root = rootPrefix();
  if (root === undefined)
    return 'its libraries are missing and this user is not root, nor has sudo without a password';
  say('The browser lacks libraries. Installing them ...');
  return step(...prefixed(root, process.execPath, [PLAYWRIGHT, 'install-deps', 'chromium']), say);
}

async function packageInstall(say) {
  const manager = Object.keys(MANAGERS).find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined,
  );
  if (manager === undefined) return `there is no package manager among ${Object.keys(MANAGERS).join(', ')}`;
  const root = manager === 'brew' ? [] : rootPrefix();
  if (root === undefined) return `${manager} needs root, or sudo without a password`;
  let failed;
  for (const args of MANAGERS[manager]) {
    failed = await step(...prefixed(root, manager, args), say);
  }
  return failed === undefined ? undefined : `${manager} failed (${failed})`;
}

/** What makes a command run as root: nothing, sudo, or `undefined` if neither does. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined;
}

function prefixed(prefix, command, args) {
  const [first = command, ...rest] = [...prefix, command, ...args];
  return [first, rest];
}

/** Runs a command without a terminal, in bounded time. @returns {Promise<string | undefined>} why it failed */
function step(command, args, say) {
  say(`  $ ${[command, ...args].join(' ').replace(`${process.execPath} ${PLAYWRIGHT}`, 'playwright')}`);
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that what it starts ends with it.
      detached: process.platform !== 'win32',
      env: {
        ...process.env,
        DEBIAN_FRONTEND: 'noninteractive',
        PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '15000',
      },
    });
    let text = '';
    let timedOut = false;
    const hear = (data) => {
      text = (text + data).slice(-20_000);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const started = Date.now();
    const beat = setInterval(() => say(`    ... ${Math.round((Date.now() - started) / 1000)} s`), 20_000);
    const timer = setTimeout(() => {
      timedOut = true;
      if (process.platform === 'win32') child.kill();
      else process.kill(-child.pid, 'SIGKILL');
    }, DOWNLOAD_SECONDS * 1000);
    const done = (why) => {
      clearInterval(beat);
      clearTimeout(timer);
      resolve(why);
    };
    child.on('error', (error) => done(error.message));
    child.on('close', (code) => {
      if (timedOut) done(`no end within ${DOWNLOAD_SECONDS} s`);
      else done(code === 0 ? undefined : reason(text, code));
    });
  });
}

/** The line of a command's output that says what went wrong. */
function reason(text, code) {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling =
    lines.find((line) => /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|getaddrinfo/.test(line)) ??
    lines.findLast((line) => /^(E:|error|failed)/i.test(line)) ??
    lines.at(-1);
  return telling === undefined ? `exit code ${code}` : telling.replace(/\s+/g, ' ').slice(0, 160);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    console.log(await findChromium());
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
