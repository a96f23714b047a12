import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const startTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;
const pollMs = 2;

/**
 * The processes that this run has started and that have not ended. No other process is sent a
 * signal.
 */
const running = new Set();

/** The environment of every process: the user's own settings must not change a measurement. */
export const plainEnvironment = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  ...(process.env.LD_LIBRARY_PATH && { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH }),
};

/**
 * Starts a server with its output in a file, as in production, and waits until the output matches
 * `ready`. Returns its pid, the match, the time it took in milliseconds, and a way to stop it.
 */
export async function startServer(command, args, { ready, logPath, env = {} }) {
  const began = performance.now();
  const child = spawnInto(logPath, command, args, env);
  const match = await waitForLine(child, logPath, ready);
  const readyMs = performance.now() - began;
  return {
    pid: child.pid,
    match,
    readyMs,
    signal: (name) => child.kill(name),
    stop: () => stop(child, logPath),
  };
}

/** Stops servers one after the other, including the rest if one of them has ended by itself. */
export async function stopInOrder(...servers) {
  const failures = [];
  for (const server of servers) await server.stop().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** Runs a program to its end and returns its stdout. Throws with its output if it fails. */
export function runProgram(command, args, { timeoutMs, env = {} }) {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...plainEnvironment, ...env },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
    };
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const why = error.killed ? `took longer than ${timeoutMs} ms` : lastLines(stderr || stdout);
      reject(new Error(`${command} failed: ${why || error.message}`));
    });
    track(child);
  });
}

/** Kills every process that this run has started, at the very end. */
export function killAll() {
  for (const child of running) child.kill('SIGKILL');
}

function spawnInto(logPath, command, args, env) {
  const log = openSync(logPath, 'a');
  const child = spawn(command, args, {
    env: { ...plainEnvironment, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  track(child);
  return child;
}

function track(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
}

async function waitForLine(child, logPath, ready) {
  let failure;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const match = ready.exec(readFileSync(logPath, 'utf8'));
    if (match) return match;
    if (performance.now() > deadline) failure ??= `not ready after ${startTimeoutMs} ms`;
    if (failure) {
      child.kill('SIGKILL');
      const said = lastLines(readFileSync(logPath, 'utf8'));
      throw new Error(`It did not start: ${failure}. ${said}`);
    }
    await sleep(pollMs);
  }
}

async function stop(child, logPath) {
  if (!running.has(child)) {
    const how = child.signalCode ?? child.exitCode;
    throw new Error(`It ended by itself with ${how}. ${lastLines(readFileSync(logPath, 'utf8'))}`);
  }
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(late);
}

function lastLines(text) {
  return text.trim().split('\n').slice(-3).join(' ').slice(-600);
}
