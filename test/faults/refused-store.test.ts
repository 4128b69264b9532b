import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { CLOUDS } from "../support/cloud-stores.ts";
import { freePort } from "../support/service-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { refusedStart } from "./support/refused-start.ts";
import { story } from "./support/story.ts";

for (const [cloud, start] of Object.entries(CLOUDS)) {
  story(`${cloud}: a bucket that is not there is named, and the server does not start`, async (t) => {
    const store = await start(t);
    if (store === undefined) return;
    const data = join(await temporaryFolder(t, "start"), "data");
    const absent = `nobody-has-${randomUUID()}`;
    const url = store.url.replace(/[^/]*(?=\/some\/prefix)/, absent);
    const line = await refusedStart(["--data", data, "--listen", "127.0.0.1:0", "--store", url], { env: store.env });
    assert.match(line, /^holdall: cannot (?:look for an object in|write to) the store (?:s3|gs|az):\/\//);
    assert.ok(line.includes(absent), line);
    assert.match(line, /bucket|container/);
  });

  story(`${cloud}: a store that cannot be reached is named, and the server does not start`, async (t) => {
    const store = await start(t);
    if (store === undefined) return;
    const data = join(await temporaryFolder(t, "start"), "data");
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const url = new URL(store.url);
    const path = cloud === "Azure" ? `${nobody}/${url.host}` : nobody;
    url.searchParams.set("endpoint", path);
    const line = await refusedStart(["--data", data, "--listen", "127.0.0.1:0", "--store", url.href], {
      env: store.env,
    });
    assert.match(line, /^holdall: cannot look for an object in the store (?:s3|gs|az):\/\//);
    assert.match(line, /ECONNREFUSED/);
  });
}

story("a wrong secret is told from an absent object, and is not printed", async (t) => {
  const secret = randomUUID();
  for (const [cloud, wrong] of [
    ["S3", { AWS_SECRET_ACCESS_KEY: secret }],
    ["Azure", { AZURE_STORAGE_KEY: Buffer.from(secret).toString("base64") }],
  ] as const) {
    const store = await CLOUDS[cloud](t);
    if (store === undefined) return;
    const data = join(await temporaryFolder(t, "start"), "data");
    const args = ["--data", data, "--listen", "127.0.0.1:0", "--store", store.url];
    const line = await refusedStart(args, { env: { ...store.env, ...wrong } });
    assert.match(line, /^holdall: cannot look for an object in the store /);
    assert.match(line, /credentials|key|signature|403|denied/i);
    for (const shown of Object.values(wrong)) assert.ok(!line.includes(shown), line);
  }
});

story("without credentials, the message says where they come from", async (t) => {
  const data = join(await temporaryFolder(t, "start"), "data");
  const none = {
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/nowhere",
    AWS_SHARED_CREDENTIALS_FILE: "/nowhere",
  };
  const args = ["--data", data, "--listen", "127.0.0.1:0", "--store", "s3://some-bucket?endpoint=http://127.0.0.1:1"];
  const line = await refusedStart(args, { env: none });
  assert.match(line, /AWS_ACCESS_KEY_ID/);
});
