import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { withCode } from "../contract/contract-test.ts";
import { makeGcsClient } from "./client.ts";

const at = { kind: "gs", bucket: "bucket" } as const;

test("requests go to Google, to the endpoint, or to an emulator", () => {
  const emulated = { STORAGE_EMULATOR_HOST: "127.0.0.1:4443" };
  assert.equal(makeGcsClient(at, {}).endpoint, "https://storage.googleapis.com");
  assert.equal(makeGcsClient(at, { STORAGE_EMULATOR_HOST: "" }).endpoint, "https://storage.googleapis.com");
  assert.equal(makeGcsClient(at, emulated).endpoint, "http://127.0.0.1:4443");
  assert.equal(makeGcsClient(at, { STORAGE_EMULATOR_HOST: "http://gcs:80/" }).endpoint, "http://gcs");
  assert.equal(makeGcsClient({ ...at, endpoint: "https://a.example" }, emulated).endpoint, "https://a.example");
  assert.throws(() => makeGcsClient(at, { STORAGE_EMULATOR_HOST: "http://" }), withCode("invalid"));
});

test("an emulator gets no credentials, whatever there are", async () => {
  for (const endpoint of ["http://127.0.0.1:4443", "http://localhost:80", "http://[::1]:1"]) {
    assert.deepEqual(await makeGcsClient({ ...at, endpoint }, {}).credentials("test"), {});
  }
  assert.deepEqual(await makeGcsClient(at, { STORAGE_EMULATOR_HOST: "http://gcs:4443" }).credentials("test"), {});
});

test("credentials never travel unencrypted", () => {
  for (const endpoint of ["http://gcs:4443", "http://127.0.0.1.example.org", "http://localhost.example.org"]) {
    assert.throws(
      () => makeGcsClient({ ...at, endpoint }, {}),
      (error) => {
        assert.ok(withCode("invalid")(error));
        assert.match(String(error), /unencrypted: write https, or, for an emulator .* set STORAGE_EMULATOR_HOST=http/);
        return true;
      },
    );
  }
});

test("a machine without credentials is told what to set", async (t) => {
  const folder = await temporaryFolder(t, "gcs-home");
  const script = `
    import { openGcs } from ${JSON.stringify(import.meta.resolve("./open.ts"))};
    import { parseKey } from ${JSON.stringify(import.meta.resolve("../key.ts"))};
    const store = await openGcs({ kind: "gs", bucket: "bucket" });
    const outcomes = await Promise.allSettled([
      store.stat(parseKey("a")),
      store.presign(parseKey("a"), { method: "GET", expiresIn: 60 }),
    ]);
    console.log(JSON.stringify(outcomes.map(({ reason }) => [reason.code, reason.message])));
  `;
  // No file of credentials, no gcloud, and no server of a cloud that would know this machine.
  const env = { PATH: process.env["PATH"], HOME: folder, CLOUDSDK_CONFIG: folder, METADATA_SERVER_DETECTION: "none" };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    env,
  });
  assert.equal(stderr, "");
  for (const [code, message] of JSON.parse(stdout) as [string, string][]) {
    assert.equal(code, "denied", message);
    assert.match(
      message,
      /in gs:\/\/bucket failed: Could not load the default credentials.*; set GOOGLE_APPLICATION_CREDENTIALS/,
    );
  }
});

test("the SDK is loaded when a store is opened, and not before", async () => {
  const hooks = `
    import { registerHooks } from "node:module";
    globalThis.loaded = 0;
    registerHooks({
      load(url, context, next) {
        if (url.includes("/@google-cloud/")) globalThis.loaded += 1;
        return next(url, context);
      },
    });
  `;
  const script = `
    import { openStore, parseStoreUrl } from ${JSON.stringify(import.meta.resolve("../index.ts"))};
    const url = parseStoreUrl("gs://bucket/prefix");
    const before = globalThis.loaded;
    await openStore(url);
    console.log(JSON.stringify([before, globalThis.loaded > 0]));
  `;
  const args = [`--import=data:text/javascript,${encodeURIComponent(hooks)}`, "--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.deepEqual(JSON.parse(stdout), [0, true]);
});
