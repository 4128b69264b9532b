import assert from "node:assert/strict";
import fs, { readFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { putOnPath, setVariable } from "../../test/support/environment.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { environmentVariable, lookUp } from "./find.ts";

const HERE = '"$(dirname "$0")"';
/** Writes down what was called, and how. */
const NOTE = `echo "$(basename "$0") $*" >> ${HERE}/log`;

/** A Go of some version, whose every program says that it is git-lfs. */
const go = (version: string): string => `
  if [ "$1" = version ]; then echo "go version go${version} linux/amd64"; exit; fi
  ${NOTE}; echo "GOTOOLCHAIN=$GOTOOLCHAIN" >> ${HERE}/log
  printf '#!/bin/sh\\necho git-lfs/3.8.1\\n' > "$GOBIN/git-lfs"; chmod +x "$GOBIN/git-lfs"`;

const CARGO = `${NOTE}; mkdir "$CARGO_INSTALL_ROOT/bin"; cd "$CARGO_INSTALL_ROOT/bin"
  printf '#!/bin/sh\\necho rudolfs 0.3.8\\n' > rudolfs; chmod +x rudolfs`;

/** A package client that knows one package, the program `packaged-NAME`. */
const installs = (name: string): string => `${NOTE}; cp ${HERE}/packaged-${name} ${HERE}/${name}`;

const GO_INSTALL = "go install -trimpath github.com/git-lfs/git-lfs/v3@v3.8.1";
const APT_INSTALL = "apt-get -y -o DPkg::Lock::Timeout=120 --no-install-recommends install";

/** A machine with these programs only, on which nothing was ever built. @returns what they have noted so far */
async function machine(t: TestContext, scripts: Readonly<Record<string, string>>): Promise<() => Promise<string[]>> {
  const folder = await putOnPath(t, { sudo: 'shift; exec "$@"', ...scripts });
  const cache = await temporaryFolder(t, "cache");
  setVariable(t, "XDG_CACHE_HOME", cache);
  for (const name of ["git-lfs-newest", "rudolfs", "azurite"] as const) setVariable(t, environmentVariable(name), "");
  setVariable(t, "GOTOOLCHAIN", "");
  const { access } = fs;
  t.mock.method(fs, "access", async (path: string, mode: number) => {
    if (!path.startsWith(folder) && !path.startsWith(cache)) throw new Error(`${path} is out of sight`);
    return access(path, mode);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return async () => {
    const log = await readFile(join(folder, "log"), "utf8").catch(() => "");
    return log.split("\n").slice(0, -1);
  };
}

for (const [client, install] of [
  ["apt-get", `${APT_INSTALL} golang-go`],
  ["dnf", "dnf install -y golang"],
  ["apk", "apk add --no-cache go"],
  ["brew", "brew install go"],
] as const) {
  test(`a Go that is missing is installed with ${client}, and may fetch a newer one`, async (t) => {
    const noted = await machine(t, { [client]: installs("go"), "packaged-go": go("1.22.3") });
    const service = await lookUp("git-lfs-newest", "automatic");
    assert("path" in service, JSON.stringify(service));
    assert.equal(service.version, "3.8.1");
    assert.deepEqual(await noted(), [install, GO_INSTALL, "GOTOOLCHAIN=auto"]);
  });
}

test("a Go that is here is used as it is, with the environment's say about newer ones", async (t) => {
  const noted = await machine(t, { go: go("1.21.0"), "apt-get": NOTE });
  setVariable(t, "GOTOOLCHAIN", "local");
  assert("path" in (await lookUp("git-lfs-newest", "automatic")));
  assert.deepEqual(await noted(), [GO_INSTALL, "GOTOOLCHAIN=local"]);
});

for (const version of ["1.20.14", "1.9.7"]) {
  test(`Go ${version} is too old to build anything: the message names it and the one that is needed`, async (t) => {
    const noted = await machine(t, { "apt-get": installs("go"), "packaged-go": go(version) });
    const service = await lookUp("git-lfs-newest", "automatic");
    assert("missing" in service);
    assert.match(service.missing, /^needs Go \(https:\/\/go\.dev\/dl\) 1\.21 or newer, to build .*git-lfs/);
    assert.ok(service.missing.includes(`/go is ${version}: `), service.missing);
    assert.deepEqual(await noted(), [`${APT_INSTALL} golang-go`]);
  });
}

test("a tool for what is not installed by itself is installed only when that is asked for", async (t) => {
  const noted = await machine(t, { "apt-get": installs("cargo"), "packaged-cargo": CARGO });
  assert("missing" in (await lookUp("rudolfs", "automatic")));
  assert.deepEqual(await noted(), []);

  assert("path" in (await lookUp("rudolfs", "always")));
  assert.deepEqual(await noted(), [`${APT_INSTALL} cargo`, "cargo install --quiet --version 0.3.8 rudolfs"]);
});

test("looking installs no tool", async (t) => {
  const noted = await machine(t, { "apt-get": installs("go"), "packaged-go": go("1.22.3") });
  assert("missing" in (await lookUp("git-lfs-newest", "never")));
  assert.deepEqual(await noted(), []);
});

for (const [where, scripts, name, said] of [
  ["without a package client", {}, "git-lfs-newest", /^needs Go .*, to build .*git-lfs.*; none of .*install golang-go/],
  [
    "without a network",
    { "apt-get": "echo 'no network' >&2; exit 100" },
    "git-lfs-newest",
    /^needs Go .*, to build .*git-lfs.*; apt-get could not install golang-go: no network$/,
  ],
  ["when it should have come with Node", { "apt-get": NOTE }, "azurite", /^needs npm .*, to build azurite@/],
] as const) {
  test(`a tool that cannot be installed is said, with what it is for and why: ${where}`, async (t) => {
    const noted = await machine(t, scripts);
    const service = await lookUp(name, "automatic");
    assert("missing" in service);
    assert.match(service.missing, said);
    assert.deepEqual(await noted(), []);
  });
}
