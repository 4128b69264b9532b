#!/usr/bin/env node
// Very old versions of Node read this file too, to be told which one they should be: no syntax of today here.

const WANTED = [24, 12];
const YOUNG_GENERATION = "--max-semi-space-size=2";

const have = process.versions.node.split(".").map(Number);

if (have[0] < WANTED[0] || (have[0] === WANTED[0] && have[1] < WANTED[1])) {
  process.stderr.write(
    "holdall needs Node.js " +
      WANTED.join(".") +
      " or newer; this is " +
      process.versions.node +
      " (" +
      process.execPath +
      '). In a checkout, run it as "npx holdall", which brings its own; ' +
      "elsewhere install Node.js 24 from https://nodejs.org.\n",
  );
  process.exitCode = 1;
} else if (process.argv[2] === "serve" && process.execve && process.execArgv.indexOf(YOUNG_GENERATION) < 0) {
  // Both are read once, when a process starts, so this one starts again as itself: same process id, same files. Most of
  // what is young in a server are pieces of objects on their way; with V8's usual room for the young, and an arena of
  // malloc for each thread, more of them only pile up, which takes twice the memory and makes nothing faster.
  if (!process.env.MALLOC_ARENA_MAX) process.env.MALLOC_ARENA_MAX = "1";
  process.removeAllListeners("warning");
  process.execve(
    process.execPath,
    [process.execPath, YOUNG_GENERATION].concat(process.execArgv, process.argv.slice(1)),
    process.env,
  );
} else {
  // Hashing, fsync and reads of files all wait for these threads; the four of the default would be the limit of the
  // server. The pool reads the variable once, when it is first used: before anything else is loaded.
  if (!process.env.UV_THREADPOOL_SIZE) process.env.UV_THREADPOOL_SIZE = "16";
  void import("node:module").then(function (nodeModule) {
    nodeModule.enableCompileCache();
    return import("../src/main.ts");
  });
}
