import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { CLOUDS, type CloudStore } from "../support/cloud-stores.ts";
import type { Exchange } from "../support/forward.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { policyWithout } from "./support/policy.ts";
import { refusedStart } from "./support/refused-start.ts";
import { FORBIDDEN } from "./support/refusals.ts";
import { StoreLine } from "./support/store-line.ts";
import { story } from "./support/story.ts";

/** Starts a server that must refuse. @returns the one line that it says */
async function refused(t: TestContext, { url, env }: CloudStore): Promise<string> {
  const data = join(await temporaryFolder(t, "start"), "data");
  return await refusedStart(["--data", data, "--listen", "127.0.0.1:0", "--store", url], { env });
}

story("S3: a wrong region is told with the right one, and the server does not start", async (t) => {
  const store = await CLOUDS.S3(t);
  if (store === undefined) return;
  const line = await refused(t, { ...store, url: `${store.url}?region=eu-west-1` });
  const { host: bucket } = new URL(store.url);
  assert.ok(line.startsWith(`holdall: cannot look for an object in the store s3://${bucket}/`), line);
  assert.ok(line.includes(`in the bucket ${bucket} failed`), line);
  assert.match(
    line,
    /the bucket is in the region us-east-1, not in eu-west-1: write region=us-east-1 into the store URL/,
  );
});

/** What the start tries first that takes the permission. */
const NEEDS: Readonly<Record<string, string>> = {
  "s3:ListBucket": "look for an object in",
  "s3:GetObject": "look for an object in",
  "s3:PutObject": "write to",
};

story(
  "S3: a missing permission is named with the bucket and with what fails, and the server does not start",
  async (t) => {
    const s3 = await S3TestServer.start();
    atEnd(t, () => s3[Symbol.asyncDispose]());
    for (const [action, what] of Object.entries(NEEDS)) {
      const bucket = await s3.createBucket();
      const line = await refused(t, { url: `s3://${bucket}`, env: s3.addUser(policyWithout([action], bucket)) });
      assert.ok(line.startsWith(`holdall: cannot ${what} the store s3://${bucket}: `), line);
      assert.ok(line.endsWith(`; allow these credentials ${action} in the bucket ${bucket}`), line);
    }
  },
);

type Is = (exchange: Exchange) => boolean;

/** What the start does after others, by the requests that it does it with. */
const STEPS: Readonly<Record<"Google" | "Azure", Readonly<Record<string, Is>>>> = {
  Google: {
    "write to": ({ method }) => method === "POST",
    list: ({ method, path }) => method === "GET" && /\/o\?/.test(path),
  },
  Azure: {
    "write to": ({ method }) => method === "PUT",
    list: ({ path }) => path.includes("comp=list"),
  },
};

const GRANTS = {
  Google: /grant this identity storage\.objects\.get on the bucket, as the role Storage Object User does$/,
  Azure:
    /give the identity the role Storage Blob Data Contributor on the container \(the action .*\), or the SAS the permission [rwl]/,
} as const;

for (const cloud of ["Google", "Azure"] as const) {
  story(
    `${cloud}: a missing permission is named with the bucket and with what fails, and the server does not start`,
    async (t) => {
      const store = await CLOUDS[cloud](t);
      if (store === undefined) return;
      const line = await StoreLine.start(t, store);
      for (const [what, is] of Object.entries(STEPS[cloud])) {
        line.trouble = { refusal: (exchange) => (is(exchange) ? FORBIDDEN[cloud] : undefined) };
        const said = await refused(t, line.store);
        const [bucket = ""] = store.url.split("/some/prefix");
        assert.ok(said.startsWith(`holdall: cannot ${what} the store ${bucket}/some/prefix`), said);
        assert.ok(said.split(bucket).length > 2, "the store's own words name it too");
        assert.match(said, GRANTS[cloud]);
      }
    },
  );
}
