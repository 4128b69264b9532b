// Old versions of Node read this file and those beside it too, to be told which one they should be: no syntax of today here.

const WANTED = [24, 12];

/**
 * Runs a program, or says that this Node cannot.
 * @param {string} name
 * @param {() => Promise<unknown>} load imports the program, which runs as it is loaded
 */
export function start(name, load) {
  const have = process.versions.node.split(".").map(Number);
  if (have[0] < WANTED[0] || (have[0] === WANTED[0] && have[1] < WANTED[1])) {
    process.stderr.write(
      name +
        " needs Node.js " +
        WANTED.join(".") +
        " or newer; this is " +
        process.versions.node +
        " (" +
        process.execPath +
        "). In a checkout, " +
        (name === "holdall" ? 'run it as "npx holdall"' : 'put its folder "node_modules/.bin" first on PATH') +
        ", which brings its own; elsewhere install Node.js 24 from https://nodejs.org.\n",
    );
    process.exitCode = 1;
    return;
  }
  // Hashing, fsync and reads of files all wait for these threads; the four of the default would be the limit of the
  // server. The pool reads the variable once, when it is first used: before anything else is loaded.
  if (!process.env.UV_THREADPOOL_SIZE) process.env.UV_THREADPOOL_SIZE = "16";
  void import("node:module").then(function (nodeModule) {
    nodeModule.enableCompileCache();
    return load();
  });
}
