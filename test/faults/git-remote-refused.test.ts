import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Person } from "../support/git-remote/person.ts";
import { Places } from "../support/git-remote/places.ts";
import { leavesUntouched } from "../support/git-remote/untouched.ts";
import { begin, refsOf } from "../support/git-remote/work.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";

type Env = Readonly<NodeJS.ProcessEnv>;

let s3: S3TestServer;
let bucket: string;
before(async () => {
  s3 = await S3TestServer.start();
  bucket = await s3.createBucket();
});
after(async () => {
  await s3[Symbol.asyncDispose]();
});

const places = Places.shared();

/** The environment of somebody who may do this and nothing else. */
function allowed(...actions: readonly string[]): Env {
  const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  return s3.addUser({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: actions.map((action) => `s3:${action}`), Resource: resources }],
  });
}

/** Who says it, what is wrong, and what to do. */
interface Refusal {
  readonly env?: () => Env;
  readonly url?: () => string;
  /** Of `git push` only: looking is allowed. */
  readonly pushOnly?: boolean;
  readonly message: RegExp;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  "no credentials": {
    env: () => ({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }),
    message: /could not load credentials .*; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile/i,
  },
  "an access key that nobody has": {
    env: () => ({ AWS_ACCESS_KEY_ID: "AKIANOBODY" }),
    message: /InvalidAccessKeyId: .*; the store does not know the access key: check AWS_ACCESS_KEY_ID/,
  },
  "a wrong secret": {
    env: () => ({ AWS_SECRET_ACCESS_KEY: "wrong-and-secret" }),
    message: /SignatureDoesNotMatch: .*: check AWS_SECRET_ACCESS_KEY/,
  },
  "no bucket": {
    url: () => "s3://there-is-no-such-bucket/repository",
    message: /in the bucket there-is-no-such-bucket failed: NoSuchBucket: .*; create the bucket, or correct its name/,
  },
  "no right to read": {
    env: () => allowed("PutObject", "ListBucket"),
    message: /AccessDenied: .*; allow these credentials s3:GetObject in the bucket holdall-/,
  },
  "no right to write": {
    env: () => allowed("GetObject", "ListBucket"),
    pushOnly: true,
    message: /AccessDenied: .*; allow these credentials s3:PutObject in the bucket holdall-/,
  },
  "a server that is not there": {
    env: () => ({ AWS_ENDPOINT_URL: "http://127.0.0.1:1" }),
    message: /ECONNREFUSED 127\.0\.0\.1:1; nothing listens there: is the endpoint right/,
  },
  "a URL of nothing": { url: () => "s3://", message: /"s3:\/\/" is not an S3 store URL: "" does not name a bucket/ },
  "a URL of a kind that is none": {
    url: () => "holdall::ftp://host/path",
    message: /"ftp:\/\/host\/path" is not a store URL: write file:\/\/\/absolute\/path, s3:\/\//,
  },
  "a parameter that is none": {
    url: () => `s3://${bucket}/repository?layuot=packs`,
    message: /there is no parameter layuot; there are region, endpoint/,
  },
};

/** One line that says which and what to do, no stack and no secret. */
function assertSaid(stderr: string, message: RegExp, env: Env): void {
  const lines = stderr
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("error: failed to push some refs to "));
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0] ?? "", /^fatal: /);
  assert.match(lines[0] ?? "", message);
  for (const [name, value = ""] of Object.entries(env)) {
    if (/SECRET|TOKEN|STORAGE_KEY/.test(name) && value !== "") assert.ok(!stderr.includes(value), `${name} is shown`);
  }
}

describe("who may not, hears which and what to do", { concurrency: 3 }, () => {
  for (const [title, { env = () => ({}), url, pushOnly = false, message }] of Object.entries(REFUSALS)) {
    test(`S3: ${title}`, async (t) => {
      const ada = await Person.create(t, s3);
      const remote = { url: `s3://${bucket}/${title.replaceAll(" ", "-")}`, env: s3.env };
      const [one] = await begin(ada, remote);
      await ada.commit("work", "two");
      const variables = env();
      const other = ada.with(variables);
      const where = url?.() ?? remote.url;
      await leavesUntouched(ada, "work", async () => {
        const asked = [
          ["push", where, "main"],
          ...(pushOnly
            ? []
            : [
                ["ls-remote", where],
                ["fetch", where],
              ]),
        ];
        for (const args of asked) {
          const { code, stderr } = await other.tryGit("work", ...args);
          assert.notEqual(code, 0);
          assertSaid(stderr, message, { ...s3.env, ...variables });
        }
      });
      assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), one);
    });
  }

  test("S3: credentials that have expired", async (t) => {
    const own = await S3TestServer.start();
    await using _ = own;
    const env = { ...own.env, AWS_SESSION_TOKEN: "a-token-that-is-secret" };
    const ada = await Person.create(t, { env });
    const url = `s3://${await own.createBucket()}/repository`;
    own.fault({ times: 100 }, { answer: { status: 400, code: "ExpiredToken" } });
    const { stderr } = await ada.tryGit(".", "ls-remote", url);
    assertSaid(stderr, /ExpiredToken: .*; the credentials have expired or were revoked: renew them/, env);
    assert.ok(own.requests.length <= 2, "nobody tries again what cannot be");
  });

  for (const [title, variables, message] of [
    ["no container", {}, /ContainerNotFound, .*; there is no such container: create it, or correct the store URL/],
    [
      "a wrong key",
      { AZURE_STORAGE_KEY: Buffer.from("not the key").toString("base64") },
      /AuthorizationFailure, status 403, .*; .*give the identity the role Storage Blob Data Contributor/,
    ],
    ["no key", { AZURE_STORAGE_KEY: undefined }, /set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY/],
  ] as const) {
    test(`Azure: ${title}`, async (t) => {
      const remote = await places.remote(t, "Azure");
      if (remote === undefined) return;
      const env = { ...remote.env, ...variables };
      const ada = await Person.create(t, { env });
      const url = title === "no container" ? remote.url.replace(/\/test-[^/]+/, "/there-is-none") : remote.url;
      assertSaid((await ada.tryGit(".", "ls-remote", url)).stderr, message, env);
    });
  }

  test("Google: no bucket", async (t) => {
    const remote = await places.remote(t, "Google");
    if (remote === undefined) return;
    const ada = await Person.create(t, remote);
    const { stderr } = await ada.tryGit(".", "ls-remote", remote.url.replace(/gs:\/\/[^/]+/, "gs://there-is-none"));
    assertSaid(stderr, /404 notFound .*bucket does not exist.*; create the bucket or correct the store URL/, {});
  });
});
